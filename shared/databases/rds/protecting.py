"""What `protect` of an instance and of a cluster share: the memory of the last call, the window's snapshot, what is said."""

from __future__ import annotations

from datetime import datetime

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.snapshots import SnapshotKind
from shared.databases.rds.waiting import wait_seconds
from shared.model.errors import InvalidRequest
from shared.model.plan import RelationalDatabase
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import replace
from shared.model.times import iso

INSTEAD = "The point lives as long as the automated backups."


def item_of(
    database: RelationalDatabase, point: datetime, previous: DatabaseProtection | None, now: datetime
) -> ItemProtection:
    """What is remembered of this point; memory of another point or database is none.

    Raises:
        InvalidRequest: the point is not a whole second.
    """
    if point.tzinfo is None or point.microsecond:
        raise InvalidRequest(f"{point.isoformat()} cannot be restored to exactly.", hint="A point is a whole second in UTC.")
    if previous is None or previous.database != database.key or previous.point != point or not previous.items:
        return ItemProtection(name=database.identifier, phase=ItemPhase.WAITING, since=now)
    return previous.items[0]


def with_snapshot(kind: SnapshotKind, item: ItemProtection, point: datetime, now: datetime, calls: Calls) -> ItemProtection:
    """COPYING while the snapshot is being made, KEPT when it is proven to be of the window; otherwise a note says why not: why
    none was begun is in the note already."""
    if not item.backup_arn:
        return _without_snapshot(item, item.note or "No snapshot was begun in the pause window.")
    snapshot = snapshots.find(kind, item.backup_arn, calls)
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


def protection(database: RelationalDatabase, point: datetime, item: ItemProtection, now: datetime) -> DatabaseProtection:
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
    return f"{texts.get(item.phase, f'{item.name}: restorable{until}.')} {item.note}".strip()
