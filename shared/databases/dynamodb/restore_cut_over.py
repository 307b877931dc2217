"""The second half of a restore: each live table is deleted and made again from its backup, its settings put back and compared.

Tables are deleted only shortly before a restore slot is theirs: no more than one round of restores ahead; one alone until its
restore was accepted; none while any table has failed. What an undo only removes goes when all others are done.
"""

from __future__ import annotations

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.inventory import read_backup
from shared.databases.dynamodb.live_table import LiveTable, read_live
from shared.databases.dynamodb.protect import SOONEST_SECONDS
from shared.databases.dynamodb.putting_back import PuttingBack
from shared.databases.dynamodb.restore_items import Restoring, TablePhase, brought_back, remembered, settings_of
from shared.databases.dynamodb.restore_moves import Moves
from shared.databases.dynamodb.restore_safety import SafetyBackups, is_outdated
from shared.databases.dynamodb.restore_slots import free_slots
from shared.databases.dynamodb.restore_steps import Act, Step, cut_over_step, delete_step, removal_step, replace_step
from shared.databases.dynamodb.restoring import Restores
from shared.model.errors import Conflict, Misconfigured, NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage

GO_ON_HINT = "Continue the restore when that is put right, or undo it: the safety backups are kept."


def cut_over(restoring: Restoring, previous: DatabaseRestore, calls: Calls) -> DatabaseRestore:
    """The restore after this call. The first one only answers that live tables are about to change.

    Raises:
        NotReady, Conflict: tables cannot be brought to their end; the message names each. No table is on its way any more, and
            those that were not replaced yet are as they were.
        Unreachable, Throttled, Forbidden: nothing at all could be seen, or a right is missing.
    """
    reached = remembered(restoring, previous)
    if reached is None or reached.stage in (RestoreStage.PREPARING, RestoreStage.DISCARDED):
        raise Misconfigured(
            f"{restoring.database.key}: the first half of this restore is not done.", hint="Report this as a defect."
        )
    if reached.stage is RestoreStage.DONE:
        return replace(reached, done=True, wait_seconds=0.0)
    if not reached.changed_live:
        return replace(
            reached,
            stage=RestoreStage.CUTTING_OVER,
            changed_live=True,
            done=False,
            wait_seconds=SOONEST_SECONDS,
            message="From now on live tables are replaced.",
        )
    return CuttingOver(restoring, reached, calls).once()


class CuttingOver:
    """One call of the second half."""

    def __init__(self, restoring: Restoring, reached: DatabaseRestore, calls: Calls) -> None:
        self._restoring = restoring
        self._reached = reached
        self._calls = calls
        self._now = restoring.now
        self._most = restoring.max_concurrent_restores
        self._removals = brought_back(restoring.order.undo)
        self._moves = Moves(reached.items, restoring.now, calls)
        self._restores = Restores(restoring.order.stamp, restoring.now, calls)
        self._putting_back = PuttingBack(restoring.now, calls)

    def once(self) -> DatabaseRestore:
        """What frees a slot comes first, then what fills it; then, knowing what has failed, what prepares the next. Safety
        backups come last: a table whose newer one was found in this call is deleted by a later one, when that is stored."""
        moves = self._moves
        moves.each(moves.within(TablePhase.CREATING, TablePhase.DELETING), self._look)
        moves.stage(self._fill_slots)
        moves.each(moves.within(TablePhase.SETTLING), self._settle)
        self._replace_next()
        self._remove_next()
        moves.stage(self._renew_safety_backups)
        moves.raise_when_nothing_goes_on()
        done = all(item.done for item in moves.items)
        return replace(
            self._reached,
            stage=RestoreStage.DONE if done else RestoreStage.CUTTING_OVER,
            items=moves.items,
            done=done,
            wait_seconds=0.0 if done else moves.wait_seconds(),
            message=moves.message(),
        )

    def _fill_slots(self) -> None:
        """Those that were refused come last, the one refused longest ago first."""
        if gone := [*self._moves.within(TablePhase.GONE), *self._moves.within(TablePhase.REFUSED)]:
            free = free_slots(self._most, self._moves.within(TablePhase.CREATING), self._calls)
            self._moves.each(gone[:free], self._restore, failed_phase=TablePhase.REFUSED)

    def _replace_next(self) -> None:
        """Tables of which only the settings are seen to lose nothing and need no slot. Of the others, those with a note come
        first: while one of them fails again, no other is deleted."""
        moves = self._moves
        prepared = [item for item in moves.within(TablePhase.PREPARED) if item.name not in self._removals]
        moves.each([item for item in prepared if not item.source][: self._most], self._look)
        ready = [item for item in prepared if item.source and not self._needs_safety_backup(item)]
        for is_noted in (True, False):
            moves.each([item for item in ready if bool(item.note) is is_noted][: self._ahead()], self._look)

    def _remove_next(self) -> None:
        """Nothing but a removal is left to go wrong then. Those with a note come first, as above."""
        moves = self._moves
        if any(not item.done and item.name not in self._removals for item in moves.items):
            return
        ready = [item for item in moves.within(TablePhase.PREPARED) if not self._needs_safety_backup(item)]
        for is_noted in (True, False):
            most = 0 if moves.has_failed else max(0, self._most - len(moves.within(TablePhase.DELETING)))
            moves.each([item for item in ready if bool(item.note) is is_noted][:most], self._look)

    def _ahead(self) -> int:
        """How many more live tables may be deleted now. That restores are refused shows only at the first request for one, so
        a single table goes ahead."""
        moves = self._moves
        if moves.has_failed or moves.within(TablePhase.REFUSED):
            return 0
        accepted = moves.within(TablePhase.CREATING, TablePhase.SETTLING)
        most = self._most if any(item.source for item in accepted) else 1
        return max(0, most - len(moves.within(TablePhase.DELETING, TablePhase.GONE)))

    def _look(self, item: ItemRestore) -> ItemRestore:
        live = read_live(item.name, self._calls)
        step = self._step(item, live)
        match step.act:
            case Act.CONFLICT:
                raise Conflict(f"{item.name}: {step.reason}", hint=GO_ON_HINT)
            case Act.RESTORE:
                return item.entered(TablePhase.GONE, self._now)
            case Act.SETTLE:
                return item.entered(TablePhase.SETTLING, self._now)
            case Act.REMOVED:
                return replace(item.entered(TablePhase.REMOVED, self._now), done=True)
            case Act.REPLACE if live:
                return self._replace(item, live)
        return self._being_changed(item, live)

    def _step(self, item: ItemRestore, live: LiveTable | None) -> Step:
        if item.name in self._removals:
            return removal_step(live, self._removals[item.name], _replaced_id(item))
        wanted = settings_of(item.settings)
        return cut_over_step(live, item.source, _replaced_id(item), wanted.table_id if wanted else "")

    def _being_changed(self, item: ItemRestore, live: LiveTable | None) -> ItemRestore:
        """A table that has to be waited for, in the phase in which it really is, whatever was remembered."""
        is_made = live is not None and live.from_backup == item.source and live.is_restoring
        return item.entered(TablePhase.CREATING if is_made else TablePhase.DELETING, self._now)

    def _replace(self, item: ItemRestore, live: LiveTable) -> ItemRestore:
        """Both backups, or the only one, are looked at right before the table goes."""
        safety = read_backup(item.kept, self._calls)
        stopped_at, are_settings_stored = self._restoring.order.stopped_at, bool(item.kept_settings)
        if item.name in self._removals:
            step = delete_step(live, safety, stopped_at, are_settings_stored)
        else:
            source = read_backup(item.source, self._calls)
            step = replace_step(live, source, safety, stopped_at, are_settings_stored)
        match step.act:
            case Act.BACK_UP:
                return replace(item, note=step.reason).entered(TablePhase.BACKING_UP, self._now)
            case Act.UNPROTECT:
                return self._restores.unprotect(item, live)
            case Act.DELETE:
                return self._restores.delete(item, live)
        raise NotReady(f"{item.name} is not deleted: {step.reason}", hint=GO_ON_HINT)

    # -- another safety backup, when the application has run since the last one

    def _needs_safety_backup(self, item: ItemRestore) -> bool:
        is_to_go = bool(item.source) or item.name in self._removals
        return item.phase == TablePhase.BACKING_UP or (is_to_go and bool(item.kept) and is_outdated(item, self._restoring))

    def _renew_safety_backups(self) -> None:
        items = self._moves.within(TablePhase.PREPARED, TablePhase.BACKING_UP)
        if outdated := [item for item in items if self._needs_safety_backup(item)]:
            safety = SafetyBackups(self._restoring, self._calls)
            self._moves.each(outdated, lambda item: self._renew(item, safety))

    def _renew(self, item: ItemRestore, safety: SafetyBackups) -> ItemRestore:
        """Only of the table that is to be replaced. When that one is gone or replaced already, and only the note of it is lost,
        the newest backup of it is the one to keep."""
        live = read_live(item.name, self._calls)
        if live and live.status == "DELETING":
            return replace(item, note="It is being deleted.")
        is_live = live is not None and live.table_id == _replaced_id(item)
        step = safety.step(item, live if is_live else None)
        match step.act:
            case Act.BACK_UP:
                return self._restores.back_up(item)
            case Act.WAIT:
                return replace(item, note=step.reason).entered(TablePhase.BACKING_UP, self._now)
            case Act.CONFLICT:
                raise Conflict(f"{item.name}: {step.reason}", hint=GO_ON_HINT)
            case Act.REFUSE:
                raise NotReady(f"{item.name} is not deleted: {step.reason}", hint=GO_ON_HINT)
        return replace(item, phase=TablePhase.PREPARED, since=self._now, kept=step.kept.arn if step.kept else item.kept)

    # -- and the rest of the way

    def _restore(self, item: ItemRestore) -> ItemRestore:
        return self._restores.restore(item, item.name, TablePhase.CREATING)

    def _settle(self, item: ItemRestore) -> ItemRestore:
        live = read_live(item.name, self._calls)
        if live is None:
            raise Conflict(f"{item.name}: it was deleted while its settings were put back.", hint=GO_ON_HINT)
        if live.status != "ACTIVE":
            return replace(item, note=f"It is {live.status}.")
        return self._putting_back.settle(item, live)


def _replaced_id(item: ItemRestore) -> str:
    """The id of the table that the safety backup is of; empty when there is none."""
    replaced = settings_of(item.kept_settings)
    return replaced.table_id if item.kept and replaced else ""
