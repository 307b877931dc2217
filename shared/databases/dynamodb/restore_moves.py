"""How one call of a restore moves many tables: in parallel; what is held up stays, what fails is told; when to look again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.discovery import listed
from shared.databases.dynamodb.protect import LATEST_SECONDS, PATIENCE, SOONEST_SECONDS, together
from shared.databases.dynamodb.restore_items import TablePhase
from shared.model.errors import BackupError, Temporary
from shared.model.records import replace
from shared.model.restore import ItemRestore

Move = Callable[[ItemRestore], ItemRestore]
SOONEST_RESTORED_SECONDS = 5.0
RESTORE_PATIENCE, LAST_ROUND_PATIENCE = 40, 80
"""As PATIENCE, for restores. A restore takes many minutes: looking often fills the engine's history, looking late leaves a slot
unused. In the last round the application waits for nothing else, and its looks are few."""
RESTORING_PHASES = (TablePhase.CREATING, TablePhase.CREATING_ASIDE, TablePhase.GONE, TablePhase.REFUSED)
GOING_ON = (TablePhase.DELETING, TablePhase.CREATING, TablePhase.SETTLING)


class Moves:
    """The tables of one call, by name, shared by its threads."""

    def __init__(self, items: Sequence[ItemRestore], now: datetime, calls: Calls) -> None:
        self._items = {item.name: item for item in items}
        self._now = now
        self._calls = calls
        self._held_up: list[str] = []
        self._failed: dict[str, BackupError] = {}
        self._has_moved = False
        self._lock = Lock()

    @property
    def items(self) -> tuple[ItemRestore, ...]:
        return tuple(self._items.values())

    @property
    def has_failed(self) -> bool:
        """Has a table failed in this call?"""
        return bool(self._failed)

    def within(self, *phases: str) -> list[ItemRestore]:
        """Those in one of the phases that have not failed in this call, the longest there first."""
        found = [item for item in self.items if item.phase in phases and item.name not in self._failed]
        return sorted(found, key=lambda item: item.since or self._now)

    def set(self, items: Sequence[ItemRestore]) -> None:
        self._items |= {item.name: item for item in items}

    def each(self, items: Sequence[ItemRestore], move: Move, failed_phase: TablePhase | None = None) -> None:
        """Moves them in parallel. A table that is held up or fails stays where it is, with the reason as its note; one that
        fails enters `failed_phase`, if given, as the last one there."""

        def moved(item: ItemRestore) -> ItemRestore:
            try:
                return move(replace(item, note=""))
            except Temporary as error:
                with self._lock:
                    self._held_up.append(item.name)
                return replace(item, note=error.message)
            except BackupError as error:
                with self._lock:
                    self._failed[item.name] = error
                if failed_phase:
                    item = replace(item, phase=failed_phase, since=self._now)
                return replace(item, note=str(error))

        after = self._calls.in_parallel(moved, list(items))
        self._has_moved = self._has_moved or any(new.phase != old.phase for new, old in zip(after, items, strict=True))
        self.set(after)

    def stage(self, do: Callable[[], None]) -> None:
        """A part of the call. When it is held up as a whole, what the parts before it have reached is not lost.

        Raises:
            Throttled, Unreachable: it is held up, and nothing was reached before.
        """
        try:
            do()
        except Temporary as error:
            if not self._has_moved:
                raise
            self._held_up.append(error.message)

    def raise_any(self) -> None:
        """Raises the failure of a table; of several, one with all their messages."""
        if self._failed:
            raise together(list(self._failed.values()), len(self._items))

    def raise_when_nothing_goes_on(self) -> None:
        """One table's failure must not keep those that are on their way from their end, nor what they have reached from being
        stored: it is raised by a call in which nothing moves, when no table is on its way any more."""
        if not self._has_moved and not self.within(*GOING_ON):
            self.raise_any()

    def wait_seconds(self, at_least: float = 0.0) -> float:
        """When to look again: by the shortest of what the tables are waiting for."""
        waiting = [item for item in self.items if not item.done and item.phase != TablePhase.PREPARED] or [
            item for item in self.items if not item.done
        ]
        still_to_come = (TablePhase.GONE, TablePhase.REFUSED, TablePhase.PREPARED)
        is_last_round = not any(item.phase in still_to_come for item in self.items)
        restore_patience = LAST_ROUND_PATIENCE if is_last_round else RESTORE_PATIENCE
        since: dict[bool, datetime] = {}
        for item in waiting:
            is_restoring = item.phase in RESTORING_PHASES
            since[is_restoring] = min(item.since or self._now, since.get(is_restoring, self._now))
        seconds = [
            max(SOONEST_RESTORED_SECONDS, (self._now - begin).total_seconds() / restore_patience)
            if is_restoring
            else (self._now - begin).total_seconds() / PATIENCE
            for is_restoring, begin in since.items()
        ]
        return min(LATEST_SECONDS, max(SOONEST_SECONDS, at_least, min(seconds, default=0.0)))

    def message(self) -> str:
        counts = Counter(item.phase for item in self.items)
        parts = [f"{count} {phase}" for phase, count in counts.items()]
        text = f"{sum(item.done for item in self.items)} of {len(self._items)} tables done ({', '.join(parts)})."
        if self._failed:
            text += f" Failed, no more live tables are deleted: {listed(self._failed)}."
        if self._held_up:
            text += f" Held up, tried again: {listed(set(self._held_up))}."
        return text
