"""Whatever dies, and wherever: pods end up running, nothing stays open, and the catalog tells the truth.

The matrix covers every call that any step makes to the outside, just before and just after it takes effect: a process killed
there (its engine catches and goes on) and an execution stopped there (nobody catches; only the watchdog is left).
"""

from __future__ import annotations

import pytest

from shared.model.restore_point import PointPhase
from shared.model.run import AttemptStatus, RunStatus
from tests.unit.steps.engine import Engine
from tests.unit.steps.machine import Killed, Stopped
from tests.unit.steps.world import World

ASKED = {"plan": "orders-prod", "reason": "on-demand"}


class Striker:
    """Counts the calls and raises at the chosen one; before and after count as two."""

    def __init__(self, at: int, death: type[BaseException], times: int = 1) -> None:
        self.at, self.death, self.left, self.count, self.where = at, death, times, 0, ""

    def __call__(self, where: str) -> None:
        self.count += 1
        if self.count >= self.at and self.left:
            self.left -= 1
            self.where = where
            raise self.death(where)


async def calls_of_an_undisturbed_run() -> int:
    striker = Striker(10**9, Killed)
    await Engine(World(striker)).backup(ASKED)
    assert striker.count > 100, "the matrix would be empty"
    return striker.count


async def test_a_process_killed_at_any_call_ends_with_pods_running_and_a_truthful_catalog() -> None:
    for at in range(1, await calls_of_an_undisturbed_run() + 1):
        striker = Striker(at, Killed)
        world = World(striker)
        engine = Engine(world)
        ended = await engine.backup(ASKED)
        assert_truth(world, ended, striker.where)
        assert world.stored.open_pauses() == (), striker.where


async def test_a_process_killed_twice_in_a_row_changes_nothing_of_that() -> None:
    for at in range(1, await calls_of_an_undisturbed_run() + 1, 3):
        striker = Striker(at, Killed, times=2)
        world = World(striker)
        engine = Engine(world)
        ended = await engine.backup(ASKED)
        await engine.wake_watchdogs()
        assert_truth(world, ended, striker.where)


async def test_an_execution_stopped_at_any_call_leaves_pods_paused_only_until_the_watchdog_wakes() -> None:
    for at in range(1, await calls_of_an_undisturbed_run() + 1):
        striker = Striker(at, Stopped)
        world = World(striker)
        engine = Engine(world)
        ended = await engine.backup(ASKED)
        await engine.wake_watchdogs()
        assert world.pods.all_open, striker.where
        assert world.stored.open_pauses() == (), striker.where
        assert ended == "STOPPED"
        assert_points_lie_in_a_pause(world, striker.where)


async def test_after_a_stopped_execution_the_next_run_succeeds() -> None:
    for at in range(1, await calls_of_an_undisturbed_run() + 1, 7):
        striker = Striker(at, Stopped)
        world = World(striker)
        engine = Engine(world)
        await engine.backup(ASKED)
        await engine.wake_watchdogs()
        world.clock.advance(24 * 3600)
        assert await engine.backup(ASKED, name="e2") == "SUCCEEDED", striker.where
        stuck = [run for run in world.stored.runs("orders-prod") if run.status is RunStatus.RUNNING]
        assert stuck == [], striker.where


async def test_a_run_may_follow_at_once_when_the_watchdog_had_to_resume_the_pods_of_a_stopped_one() -> None:
    stranded = 0
    for at in range(1, await calls_of_an_undisturbed_run() + 1, 3):
        striker = Striker(at, Stopped)
        world = World(striker)
        engine = Engine(world)
        await engine.backup(ASKED)
        if world.pods.all_open:
            continue
        stranded += 1
        await engine.wake_watchdogs()
        (left_behind,) = world.stored.runs("orders-prod")
        assert left_behind.status is RunStatus.INTERRUPTED, striker.where
        assert await engine.backup(ASKED, name="e2") == "SUCCEEDED", striker.where
    assert stranded > 5, "no stop left pods paused"


@pytest.mark.parametrize("step", ["pause", "capture", "resume"])
async def test_a_step_of_the_window_that_always_dies_ends_in_a_failed_run_and_running_pods(step: str) -> None:
    world = World(lambda where: None)
    engine = Engine(world)
    original = engine._call

    async def dying(target: str, payload: dict) -> object:
        if payload.get("step") == step:
            raise Killed
        return await original(target, payload)

    engine._call = dying  # type: ignore[method-assign]
    assert await engine.backup(ASKED) == "FAILED"
    engine._call = original  # type: ignore[method-assign]
    await engine.wake_watchdogs()
    assert world.pods.all_open
    (run,) = world.stored.runs("orders-prod")
    assert run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED)


def assert_truth(world: World, ended: str, where: str) -> None:
    assert world.pods.all_open, where
    runs = world.stored.runs("orders-prod")
    expected = RunStatus.SUCCEEDED if ended == "SUCCEEDED" else RunStatus.FAILED
    assert [run.status for run in runs] in ([expected], []), where
    for run in runs:
        assert all(attempt.status is not AttemptStatus.OPEN for attempt in run.attempts), where
        assert all(attempt.cause for attempt in run.attempts if attempt.status is AttemptStatus.INVALID), where
    assert world.told.published, f"{where}: the end of the run was not told"
    assert_points_lie_in_a_pause(world, where)


def assert_points_lie_in_a_pause(world: World, where: str) -> None:
    for point in world.stored.points("orders-prod"):
        if point.phase is not PointPhase.INVALID:
            assert world.pods.were_all_paused_at(point.at), where
