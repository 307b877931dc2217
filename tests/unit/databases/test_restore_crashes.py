"""Whatever the moment at which the process dies, a restore goes on to the same end, and no table is lost on the way."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.restore import DatabaseRestore, RestoreStage
from tests.unit.databases.fake_dynamodb import Killed
from tests.unit.databases.restore_world import AT_POINT, RestoreWorld

TABLES = ["bank.accounts", "coordinator.state", "scalardb.metadata", "scalardb.namespaces"]


class Engine:
    """What the restore machine does for one database: both halves, each until done, going on from what was stored last."""

    def __init__(self, world: RestoreWorld) -> None:
        self.world = world
        self.stored: list[DatabaseRestore] = []

    def run(self) -> None:
        reached = self.stored[-1] if self.stored else None
        if reached is None or not reached.changed_live:
            reached = self.world.prepare(previous=reached, between=self.stored.append)
        self.world.cut_over(reached, between=self.stored.append)

    def run_and_die(self, number: int, after_effect: bool) -> None:
        account = self.world.account
        account.kill_at, account.kill_after_effect = account.calls.total() + number, after_effect
        with contextlib.suppress(Killed):
            self.run()
        account.kill_at = None
        self.world.access = self.world.new_process()


def undisturbed() -> tuple[RestoreWorld, int]:
    world = RestoreWorld()
    before = world.account.calls.total()
    Engine(world).run()
    return world, world.account.calls.total() - before


UNDISTURBED, CALLS = undisturbed()


def assert_same_end(world: RestoreWorld, restored: DatabaseRestore) -> None:
    assert restored.stage is RestoreStage.DONE
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    for name in TABLES:
        assert _without_dates(world.settings(name)) == _without_dates(UNDISTURBED.settings(name))
    world.assert_nothing_was_lost()
    assert sorted(name for name, _, _ in world.account.deletions) == TABLES
    assert sorted(target for target, _ in world.account.restores) == TABLES
    assert sorted(set(world.safety_backups())) == TABLES
    assert not [item for item in restored.items if item.differences]


def _without_dates(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "scaling"}


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_a_kill_at_any_call_ends_as_if_nothing_had_happened(number: int, after_effect: bool) -> None:
    world = RestoreWorld()
    engine = Engine(world)
    engine.run_and_die(number, after_effect)
    engine.run()
    assert_same_end(world, engine.stored[-1])


@settings(max_examples=40, deadline=None)
@given(
    numbers=st.lists(st.integers(1, CALLS), min_size=2, max_size=5),
    after_effect=st.booleans(),
    forgotten=st.integers(0, 3),
    listing_lag=st.sampled_from([0, 2]),
)
def test_many_kills_and_stale_memory_change_nothing(
    numbers: list[int], after_effect: bool, forgotten: int, listing_lag: float
) -> None:
    world = RestoreWorld()
    world.account.listing_lag = listing_lag
    engine = Engine(world)
    for number in numbers:
        engine.run_and_die(number, after_effect)
        began = next((index for index, reached in enumerate(engine.stored) if reached.changed_live), None)
        least = 0 if began is None else began + 1
        engine.stored = engine.stored[: max(least, len(engine.stored) - forgotten)]
    engine.run()
    assert_same_end(world, engine.stored[-1])
