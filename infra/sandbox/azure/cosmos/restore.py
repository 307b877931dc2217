"""A restore: a new account with the documents of a moment, and without all that the service does not bring back.

Source: https://learn.microsoft.com/azure/cosmos-db/continuous-backup-restore-introduction, "What isn't restored?".
"""

from __future__ import annotations

import copy
import re

from infra.sandbox.azure.arm.linked import require
from infra.sandbox.azure.arm.operations import seconds_of, utc
from infra.sandbox.azure.arm.requests import Request
from infra.sandbox.azure.cosmos.accounts import (
    DEFAULTS,
    SESSION,
    Account,
    Json,
    bad_request,
    check_properties,
    region_id,
)
from infra.sandbox.azure.cosmos.contents import Contents
from infra.sandbox.azure.cosmos.inventory import Inventory

RESTORE = "Microsoft.DocumentDB/locations/restorableDatabaseAccounts/restore/action"
"""Cannot be given on a resource group, because restorable accounts are in none."""
_SOURCE = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/providers/Microsoft\.DocumentDB/locations/(?P<location>[^/]+)/"
    r"restorableDatabaseAccounts/(?P<instance>[^/]+)",
    re.IGNORECASE,
)


def restored_account(inventory: Inventory, request: Request, regions: list[Json], now: float) -> Account:
    """What a PUT with createMode Restore makes, still Creating. Raises RefusedError."""
    parameters = request.properties.get("restoreParameters") or {}
    source = _source(inventory, request, parameters, regions)
    at = _moment(inventory, source, parameters, now)
    wanted = _wanted(source, parameters, at)
    without_ttl = bool(parameters.get("restoreWithTtlDisabled"))
    spread_seconds = inventory.settings.cosmos_restore_spread_seconds
    given = {name: value for name, value in request.properties.items() if name in DEFAULTS}
    properties = copy.deepcopy(DEFAULTS) | {"backupPolicy": source.properties["backupPolicy"]} | given
    # The documentation says both, that consistency is restored and, by its examples, that it is not: here it is lost.
    properties["consistencyPolicy"] = {"defaultConsistencyLevel": SESSION}
    check_properties(properties, regions)
    return Account(
        subscription=request.names["subscription"],
        group=request.names["group"],
        name=request.names["account"],
        location=request.body["location"],
        kind=source.kind,
        regions=regions,
        properties=properties,
        tags=request.body.get("tags") or {},
        identity=request.body.get("identity") or {"type": "None"},
        created_at=now,
        contents=source.contents.restored(at, wanted, without_ttl, now, spread_seconds) if wanted else Contents(),
        create_mode="Restore",
        restore_parameters={**parameters, "restoreTimestampInUtc": utc(at)},
    )


def _source(inventory: Inventory, request: Request, parameters: Json, regions: list[Json]) -> Account:
    if parameters.get("restoreMode") != "PointInTime":
        raise bad_request("restoreParameters.restoreMode must be PointInTime.")
    found = _SOURCE.fullmatch(parameters.get("restoreSource") or "")
    if found is None:
        raise bad_request("restoreParameters.restoreSource must be the id of a restorable database account.")
    require(request, RESTORE, [found[0]])
    if len(regions) != 1:
        raise bad_request("An account is restored into one location: add the others when the restore has ended.")
    where = parameters.get("sourceBackupLocation") or regions[0]["locationName"]
    source = inventory.restorable_account(found["location"], found["instance"], request.now)
    available = {region_id(region["locationName"]) for region in source.regions}
    for place in (where, regions[0]["locationName"], request.body.get("location", "")):
        if region_id(place) not in available:
            message = (
                f"Account {source.name} has no backups in location '{place}': it existed in {', '.join(sorted(available))}."
            )
            raise bad_request(message)
    return source


def _moment(inventory: Inventory, source: Account, parameters: Json, now: float) -> float:
    at = float(int(seconds_of(parameters.get("restoreTimestampInUtc"), "restoreParameters.restoreTimestampInUtc")))
    oldest, lag = source.oldest_restorable(now), inventory.settings.cosmos_lag_seconds
    latest = min(
        [source.latest_restorable((database, name), lag, now) for database, name, _ in source.contents.all_containers()]
        or [source.latest_restorable(("", ""), lag, now)]
    )
    if not int(oldest) <= at <= latest:
        raise bad_request(
            f"Account {source.name} cannot be restored to {utc(at)}: the oldest restorable time is {utc(oldest)}, the latest "
            f"one {utc(latest)}."
        )
    return at


def _wanted(source: Account, parameters: Json, at: float) -> dict[str, list[str]]:
    """The containers to restore, by database."""
    there = source.contents.names_at(at)
    named = parameters.get("databasesToRestore")
    if not there:
        raise bad_request(f"Account {source.name} had no database at {utc(at)}: there is nothing to restore.")
    if not named:
        return there
    wanted: dict[str, list[str]] = {}
    for each in named:
        database = each["databaseName"]
        containers = each.get("collectionNames") or there.get(database, [])
        missing = sorted(set(containers) - set(there.get(database, [])))
        if database not in there or missing:
            what = f"database {database}" if database not in there else f"container {database}/{missing[0]}"
            raise bad_request(f"Account {source.name} had no {what} at {utc(at)}.")
        live = source.contents.databases.get(database)
        if live and live.throughput is not None and set(containers) != set(there[database]):
            raise bad_request(f"Database {database} shares its throughput: restore all of its containers or none.")
        wanted[database] = sorted(containers)
    return wanted
