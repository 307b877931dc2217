"""Databases that keep data under names, and give it other names: what a restore does to one, without a service behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.model.checks import CheckResult, failed, passed
from shared.model.errors import NotReady
from shared.model.plan import AuroraCluster, CutOver, Database, RdsInstance
from shared.model.records import replace
from shared.model.restore import (
    DatabaseForecast,
    DatabaseRestore,
    EndpointMove,
    ItemRestore,
    RestoreOrder,
    RestoreStage,
    Target,
)
from tests.unit.steps.world import VirtualClock

SUFFIX = "abc123.ap-northeast-1.rds.amazonaws.com"


@dataclass
class Copy:
    """One instance of the data. `id` never changes, whatever name it bears."""

    id: int
    value: str
    ready_at: datetime


@dataclass
class FakeStore:
    """`copies` by name. `history` is what a restore to a time finds. `changing` is called before anything live changes."""

    database: Database
    clock: VirtualClock
    live: str
    changing: Callable[[str], None]
    copies: dict[str, Copy] = field(default_factory=dict)
    history: dict[datetime, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    orders: list[RestoreOrder] = field(default_factory=list)
    observed: dict[str, Any] = field(default_factory=lambda: {"status": "available"})
    problems: dict[str, Exception] = field(default_factory=dict)
    """By method: what it raises, until somebody mends it."""
    checks: tuple[CheckResult, ...] = ()
    ready_at: datetime | None = None
    restore_seconds: float = 1500.0
    cut_over_seconds: float = 0.0
    proven: bool = True

    def write(self, value: str, name: str | None = None) -> None:
        self.copies.setdefault(name or self.live, Copy(1, "", self.clock.now())).value = value

    # -- port DatabaseAccess, the half of it that restores

    def forecast(self, order: RestoreOrder) -> DatabaseForecast:
        self._fail("forecast")
        return DatabaseForecast(
            database=self.database.key,
            point=order.at,
            source="old copy" if order.undo else "point-in-time recovery",
            steps=("a new instance is made", "the names are swapped"),
            loses=("the old instance's read replicas",),
            puts_back=("its parameter group",),
            keeps=(f"{self.live}-old{order.stamp}",),
            checks=self.checks,
            observed=self.observed,
            ready_at=self.ready_at,
            estimate_seconds=self.restore_seconds,
            estimate_basis="by its size",
        )

    def restore(self, order: RestoreOrder, previous: DatabaseRestore | None) -> DatabaseRestore:
        self.orders.append(order)
        self._fail("restore")
        if order.undo:
            return self._prepared(order, self._source_of_undo(order.undo))
        side = f"{self.live}-r{order.stamp}"
        if side not in self.copies:
            assert order.at is not None
            self.made.append(side)
            ready_at = self.clock.now() + timedelta(seconds=self.restore_seconds)
            self.copies[side] = Copy(len(self.copies) + 100, self.history[order.at], ready_at)
        left = (self.copies[side].ready_at - self.clock.now()).total_seconds()
        if left > 0:
            item = ItemRestore(name=self.live, phase="creating", side=side, percent=100 * (1 - left / self.restore_seconds))
            return self._reached(order, RestoreStage.PREPARING, item, wait_seconds=20.0, message=f"{side} is creating")
        return self._prepared(order, side)

    def cut_over(self, order: RestoreOrder, previous: DatabaseRestore) -> DatabaseRestore:
        self.orders.append(order)
        self._fail("cut_over")
        (item,) = previous.items
        if self._keeps_names:  # nothing of the database is touched by that
            return self._done(order, item, kept=item.kept, endpoints=(self._move(item.kept, item.side),))
        if not previous.changed_live:
            return replace(previous, stage=RestoreStage.CUTTING_OVER, changed_live=True, done=False, wait_seconds=1.0)
        if self.cut_over_seconds > 0:
            self.cut_over_seconds -= 60.0
            return self._reached(order, RestoreStage.CUTTING_OVER, item, wait_seconds=60.0, message="tables are created")
        old = f"{self.live}-old{order.stamp}"
        live = self.copies.get(self.live)
        if live is not None and str(live.id) == item.source:
            return self._done(order, item, kept=old)
        self.changing(self.database.key)
        if live is not None:
            self._rename(self.live, old)
            self._fail("half of cut_over")
            return self._reached(order, RestoreStage.CUTTING_OVER, item, wait_seconds=10.0, message=f"{old} is renamed")
        self._rename(next(name for name, copy in self.copies.items() if str(copy.id) == item.source), self.live)
        return self._reached(order, RestoreStage.CUTTING_OVER, item, wait_seconds=10.0, message=f"{self.live} is renamed")

    def verify(self, order: RestoreOrder, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
        self._fail("verify")
        result = passed("restored", self.database.key) if self.proven else failed("restored", self.database.key, "Not so.", "?")
        return (result,)

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        self.orders.append(order)
        self._fail("discard")
        for name in [name for name in self.copies if name.endswith(order.stamp) and not self.is_live(name)]:
            self.deleted.append(name)
            del self.copies[name]
            return replace(restored, done=False, wait_seconds=5.0)
        return replace(restored, stage=RestoreStage.DISCARDED, done=True)

    is_live: Callable[[str], bool] = lambda name: False

    # -- what the above consists of

    @property
    def _keeps_names(self) -> bool:
        return isinstance(self.database, RdsInstance | AuroraCluster) and self.database.cut_over is CutOver.ENDPOINT

    def _source_of_undo(self, undo: DatabaseRestore) -> str:
        kept = undo.items[0].kept or f"{self.live}-old{undo.stamp}"
        return kept if kept in self.copies else self.live

    def _prepared(self, order: RestoreOrder, side: str) -> DatabaseRestore:
        copy = self.copies[side]
        kept = next((name for name in self.copies if self.is_live(name)), "") if self._keeps_names else ""
        item = ItemRestore(name=self.live, phase="prepared", source=str(copy.id), side=side, kept=kept, done=True)
        is_all = order.target is Target.SIDE_BY_SIDE
        return self._reached(order, RestoreStage.DONE if is_all else RestoreStage.PREPARED, item, done=True)

    def _done(
        self, order: RestoreOrder, item: ItemRestore, kept: str, endpoints: Sequence[EndpointMove] = ()
    ) -> DatabaseRestore:
        item = replace(item, phase="done", kept=kept)
        return replace(self._reached(order, RestoreStage.DONE, item, done=True), endpoints=tuple(endpoints))

    def _reached(
        self,
        order: RestoreOrder,
        stage: RestoreStage,
        item: ItemRestore,
        done: bool = False,
        wait_seconds: float = 0.0,
        message: str = "",
    ) -> DatabaseRestore:
        return DatabaseRestore(
            database=self.database.key, stage=stage, stamp=order.stamp, at=order.at, items=(item,), done=done,
            wait_seconds=wait_seconds, message=message,
        )  # fmt: skip

    def _rename(self, old: str, new: str) -> None:
        assert new not in self.copies, f"{new} is taken"
        self.moved.append(f"{old} → {new}")
        self.copies[new] = self.copies.pop(old)

    def _move(self, old: str, new: str) -> EndpointMove:
        return EndpointMove(old=host_of(old), new=host_of(new))

    def _fail(self, method: str) -> None:
        if error := self.problems.get(method):
            raise error


def host_of(name: str) -> str:
    return f"{name}.cluster-{SUFFIX}"


def not_ready(message: str) -> NotReady:
    return NotReady(message, hint="Mend it.")
