"""Whatever dies during a restore, and wherever: it ends as if nothing had happened, nothing is made or deleted twice, and
nothing live is touched while a pod runs.

The matrix covers every call that any step makes to the outside: a process killed there (its engine tries again), and an
execution stopped there, which a person continues. Just after one call is just before the next, so every second place will do.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.model.run import Run, RunStatus
from shared.steps.restore.record import load_record
from tests.unit.steps.machine import Killed, Stopped
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.stores import not_ready
from tests.unit.steps.restore.world import AURORA, LEDGER, RDS, RestoreWorld
from tests.unit.steps.test_kill_matrix import Striker


@pytest.fixture(autouse=True)
def _in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls come in the same order every time, so that the n-th call is the same one in every run; and in half the time."""

    async def at_once(call: Any, *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


def small_world(interrupt: Any = None) -> RestoreWorld:
    """One release, one database of each way to cut over, restored in no time: every path, in few calls."""
    world = RestoreWorld(interrupt, databases=(RDS, AURORA), releases=(LEDGER,))
    for store in world.stores.values():
        store.restore_seconds = 30.0
    return world


class Switch:
    """Lets the striker see the calls of executions only, not those of the person who asks."""

    def __init__(self, striker: Any) -> None:
        self.striker, self.on = striker, False

    def __call__(self, where: str) -> None:
        if self.on:
            self.striker(where)


async def restore_under(striker: Any) -> tuple[RestoreWorld, RestoreEngine, dict[str, Any], str]:
    switch = Switch(striker)
    world = small_world(switch)
    engine = RestoreEngine(world)
    started = await engine.confirm(action="restore", plan="orders-prod")
    switch.on = True
    ended = await engine.execute(started)
    switch.on = False
    return world, engine, started, ended


async def carry_on(engine: RestoreEngine, started: dict[str, Any]) -> Run:
    """What a person does after an execution was stopped: what the answers say."""
    world = engine.world
    await engine.tell_that_it_ended(started)
    run = world.stored.run(started["run"])
    if run.status is RunStatus.HALTED:
        ended, run = await engine.go_on("continue", run.id)
        assert ended == "SUCCEEDED"
    elif run.status is not RunStatus.SUCCEEDED:
        assert run.status is RunStatus.INTERRUPTED
        assert world.all_serve, "it is interrupted only when it had touched nothing"
        ended, run = await engine.restore()
        assert ended == "SUCCEEDED"
    return run


def final_state(world: RestoreWorld, run: Run) -> dict[str, Any]:
    """Everything that lasts, without the names' stamps."""
    record = load_record(world.stored, run.id)
    return {
        "reads": world.reads(),
        "serves": world.all_serve,
        "copies": {
            key: sorted((name.replace(record.stamp, "STAMP"), copy.value) for name, copy in store.copies.items())
            for key, store in world.stores.items()
        },
        "made": {key: len(store.made) for key, store in world.stores.items()},
        "moved": {key: [move.replace(record.stamp, "STAMP") for move in store.moved] for key, store in world.stores.items()},
        "deleted": {key: store.deleted for key, store in world.stores.items()},
        "endpoint writes": world.leading.writes,
        "violations": world.violations,
        "status": run.status,
        "phase": record.phase,
        "led": record.led,
        "values": {key: text.replace(record.stamp, "STAMP") for key, text in record.values_changes.items()},
        "kept": record.kept_until is not None,
        "told": "Restore Succeeded" in [told.detail_type for told in world.told.published],
        "lease is free": lease_is_free(world),
    }


def lease_is_free(world: RestoreWorld) -> bool:
    return world.stored.acquire_lease("orders-prod", "next", world.clock.now(), world.clock.now()).run == "next"


async def undisturbed() -> tuple[int, dict[str, Any]]:
    striker = Striker(10**9, Killed)
    world, _, started, ended = await restore_under(striker)
    assert ended == "SUCCEEDED"
    assert striker.count > 100, "the matrix would be empty"
    return striker.count, final_state(world, world.stored.run(started["run"]))


async def test_a_process_killed_at_any_call_changes_nothing_of_the_end() -> None:
    count, expected = await undisturbed()
    for at in range(1, count + 1, 2):
        striker = Striker(at, Killed)
        world, _, started, ended = await restore_under(striker)
        assert ended == "SUCCEEDED", striker.where
        assert final_state(world, world.stored.run(started["run"])) == expected, striker.where


async def test_an_execution_stopped_at_any_call_is_continued_to_the_same_end() -> None:
    count, expected = await undisturbed()
    for at in range(1, count + 1, 2):
        striker = Striker(at, Stopped)
        _, engine, started, ended = await restore_under(striker)
        assert ended == "STOPPED"
        run = await carry_on(engine, started)
        assert final_state(engine.world, run) == expected, striker.where


async def test_an_undo_killed_or_stopped_at_any_call_brings_back_what_was_there() -> None:
    async def undo_under(striker: Any) -> tuple[RestoreWorld, RestoreEngine, dict[str, Any], str]:
        switch = Switch(striker)
        world = small_world(switch)
        engine = RestoreEngine(world)
        _, first = await engine.restore()
        started = await engine.confirm(action="undo", run=first.id)
        switch.on = True
        ended = await engine.execute(started)
        switch.on = False
        return world, engine, started, ended

    striker = Striker(10**9, Killed)
    await undo_under(striker)
    for at in range(1, striker.count + 1, 7):
        for death in (Killed, Stopped):
            struck = Striker(at, death)
            world, engine, started, ended = await undo_under(struck)
            if ended == "STOPPED":
                await engine.tell_that_it_ended(started)
                run = world.stored.run(started["run"])
                if run.status is RunStatus.HALTED:
                    await engine.go_on("continue", run.id)
                elif run.status is RunStatus.INTERRUPTED:
                    first = world.stored.runs("orders-prod")[-2]
                    await engine.undo(first.id)
            assert set(world.reads().values()) == {"spoilt"}, struck.where
            assert world.all_serve, struck.where
            assert world.violations == [], struck.where
            assert [len(store.made) for store in world.stores.values()] == [1, 1], struck.where


async def failing_under(striker: Any, half: str) -> tuple[RestoreWorld, RestoreEngine, dict[str, Any], str]:
    """A restore in which one database cannot be restored (`restore`) or not be cut over (`cut_over`)."""
    switch = Switch(striker)
    world = small_world(switch)
    engine = RestoreEngine(world)
    started = await engine.confirm(action="restore", plan="orders-prod")
    world.stores[AURORA.key].problems[half] = not_ready("The KMS key is disabled.")
    switch.on = True
    ended = await engine.execute(started)
    switch.on = False
    return world, engine, started, ended


@pytest.mark.parametrize("death", [Killed, Stopped])
async def test_a_way_back_that_is_cut_off_anywhere_ends_with_the_application_on_the_old_data(
    death: type[BaseException],
) -> None:
    count = Striker(10**9, Killed)
    await failing_under(count, "restore")
    for at in range(1, count.count + 1, 3):
        striker = Striker(at, death)
        world, engine, started, _ = await failing_under(striker, "restore")
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
        assert lease_is_free(world), striker.where


async def test_a_halt_that_is_cut_off_anywhere_is_a_halt_and_can_be_continued() -> None:
    _, expected = await undisturbed()
    count = Striker(10**9, Killed)
    await failing_under(count, "cut_over")
    for at in range(1, count.count + 1, 4):
        for death in (Killed, Stopped):
            striker = Striker(at, death)
            world, engine, started, _ = await failing_under(striker, "cut_over")
            world.stores[AURORA.key].problems.clear()
            run = await carry_on(engine, started)
            assert final_state(world, run) == expected, striker.where


async def failing_undo_under(striker: Any) -> tuple[RestoreWorld, RestoreEngine, dict[str, Any], Run]:
    """An undo that cannot be prepared, of a restore that is halted with a database at each time. The last is that restore."""
    switch = Switch(striker)
    world = small_world(switch)
    engine = RestoreEngine(world)
    world.stores[AURORA.key].problems["cut_over"] = not_ready("The KMS key is disabled.")
    _, halted = await engine.restore()
    assert halted.status is RunStatus.HALTED
    started = await engine.confirm(action="undo", run=halted.id)
    world.stores[RDS.key].problems["restore"] = not_ready("The old copy is gone.")
    switch.on = True
    await engine.execute(started)
    switch.on = False
    return world, engine, started, halted


@pytest.mark.parametrize("death", [Killed, Stopped])
async def test_a_failing_undo_of_a_halted_restore_that_is_cut_off_anywhere_starts_no_pod(death: type[BaseException]) -> None:
    count = Striker(10**9, Killed)
    await failing_undo_under(count)
    for at in range(1, count.count + 1, 5):
        striker = Striker(at, death)
        world, engine, started, halted = await failing_undo_under(striker)
        await engine.tell_that_it_ended(started, "ABORTED" if death is Stopped else "FAILED")
        assert world.apps.running[LEDGER.key] == 0, striker.where
        run = world.stored.run(started["run"])
        assert run.status in (RunStatus.FAILED, RunStatus.INTERRUPTED), striker.where
        assert f'"run": "{halted.id}"' in world.told.published[-1].detail["next"], striker.where
        for store in world.stores.values():
            store.problems.clear()
        ended, _ = await engine.go_on("continue", halted.id)
        assert (ended, set(world.reads().values()), world.all_serve) == ("SUCCEEDED", {"good"}, True), striker.where
        assert world.violations == [], striker.where
        assert lease_is_free(world), striker.where


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    strikes=st.lists(st.tuples(st.integers(1, 120), st.sampled_from([Killed, Stopped])), min_size=2, max_size=6),
)
async def test_any_series_of_deaths_ends_in_the_same_state(strikes: list[tuple[int, type[BaseException]]]) -> None:
    _, expected = await undisturbed()
    left = list(strikes)
    count = 0

    def strike(where: str) -> None:
        nonlocal count
        count += 1
        if left and count >= left[0][0]:
            _, death = left.pop(0)
            count = 0
            raise death(where)

    switch = Switch(strike)
    world = small_world(switch)
    engine = RestoreEngine(world)
    started = await engine.confirm(action="restore", plan="orders-prod")
    for _ in range(len(strikes) + 2):
        switch.on = True
        ended = await engine.execute(started)
        switch.on = False
        if ended == "STOPPED":
            await engine.tell_that_it_ended(started)
        run = world.stored.run(started["run"])
        if run.status is RunStatus.SUCCEEDED:
            break
        started = (
            await engine.ask(action="continue", run=run.id)
            if run.status is RunStatus.HALTED
            else await engine.confirm(action="restore", plan="orders-prod")
        )
    assert final_state(world, run) == expected
