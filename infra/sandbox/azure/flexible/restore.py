"""A point-in-time restore: a new server with the rows of a second, and without what the service does not bring along."""

from __future__ import annotations

import copy
import math
import re

from infra.sandbox.azure.arm.operations import seconds_of, utc
from infra.sandbox.azure.arm.requests import Request
from infra.sandbox.azure.flexible.servers import READY, STOPPED, UPDATING, Inventory, Json, Server
from infra.sandbox.azure.refusals import RefusedError
from infra.sandbox.relational.volume import Volume

_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/(?P<namespace>[^/]+)/flexibleServers/(?P<name>[^/]+)",
    re.IGNORECASE,
)


def restored_server(inventory: Inventory, request: Request) -> Server:
    """What a PUT with createMode PointInTimeRestore makes, not yet Ready. Raises RefusedError."""
    engine, settings = inventory.engine, inventory.settings
    source = source_of(inventory, request)
    at = _moment(inventory, source, request)
    inherits = settings.servers_restore_inherits > 0
    kept: Json = copy.deepcopy(source.settings) | {"highAvailability": {"mode": "Disabled"}, "createMode": "PointInTimeRestore"}
    kept["network"] = _network(source, request)
    if request.properties.get("availabilityZone"):
        kept["availabilityZone"] = request.properties["availabilityZone"]
    if request.body.get("sku"):
        kept["sku"] = request.body["sku"]
    parameters = source.parameters if engine.keeps_parameters or inherits else {}
    tags = request.body.get("tags")
    return Server(
        engine=engine,
        subscription=request.names["subscription"],
        group=request.names["group"],
        name=request.names["server"],
        location=source.location,
        login=source.login,
        settings=kept,
        tags=tags if tags is not None else dict(source.tags) if inherits else {},
        identity=request.body.get("identity"),
        volume=Volume(source.volume.contents_at(at)),
        created_at=request.now,
        state=engine.state_while_created(request.api_version),
        parameters={name: value for name, value in parameters.items() if not engine.parameters[name].reset_by_restore},
        firewall=dict(source.firewall) if inherits else {},
    )


def source_of(inventory: Inventory, request: Request) -> Server:
    """The server that the body names as the one to make another of. Raises RefusedError."""
    source_id = request.properties.get("sourceServerResourceId") or ""
    found = _ID.fullmatch(source_id)
    source = inventory.find(found["group"], found["name"]) if found else None
    if found is None or source is None or found["namespace"].lower() != inventory.engine.namespace.lower():
        raise RefusedError(400, "SourceServerNotFound", f"sourceServerResourceId '{source_id}' is no server of this engine.")
    if source.state not in (READY, UPDATING, STOPPED):
        raise RefusedError(409, "ServerIsBusy", f"Cannot make another server from server {source.name}: it is {source.state}.")
    if source.is_replica:
        raise RefusedError(
            400, "ReplicaNotSupported", f"Server {source.name} is a replica: name the server that it replicates."
        )
    wished = str(request.body["location"]).replace(" ", "").lower()
    if wished != source.location.replace(" ", "").lower():
        raise RefusedError(
            400, "InvalidLocation", f"The new server must be in the region of its source: {source.location}, not {wished}."
        )
    return source


def _moment(inventory: Inventory, source: Server, request: Request) -> float:
    name = inventory.engine.restore_time
    at = float(int(seconds_of(request.properties.get(name), f"properties.{name}")))
    earliest, latest = source.earliest_restore(request.now), request.now - inventory.settings.servers_lag_seconds
    if earliest is None:
        message = f"Server {source.name} cannot be restored yet: its first backup has not ended."
        raise RefusedError(400, "NoBackupAvailable", message)
    if not math.floor(earliest) <= at <= latest:
        message = (
            f"Server {source.name} cannot be restored to {utc(at)}: the earliest restore point is {utc(earliest)}, the latest "
            f"{utc(latest)}."
        )
        raise RefusedError(400, "InvalidRestorePointInTime", message)
    return at


def _network(source: Server, request: Request) -> Json:
    given: Json = request.properties.get("network") or {}
    if not given and (source.engine.inherits_network or not source.is_private):
        # What a server's public access is set to does not come along; its subnet does, on MySQL.
        return dict(source.settings["network"]) if source.is_private else {}
    if bool(given.get("delegatedSubnetResourceId")) != source.is_private:
        message = (
            f"Server {source.name} has {'private' if source.is_private else 'public'} access: restored servers cannot have the "
            "other kind. Give network.delegatedSubnetResourceId for private access, and only then."
        )
        raise RefusedError(400, "NetworkMismatch", message)
    if source.is_private and not given.get(source.engine.dns_zone):
        raise RefusedError(400, "PrivateDnsZoneRequired", f"A server in a subnet needs network.{source.engine.dns_zone}.")
    return dict(given)
