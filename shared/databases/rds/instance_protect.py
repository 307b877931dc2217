"""One call of `protect` for a DB instance: its settings noted, its snapshot kept where one was begun, or else its recovery
window past the point."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.instance_source import window_of
from shared.databases.rds.inventory import Instance, look
from shared.databases.rds.waiting import wait_seconds
from shared.model.errors import InvalidRequest, NotReady
from shared.model.instance_settings import InstanceSettings
from shared.model.plan import RdsInstance
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import from_record, replace, to_record
from shared.model.times import iso

RETENTION_HINT = "Set its backup retention period to at least one day and take a new backup."
GIB = 2**30
INSTEAD = "The point lives as long as the automated backups."


def advance(
    database: RdsInstance, point: datetime, previous: DatabaseProtection | None, now: datetime, calls: Calls
) -> DatabaseProtection:
    """The protection after this call. A snapshot of the window is known from `previous`: its item's `backup_arn`.

    Raises:
        InvalidRequest: the point is not a whole second.
        NotReady: the instance is gone or replaced, or its automated backups do not have the point.
        Unreachable, Throttled, Forbidden: the service.
    """
    if point.tzinfo is None or point.microsecond:
        raise InvalidRequest(f"{point.isoformat()} cannot be restored to exactly.", hint="A point is a whole second in UTC.")
    item = _remembered(database, point, previous) or ItemProtection(name=database.instance, phase=ItemPhase.WAITING, since=now)
    if item.is_done:
        return _protection(database, point, item, now)
    instance = _same_instance(database, item, calls)
    item = replace(item, since=item.since or now, size_bytes=int(instance.described.get("AllocatedStorage", 0)) * GIB)
    if not item.settings:
        item = replace(item, settings=to_record(read(instance, now)))
    if database.snapshot:
        item = _with_snapshot(item, point, now, calls)
    if item.phase not in (ItemPhase.COPYING, ItemPhase.KEPT):
        item = _with_window(item, instance, point, now, calls)
    return _protection(database, point, item, now)


def _remembered(database: RdsInstance, point: datetime, previous: DatabaseProtection | None) -> ItemProtection | None:
    """Memory of another point or database is none."""
    if previous is None or previous.database != database.key or previous.point != point or not previous.items:
        return None
    return previous.items[0]


def _same_instance(database: RdsInstance, item: ItemProtection, calls: Calls) -> Instance:
    fleet = look(calls)
    noted = from_record(item.settings, InstanceSettings).resource_id if item.settings else ""
    found = fleet.named(database.instance)
    if found is None or (noted and found.resource_id != noted):
        other = fleet.being(noted)
        now_called = f" It is called {other.identifier} now." if other else ""
        is_what = "does not exist" if found is None else "is another one than at the restore point"
        raise NotReady(
            f"DB instance {database.instance} {is_what}.{now_called}",
            hint="Name the right one in the plan and take a new backup.",
        )
    return found


def _with_snapshot(item: ItemProtection, point: datetime, now: datetime, calls: Calls) -> ItemProtection:
    """COPYING while the snapshot is being made, KEPT when it is proven to be of the window; otherwise a note says why not."""
    if not item.backup_arn:
        return _without_snapshot(item, item.note or "No snapshot was begun in the pause window.")
    snapshot = snapshots.find(snapshots.OF_INSTANCE, item.backup_arn, calls)
    if snapshot is None:
        return _without_snapshot(item, f"Snapshot {item.backup_arn} does not exist any more.")
    if snapshot.status == "creating":
        return item.entered(ItemPhase.COPYING, now)
    if not snapshot.is_available:
        return _without_snapshot(item, f"Snapshot {snapshot.identifier} is {snapshot.status}.")
    if not snapshot.is_proven_for(point):
        at = iso(snapshot.taken_at) if snapshot.taken_at else "an unknown time"
        return _without_snapshot(item, f"Snapshot {snapshot.identifier} was taken at {at}, which is not surely in the window.")
    snapshots.keep(snapshot, point, calls)
    return item.entered(ItemPhase.KEPT, now)


def _without_snapshot(item: ItemProtection, why: str) -> ItemProtection:
    phase = ItemPhase.WAITING if item.phase is ItemPhase.COPYING else item.phase
    note = why if why.endswith(INSTEAD) else f"{why} {INSTEAD}"
    return replace(item, phase=phase, backup_arn="", note=note)


def _with_window(item: ItemProtection, instance: Instance, point: datetime, now: datetime, calls: Calls) -> ItemProtection:
    days = instance.retention_days
    if not days:
        raise NotReady(
            f"{instance.identifier}: automated backups are off, so {iso(point)} cannot be restored.", hint=RETENTION_HINT
        )
    window = window_of(instance.resource_id, instance, calls)
    if not window.reaches_back_to(point):
        if window.earliest is None:
            return item.entered(ItemPhase.WAITING, now)
        raise NotReady(
            f"{instance.identifier}: its automated backups reach back to {iso(window.earliest)}, not to {iso(point)}.",
            hint="They were turned on after the point, or the point is older than the retention. Take a new backup.",
        )
    if not window.has_reached(point):
        return item.entered(ItemPhase.WAITING, now)
    return replace(item.entered(ItemPhase.COVERED, now), restorable_until=point + timedelta(days=days))


def _protection(database: RdsInstance, point: datetime, item: ItemProtection, now: datetime) -> DatabaseProtection:
    return DatabaseProtection(
        database=database.key,
        point=point,
        items=(item,),
        done=item.is_done,
        wait_seconds=0.0 if item.is_done else wait_seconds(item.since, now),
        message=_message(item, point),
    )


def _message(item: ItemProtection, point: datetime) -> str:
    texts = {
        ItemPhase.WAITING: f"{item.name}: waiting until {iso(point)} is restorable.",
        ItemPhase.COPYING: f"{item.name}: waiting for its snapshot.",
        ItemPhase.KEPT: f"{item.name}: kept as a snapshot.",
    }
    until = f" until {iso(item.restorable_until)}" if item.restorable_until else ""
    text = texts.get(item.phase, f"{item.name}: restorable{until}.")
    return f"{text} {item.note}".strip()
