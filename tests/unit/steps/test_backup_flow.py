"""A backup from its first step to its last, over the product's own state machines in virtual time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.model.pods import PodEvent, PodEventType
from shared.model.records import replace
from shared.model.restore_point import PointPhase
from shared.model.run import AttemptStatus, RunStatus
from shared.steps import evidence
from tests.unit.steps.engine import Engine
from tests.unit.steps.world import PLAN, PODS, RELEASE, World

ASKED = {"action": "backup", "plan": "orders-prod", "reason": "on-demand"}


@pytest.fixture
def world() -> World:
    return World()


def the_run(world: World) -> Any:
    (run,) = world.stored.runs("orders-prod")
    return run


async def test_an_undisturbed_run_makes_an_available_point_inside_the_pause(world: World) -> None:
    assert await Engine(world).backup(ASKED) == "SUCCEEDED"
    point = world.stored.point("orders-prod", "latest")
    assert point.phase is PointPhase.AVAILABLE
    assert world.pods.were_all_paused_at(point.at)
    assert world.pods.all_open
    assert world.stored.open_pauses() == ()


async def test_the_point_keeps_its_evidence(world: World) -> None:
    await Engine(world).backup(ASKED)
    found = evidence.load_evidence(world.stored, the_run(world).id, 1)
    assert [item.outcome for item in found.pause.acknowledgements] == ["paused"] * 3
    assert len(found.capture.samples) >= 10, "CheckPaused each second of a ten second hold"
    assert all(sample.proves_pause for sample in found.capture.samples)
    assert found.resume.sample.proves_pause
    assert found.before[0].pods == found.after[0].pods
    assert found.pause.confirmed.clocks["dynamodb:ap-northeast-1"].samples == 20


async def test_the_hold_is_as_long_as_asked_and_hardly_longer(world: World) -> None:
    await Engine(world).backup(ASKED)
    window = world.stored.point("orders-prod", "latest").window
    held = (window.resume_began_at - window.confirmed_at).total_seconds()
    assert 10 <= held < 10.1


@pytest.mark.parametrize("offset", [-4.0, -0.7, 3.25])
async def test_the_point_is_on_the_database_clock_however_far_it_is_off(world: World, offset: float) -> None:
    world.dynamodb.offset_seconds = offset
    await Engine(world).backup(ASKED)
    on_our_clock = world.stored.point("orders-prod", "latest").at - timedelta(seconds=offset)
    assert world.pods.were_all_paused_at(on_our_clock)


async def test_an_uncertain_clock_prolongs_the_hold_until_a_second_is_safe(world: World) -> None:
    world.dynamodb.error_seconds = 6.0
    await Engine(world).backup(ASKED)
    window = world.stored.point("orders-prod", "latest").window
    assert 13 < (window.resume_began_at - window.confirmed_at).total_seconds() < 16


async def test_a_clock_that_cannot_be_measured_leaves_the_guides_rule_and_says_so(world: World) -> None:
    world.dynamodb.problem = "no Date header"
    await Engine(world).backup(ASKED)
    point = world.stored.point("orders-prod", "latest")
    assert point.window.safe.is_assumed
    assert world.pods.were_all_paused_at(point.at)


async def test_a_clock_too_uncertain_for_the_longest_pause_yields_no_point(world: World) -> None:
    world.dynamodb.error_seconds = 120.0
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert {attempt.cause.code for attempt in the_run(world).attempts} == {"no-safe-second"}
    assert world.pods.all_open


async def test_a_restart_inside_the_hold_voids_the_window_and_the_next_one_succeeds(world: World) -> None:
    struck = []

    def strike_once() -> None:
        if world.pods.paused_since and not struck:
            struck.append(True)
            world.pods.restart(PODS[1])

    world.pods.on_sample = strike_once
    assert await Engine(world).backup(ASKED) == "SUCCEEDED"
    first, second = the_run(world).attempts
    assert (first.status, first.cause.code) == (AttemptStatus.INVALID, "pause-not-confirmed")
    assert second.status is AttemptStatus.VALID
    assert world.pods.were_all_paused_at(second.point)


async def test_a_pod_deleted_inside_the_hold_voids_the_window_and_does_not_keep_the_run_from_ending(world: World) -> None:
    spare = replace(world.pods.states[PODS[1]], name="orders-node-d", uid="u9")

    def strike_once() -> None:
        if world.pods.paused_since and PODS[1] in world.pods.states:
            world.pods.delete(PODS[1])
            world.pods.states[spare.name] = spare
            world.pods.paused_times[spare.name] = []

    world.pods.on_sample = strike_once
    await Engine(world).backup(ASKED)
    run = the_run(world)
    first = run.attempts[0]
    assert (first.status, first.resumed_at is not None) == (AttemptStatus.INVALID, True)
    found = evidence.load_evidence(world.stored, run.id, 1)
    assert [item.note for item in found.resume.pods if item.pod == PODS[1]] == ["gone"]
    assert world.pods.all_open


async def test_a_pod_that_came_and_went_between_two_equal_lists_voids_the_window(world: World) -> None:
    stranger = replace(world.pods.states[PODS[0]], name="orders-node-x", uid="ux")
    world.pods.on_sample = lambda: world.pods.events.append(
        PodEvent(release=RELEASE.key, type=PodEventType.ADDED, pod=stranger)
    )
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert {attempt.cause.code for attempt in the_run(world).attempts} == {"pod-added"}


async def test_a_broken_watch_is_unknown_and_never_unchanged(world: World) -> None:
    world.pods.watch_broken = "410 Gone"
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert the_run(world).attempts[0].cause.code == "watch-broken"


async def test_ok_with_an_open_gate_is_no_pause(world: World) -> None:
    world.pods.outcomes = {PODS[2]: "open-gate"}
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert the_run(world).attempts[0].cause.code == "pause-not-confirmed"
    assert world.pods.all_open


async def test_somebody_elses_pause_is_never_resumed(world: World) -> None:
    world.pods.outcomes = {PODS[0]: "not-ours"}
    world.pods.stuck = {PODS[0]}  # would be reported as a failed resume if it were tried
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert the_run(world).attempts[0].cause.code == "paused-by-another"
    assert world.pods.all_open


async def test_pods_that_somebody_paused_before_are_left_alone(world: World) -> None:
    world.pods.paused_since[PODS[0]] = world.clock.now()
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert list(world.pods.paused_since) == [PODS[0]]
    assert "somebody else" in the_run(world).attempts[0].cause.message


async def test_a_lost_answer_is_resumed_and_the_window_tried_again(world: World) -> None:
    world.pods.outcomes = {PODS[0]: "unknown"}
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert world.pods.all_open
    assert [attempt.cause.code for attempt in the_run(world).attempts] == ["pause-unknown"] * PLAN.pause.attempts


async def test_pods_that_cannot_be_resumed_end_in_a_loud_failure_and_a_watchdog_that_goes_on(world: World) -> None:
    world.pods.stuck = {PODS[1]}
    engine = Engine(world)
    assert await engine.backup(ASKED) == "FAILED"
    told = world.told.published[-1]
    assert told.detail["pods_may_be_paused"] is True
    assert PODS[1] in told.detail["cause"]["message"]
    world.pods.stuck = set()
    await engine.wake_watchdogs()
    assert world.pods.all_open
    assert world.stored.open_pauses() == ()


async def test_a_second_run_of_the_same_plan_is_refused_and_recorded(world: World) -> None:
    world.stored.acquire_lease("orders-prod", "another-run", world.clock.now() + timedelta(hours=1), world.clock.now())
    assert await Engine(world).backup(ASKED) == "FAILED"
    run = the_run(world)
    assert (run.status, run.cause.code) == (RunStatus.FAILED, "LeaseHeld")
    assert "another-run" in run.cause.message


async def test_the_failure_of_every_attempt_is_kept_as_an_invalid_point(world: World) -> None:
    world.pods.outcomes = {PODS[0]: "refused"}
    await Engine(world).backup(ASKED)
    (point,) = world.stored.points("orders-prod")
    assert (point.phase, point.cause.code) == (PointPhase.INVALID, "pause-refused")


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"plan": "no-such-plan"}, "no-such-plan"),
        ({}, "'plan'"),
        ({"plan": 7}, "'plan' is a number"),
        ([], "a list"),
        ("orders-prod", "a text"),
        (None, "missing"),
    ],
)
async def test_a_malformed_request_pauses_nothing_and_is_told(world: World, given: Any, word: str) -> None:
    assert await Engine(world).backup(given) == "FAILED"
    assert word in world.told.published[-1].detail["cause"]["message"]
    assert world.pods.paused_times == {name: [] for name in PODS}


async def test_a_failed_check_pauses_nothing_and_leaves_a_record(world: World) -> None:
    world.pods.states[PODS[0]] = replace(world.pods.states[PODS[0]], phase="Pending", ready=False)
    assert await Engine(world).backup(ASKED) == "FAILED"
    run = the_run(world)
    assert (run.status, run.cause.code) == (RunStatus.FAILED, "NotReady")
    assert f"pod {PODS[0]} is Pending" in run.cause.message
    assert world.pods.paused_times == {name: [] for name in PODS}


async def test_the_steps_are_visited_in_the_order_of_the_design(world: World) -> None:
    engine = Engine(world)
    await engine.backup(ASKED)
    steps = ["Check", "Begin", "Arm the watchdog", "Pause", "Capture", "Resume", "Judge", "Protect", "Publish"]
    assert [state for state in engine.visited if state in steps] == steps


async def test_success_is_told_with_the_point(world: World) -> None:
    await Engine(world).backup(ASKED)
    told = world.told.published[-1]
    assert told.detail_type == "Backup Succeeded"
    assert told.detail["restore_point"] == world.stored.point("orders-prod", "latest").id


async def test_the_plan_of_a_run_names_every_table_so_that_one_that_disappears_is_missed(world: World) -> None:
    await Engine(world).backup(ASKED)
    (database,) = evidence.plan_of(world.stored, the_run(world).id).databases
    assert database.tables == ("bank.accounts", "coordinator.state")
    assert world.stored.plan("orders-prod").plan.databases[0].tables == (), "the plan itself stays as its owner wrote it"


async def test_a_success_removes_what_failed_runs_left_but_nothing_that_a_run_still_needs(world: World) -> None:
    await Engine(world).backup(ASKED)
    assert world.dynamodb.in_use == [frozenset({world.stored.point("orders-prod", "latest").at})]


async def test_a_run_that_is_still_at_its_checks_is_not_called_interrupted_by_one_that_was_faster(world: World) -> None:
    await Engine(world).backup(ASKED)
    checking = replace(
        the_run(world), id="orders-prod-20261123T180000Z-00000000", status=RunStatus.RUNNING, token=0, attempts=(), point=None
    )
    world.stored.create_run(checking)
    await Engine(world).backup(ASKED, name="e2")
    assert world.stored.run(checking.id).status is RunStatus.RUNNING


async def test_a_run_left_behind_is_called_interrupted_by_the_next(world: World) -> None:
    engine = Engine(world)
    await engine.backup(ASKED)
    left = replace(the_run(world), status=RunStatus.RUNNING)
    world.stored.save_run(left)
    world.clock.advance(3600)
    await Engine(world).backup(ASKED, name="e2")
    assert world.stored.run(left.id).status is RunStatus.INTERRUPTED
