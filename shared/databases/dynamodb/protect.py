"""One call of `protect`: looks at all tables of a point, does for each the next missing thing, and says when to look again.

Restores begin only when every table is known to be restorable: a table that is not stops the run before anything is paid for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.copying import Copying
from shared.databases.dynamodb.discovery import LONGEST_LIST, discover, listed
from shared.databases.dynamodb.errors import GONE, aws_code
from shared.databases.dynamodb.inventory import Inventory, describe_table, list_tables, look
from shared.databases.dynamodb.kept_copy import Act, next_step
from shared.databases.dynamodb.manifest import Manifests
from shared.databases.dynamodb.names import copy_name, copy_prefix, is_copy
from shared.databases.dynamodb.recovery import Reach, Recovery, deleted, describe_recovery, reach
from shared.model.checks import failures, summary
from shared.model.errors import BackupError, NotReady, Temporary
from shared.model.plan import DynamoDb
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import replace, to_record
from shared.model.storage import ReleaseStorage
from shared.model.table_settings import TableSettings
from shared.model.times import iso

SOONEST_SECONDS, LATEST_SECONDS = 1.0, 60.0
PATIENCE = 5
"""A thing that has taken n seconds is looked at again after n / 5: an hour of restoring costs about eighty looks."""
SIDE_TABLE_PHASES = (ItemPhase.RESTORING, ItemPhase.COPYING, ItemPhase.CLEANING)


@dataclass(frozen=True)
class Order:
    """What is asked of one call. `now` is taken once, so that all items of a call agree about it."""

    database: DynamoDb
    point: datetime
    kept_copy: bool
    now: datetime
    max_concurrent_restores: int


def advance(
    order: Order, storages: Sequence[ReleaseStorage], previous: DatabaseProtection | None, calls: Calls
) -> DatabaseProtection:
    """The protection after this call.

    Raises:
        NotReady: a table cannot be protected, or the tables cannot be found; the message names each.
        Unreachable, Throttled, Forbidden: nothing at all could be seen, or a right is missing.
    """
    copy_prefix(order.point)
    existing = list_tables(calls)
    items = _remembered(order, previous) or _found(order, storages, existing, calls)
    return Advance(order, existing, calls).of(items)


def _remembered(order: Order, previous: DatabaseProtection | None) -> tuple[ItemProtection, ...]:
    """Memory of another point or database is none."""
    if previous is None or previous.database != order.database.key or previous.point != order.point:
        return ()
    return previous.items


def _found(
    order: Order, storages: Sequence[ReleaseStorage], existing: frozenset[str], calls: Calls
) -> tuple[ItemProtection, ...]:
    discovery = discover(order.database, storages, existing, calls)
    if failures(discovery.findings):
        raise NotReady(f"The tables of {order.database.key} cannot be protected. {summary(discovery.findings)}")
    return tuple(ItemProtection(name=name, phase=ItemPhase.WAITING, since=order.now) for name in discovery.tables)


class Advance:
    """The state of one call, shared by its threads."""

    def __init__(self, order: Order, existing: frozenset[str], calls: Calls) -> None:
        self._order = order
        self._existing = existing
        self._calls = calls
        self._manifests = Manifests(calls)
        self._held_up: list[str] = []
        self._longest_lag = timedelta(0)
        self._lock = Lock()

    def of(self, items: Sequence[ItemProtection]) -> DatabaseProtection:
        inventory = self._look(items) if self._order.kept_copy else Inventory({}, {})
        copying = Copying(self._order.point, self._order.now, self._calls)
        moved = self._each(items, lambda item: self._move(item, inventory, copying))
        moved = self._restored(moved, inventory, copying)
        return self._protection(moved)

    def _restored(self, items: list[ItemProtection], inventory: Inventory, copying: Copying) -> list[ItemProtection]:
        """The same items; as many queued ones as there are free slots are being restored."""
        if any(item.phase is ItemPhase.WAITING for item in items):
            return items
        free = max(0, self._order.max_concurrent_restores - inventory.restores_under_way)
        queued = [item for item in items if item.phase is ItemPhase.QUEUED]
        started = {item.name: item for item in self._each(queued[:free], copying.restore)}
        return [started.get(item.name, item) for item in items]

    def _look(self, items: Sequence[ItemProtection]) -> Inventory:
        listed_copies = {name for name in self._existing if is_copy(name)}
        ours = {copy_name(self._order.point, item.name) for item in items if item.phase in SIDE_TABLE_PHASES}
        remembered = [item.backup_arn for item in items if item.backup_arn and not item.is_done]
        return look(self._order.point, listed_copies | ours, remembered, self._calls)

    def _each(self, items: Sequence[ItemProtection], move: Callable[[ItemProtection], ItemProtection]) -> list[ItemProtection]:
        """Moves in parallel. A table that is held up stays where it is.

        Raises:
            BackupError: the failure of a table; of several, one with all their messages, so that each is named at once.
        """
        failed: list[BackupError] = []

        def moved(item: ItemProtection) -> ItemProtection:
            if item.is_done:
                return item
            try:
                after = move(replace(item, note=""))
            except Temporary as error:
                with self._lock:
                    self._held_up.append(item.name)
                return replace(item, note=error.message)
            except BackupError as error:
                failed.append(error)
                return item
            return after if after.note else replace(after, note=_unknown_note(after.settings))

        result = self._calls.in_parallel(moved, list(items))
        if failed:
            raise together(failed, len(items))
        return result

    def _move(self, item: ItemProtection, inventory: Inventory, copying: Copying) -> ItemProtection:
        if not self._order.kept_copy:
            return self._wait_until_restorable(item, ItemPhase.COVERED)
        name = copy_name(self._order.point, item.name)
        step = next_step(item.name, self._order.point, inventory.side_tables.get(name), inventory.backups.get(name, ()))
        if step.act is Act.RESTORE:
            return item if item.phase is ItemPhase.QUEUED else self._wait_until_restorable(item, ItemPhase.QUEUED)
        return copying.carry_out(step, item if item.settings else self._with_settings_of_live_table(item))

    def _wait_until_restorable(self, item: ItemProtection, then: ItemPhase) -> ItemProtection:
        recovery = self._recovery(item.name)
        if recovery is None:
            raise deleted(item.name)
        match reach(item.name, self._order.point, recovery, self._calls):
            case Reach.NO_TABLE_THEN:
                note = f"Created after {iso(self._order.point)}: it did not exist at the restore point."
                return replace(item.entered(ItemPhase.ABSENT, self._order.now), note=note)
            case Reach.NOT_YET:
                self._note_lag(recovery)
                waiting = self._with_settings(item, recovery).entered(ItemPhase.WAITING, self._order.now)
                return replace(waiting, note="Point-in-time recovery has not reached the point yet.")
            case Reach.RESTORABLE:
                until = recovery.until(self._order.point) if then is ItemPhase.COVERED else None
                ready = self._with_settings(item, recovery)
                return replace(ready.entered(then, self._order.now), restorable_until=until)

    def _recovery(self, name: str) -> Recovery | None:
        try:
            return describe_recovery(name, self._calls)
        except NotReady as error:
            if aws_code(error) in GONE:
                return None
            raise

    def _note_lag(self, recovery: Recovery) -> None:
        if recovery.latest is not None:
            with self._lock:
                self._longest_lag = max(self._longest_lag, self._order.point - recovery.latest)

    def _with_settings(self, item: ItemProtection, recovery: Recovery) -> ItemProtection:
        if item.settings:
            return item
        table = describe_table(item.name, self._calls)
        if table is None:
            raise deleted(item.name)
        return replace(item, settings=to_record(self._manifests.read(table, recovery.described, self._order.now)))

    def _with_settings_of_live_table(self, item: ItemProtection) -> ItemProtection:
        """For a copy that an earlier call began and whose note was lost. The live table may be gone by now."""
        recovery = self._recovery(item.name)
        if recovery is not None and describe_table(item.name, self._calls) is not None:
            return self._with_settings(item, recovery)
        gone = TableSettings(taken_at=self._order.now, unknown={"*": "the table was deleted before its settings were noted"})
        return replace(item, settings=to_record(gone))

    def _protection(self, items: Sequence[ItemProtection]) -> DatabaseProtection:
        done = all(item.is_done for item in items)
        return DatabaseProtection(
            database=self._order.database.key,
            point=self._order.point,
            items=tuple(items),
            done=done,
            wait_seconds=0.0 if done else self._wait_seconds(items),
            message=self._message(items),
        )

    def _wait_seconds(self, items: Sequence[ItemProtection]) -> float:
        """While recovery lags, as long as it lags; otherwise by how long the oldest thing already takes, also when it is held
        up: a table that is throttled for hours must not fill the engine's history."""
        waiting = [item for item in items if item.phase is ItemPhase.WAITING]
        if waiting and not self._held_up:
            seconds = self._longest_lag.total_seconds()
        else:
            moving = [item for item in items if item.phase in SIDE_TABLE_PHASES] or [item for item in items if not item.is_done]
            oldest = min(item.since or self._order.now for item in moving)
            seconds = (self._order.now - oldest).total_seconds() / PATIENCE
        return min(LATEST_SECONDS, max(SOONEST_SECONDS, seconds))

    def _message(self, items: Sequence[ItemProtection]) -> str:
        counts = Counter(item.phase for item in items)
        parts = [f"{counts[phase]} {phase.value}" for phase in ItemPhase if counts[phase]]
        text = f"{sum(item.is_done for item in items)} of {len(items)} tables done ({', '.join(parts)})."
        if self._held_up:
            text += f" Held up, tried again: {listed(self._held_up)}."
        return text


def together(failed: Sequence[BackupError], tables: int) -> BackupError:
    """One failure as it is; of several `tables`, one of the first one's kind with up to ten messages."""
    if len(failed) == 1:
        return failed[0]
    failed = sorted(failed, key=str)
    messages = list(dict.fromkeys(str(error) for error in failed))
    more = f" And {len(messages) - LONGEST_LIST} more." if len(messages) > LONGEST_LIST else ""
    together = type(failed[0])(f"{len(failed)} of {tables} tables: {' '.join(messages[:LONGEST_LIST])}{more}")
    together.__cause__ = failed[0]
    return together


def _unknown_note(settings: Mapping[str, object]) -> str:
    unknown = settings.get("unknown")
    return f"Settings that could not be read: {', '.join(sorted(unknown))}." if isinstance(unknown, dict) and unknown else ""
