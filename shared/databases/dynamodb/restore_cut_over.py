"""The second half of a restore: each live table is deleted and made again from its backup, its settings put back and compared.

Tables are deleted only shortly before a restore slot is theirs: no more than one round of restores ahead.
"""

from __future__ import annotations

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.inventory import read_backup
from shared.databases.dynamodb.live_table import LiveTable, read_live
from shared.databases.dynamodb.protect import SOONEST_SECONDS
from shared.databases.dynamodb.putting_back import PuttingBack
from shared.databases.dynamodb.restore_items import Restoring, TablePhase, remembered, settings_of
from shared.databases.dynamodb.restore_moves import Moves
from shared.databases.dynamodb.restore_slots import free_slots
from shared.databases.dynamodb.restore_steps import Act, cut_over_step, replace_step
from shared.databases.dynamodb.restoring import Restores
from shared.model.errors import Conflict, Misconfigured, NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage

GO_ON_HINT = "Continue the restore when that is put right, or undo it: the safety backups are kept."


def cut_over(restoring: Restoring, previous: DatabaseRestore, calls: Calls) -> DatabaseRestore:
    """The restore after this call. The first one only answers that live tables are about to change.

    Raises:
        NotReady, Conflict: tables cannot be brought to their end; the message names each, the others are done.
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
        self._reached = reached
        self._calls = calls
        self._now = restoring.now
        self._most = restoring.max_concurrent_restores
        self._moves = Moves(reached.items, restoring.now, calls)
        self._restores = Restores(restoring.order.stamp, restoring.now, calls)
        self._putting_back = PuttingBack(restoring.now, calls)

    def once(self) -> DatabaseRestore:
        """What frees a slot comes first, then what fills it, then what prepares the next; settings take no slot."""
        moves = self._moves
        moves.each(moves.within(TablePhase.CREATING, TablePhase.DELETING), self._look)
        moves.stage(self._fill_slots)
        ahead = self._most - len(moves.within(TablePhase.DELETING, TablePhase.GONE))
        moves.each(moves.within(TablePhase.PREPARED)[: max(0, ahead)], self._look)
        moves.each(moves.within(TablePhase.SETTLING), self._settle)
        moves.raise_when_all_others_are_done()
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
        if gone := self._moves.within(TablePhase.GONE):
            free = free_slots(self._most, self._moves.within(TablePhase.CREATING), self._calls)
            self._moves.each(gone[:free], self._restore)

    def _look(self, item: ItemRestore) -> ItemRestore:
        live = read_live(item.name, self._calls)
        wanted, replaced = settings_of(item.settings), settings_of(item.kept_settings)
        step = cut_over_step(
            live, item.source, replaced.table_id if item.kept and replaced else "", wanted.table_id if wanted else ""
        )
        match step.act:
            case Act.CONFLICT:
                raise Conflict(f"{item.name}: {step.reason}", hint=GO_ON_HINT)
            case Act.RESTORE:
                return item.entered(TablePhase.GONE, self._now)
            case Act.SETTLE:
                return item.entered(TablePhase.SETTLING, self._now)
            case Act.REPLACE if live:
                return self._replace(item, live)
        return self._being_changed(item, live)

    def _being_changed(self, item: ItemRestore, live: LiveTable | None) -> ItemRestore:
        """A table that has to be waited for, in the phase in which it really is, whatever was remembered."""
        is_made = live is not None and live.from_backup == item.source and live.is_restoring
        return item.entered(TablePhase.CREATING if is_made else TablePhase.DELETING, self._now)

    def _replace(self, item: ItemRestore, live: LiveTable) -> ItemRestore:
        """Both backups are looked at right before the table goes."""
        source, safety = read_backup(item.source, self._calls), read_backup(item.kept, self._calls)
        step = replace_step(live, source, safety, are_settings_stored=bool(item.kept_settings))
        match step.act:
            case Act.UNPROTECT:
                return self._restores.unprotect(item, live)
            case Act.DELETE:
                return self._restores.delete(item, live)
        raise NotReady(f"{item.name} is not deleted: {step.reason}", hint=GO_ON_HINT)

    def _restore(self, item: ItemRestore) -> ItemRestore:
        return self._restores.restore(item, item.name, TablePhase.CREATING)

    def _settle(self, item: ItemRestore) -> ItemRestore:
        live = read_live(item.name, self._calls)
        if live is None:
            raise Conflict(f"{item.name}: it was deleted while its settings were put back.", hint=GO_ON_HINT)
        if live.status != "ACTIVE":
            return replace(item, note=f"It is {live.status}.")
        return self._putting_back.settle(item, live)
