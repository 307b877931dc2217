"""Pods of a release that is being restored: who starts them while nobody looks, and those that neither end nor serve."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.model.restore import RestorePhase
from shared.model.run import RunStatus
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.stores import not_ready
from tests.unit.steps.restore.test_restore_bad_days import halted_in_cut_over, told
from tests.unit.steps.restore.test_restore_flow import GOOD, SPOILT
from tests.unit.steps.restore.world import LEDGER, ORDERS, RDS, TABLES, RestoreWorld


@pytest.fixture
def world() -> RestoreWorld:
    return RestoreWorld()


@pytest.fixture
def engine(world: RestoreWorld) -> RestoreEngine:
    return RestoreEngine(world)


def at_a_call(world: RestoreWorld, where: str, do) -> None:
    """Somebody does this once, at that call of a step."""
    done: list[str] = []

    def interrupt(at: str) -> None:
        if at == where and not done:
            done.append(at)
            do()

    world._interrupt = interrupt


def run_in_between(world: RestoreWorld) -> None:
    """A release that is started, writes, and is stopped again."""
    world.apps.generations[ORDERS.key] = 3


async def test_a_release_that_ran_while_databases_were_restored_leads_the_application_back(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    at_a_call(world, f"before database {RDS.key}.restore", lambda: run_in_between(world))
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.FAILED, "led-back")
    assert "the last who wrote to it is helm" in run.cause.message
    assert (world.reads(), world.all_serve) == (SPOILT, True)


async def test_what_ran_while_a_restore_was_halted_makes_the_last_state_a_later_one(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    run = await halted_in_cut_over(world, engine)
    first = world.stores[RDS.key].orders[-1].stopped_at
    done = len(world.stores[TABLES.key].orders)
    world.clock.advance(3600)
    run_in_between(world)
    world.stores[RDS.key].problems.clear()
    ended, run = await engine.go_on("continue", run.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", GOOD, True)
    assert world.stores[RDS.key].orders[-1].stopped_at >= first + timedelta(hours=1)
    assert len(world.stores[TABLES.key].orders) == done, "what is cut over already has nothing to keep any more"


async def test_a_prepared_database_is_prepared_once_more_when_the_application_ran_since(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    store, calls = world.stores[RDS.key], []
    run = await halted_in_cut_over(world, engine)
    world._interrupt = calls.append
    store.problems.clear()
    run_in_between(world)
    await engine.go_on("continue", run.id)
    assert f"before database {RDS.key}.restore" in calls
    assert f"before database {TABLES.key}.restore" not in calls
    assert len(store.made) == 1, "and what was made for it is used"


async def test_whoever_starts_a_release_during_a_long_cut_over_is_noticed_before_its_end(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    world.stores[RDS.key].cut_over_seconds = 7200.0
    at_a_call(world, f"before database {TABLES.key}.cut_over", lambda: run_in_between(world))
    begun = world.clock.now()
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.HALTED, "cutting-over")
    assert "the last who wrote to it is helm" in run.cause.message
    assert world.clock.now() - begun < timedelta(minutes=100)
    assert any("Look at the pods" in visited for visited in engine.children)
    assert told(world) == ["Restore Halted"]


async def test_a_release_that_runs_when_the_last_database_is_cut_over_is_not_led_and_not_called_restored(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    at_a_call(world, f"before database {RDS.key}.cut_over", lambda: run_in_between(world))
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.HALTED, "cutting-over")
    assert world.leading.writes == 0
    ended, run = await engine.go_on("continue", run.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", GOOD, True)


async def test_pods_that_do_not_end_in_time_lead_back_and_are_told_with_their_reason(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    def recover() -> None:
        world.apps.stuck = "" if world.clock.now() - begun > timedelta(minutes=14) else world.apps.stuck

    world.apps.stuck, begun = "orders-0 should have ended, and its node node-1 does not confirm it", world.clock.now()
    world._interrupt = lambda where: recover() if where == "before applications.start" else None
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.FAILED, "led-back")
    assert run.cause.message.startswith("Not stopped after 15m: ")
    assert "its node node-1 does not confirm it" in run.cause.message
    assert "`kubectl -n scalar get pods`" in run.cause.message
    assert world.all_serve


async def test_pods_that_do_not_serve_in_time_halt_the_restore_and_each_continuation_has_its_own_time(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    def crash() -> None:
        world.apps.stuck = "orders-0 is waiting: container scalardb-cluster: CrashLoopBackOff"

    at_a_call(world, "before applications.start", crash)
    begun = world.clock.now()
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.HALTED, RestorePhase.STARTING.value)
    assert run.cause.message.startswith("Not started after 15m: ")
    assert "CrashLoopBackOff" in run.cause.message
    assert world.clock.now() - begun < timedelta(minutes=100)
    world.clock.advance(7200)
    world.apps.stuck = ""
    ended, run = await engine.go_on("continue", run.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", GOOD, True)


async def test_a_way_back_that_does_not_serve_in_time_is_halted_and_told(world: RestoreWorld, engine: RestoreEngine) -> None:
    world.stores[RDS.key].problems["restore"] = not_ready("No.")

    def crash() -> None:
        world.apps.stuck = f"{LEDGER.key} finds no node"

    at_a_call(world, "before applications.start", crash)
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.HALTED, "leading-back")
    assert run.cause.message.startswith("Not started on the old data after 15m: ")
    assert told(world) == ["Restore Halted"]
