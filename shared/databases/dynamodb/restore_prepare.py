"""The first half of a restore: the backups to restore from, the safety backups and the settings of the live tables.

Nothing live is changed here. Side by side, the restored tables are made under names of their own, and that is all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.inventory import Backup, list_backups, list_safety_backups, read_backup
from shared.databases.dynamodb.live_table import LiveTable, read_live
from shared.databases.dynamodb.names import copy_prefix, restored_name
from shared.databases.dynamodb.protect import Order, advance
from shared.databases.dynamodb.putting_back import PuttingBack
from shared.databases.dynamodb.restore_items import (
    SOURCE_PHASES,
    Restoring,
    TablePhase,
    as_protection,
    begun,
    brought_back,
    first_items,
    left_alone,
    remembered,
    settings_of,
    with_protection,
)
from shared.databases.dynamodb.restore_moves import Moves
from shared.databases.dynamodb.restore_safety import SafetyBackups, is_outdated
from shared.databases.dynamodb.restore_slots import free_slots
from shared.databases.dynamodb.restore_steps import Act, quiet_at
from shared.databases.dynamodb.restoring import Restores
from shared.databases.dynamodb.settings_compare import completed
from shared.model.errors import Conflict, NotReady
from shared.model.protection import DatabaseProtection, ItemPhase
from shared.model.records import replace, to_record
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage
from shared.model.storage import ReleaseStorage
from shared.model.times import iso

COPYING_TAKES = timedelta(days=1)
"""Kept copies of a point are looked for in the listing of this time after it; a younger one is described by itself."""
UNTOUCHED = "Nothing live was touched."


def prepare(
    restoring: Restoring, storages: Sequence[ReleaseStorage], previous: DatabaseRestore | None, calls: Calls
) -> DatabaseRestore:
    """The restore after this call.

    Raises:
        NotReady: a table cannot be restored; the message names each, and nothing live was touched.
        Conflict: somebody else is at work on a table.
        Unreachable, Throttled, Forbidden: nothing at all could be seen, or a right is missing.
    """
    reached = remembered(restoring, previous)
    if reached and reached.stage not in (RestoreStage.PREPARING, RestoreStage.PREPARED):
        return replace(reached, done=True, wait_seconds=0.0)
    reached = reached or begun(restoring, first_items(restoring, storages, calls))
    return Preparing(restoring, storages, reached, calls).once()


class Preparing:
    """One call of the first half."""

    def __init__(
        self, restoring: Restoring, storages: Sequence[ReleaseStorage], reached: DatabaseRestore, calls: Calls
    ) -> None:
        self._restoring = restoring
        self._storages = storages
        self._reached = reached
        self._calls = calls
        self._now = restoring.now
        self._moves = Moves(reached.items, restoring.now, calls)
        self._restores = Restores(restoring.order.stamp, restoring.now, calls)
        self._putting_back = PuttingBack(restoring.now, calls)
        self._wait_for_source = 0.0
        order = restoring.order
        self._earlier_sources = {item.name: item.source for item in order.undo.items} if order.undo else {}
        self._removals = brought_back(order.undo)

    def once(self) -> DatabaseRestore:
        self._moves.stage(self._check_sources)
        self._moves.stage(self._make_sources)
        self._moves.stage(self._restore_aside if self._restoring.is_aside else self._make_safety_backups)
        self._moves.raise_any()
        return self._result()

    # -- what to restore from

    def _check_sources(self) -> None:
        if not (items := self._moves.within(TablePhase.CHECKING)):
            return
        listed = self._list_sources()
        self._moves.each(items, lambda item: self._check_source(item, listed))

    def _list_sources(self) -> dict[str, Backup]:
        """In a few listings instead of a call per table."""
        undo = self._restoring.order.undo
        if undo:
            return list_safety_backups(undo.stamp, undo.began_at, self._calls)
        point = self._restoring.point
        return list_backups(copy_prefix(point), point, point + COPYING_TAKES, self._calls)

    def _check_source(self, item: ItemRestore, listed: dict[str, Backup]) -> ItemRestore:
        backup = listed.get(item.source) or read_backup(item.source, self._calls)
        if backup is None:
            return self._without_source(item)
        if backup.name != self._restoring.source_name(item.name):
            raise NotReady(
                f"{item.name}: the backup {backup.arn} is named {backup.name} and is not a copy of it.",
                hint=f"{UNTOUCHED} Choose another restore point.",
            )
        if backup.status != "AVAILABLE":
            return replace(item, note=f"The backup {backup.arn} is {backup.status}.")
        return item.entered(TablePhase.SOURCE_READY, self._now)

    def _without_source(self, item: ItemRestore) -> ItemRestore:
        """A kept copy that somebody deleted can be made again while point-in-time recovery reaches the point."""
        if self._restoring.is_undo:
            raise NotReady(
                f"{item.name}: its safety backup {item.source} is gone, so the restore cannot be taken back.",
                hint=f"{UNTOUCHED} It was deleted by somebody, or when its time was over.",
            )
        return replace(item, source="", note=f"Its kept copy {item.source} is gone.").entered(ItemPhase.WAITING, self._now)

    def _make_sources(self) -> None:
        """By point-in-time recovery, with the machinery that makes kept copies. No live table is touched by it."""
        if not (items := self._moves.within(*SOURCE_PHASES)):
            return
        point, database = self._restoring.point, self._restoring.database
        order = Order(database, point, True, self._now, self._restoring.max_concurrent_restores)
        known = DatabaseProtection(database=database.key, point=point, items=tuple(as_protection(item) for item in items))
        try:
            reached = advance(order, self._storages, known, self._calls)
        except NotReady as error:
            raise NotReady(
                f"{database.key} cannot be restored to {iso(point)}: {error.message}",
                hint=f"{UNTOUCHED} Choose another restore point.",
            ) from error
        by_name = {item.name: item for item in items}
        self._moves.set([with_protection(by_name[item.name], item, self._now) for item in reached.items])
        self._wait_for_source = reached.wait_seconds

    # -- in place: what an undo needs

    def _make_safety_backups(self) -> None:
        outdated = [item for item in self._moves.within(TablePhase.PREPARED) if is_outdated(item, self._restoring)]
        self._moves.set([item.entered(TablePhase.SOURCE_READY, self._now) for item in outdated])
        if items := self._moves.within(TablePhase.BACKING_UP, TablePhase.SOURCE_READY):
            safety = SafetyBackups(self._restoring, self._calls)
            self._moves.each(items, lambda item: self._towards_safety(item, safety))

    def _towards_safety(self, item: ItemRestore, safety: SafetyBackups) -> ItemRestore:
        live = read_live(item.name, self._calls)
        of_source = settings_of(item.settings)
        if self._restoring.is_undo and live and of_source and live.table_id == of_source.table_id:
            if live.status == "DELETING":
                return replace(item, note="The restore that is taken back has asked for its deletion: it is made again then.")
            note = "The restore that is taken back has not replaced it."
            return replace(item, source="", note=note).entered(TablePhase.PREPARED, self._now)
        if live and item.name in self._removals and live.from_backup != self._removals[item.name]:
            return left_alone(item, "The restore that is taken back has not made it: it is left alone.", self._now)
        step = safety.step(item, live, self._earlier_sources.get(item.name, ""))
        match step.act:
            case Act.CONFLICT:
                raise Conflict(f"{item.name}: {step.reason}", hint=f"{UNTOUCHED} Try again when that has ended.")
            case Act.REFUSE:
                raise NotReady(f"{item.name}: {step.reason}", hint=UNTOUCHED)
            case Act.BACK_UP:
                return self._restores.back_up(item)
            case Act.WAIT:
                return replace(item, note=step.reason)
        if live is None:
            note = "There is no live table of this name, so nothing is kept of it."
            return replace(item, kept=step.kept.arn if step.kept else "", note=note).entered(TablePhase.PREPARED, self._now)
        if live.replica_regions:
            raise NotReady(_replicated(item.name, live.replica_regions), hint=UNTOUCHED)
        kept = replace(item, kept=step.kept.arn if step.kept else "")
        return self._with_settings(kept, live).entered(TablePhase.PREPARED, self._now)

    def _with_settings(self, item: ItemRestore, live: LiveTable) -> ItemRestore:
        """The live table's are for an undo. A table that is removed shall have none."""
        settings, of_source = self._putting_back.read(live), settings_of(item.settings)
        item = replace(item, kept_settings=to_record(settings))
        if item.name in self._removals:
            return item
        return replace(item, settings=to_record(completed(of_source, settings) if of_source else settings))

    # -- side by side

    def _restore_aside(self) -> None:
        self._moves.each(self._moves.within(TablePhase.CREATING_ASIDE), self._look_aside)
        free = free_slots(self._restoring.max_concurrent_restores, [], self._calls)
        ready = self._moves.within(TablePhase.SOURCE_READY)
        self._moves.each(ready[:free], self._begin_aside)

    def _begin_aside(self, item: ItemRestore) -> ItemRestore:
        target = restored_name(self._restoring.order.stamp, item.name)
        return self._restores.restore(replace(item, side=target), target, TablePhase.CREATING_ASIDE)

    def _look_aside(self, item: ItemRestore) -> ItemRestore:
        table = read_live(item.side, self._calls)
        if table is None:
            return replace(item, note=f"{item.side} is not there.").entered(TablePhase.SOURCE_READY, self._now)
        if table.from_backup != item.source:
            raise Conflict(
                f"{item.name}: a table {item.side} exists that this restore has not made.",
                hint=f"{UNTOUCHED} Look at it, and delete it if nobody needs it.",
            )
        if table.is_restoring or table.status != "ACTIVE":
            return item
        note = "Its settings are not put back; compare it, copy from it, and let it be discarded."
        return replace(item, done=True, note=note).entered(TablePhase.DONE, self._now)

    # -- the answer

    def _result(self) -> DatabaseRestore:
        items = self._moves.items
        end = (
            (TablePhase.DONE, TablePhase.LEFT_ALONE)
            if self._restoring.is_aside
            else (TablePhase.PREPARED, TablePhase.LEFT_ALONE)
        )
        done = all(item.phase in end for item in items)
        stage = RestoreStage.DONE if self._restoring.is_aside else RestoreStage.PREPARED
        return replace(
            self._reached,
            stage=stage if done else RestoreStage.PREPARING,
            items=items,
            done=done,
            wait_seconds=0.0 if done else self._wait_seconds(),
            message=self._message(done),
        )

    def _wait_seconds(self) -> float:
        if self._moves.within(*SOURCE_PHASES):
            return self._wait_for_source
        stopped_at = self._restoring.order.stopped_at
        if stopped_at and not self._restoring.is_aside and not any(item.kept for item in self._moves.items):
            until_quiet = quiet_at(stopped_at, self._restoring.quiet_seconds) - self._now
            return self._moves.wait_seconds(at_least=until_quiet.total_seconds())
        return self._moves.wait_seconds()

    def _message(self, done: bool) -> str:
        if not done or self._restoring.is_aside:
            return self._moves.message()
        kept = sum(bool(item.kept) for item in self._moves.items)
        return f"{self._moves.message()} Prepared: {kept} live tables are kept as safety backups."


def _replicated(table: str, regions: Sequence[str]) -> str:
    return f"{table} has replicas in {', '.join(regions)}: a restored table has none, so it is not replaced."
