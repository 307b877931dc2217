"""Whatever dies, and wherever, on this engine: pods end up running, nothing stays open, and the catalog tells the truth.

A process that dies in an activity has its work handed out again; an instance that is terminated runs nothing any more, and only
its watchdog is left; a host that was down comes back to timers that are due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.model.run import RunStatus
from tests.unit.functions_azure.durable import RUN, Durable
from tests.unit.steps.machine import Killed, Stopped
from tests.unit.steps.test_kill_matrix import Striker, assert_points_lie_in_a_pause, assert_truth
from tests.unit.steps.world import World

ASKED = {"plan": "orders-prod", "reason": "on-demand"}
WINDOW = ("pause", "capture", "resume")


async def calls_of_an_undisturbed_run() -> int:
    striker = Striker(10**9, Killed)
    await Durable(World(striker)).run("backup", ASKED, "e1")
    assert striker.count > 100, "the matrix would be empty"
    return striker.count


async def test_a_process_killed_at_any_call_has_its_step_repeated_and_the_catalog_stays_truthful() -> None:
    for at in range(1, await calls_of_an_undisturbed_run() + 1):
        striker = Striker(at, Killed)
        world = World(striker)
        ended = await Durable(world).run("backup", ASKED, "e1")
        assert_truth(world, ended, striker.where)
        assert ended == "SUCCEEDED", striker.where
        assert world.stored.open_pauses() == (), striker.where


async def test_an_instance_terminated_at_any_call_leaves_pods_paused_only_until_its_watchdog_wakes() -> None:
    stranded = 0
    for at in range(1, await calls_of_an_undisturbed_run() + 1, 2):
        striker = Striker(at, Stopped)
        world = World(striker)
        durable = Durable(world, live=True)
        assert await durable.run("backup", ASKED, "e1") == "STOPPED"
        stranded += not world.pods.all_open
        paused_until = [item.resume_by for item in world.stored.open_pauses()]
        for given in durable.armed:
            await asyncio.to_thread(durable.finish, f"{given['run']}-{given['attempt']}-watchdog")
        assert world.pods.all_open, striker.where
        assert world.stored.open_pauses() == (), striker.where
        assert all(world.clock.now() < moment + timedelta(minutes=1) for moment in paused_until), striker.where
        assert_points_lie_in_a_pause(world, striker.where)
    assert stranded > 5, "no termination left pods paused"


async def test_every_episode_decides_the_same_when_it_is_played_again() -> None:
    durable = Durable(World())
    durable.invoker.twice = True
    assert await durable.run("backup", ASKED, "e1") == "SUCCEEDED"


async def test_a_host_that_was_down_longer_than_the_longest_pause_resumes_the_pods_first_thing_when_it_is_back() -> None:
    world = World()
    durable = Durable(world, live=True)

    def die_while_paused(step: str) -> None:
        if step == "capture" and not struck:
            struck.append(step)
            world.clock.advance(3600)
            raise Killed

    struck: list[str] = []
    durable.invoker.during = die_while_paused
    await durable.run("backup", ASKED, "e1")
    assert world.pods.all_open
    assert world.stored.open_pauses() == ()
    (run,) = world.stored.runs("orders-prod")
    assert run.status is not RunStatus.RUNNING


# -- cancel


def cancelling(durable: Durable, at: str) -> Callable[[str], None]:
    asked: list[str] = []

    def raise_event(step: str) -> None:
        if step == at and not asked:
            asked.append(step)
            durable.hub.raise_event("e1", "cancel", {})

    return raise_event


@pytest.mark.parametrize("at", ["pause", "capture"])
async def test_a_cancelled_window_resumes_its_pods_before_anything_else_and_the_run_ends_as_failed(at: str) -> None:
    world = World()
    durable = Durable(world)
    durable.invoker.during = cancelling(durable, at)
    assert await durable.run("backup", ASKED, "e1") == "FAILED"
    steps = durable.steps[RUN]
    assert steps[steps.index(at) + 1 :] == ["resume", "conclude"]
    assert world.pods.all_open
    assert world.stored.open_pauses() == ()
    (run,) = world.stored.runs("orders-prod")
    assert (run.status, run.cause.code) == (RunStatus.FAILED, "Cancelled")


@pytest.mark.parametrize("at", ["check", "begin"])
async def test_a_run_that_is_cancelled_before_its_window_pauses_nothing(at: str) -> None:
    world = World()
    durable = Durable(world)
    durable.invoker.during = cancelling(durable, at)
    assert await durable.run("backup", ASKED, "e1") == "FAILED"
    assert durable.steps[RUN][-2:] == [at, "conclude"]
    assert not any(step in durable.steps[RUN] for step in WINDOW)


async def test_a_run_that_is_cancelled_between_two_attempts_takes_no_other_and_leaves_no_timer_behind() -> None:
    world = World()
    world.pods.outcomes = {"orders-node-a": "refused"}
    durable = Durable(world)
    before = world.clock.now()

    def cancel_after_the_verdict(step: str) -> None:
        if step == "judge":
            durable.hub.raise_event("e1", "cancel", {})

    durable.invoker.during = cancel_after_the_verdict
    assert await durable.run("backup", ASKED, "e1") == "FAILED"
    assert durable.steps[RUN].count("pause") == 1
    assert durable.steps[RUN][-1] == "conclude"
    assert world.clock.now() - before < timedelta(minutes=3)


async def test_a_cancel_after_the_window_is_not_read_any_more() -> None:
    world = World()
    durable = Durable(world)
    durable.invoker.during = cancelling(durable, "protect")
    assert await durable.run("backup", ASKED, "e1") == "SUCCEEDED"


# -- long and loud


async def test_the_watchdog_goes_on_with_a_new_history_until_the_pods_run() -> None:
    world = World()
    durable = Durable(world)
    world.pods.stuck = {"orders-node-b"}
    assert await durable.run("backup", ASKED, "e1") == "FAILED"
    tries = len(durable.steps[RUN])

    def unstick_at_last(step: str) -> None:
        if durable.steps[RUN][tries:].count("watchdog") > 70:
            world.pods.stuck = set()

    durable.invoker.during = unstick_at_last
    await durable.wake_watchdogs()
    assert world.pods.all_open
    assert max(len(durable.hub.history(f"watchdog-{number}")) for number in range(len(durable.armed))) < 700


async def test_the_custom_status_shows_the_step_and_the_end_its_cause() -> None:
    world = World()
    durable = Durable(world)
    seen: list[str] = []
    durable.invoker.during = lambda step: seen.append(durable.hub.status("e1")["customStatus"]["step"])
    world.pods.outcomes = {"orders-node-a": "refused"}
    assert await durable.run("backup", ASKED, "e1") == "FAILED"
    assert seen[:4] == ["check", "begin", "pause", "resume"]
    shown = durable.hub.status("e1")
    assert (shown["customStatus"]["step"], shown["customStatus"]["cause"]["code"]) == ("failed", "pause-refused")
    assert "pause-refused" in shown["output"]
