"""An undo that fails, and what may not be undone: no pod of a halted restore is started on databases of different times."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model.errors import InvalidRequest, Temporary
from shared.model.records import replace
from shared.model.run import Run, RunStatus
from shared.steps import evidence
from shared.steps.restore import restore_status
from shared.steps.restore.record import RECORD, load_record, restores_of
from tests.unit.steps.machine import Stopped
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.stores import not_ready
from tests.unit.steps.restore.test_restore_bad_days import halted_in_cut_over, told
from tests.unit.steps.restore.test_restore_flow import GOOD, SPOILT
from tests.unit.steps.restore.world import LEDGER, ORDERS, RDS, TABLES, RestoreWorld

NONE_RUNS = {ORDERS.key: 0, LEDGER.key: 0}


@pytest.fixture
def world() -> RestoreWorld:
    return RestoreWorld()


@pytest.fixture
def engine(world: RestoreWorld) -> RestoreEngine:
    return RestoreEngine(world)


def continues(run: Run) -> str:
    return f'{{"action": "continue", "run": "{run.id}"}}'


def undoes(run: Run) -> str:
    return f'{{"action": "undo", "run": "{run.id}"}}'


async def stopped_while_preparing(world: RestoreWorld, engine: RestoreEngine, started: dict[str, Any]) -> None:
    def stop(where: str) -> None:
        if where == f"after database {TABLES.key}.restore":
            raise Stopped

    world._interrupt = stop
    assert await engine.execute(started) == "STOPPED"
    world._interrupt = None


# -- an undo of a halted restore that touches nothing leaves that one as it was


async def test_an_undo_of_a_halted_restore_that_cannot_prepare_starts_no_pod_and_says_how_to_go_on(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    world.stores[TABLES.key].problems["restore"] = not_ready("The safety backup is gone.")
    ended, undo = await engine.undo(halted.id)
    assert (ended, undo.status) == ("FAILED", RunStatus.FAILED)
    assert world.apps.running == NONE_RUNS, "the databases are at different points in time"
    assert "Nothing live was changed" not in undo.cause.hint
    assert continues(halted) in undo.cause.hint
    assert world.told.published[-1].detail["next"] == undo.cause.hint
    assert undoes(halted) in (await restore_status({"run": undo.id}, world))["next"]
    assert world.stored.run(halted.id).status is RunStatus.HALTED


@pytest.mark.parametrize("way", ["continue", "undo"])
async def test_after_a_failed_undo_the_halted_restore_is_continued_or_undone_after_all(
    world: RestoreWorld, engine: RestoreEngine, way: str
) -> None:
    halted = await halted_in_cut_over(world, engine)
    world.stores[TABLES.key].problems["restore"] = not_ready("The KMS key is disabled.")
    await engine.undo(halted.id)
    for store in world.stores.values():
        store.problems.clear()
    ended, _ = await (engine.undo(halted.id) if way == "undo" else engine.go_on("continue", halted.id))
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", SPOILT if way == "undo" else GOOD, True)
    assert world.violations == []


async def test_an_undo_of_a_halted_restore_that_fails_its_check_says_how_to_go_on(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    started = await engine.confirm(action="undo", run=halted.id)
    world.stores[TABLES.key].observed = {"status": "modifying"}
    assert await engine.execute(started) == "FAILED"
    undo = world.stored.run(started["run"])
    assert (undo.status, undo.cause.code, world.apps.running) == (RunStatus.FAILED, "Conflict", NONE_RUNS)
    assert continues(halted) in undo.cause.hint


async def test_an_undo_of_a_halted_restore_that_is_stopped_while_preparing_leaves_that_one_to_be_gone_on_with(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    started = await engine.confirm(action="undo", run=halted.id)
    await stopped_while_preparing(world, engine, started)
    await engine.tell_that_it_ended(started)
    undo = world.stored.run(started["run"])
    assert undo.status is RunStatus.INTERRUPTED
    assert continues(halted) in undo.cause.hint
    assert world.told.published[-1].detail["next"] == undo.cause.hint
    with pytest.raises(InvalidRequest, match="nothing to abandon"):
        await engine.ask(action="abandon", run=undo.id)
    ended, _ = await engine.undo(halted.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", SPOILT, True)


async def test_an_undo_that_died_unheard_cannot_be_abandoned_while_what_it_takes_back_is_half_way(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    started = await engine.confirm(action="undo", run=halted.id)
    await stopped_while_preparing(world, engine, started)
    world.clock.advance(3600)
    with pytest.raises(InvalidRequest, match=f"takes back restore {halted.id}, which is half way"):
        await engine.ask(action="abandon", run=started["run"])
    world.stores[RDS.key].problems.clear()
    ended, _ = await engine.go_on("continue", halted.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", GOOD, True)
    assert world.stored.run(started["run"]).status is RunStatus.INTERRUPTED


async def test_an_undo_of_an_undo_that_is_half_way_starts_no_pod_either(world: RestoreWorld, engine: RestoreEngine) -> None:
    halted = await halted_in_cut_over(world, engine)
    world.stores[TABLES.key].problems["half of cut_over"] = not_ready("Renamed aside, then forbidden.")
    _, undo = await engine.undo(halted.id)
    assert undo.status is RunStatus.HALTED
    world.stores[TABLES.key].problems = {"restore": not_ready("No.")}
    ended, again = await engine.undo(undo.id)
    assert (ended, again.status, world.apps.running) == ("FAILED", RunStatus.FAILED, NONE_RUNS)
    assert continues(undo) in again.cause.hint
    world.stores[TABLES.key].problems.clear()
    ended, _ = await engine.go_on("continue", undo.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", SPOILT, True)


async def test_an_undo_of_a_finished_restore_that_cannot_prepare_leads_back_to_what_was_restored(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    _, first = await engine.restore()
    world.stores[RDS.key].problems["restore"] = not_ready("No.")
    ended, undo = await engine.undo(first.id)
    assert (ended, undo.status, world.reads(), world.all_serve) == ("FAILED", RunStatus.FAILED, GOOD, True)
    assert undo.cause.hint.startswith("Nothing live was changed")


async def test_a_restore_that_is_halted_before_it_touched_anything_is_given_up_not_undone(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    started = await engine.confirm(action="restore", plan="orders-prod")
    await stopped_while_preparing(world, engine, started)
    await engine.tell_that_it_ended(started)
    with pytest.raises(InvalidRequest, match=r'replaced nothing that is live yet.*"abandon"'):
        await engine.ask(action="undo", run=started["run"])


async def test_another_restore_beside_a_halted_one_says_what_goes_on_with_that_one(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    _, run = await engine.restore()
    assert continues(halted) in run.cause.hint
    assert continues(halted) in world.told.published[-1].detail["next"]


# -- what else is told at night


async def test_a_continuation_that_meets_a_held_lease_says_that_the_restore_is_halted_still(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    started = await engine.ask(action="continue", run=halted.id)
    now = world.clock.now()
    world.stored.acquire_lease("orders-prod", "the-backup", now.replace(hour=23), now)
    assert await engine.execute(started) == "FAILED"
    assert told(world)[-1] == "Restore Failed"
    assert world.told.published[-1].detail["next"] == world.stored.run(halted.id).cause.hint


async def test_a_check_that_fails_at_the_end_says_what_can_be_done_about_the_restore(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    world.stores[TABLES.key].proven = False
    _, run = await engine.restore()
    checks = (await restore_status({"run": run.id}, world))["checks"]
    (hint,) = [check["hint"] for check in checks if check["status"] == "failed"]
    assert continues(run) in hint
    assert undoes(run) in hint


async def test_a_continuation_whose_beginning_fails_after_it_took_the_run_leads_back(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    started = await engine.confirm(action="restore", plan="orders-prod")
    await stopped_while_preparing(world, engine, started)
    await engine.tell_that_it_ended(started)
    original = engine._call

    async def failing(target: str, payload: dict[str, Any]) -> Any:
        answer = await original(target, payload)
        if payload.get("step") == "restore_begin":
            raise Temporary("The catalog does not answer.")
        return answer

    engine._call = failing  # type: ignore[method-assign]
    ended, run = await engine.go_on("continue", started["run"])
    assert (ended, run.status, world.all_serve) == ("FAILED", RunStatus.FAILED, True)
    assert "The catalog does not answer" in run.cause.message


# -- an undo takes back one restore, and not another one without a word


async def test_an_undo_of_an_older_restore_is_refused_and_names_the_one_that_came_after(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    _, first = await engine.restore()
    world.clock.advance(3600)
    _, second = await engine.restore()
    with pytest.raises(InvalidRequest, match=second.id) as caught:
        await engine.ask(action="undo", run=first.id)
    assert undoes(second) in caught.value.hint


async def test_when_what_came_after_is_undone_the_older_one_can_be_and_then_not_the_newer_again(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    _, first = await engine.restore()
    world.clock.advance(3600)
    world.write("in between")
    _, second = await engine.restore()
    ended, back = await engine.undo(second.id)
    assert (ended, set(world.reads().values())) == ("SUCCEEDED", {"in between"})
    ended, oldest = await engine.undo(first.id)
    assert (ended, world.reads()) == ("SUCCEEDED", SPOILT)
    with pytest.raises(InvalidRequest, match=oldest.id):
        await engine.ask(action="undo", run=back.id)


async def test_a_restore_of_other_databases_or_side_by_side_stands_in_no_undos_way(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    _, first = await engine.restore(databases=[RDS.key], unsafe=["partial"])
    await engine.restore(databases=[TABLES.key], unsafe=["partial"])
    await engine.restore(target="side-by-side", databases=[RDS.key])
    ended, _ = await engine.undo(first.id)
    assert (ended, world.reads()) == ("SUCCEEDED", {**SPOILT, TABLES.key: "good"})


async def test_a_later_restore_whose_copies_are_gone_is_not_forgotten(world: RestoreWorld, engine: RestoreEngine) -> None:
    _, first = await engine.restore()
    _, second = await engine.restore(keep_old="1h")
    record = load_record(world.stored, second.id)
    evidence.save(world.stored, second.id, RECORD, replace(record, discarded=True))
    await engine.restore(target="side-by-side", databases=[RDS.key])
    assert second.id in restores_of(world.stored, "orders-prod")
    with pytest.raises(InvalidRequest, match=second.id):
        await engine.ask(action="undo", run=first.id)
