"""What goes wrong during a restore: before live data is touched the application is led back to it, after that the run is
halted and says what continues it."""

from __future__ import annotations

import pytest

from shared.model.errors import Conflict, InvalidRequest, LeaseHeld, NotReady
from shared.model.run import Run, RunStatus
from shared.model.times import iso
from shared.steps.begin import begin
from shared.steps.restore import restore_begin, restore_clean_up, restore_prepare
from shared.steps.restore.record import load_progress, load_record, progress_document
from tests.unit.steps.machine import Killed, Stopped
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.stores import not_ready
from tests.unit.steps.restore.test_restore_flow import GOOD, SPOILT
from tests.unit.steps.restore.world import AURORA, LEDGER, ORDERS, RDS, TABLES, RestoreWorld

ASKED = {"action": "restore", "plan": "orders-prod"}


@pytest.fixture
def world() -> RestoreWorld:
    return RestoreWorld()


@pytest.fixture
def engine(world: RestoreWorld) -> RestoreEngine:
    return RestoreEngine(world)


def told(world: RestoreWorld) -> list[str]:
    return [event.detail_type for event in world.told.published]


async def halted_in_cut_over(world: RestoreWorld, engine: RestoreEngine) -> Run:
    world.stores[RDS.key].problems["cut_over"] = not_ready("orders-db is being modified by somebody else.")
    ended, run = await engine.restore()
    assert (ended, run.status) == ("FAILED", RunStatus.HALTED)
    return run


# -- before live data is touched


async def test_a_database_that_cannot_be_restored_leads_the_application_back(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    world.stores[RDS.key].problems["restore"] = not_ready("The point is beyond the recovery window by now.")
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.FAILED, "led-back")
    assert "beyond the recovery window" in run.cause.message
    assert run.cause.hint.startswith("Nothing live was changed")
    assert (world.reads(), world.all_serve, world.violations) == (SPOILT, True, [])
    assert told(world) == ["Restore Failed"]


async def test_side_copies_of_a_restore_that_was_led_back_are_deleted(world: RestoreWorld, engine: RestoreEngine) -> None:
    world.stores[AURORA.key].problems["restore"] = not_ready("No.")
    await engine.restore()
    assert len(world.stores[TABLES.key].copies) == 2
    world.clock.advance(3600)
    for _ in range(2):
        await restore_clean_up({}, world)
    assert [list(store.copies) for store in world.stores.values()] == [["tables"], ["orders-db"], ["ledger"]]


async def test_after_it_was_led_back_the_same_can_be_asked_for_again(world: RestoreWorld, engine: RestoreEngine) -> None:
    world.stores[RDS.key].problems["restore"] = not_ready("No.")
    _, first = await engine.restore()
    world.stores[RDS.key].problems.clear()
    ended, second = await engine.restore()
    assert (ended, world.reads()) == ("SUCCEEDED", GOOD)
    assert first.id != second.id


async def test_a_world_that_drifts_between_confirmation_and_begin_stops_nothing(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    started = await engine.confirm(**ASKED)
    world.stores[RDS.key].observed = {"status": "modifying"}
    assert await engine.execute(started) == "FAILED"
    run = world.stored.run(started["run"])
    assert (run.status, run.cause.code) == (RunStatus.FAILED, "Conflict")
    assert "was available and is modifying" in run.cause.message
    assert "Stop the application" not in engine.visited
    assert world.all_serve


async def test_a_release_that_somebody_scales_up_before_the_cut_over_stops_the_restore_and_is_left_alone(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    world.apps.scaled_up = {ORDERS.key}
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.FAILED, "led-back")
    assert "is at 1 again" in run.cause.message
    assert world.apps.replicas_of == {ORDERS.key: 1, LEDGER.key: 2}, "what somebody else runs keeps their number"
    assert (world.reads(), world.violations) == (SPOILT, [])


async def test_a_process_that_always_dies_while_preparing_leads_back(world: RestoreWorld, engine: RestoreEngine) -> None:
    original = engine._call

    async def dying(target: str, payload: dict) -> object:
        if payload.get("step") == "restore_prepare" and payload.get("database") == RDS.key:
            raise Killed
        return await original(target, payload)

    engine._call = dying  # type: ignore[method-assign]
    ended, run = await engine.restore()
    assert (ended, run.status, world.all_serve) == ("FAILED", RunStatus.FAILED, True)


async def test_a_way_back_that_fails_is_halted_and_can_be_continued(world: RestoreWorld, engine: RestoreEngine) -> None:
    world.stores[RDS.key].problems["restore"] = not_ready("No.")
    world.apps.problem = Conflict("Somebody scales it down again and again.")
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.HALTED, "leading-back")
    assert "goes on starting the releases" in run.cause.hint
    world.apps.problem = None
    ended, run = await engine.go_on("continue", run.id)
    assert (run.status, engine.phase(run), world.all_serve) == (RunStatus.FAILED, "led-back", True)
    assert world.reads() == SPOILT


async def test_an_execution_stopped_before_the_cut_over_can_be_abandoned() -> None:
    world = RestoreWorld()

    def stop(where: str) -> None:
        if where == f"after database {RDS.key}.restore":
            raise Stopped

    engine = RestoreEngine(world)
    started = await engine.confirm(**ASKED)
    world._interrupt = stop
    assert await engine.execute(started) == "STOPPED"
    world._interrupt = None
    await engine.tell_that_it_ended(started)
    run = world.stored.run(started["run"])
    assert run.status is RunStatus.HALTED
    assert '"abandon"' in run.cause.hint
    assert told(world) == ["Restore Halted"]
    ended, run = await engine.go_on("abandon", run.id)
    assert (ended, run.status, run.cause.code) == ("SUCCEEDED", RunStatus.FAILED, "Abandoned")
    assert "Before that: The execution ended as ABORTED" in run.cause.message
    assert (world.reads(), world.all_serve) == (SPOILT, True)


# -- after live data is touched


async def test_one_database_that_fails_in_the_cut_over_keeps_no_other_from_its_end(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    run = await halted_in_cut_over(world, engine)
    assert world.reads() == {TABLES.key: "good", RDS.key: "spoilt", AURORA.key: "spoilt"}, "the endpoint is led at the end"
    assert "being modified by somebody else" in run.cause.message
    assert f"Cut over: {TABLES.key}, {AURORA.key}" in run.cause.message
    assert f'{{"action": "continue", "run": "{run.id}"}}' in run.cause.hint
    assert f'{{"action": "undo", "run": "{run.id}"}}' in run.cause.hint
    assert world.apps.running == {ORDERS.key: 0, LEDGER.key: 0}, "nothing runs on half a state"
    assert told(world) == ["Restore Halted"]


async def test_continue_finishes_the_rest_and_repeats_nothing(world: RestoreWorld, engine: RestoreEngine) -> None:
    run = await halted_in_cut_over(world, engine)
    moved = list(world.stores[TABLES.key].moved)
    world.stores[RDS.key].problems.clear()
    ended, run = await engine.go_on("continue", run.id)
    assert (ended, run.status, world.reads(), world.all_serve) == ("SUCCEEDED", RunStatus.SUCCEEDED, GOOD, True)
    assert world.stores[TABLES.key].moved == moved
    assert [len(store.made) for store in world.stores.values()] == [1, 1, 1]
    assert run.cause is None


async def test_a_continuation_that_fails_again_is_halted_again_and_can_be_continued_again(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    run = await halted_in_cut_over(world, engine)
    ended, run = await engine.go_on("continue", run.id)
    assert (ended, run.status) == ("FAILED", RunStatus.HALTED)
    world.stores[RDS.key].problems.clear()
    ended, run = await engine.go_on("continue", run.id)
    assert (ended, world.reads()) == ("SUCCEEDED", GOOD)


async def test_undo_takes_back_what_is_done_and_starts_the_application(world: RestoreWorld, engine: RestoreEngine) -> None:
    run = await halted_in_cut_over(world, engine)
    ended, undo = await engine.undo(run.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", SPOILT, True)
    run = world.stored.run(run.id)
    assert (run.status, run.cause.code) == (RunStatus.FAILED, "Undone")
    assert load_record(world.stored, run.id).undone_by == undo.id


async def test_a_database_that_died_between_two_names_is_undone_all_the_same(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    world.stores[RDS.key].problems["half of cut_over"] = not_ready("Renamed aside, then forbidden.")
    _, run = await engine.restore()
    assert run.status is RunStatus.HALTED
    assert world.reads()[RDS.key] == "nothing"
    world.stores[RDS.key].problems.clear()
    ended, _ = await engine.undo(run.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", SPOILT, True)


async def test_what_was_begun_cannot_be_abandoned(world: RestoreWorld, engine: RestoreEngine) -> None:
    run = await halted_in_cut_over(world, engine)
    with pytest.raises(InvalidRequest, match='"undo"'):
        await engine.ask(action="abandon", run=run.id)


async def test_pods_that_somebody_starts_while_a_restore_is_halted_keep_it_from_going_on(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    run = await halted_in_cut_over(world, engine)
    world.stores[RDS.key].problems.clear()
    world.apps.replicas_of[ORDERS.key] = world.apps.running[ORDERS.key] = 3
    ended, run = await engine.go_on("continue", run.id)
    assert (ended, run.status, world.violations) == ("FAILED", RunStatus.HALTED, [])
    assert "is at 3 again" in run.cause.message


async def test_a_restore_that_is_not_what_was_promised_is_halted_and_can_be_undone(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    world.stores[TABLES.key].proven = False
    ended, run = await engine.restore()
    assert (ended, run.status, engine.phase(run)) == ("FAILED", RunStatus.HALTED, "verifying")
    world.stores[TABLES.key].proven = True
    ended, _ = await engine.undo(run.id)
    assert (ended, world.reads()) == ("SUCCEEDED", SPOILT)


async def test_clean_up_leaves_a_halted_restore_and_what_an_undo_uses_alone(world: RestoreWorld, engine: RestoreEngine) -> None:
    await halted_in_cut_over(world, engine)
    world.clock.advance(365 * 24 * 3600)
    assert (await restore_clean_up({}, world))["waiting"] == []


async def test_copies_of_a_halted_restore_outlive_the_time_in_which_its_undo_can_be_undone(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    world.clock.advance(2 * 24 * 3600)
    _, undo = await engine.undo(halted.id)
    world.clock.advance(2 * 24 * 3600)
    assert (await restore_clean_up({}, world))["waiting"] == []
    world.clock.advance(2 * 24 * 3600)
    gone: list[str] = []
    for _ in range(6):
        gone += (await restore_clean_up({}, world))["discarded"]
    assert gone == [undo.id, halted.id]
    assert world.reads() == SPOILT


async def test_copies_of_a_halted_restore_that_are_live_again_are_never_deleted(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    world.stores[RDS.key].problems.clear()
    _, undo = await engine.undo(halted.id)
    await engine.undo(undo.id)
    before = world.reads()
    world.clock.advance(30 * 24 * 3600)
    for _ in range(6):
        assert halted.id not in (await restore_clean_up({}, world))["waiting"]
    assert world.reads() == before


# -- beside others


async def test_a_restore_while_a_backup_runs_is_refused_with_the_run(world: RestoreWorld, engine: RestoreEngine) -> None:
    started = await engine.confirm(**ASKED)
    now = world.clock.now()
    world.stored.acquire_lease("orders-prod", "the-backup", now.replace(hour=23), now)
    assert await engine.execute(started) == "FAILED"
    run = world.stored.run(started["run"])
    assert (run.status, run.cause.code) == (RunStatus.FAILED, LeaseHeld.__name__)
    assert "the-backup" in run.cause.message
    assert world.all_serve


async def test_a_backup_beside_a_halted_restore_is_refused_and_leaves_the_plan_free(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    halted = await halted_in_cut_over(world, engine)
    world.stored.create_run(
        Run(id="orders-prod-20261123T200000Z-0a0a0a0a", plan="orders-prod", plan_revision=1, reason="schedule",
            execution="arn:backup", started_at=world.clock.now())
    )  # fmt: skip
    with pytest.raises(NotReady, match=f"{halted.id}.*is halted half way"):
        await begin({"run": "orders-prod-20261123T200000Z-0a0a0a0a", "attempt": 1}, world)
    world.stores[RDS.key].problems.clear()
    ended, _ = await engine.go_on("continue", halted.id)
    assert ended == "SUCCEEDED"


async def test_another_restore_beside_a_halted_one_is_refused(world: RestoreWorld, engine: RestoreEngine) -> None:
    halted = await halted_in_cut_over(world, engine)
    ended, run = await engine.restore()
    assert (ended, run.status) == ("FAILED", RunStatus.FAILED)
    assert halted.id in run.cause.message
    assert world.stored.run(halted.id).status is RunStatus.HALTED


async def test_a_restore_whose_execution_died_unheard_is_halted_by_the_next_backup(world: RestoreWorld) -> None:
    engine = RestoreEngine(world)
    started = await engine.confirm(**ASKED)

    def stop(where: str) -> None:
        if where == f"after database {RDS.key}.cut_over":
            raise Stopped

    world._interrupt = stop
    await engine.execute(started)
    world._interrupt = None
    with pytest.raises(LeaseHeld, match=started["run"]):
        await engine.ask(action="continue", run=started["run"])
    with pytest.raises(LeaseHeld):
        await restore_begin(continuing(world, started["run"]), world)
    world.clock.advance(3600)
    world.stored.create_run(
        Run(id="orders-prod-20261123T220000Z-0a0a0a0a", plan="orders-prod", plan_revision=1, reason="schedule",
            execution="arn:backup", started_at=world.clock.now())
    )  # fmt: skip
    with pytest.raises(NotReady, match="halted half way"):
        await begin({"run": "orders-prod-20261123T220000Z-0a0a0a0a", "attempt": 1}, world)
    assert world.stored.run(started["run"]).status is RunStatus.HALTED
    ended, _ = await engine.go_on("continue", started["run"])
    assert (ended, world.reads()) == ("SUCCEEDED", GOOD)


async def test_a_step_of_an_execution_that_was_taken_over_does_nothing(world: RestoreWorld, engine: RestoreEngine) -> None:
    run = await halted_in_cut_over(world, engine)
    answer = await restore_begin(continuing(world, run.id), world)
    stale = {"run": run.id, "plan": "orders-prod", "token": run.token, "database": RDS.key}
    with pytest.raises(Conflict, match="taken over by a later execution"):
        await restore_prepare(stale, world)
    assert (await restore_prepare(stale | {"token": answer["token"]}, world))["done"]


async def test_a_restore_that_died_unheard_can_be_continued_when_its_lease_has_run_out(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    started = await engine.confirm(**ASKED)

    def stop(where: str) -> None:
        if where == f"after database {RDS.key}.restore":
            raise Stopped

    world._interrupt = stop
    await engine.execute(started)
    world._interrupt = None
    world.clock.advance(3600)
    ended, run = await engine.go_on("continue", started["run"])
    assert (ended, run.status, world.reads(), world.all_serve) == ("SUCCEEDED", RunStatus.SUCCEEDED, GOOD, True)


async def test_a_continuation_of_a_run_that_is_over_is_refused(world: RestoreWorld, engine: RestoreEngine) -> None:
    _, run = await engine.restore()
    for action in ("continue", "abandon"):
        with pytest.raises(InvalidRequest, match="there is nothing to"):
            await engine.ask(action=action, run=run.id)


def continuing(world: RestoreWorld, run: str) -> dict:
    return {
        "input": {"action": "continue", "plan": "orders-prod", "run": run},
        "execution": {"id": "arn:execution:another", "started_at": iso(world.clock.now())},
    }


# -- clean-up


async def test_a_copy_that_was_made_before_the_first_progress_was_stored_is_deleted(
    world: RestoreWorld, engine: RestoreEngine
) -> None:
    original = engine._call

    async def forgetting(target: str, payload: dict) -> object:
        answer = await original(target, payload)
        if payload.get("step") == "restore_prepare" and payload.get("database") == RDS.key:
            world.stored.put_document(payload["run"], progress_document(RDS.key), None)
            raise Killed
        return answer

    engine._call = forgetting  # type: ignore[method-assign]
    _, run = await engine.restore()
    assert (run.status, len(world.stores[RDS.key].copies)) == (RunStatus.FAILED, 2)
    assert load_progress(world.stored, run.id, RDS.key) is None
    world.clock.advance(3600)
    gone = [(await restore_clean_up({}, world))["discarded"] for _ in range(2)]
    assert gone == [[], [run.id]]
    assert list(world.stores[RDS.key].copies) == ["orders-db"]


async def test_a_clean_up_that_cannot_succeed_is_counted_with_what_keeps_it(world: RestoreWorld, engine: RestoreEngine) -> None:
    _, run = await engine.restore()
    world.stores[RDS.key].problems["discard"] = not_ready("A release is led to it.")
    world.clock.advance(73 * 3600)
    answer = await restore_clean_up({}, world)
    assert answer["problems"] == {f"{run.id} {RDS.key}": "A release is led to it. Mend it."}
    assert answer["metrics"] == {"CleanUpProblems": 1}
