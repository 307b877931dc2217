"""One call of `protect` for a DB instance: its settings noted, its snapshot kept where one was begun, or else its recovery
window past the point."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.instance_source import window_of
from shared.databases.rds.inventory import Instance, look
from shared.databases.rds.protecting import item_of, protection, with_snapshot
from shared.model.errors import NotReady
from shared.model.instance_settings import InstanceSettings
from shared.model.plan import RdsInstance
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import from_record, replace, to_record
from shared.model.times import iso

RETENTION_HINT = "Set its backup retention period to at least one day and take a new backup."
GIB = 2**30


def advance(
    database: RdsInstance, point: datetime, previous: DatabaseProtection | None, now: datetime, calls: Calls
) -> DatabaseProtection:
    """The protection after this call. A snapshot of the window is known from `previous`: its item's `backup_arn`.

    Raises:
        InvalidRequest: the point is not a whole second.
        NotReady: the instance is gone or replaced, or its automated backups do not have the point.
        Unreachable, Throttled, Forbidden: the service.
    """
    item = item_of(database, point, previous, now)
    if item.is_done:
        return protection(database, point, item, now)
    instance = _same_instance(database, item, calls)
    item = replace(item, since=item.since or now, size_bytes=int(instance.described.get("AllocatedStorage", 0)) * GIB)
    if not item.settings:
        item = replace(item, settings=to_record(read(instance, now)))
    if database.snapshot:
        item = with_snapshot(snapshots.OF_INSTANCE, item, point, now, calls)
    if item.phase not in (ItemPhase.COPYING, ItemPhase.KEPT):
        item = _with_window(item, instance, point, now, calls)
    return protection(database, point, item, now)


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
