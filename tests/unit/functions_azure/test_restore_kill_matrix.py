"""Whatever dies during a restore, and wherever, on this engine: it ends as if nothing had happened.

The deaths, the worlds and what must hold at the end are those of the matrix of the steps; here a process that dies has its work
handed out again, an instance that is terminated leaves its children at work, and every episode is played twice. That matrix
strikes at every second call, so that here samples will do: strides without a common divisor, which do not fall into step.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.model.run import RunStatus
from tests.unit.functions_azure.durable import DurableRestores
from tests.unit.steps.machine import Killed, Stopped
from tests.unit.steps.restore import test_restore_kill_matrix as matrix
from tests.unit.steps.restore.world import AURORA, RestoreWorld
from tests.unit.steps.test_kill_matrix import Striker


class DecidedTwice(DurableRestores):
    def __init__(self, world: RestoreWorld) -> None:
        super().__init__(world)
        self.durable.invoker.twice = True


@pytest.fixture(autouse=True)
def _on_this_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix of the steps with this engine; and calls in one thread, so that the n-th is the same one in every run."""

    async def at_once(call: Any, *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    monkeypatch.setattr(asyncio, "to_thread", at_once)
    monkeypatch.setattr(matrix, "RestoreEngine", DecidedTwice)


async def test_a_process_killed_during_a_restore_changes_nothing_of_its_end() -> None:
    count, expected = await matrix.undisturbed()
    for at in range(1, count + 1, 19):
        striker = Striker(at, Killed)
        world, _, started, ended = await matrix.restore_under(striker)
        assert ended == "SUCCEEDED", striker.where
        assert matrix.final_state(world, world.stored.run(started["run"])) == expected, striker.where


async def test_a_restore_terminated_anywhere_is_continued_to_the_same_end_beside_the_children_that_it_left() -> None:
    count, expected = await matrix.undisturbed()
    for at in range(3, count + 1, 25):
        striker = Striker(at, Stopped)
        world, engine, started, ended = await matrix.restore_under(striker)
        assert ended == "STOPPED", striker.where
        run = await matrix.carry_on(engine, started)
        assert matrix.final_state(world, run) == expected, striker.where


async def undo_under(striker: Any) -> tuple[RestoreWorld, DurableRestores, dict[str, Any], str]:
    switch = matrix.Switch(striker)
    world = matrix.small_world(switch)
    engine = DecidedTwice(world)
    _, first = await engine.restore()
    started = await engine.confirm(action="undo", run=first.id)
    switch.on = True
    ended = await engine.execute(started)
    switch.on = False
    return world, engine, started, ended


@pytest.mark.parametrize("death", [Killed, Stopped])
async def test_an_undo_that_is_cut_off_anywhere_brings_back_what_was_there(death: type[BaseException]) -> None:
    count = Striker(10**9, Killed)
    await undo_under(count)
    for at in range(5, count.count + 1, 47):
        striker = Striker(at, death)
        world, engine, started, ended = await undo_under(striker)
        assert ended == ("SUCCEEDED" if death is Killed else "STOPPED"), striker.where
        if death is Stopped:
            await engine.tell_that_it_ended(started)
            run = world.stored.run(started["run"])
            if run.status is RunStatus.HALTED:
                await engine.go_on("continue", run.id)
            elif run.status is RunStatus.INTERRUPTED:
                await engine.undo(world.stored.runs("orders-prod")[-2].id)
        assert set(world.reads().values()) == {"spoilt"}, striker.where
        assert world.all_serve, striker.where
        assert world.violations == [], striker.where
        assert [len(store.made) for store in world.stores.values()] == [1, 1], striker.where
        assert matrix.lease_is_free(world), striker.where


@pytest.mark.parametrize("death", [Killed, Stopped])
async def test_a_way_back_that_is_cut_off_anywhere_ends_with_the_application_on_the_old_data(
    death: type[BaseException],
) -> None:
    count = Striker(10**9, Killed)
    await matrix.failing_under(count, "restore")
    for at in range(2, count.count + 1, 17):
        striker = Striker(at, death)
        world, engine, started, ended = await matrix.failing_under(striker, "restore")
        assert ended == ("FAILED" if death is Killed else "STOPPED"), striker.where
        await engine.tell_that_it_ended(started, "ABORTED" if death is Stopped else "FAILED")
        run = world.stored.run(started["run"])
        if run.status is RunStatus.HALTED:
            assert death is Stopped, striker.where
            _, run = await engine.go_on("continue", run.id)
        assert run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED), striker.where
        assert world.all_serve, striker.where
        assert set(world.reads().values()) == {"spoilt"}, striker.where
        assert world.violations == [], striker.where
        assert world.told.published, striker.where
        assert matrix.lease_is_free(world), striker.where


@pytest.mark.parametrize("death", [Killed, Stopped])
async def test_a_halt_that_is_cut_off_anywhere_can_be_continued_to_the_same_end(death: type[BaseException]) -> None:
    _, expected = await matrix.undisturbed()
    count = Striker(10**9, Killed)
    await matrix.failing_under(count, "cut_over")
    for at in range(4, count.count + 1, 41):
        striker = Striker(at, death)
        world, engine, started, _ = await matrix.failing_under(striker, "cut_over")
        world.stores[AURORA.key].problems.clear()
        run = await matrix.carry_on(engine, started)
        assert matrix.final_state(world, run) == expected, striker.where
