"""Two hands on the same pods: the run, its watchdog, an operator, a process that only looked dead; and clocks that are set."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.run import AttemptStatus, RunStatus
from shared.steps.begin import begin
from shared.steps.pause import pause
from shared.steps.resume import resume
from shared.steps.watchdog import unpause, watchdog
from tests.unit.steps.engine import Engine
from tests.unit.steps.machine import Killed, Stopped
from tests.unit.steps.world import PODS, World

ASKED = {"plan": "orders-prod", "reason": "on-demand"}


def once(world: World, label: str, act: object) -> None:
    """Does something the first time the world is about to see the call `label`."""
    done: list[bool] = []

    def interrupt(where: str) -> None:
        if where == label and not done:
            done.append(True)
            act()  # type: ignore[operator]

    world._interrupt = interrupt


async def run_until_paused_and_stopped() -> World:
    world = World()

    def stop() -> None:
        raise Stopped

    once(world, "before releases.watch", stop)
    assert await Engine(world).backup(ASKED) == "STOPPED"
    world._interrupt = None
    assert not world.pods.all_open
    return world


async def test_an_operator_who_resumes_between_journal_and_pause_leaves_no_pod_paused() -> None:
    world = World()
    once(world, "before admin.pause", lambda: world.stored.close_pause(*only_journal(world), "operator", world.clock.now()))
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert world.pods.all_open
    (run,) = world.stored.runs("orders-prod")
    assert [attempt.cause.code for attempt in run.attempts] == ["resumed-by-operator"], "an operator's resume is final"


async def test_the_same_with_a_function_that_dies_right_after_its_pauses() -> None:
    world = World()
    struck: list[str] = []

    def interrupt(where: str) -> None:
        if where == "before admin.pause" and not struck:
            world.stored.close_pause(*only_journal(world), "operator", world.clock.now())
        if where == "after admin.pause" and not struck:
            struck.append(where)
            raise Killed

    world._interrupt = interrupt
    await Engine(world).backup(ASKED)
    assert struck
    assert world.pods.all_open


async def test_pods_that_another_run_holds_by_now_are_not_resumed_for_a_closed_entry() -> None:
    world = await run_until_paused_and_stopped()
    run, attempt = only_journal(world)
    journal = world.stored.close_pause(run, attempt, "operator", world.clock.now())
    lease = world.stored.acquire_lease("billing", "other-run", world.clock.now() + timedelta(hours=1), world.clock.now())
    other = replace(journal, plan="billing", run="other-run", token=lease.token, closed_at=None, closed_by="")
    world.stored.open_pause(other)
    await resume({"run": run, "attempt": attempt}, world)
    await watchdog({"run": run, "attempt": attempt}, world)
    assert not world.pods.all_open


async def test_a_pause_that_comes_after_its_engine_gave_up_is_refused() -> None:
    world = World()
    engine = Engine(world)
    answer = await engine._call("CheckFunctionArn", {"step": "check", "input": ASKED, "execution": started(world)})
    asked = {"run": answer["run"], "attempt": 1}
    await begin(asked, world)
    await resume(asked, world)
    assert await pause(asked, world) == {"paused": False, "causes": ["pause-interrupted"]}
    assert world.pods.all_open


async def test_a_watchdog_killed_at_any_call_finishes_the_next_time() -> None:
    for at in range(1, 60):
        world = await run_until_paused_and_stopped()
        world.clock.advance(300)
        count = 0

        def strike(_where: str, at: int = at) -> None:
            nonlocal count
            count += 1
            if count == at:
                raise Killed

        world._interrupt = strike
        run, attempt = only_journal(world)
        try:
            await watchdog({"run": run, "attempt": attempt}, world)
        except Killed:
            await watchdog({"run": run, "attempt": attempt}, world)
        else:
            assert at > 5, "the matrix would be empty"
            return
        assert world.pods.all_open
        assert world.stored.open_pauses() == ()
        assert "Pods Resumed by Watchdog" in [told.detail_type for told in world.told.published]
        assert world.stored.run(run).status is RunStatus.INTERRUPTED
        lease = world.stored.acquire_lease("orders-prod", "next", world.clock.now() + timedelta(minutes=1), world.clock.now())
        assert lease.run == "next"


async def test_a_watchdog_that_cannot_resume_tells_people_at_once_and_every_ten_minutes() -> None:
    world = await run_until_paused_and_stopped()
    world.pods.stuck = {PODS[0]}
    run, attempt = only_journal(world)
    for _ in range(12):
        with pytest.raises(Exception, match=PODS[0]):
            await watchdog({"run": run, "attempt": attempt}, world)
        world.clock.advance(60)
    told = [item for item in world.told.published if item.detail_type == "Pods May Be Paused"]
    assert len(told) == 2
    assert PODS[0] in told[0].detail["message"]


async def test_unpause_resumes_every_entry_that_it_can_before_it_complains() -> None:
    world = await run_until_paused_and_stopped()
    run, attempt = only_journal(world)
    journal = world.stored.pause_journal(run, attempt)
    stuck = replace(journal.releases[0], key="elsewhere", targets=(stranger(world),))
    lease = world.stored.acquire_lease("billing", "billing-run", world.clock.now() + timedelta(hours=1), world.clock.now())
    world.stored.open_pause(replace(journal, plan="billing", run="billing-run", token=lease.token, releases=(stuck,)))
    world.pods.stuck = {"stranger"}
    world.pods.states["stranger"] = replace(world.pods.states[PODS[0]], name="stranger", uid="u-stranger")
    world.pods.paused_times["stranger"] = []
    with pytest.raises(Exception, match="stranger"):
        await unpause({"plan": "billing"}, world)
    await unpause({"plan": "orders-prod"}, world)
    assert [entry.run for entry in world.stored.open_pauses()] == ["billing-run"]
    assert not any(name in world.pods.paused_since for name in PODS)


async def test_a_run_that_was_ended_by_the_watchdog_begins_no_further_attempt() -> None:
    world = World()
    world.pods.stuck = {PODS[1]}
    engine = Engine(world)
    assert await engine.backup(ASKED) == "FAILED"
    world.pods.stuck = set()
    world.clock.advance(300)
    await engine.wake_watchdogs()
    (run,) = world.stored.runs("orders-prod")
    with pytest.raises(Exception, match="pauses nothing any more"):
        await begin({"run": run.id, "attempt": 2}, world)


@pytest.mark.parametrize("step_seconds", [-15.0, -1.5, 1.5, 15.0])
@pytest.mark.parametrize("label", ["after admin.pause", "before admin.resume", "after admin.check_paused"])
async def test_a_clock_that_is_set_during_the_window_never_moves_the_point_out_of_the_pause(
    step_seconds: float, label: str
) -> None:
    world = World()

    def set_clock() -> None:
        world.clock.set_by_seconds = step_seconds

    once(world, label, set_clock)
    await Engine(world).backup(ASKED)
    for point in world.stored.points("orders-prod"):
        if point.at is not None:
            assert world.pods.were_all_paused_at(point.at), "the database's clock is true time"


async def test_an_attempt_without_snapshots_is_never_valid() -> None:
    world = World()
    original = world.stored.put_document

    def forgetful(run: str, name: str, document: object) -> None:
        if not name.endswith("/before"):
            original(run, name, document)

    world.stored.put_document = forgetful  # type: ignore[method-assign]
    assert await Engine(world).backup(ASKED) == "FAILED"
    (run,) = world.stored.runs("orders-prod")
    assert all(attempt.status is AttemptStatus.INVALID for attempt in run.attempts)


def only_journal(world: World) -> tuple[str, int]:
    (entry,) = world.stored.open_pauses()
    return entry.run, entry.attempt


def started(world: World) -> dict[str, str]:
    return {"id": "arn:execution:e1", "started_at": world.clock.now().isoformat()}


def stranger(world: World) -> AdminTarget:
    return AdminTarget(pod="stranger", uid="u-stranger", host="10.9.9.9", port=60053, port_source="test")
