"""The tables of one restore: where each is, and with which tables and sources a restore or an undo begins.

The phases of a table in order. While its source is still to be made by point-in-time recovery, a table is in one of the
phases of `protect` (`ItemPhase`), because the same machinery makes it.

    checking ──► source-ready ──► backing-up ──► prepared ──► deleting ──► gone ──► creating ──► settling ──► done
        └► waiting … cleaning ┘        └───── ◄ ─────┘                       └► refused ┘
    side by side: source-ready ──► creating-aside ──► done
    an undo, of a table that was missing before: source-ready ──► backing-up ──► prepared ──► deleting ──► removed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.discovery import discover
from shared.databases.dynamodb.inventory import list_tables
from shared.databases.dynamodb.names import copy_name, old_name
from shared.model.errors import NotReady
from shared.model.plan import DynamoDb
from shared.model.protection import ItemPhase, ItemProtection
from shared.model.records import from_record, replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreOrder, RestoreStage, Target
from shared.model.storage import ReleaseStorage
from shared.model.table_settings import TableSettings
from shared.model.times import iso


class TablePhase(StrEnum):
    CHECKING = "checking"
    """There is said to be a backup to restore from; it has to be seen."""
    SOURCE_READY = "source-ready"
    BACKING_UP = "backing-up"
    """The live table's safety backup was asked for; of a prepared table anew, when the application has run since."""
    PREPARED = "prepared"
    """The backup to restore from and the safety backup are AVAILABLE, and the live table's settings are stored."""
    DELETING = "deleting"
    GONE = "gone"
    """The live table is gone; a restore slot is being waited for."""
    REFUSED = "refused"
    """The live table is gone and the request to restore it was refused: it is repeated, and no other live table is deleted."""
    CREATING = "creating"
    SETTLING = "settling"
    """The restored table is ACTIVE; its settings are put back and compared."""
    CREATING_ASIDE = "creating-aside"
    DONE = "done"
    REMOVED = "removed"
    """An undo: the table did not exist before the restore that is taken back, and does not exist any more."""
    LEFT_ALONE = "left-alone"
    """The point has nothing of this table."""


SOURCE_PHASES = frozenset(phase.value for phase in ItemPhase)
"""Phases in which `protect`'s machinery is at work on a table."""


class Restoring(NamedTuple):
    """What one call works on. `now` is taken once; `quiet_seconds` is how long nobody may have written before
    a safety backup."""

    order: RestoreOrder
    database: DynamoDb
    now: datetime
    quiet_seconds: float
    max_concurrent_restores: int

    @property
    def is_aside(self) -> bool:
        return self.order.target is Target.SIDE_BY_SIDE

    @property
    def is_undo(self) -> bool:
        return self.order.undo is not None

    @property
    def point(self) -> datetime:
        """The second to restore to.

        Raises:
            NotReady: an undo has none.
        """
        if self.order.at is None:
            raise NotReady(f"{self.database.key}: an undo restores from safety backups, not to a time.")
        return self.order.at

    def source_name(self, table: str) -> str:
        """The name that the backup to restore from must have."""
        return old_name(self.order.undo.stamp, table) if self.order.undo else copy_name(self.point, table)


def brought_back(undo: DatabaseRestore | None) -> Mapping[str, str]:
    """Tables that did not exist before a restore and that it makes, with the backup it makes each from. Whoever takes it back
    removes them.

    That a table was missing is certain only when the first half had ended: until then, what is not kept may be kept yet.
    """
    if undo is None or not undo.changed_live:
        return {}
    return {
        item.name: item.source for item in undo.items if item.source and not item.kept and item.phase != TablePhase.LEFT_ALONE
    }


def remembered(restoring: Restoring, previous: DatabaseRestore | None) -> DatabaseRestore | None:
    """Memory of another restore or database is none."""
    order = restoring.order
    if previous is None or previous.database != restoring.database.key or previous.stamp != order.stamp:
        return None
    return previous


def begun(restoring: Restoring, items: Sequence[ItemRestore]) -> DatabaseRestore:
    return DatabaseRestore(
        database=restoring.database.key,
        stage=RestoreStage.PREPARING,
        stamp=restoring.order.stamp,
        at=restoring.order.at,
        items=tuple(items),
        began_at=restoring.now,
    )


def first_items(restoring: Restoring, storages: Sequence[ReleaseStorage], calls: Calls) -> tuple[ItemRestore, ...]:
    """Every table with where its data is said to be.

    Raises:
        NotReady: there is no table to restore.
        Unreachable, Throttled, Forbidden: the tables could not be found; for a plain time only.
    """
    order = restoring.order
    if order.undo:
        removals = brought_back(order.undo)
        found = tuple(_of_earlier(item, item.name in removals, restoring.now) for item in order.undo.items)
    elif order.protection:
        found = tuple(_of_point(item, restoring) for item in order.protection.items)
    else:
        names = discover(restoring.database, storages, list_tables(calls), calls).tables
        found = tuple(ItemRestore(name=name, phase=ItemPhase.WAITING, since=restoring.now) for name in names)
    if not found:
        raise NotReady(
            f"{restoring.database.key}: there is no table to restore.",
            hint="The restore point names none, or no release of the plan uses DynamoDB in this region.",
        )
    return found


def _of_point(item: ItemProtection, restoring: Restoring) -> ItemRestore:
    if item.phase is ItemPhase.ABSENT:
        note = f"It did not exist at {iso(restoring.point)}: it is left alone."
        return ItemRestore(name=item.name, phase=TablePhase.LEFT_ALONE, since=restoring.now, done=True, note=note)
    phase = TablePhase.CHECKING if item.backup_arn else ItemPhase.WAITING
    return ItemRestore(
        name=item.name, phase=phase, since=restoring.now, source=item.backup_arn, settings=item.settings, note=item.note
    )


def _of_earlier(item: ItemRestore, is_removed: bool, now: datetime) -> ItemRestore:
    if is_removed:
        return ItemRestore(name=item.name, phase=TablePhase.SOURCE_READY, since=now)
    if not item.kept:
        return left_alone(item, "The restore that is taken back has not touched a table of this name: it is left alone.", now)
    return ItemRestore(name=item.name, phase=TablePhase.CHECKING, since=now, source=item.kept, settings=item.kept_settings)


def left_alone(item: ItemRestore, note: str, now: datetime) -> ItemRestore:
    return ItemRestore(name=item.name, phase=TablePhase.LEFT_ALONE, since=now, done=True, note=note)


def as_protection(item: ItemRestore) -> ItemProtection:
    """A table whose source is being made, as `protect` knows it."""
    return ItemProtection(
        name=item.name,
        phase=ItemPhase(item.phase),
        since=item.since,
        side_table=item.side,
        backup_arn=item.source,
        settings=item.settings,
    )


def with_protection(item: ItemRestore, reached: ItemProtection, now: datetime) -> ItemRestore:
    """The same table after `protect` has gone on with it."""
    if reached.phase is ItemPhase.ABSENT:
        note = "It was created after the point: it is left alone."
        return replace(item, phase=TablePhase.LEFT_ALONE, since=now, done=True, note=note)
    known = replace(item, source=reached.backup_arn, side=reached.side_table, settings=reached.settings, note=reached.note)
    if reached.phase is ItemPhase.KEPT:
        return replace(known, side="").entered(TablePhase.SOURCE_READY, now)
    return replace(known, phase=reached.phase, since=reached.since)


def settings_of(record: object) -> TableSettings | None:
    """The manifest in an item; None when none is stored."""
    return from_record(record, TableSettings) if record else None
