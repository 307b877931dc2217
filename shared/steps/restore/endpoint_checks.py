"""Can the properties of the releases be led elsewhere, where a restore makes that necessary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from shared.model.azure_endpoint import account_keys, server_keys
from shared.model.checks import CheckResult, failed, warned
from shared.model.plan import CosmosAccount, CutOver, Database, FlexibleServer, RelationalDatabase, Release
from shared.model.rds_endpoint import database_keys, jdbc_host
from shared.model.restore import EndpointMove
from shared.model.storage import ReleaseStorage, Storage
from shared.steps.ports import Rooms
from shared.steps.restore.record import RestoreScope, load_progress


def check_endpoints(scope: RestoreScope, rooms: Rooms) -> list[CheckResult]:
    """Where to is known only when it exists. An undo leads back what the first restore has led."""
    plan, undone = scope.plan, scope.restore.undo_of
    keys = {item.key for item in plan.databases if _changes_endpoint(item)}
    if not keys:
        return []
    releases = [item for item in plan.releases if not item.is_participant]
    by_hand = [_led_by_hand(item) for item in plan.releases if item.is_participant]
    if undone:
        back = list(_moves_back(undone, sorted(keys), rooms))
        return [*rooms.endpoints.find(releases, back), *by_hand] if back else []
    hosts = {key: host for key, host in _hosts(scope.storages) if key in keys}
    moves = [
        EndpointMove(old=host, new=f"restored-{host}", credential_source=key if key in _with_keys(plan.databases) else "")
        for key, host in sorted(hosts.items())
    ]
    results = list(rooms.endpoints.find(releases, moves))
    results += [_named_by_none(key) for key in sorted(keys - set(hosts))] if moves else []
    results += _check_repairs(scope, releases, rooms)
    return results + by_hand


def _check_repairs(scope: RestoreScope, releases: Sequence[Release], rooms: Rooms) -> Sequence[CheckResult]:
    """Cosmos DB comes back without stored procedures: can they be brought back beside each release that uses it."""
    accounts = _with_keys(scope.plan.databases)
    users = {storage.release for storage in scope.storages if accounts & {key for key, _ in _hosts([storage])}}
    needing = [release for release in releases if release.key in users]
    return rooms.schema_repair.check(needing) if needing else ()


def _moves_back(run: str, keys: Sequence[str], rooms: Rooms) -> Iterator[EndpointMove]:
    for key in keys:
        progress = load_progress(rooms.catalog, run, key)
        for move in progress.restored.endpoints if progress and progress.restored else ():
            yield EndpointMove(
                old=move.new,
                new=move.old,
                old_port=move.new_port,
                new_port=move.old_port,
                credential_source=key if move.credential_source else "",
            )


def _hosts(storages: Sequence[ReleaseStorage]) -> Iterator[tuple[str, str]]:
    """The host that a release names for a database, with every key that it can mean."""
    for storage in (storage for release in storages for storage in release.storages):
        yield from ((key, host) for key, host in _named(storage) if host)


def _named(storage: Storage) -> Iterator[tuple[str, str]]:
    where = storage.contact_point
    if storage.kind == "cosmos":
        yield from ((key, urlsplit(where).hostname or "") for key in account_keys(where))
    elif host := jdbc_host(where):
        yield from ((key, host.host) for key in database_keys(where) + server_keys(where))


def _changes_endpoint(database: Database) -> bool:
    """On Azure always: neither an account nor a server can be renamed."""
    if isinstance(database, CosmosAccount | FlexibleServer):
        return True
    return isinstance(database, RelationalDatabase) and database.cut_over is CutOver.ENDPOINT


def _with_keys(databases: Sequence[Database]) -> set[str]:
    """Those whose password changes with the endpoint."""
    return {item.key for item in databases if isinstance(item, CosmosAccount)}


def _named_by_none(key: str) -> CheckResult:
    return failed(
        "endpoint-led",
        key,
        "no release names its endpoint, so none can be led to the restored one.",
        "Name the service's own endpoint in the release's properties; on RDS and Aurora, cut_over: identifier will do, too.",
    )


def _led_by_hand(release: Release) -> CheckResult:
    return warned(
        "endpoint-led",
        release.key,
        "is a participant: where it keeps the endpoints of its databases is not known, so it is not led to the new one.",
        "Give it the new endpoint by hand before it starts; on RDS and Aurora, cut_over: identifier leaves it as it is.",
    )
