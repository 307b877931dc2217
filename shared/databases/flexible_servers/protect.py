"""One call of `protect` for a server: its settings noted, its on-demand backup proven where one was begun, or else the logs of
the point waited for.

Azure shows no latest restorable time. Logs are backed up with a delay of up to five minutes ("Backup and restore", of either
service), so a point counts as restorable when it lies farther back than that, with a margin.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.databases.flexible_servers import backups
from shared.databases.flexible_servers.manifest import read
from shared.databases.flexible_servers.progress import is_same, wait_seconds
from shared.databases.flexible_servers.servers import Server, Servers
from shared.databases.flexible_servers.source import restorable_at
from shared.model.errors import Conflict, InvalidRequest, NotReady
from shared.model.plan import FlexibleServer
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import from_record, replace, to_record
from shared.model.server_settings import ServerSettings
from shared.model.times import iso

GIB = 2**30
INSTEAD = "The point is restored by logs."
FIRST_BACKUP_WITHIN = timedelta(hours=6)
"""A new server has its first full backup soon; one that has none after this time is not backed up."""


def advance(
    database: FlexibleServer,
    point: datetime,
    previous: DatabaseProtection | None,
    now: datetime,
    servers: Servers,
    log_delay: timedelta,
) -> DatabaseProtection:
    """The protection after this call. A backup of the window is known from `previous`: its item's `backup_arn`.

    Raises:
        InvalidRequest: the point is not a whole second.
        NotReady: the server is gone or replaced, or its backups do not have the point.
        Unreachable, Throttled, Forbidden: the service.
    """
    if point.tzinfo is None or point.microsecond:
        raise InvalidRequest(f"{point.isoformat()} cannot be restored to exactly.", hint="A point is a whole second in UTC.")
    item = _remembered(database, point, previous) or ItemProtection(name=database.server, phase=ItemPhase.WAITING)
    if item.is_done:
        return _protection(database, point, item, now)
    server = _same_server(database, item, servers)
    item = replace(item, since=item.since or now, size_bytes=server.settings.storage_gib * GIB)
    if not item.settings:
        try:
            item = replace(item, settings=to_record(read(server, now, servers)))
        except Conflict:
            # Something is being done to the server: its settings are noted by a later call.
            return _protection(database, point, item, now)
    if database.snapshot:
        item = _with_backup(item, point, now, servers, database.server)
    if item.phase is not ItemPhase.KEPT:
        item = _with_logs(item, server, point, now, log_delay)
    if item.is_done:
        item = replace(item, restorable_until=point + timedelta(days=server.settings.retention_days))
    return _protection(database, point, item, now)


def _remembered(database: FlexibleServer, point: datetime, previous: DatabaseProtection | None) -> ItemProtection | None:
    """Memory of another point or database is none."""
    if previous is None or previous.database != database.key or previous.point != point or not previous.items:
        return None
    return previous.items[0]


def _same_server(database: FlexibleServer, item: ItemProtection, servers: Servers) -> Server:
    found = servers.server(database.server)
    noted = from_record(item.settings, ServerSettings) if item.settings else None
    if found is None or (noted is not None and not is_same(found, noted)):
        is_what = "does not exist" if found is None else "is another one than at the restore point"
        raise NotReady(
            f"Flexible server {database.server} {is_what}.", hint="Name the right one in the plan and take a new backup."
        )
    return found


def _with_backup(item: ItemProtection, point: datetime, now: datetime, servers: Servers, server: str) -> ItemProtection:
    """KEPT when it is proven to be of the window; otherwise a note says why not. It is looked at again while the logs are
    waited for: when it was complete may show later than it was."""
    if not item.backup_arn:
        return _without_backup(item, item.note or "No backup was begun in the pause window.")
    name = item.backup_arn.rpartition("/")[2]
    found = next((one for one in servers.backups(server) if one.name == name), None)
    if found is not None and backups.is_proven_for(found, point):
        return replace(item.entered(ItemPhase.KEPT, now), note="")
    if found is not None and found.completed_at is not None:
        return _without_backup(item, f"Backup {name} was complete at {iso(found.completed_at)}, not surely in the window.")
    return _without_backup(item, f"Backup {name} was not complete in the window.")


def _without_backup(item: ItemProtection, why: str) -> ItemProtection:
    """The logs have the point, too: nothing is lost but the faster restore."""
    why = why if INSTEAD in why else f"{why} {INSTEAD}"
    return replace(item, note=why, phase=ItemPhase.WAITING)


def _with_logs(item: ItemProtection, server: Server, point: datetime, now: datetime, log_delay: timedelta) -> ItemProtection:
    earliest = server.earliest_restore
    if earliest is not None and earliest > point:
        raise NotReady(
            f"{iso(point)} cannot be restored: the backups of {server.name} begin at {iso(earliest)}.",
            hint="The server was made, or its retention shortened, lately: take a new backup.",
        )
    if earliest is None and now - point > FIRST_BACKUP_WITHIN:
        raise NotReady(
            f"{server.name} has no backup yet, {(now - point).total_seconds() / 3600:.0f} hours after the point.",
            hint="See its backups in the portal, and take a new backup when there is one.",
        )
    if earliest is None or now < restorable_at(point, log_delay):
        return item.entered(ItemPhase.WAITING, now)
    return item.entered(ItemPhase.COVERED, now)


def _protection(database: FlexibleServer, point: datetime, item: ItemProtection, now: datetime) -> DatabaseProtection:
    return DatabaseProtection(
        database=database.key,
        point=point,
        items=(item,),
        done=item.is_done,
        wait_seconds=0.0 if item.is_done else wait_seconds(item.since, now),
        message=_message(item, point),
    )


def _message(item: ItemProtection, point: datetime) -> str:
    note = f" {item.note}" if item.note else ""
    until = f" until {iso(item.restorable_until)}" if item.restorable_until else ""
    if item.phase is ItemPhase.KEPT:
        return f"{item.name}: restorable{until}, from the backup of the pause window."
    if item.phase is ItemPhase.COVERED:
        return f"{item.name}: restorable{until}.{note}"
    if not item.settings:
        return f"{item.name}: waiting until its settings can be read."
    return f"{item.name}: waiting until the logs of {iso(point)} are backed up.{note}"
