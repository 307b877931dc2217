"""Resume over real gRPC: until CheckPaused says false, also when a Pause takes effect that nobody waits for any more."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from tests.contract.scalar_admin.pods import ScriptedPod, WallClock, admin_client, dead_target, running

Code = grpc.StatusCode


async def test_a_pod_is_unpaused_again_until_check_paused_says_that_it_runs():
    pod = ScriptedPod("pod-0")
    pod.closed = True

    async def only_the_third_works(context):
        pod.closed = pod.unpauses < 3

    pod.on_unpause = only_the_third_works
    async with running(pod) as targets, admin_client(jitter=lambda _: 0.0) as client:
        (resumed,) = await client.resume(targets, budget_seconds=5)
    assert (resumed.tries, resumed.problem, pod.closed) == (3, "", False)
    assert resumed.answered_ms > 0


async def test_a_failed_unpause_is_tried_again():
    pod = ScriptedPod("pod-0")
    pod.closed = True

    async def the_first_fails(context):
        if pod.unpauses == 1:
            await context.abort(Code.UNAVAILABLE, "just a moment")
        pod.closed = False

    pod.on_unpause = the_first_fails
    async with running(pod) as targets, admin_client() as client:
        (resumed,) = await client.resume(targets, budget_seconds=5)
    assert (resumed.tries, resumed.problem, pod.closed) == (2, "", False)


async def test_the_pauses_between_tries_grow_and_are_shortened_by_the_jitter():
    pod = ScriptedPod("pod-0")
    pod.on_unpause = pod.close_gate
    asked = []

    def jitter(longest_seconds):
        asked.append(longest_seconds)
        return 0.0

    async with running(pod) as targets, admin_client(jitter=jitter) as client:
        await client.resume(targets, budget_seconds=0.2)
    assert asked[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0]
    assert set(asked[6:]) <= {3.0}


async def test_a_pod_that_stays_paused_is_reported_after_the_budget_and_the_others_are_resumed():
    stuck, fine = ScriptedPod("stuck"), ScriptedPod("fine")
    stuck.closed = fine.closed = True
    stuck.on_unpause = stuck.close_gate
    async with running(stuck, fine) as targets, admin_client() as client:
        one, two = await client.resume(targets, budget_seconds=0.3)
    assert (one.pod, one.problem) == ("stuck", "Unpause was accepted, but CheckPaused still says paused")
    assert one.tries > 1
    assert (two.pod, two.problem, fine.closed) == ("fine", "", False)


async def test_a_pod_that_cannot_be_reached_is_a_problem_that_names_its_address():
    target = dead_target()
    async with admin_client(call_timeout_seconds=0.2) as client:
        (resumed,) = await client.resume([target], budget_seconds=0.1)
    assert f"Unpause at {target.address} failed: DEADLINE_EXCEEDED" in resumed.problem


async def test_a_port_without_the_admin_service_is_not_tried_again():
    pod = ScriptedPod("pod-0", without=("Unpause",))
    async with running(pod) as targets, admin_client() as client:
        (resumed,) = await client.resume(targets, budget_seconds=60)
    assert resumed.tries == 1
    assert "UNIMPLEMENTED" in resumed.problem


async def test_without_check_paused_a_resume_is_never_called_proven():
    pod = ScriptedPod("old", without=("CheckPaused",))
    pod.closed = True
    async with running(pod) as targets, admin_client() as client:
        (resumed,) = await client.resume(targets, budget_seconds=60)
    assert not pod.closed
    assert resumed.problem.startswith("CheckPaused after Unpause")


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.UNKNOWN, None], ids=str)
async def test_a_pause_that_takes_effect_after_its_answer_was_lost_is_undone(code):
    pod = ScriptedPod("pod-0")
    pod.closes_later(0.9, code)  # the call is given up after drain 0.2 + slack 0.5
    async with running(pod) as targets, admin_client(slack_seconds=0.5) as client:
        (answer,) = await client.pause(targets, drain_seconds=0.2)
        (resumed,) = await client.resume(targets, budget_seconds=10)
        assert answer.outcome == "unknown"
        assert (resumed.problem, pod.closed) == ("", False)
        assert pod.unpauses == resumed.tries >= 2


async def test_a_lost_pause_that_may_outlast_the_budget_is_a_problem_until_a_later_call_has_looked():
    pod = ScriptedPod("pod-0")
    pod.answers(Code.UNAVAILABLE)
    clock = WallClock()
    async with running(pod) as targets, admin_client(clock) as client:
        await client.pause(targets, drain_seconds=60)
        (early,) = await client.resume(targets, budget_seconds=0.1)
        clock.ahead_seconds = 61
        pod.closed = True
        (late,) = await client.resume(targets, budget_seconds=0.1)
    assert "may still take effect" in early.problem
    assert (late.problem, pod.closed) == ("", False)


async def test_a_cancelled_pause_is_remembered_as_one_that_may_still_take_effect():
    pod = ScriptedPod("pod-0")
    pod.closes_later(0.4, code=None)
    async with running(pod) as targets, admin_client(slack_seconds=0.2) as client:
        pausing = asyncio.create_task(client.pause(targets, drain_seconds=0.3))
        while not pod.pauses:
            await asyncio.sleep(0.005)
        pausing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pausing
        (resumed,) = await client.resume(targets, budget_seconds=10)
        assert (resumed.problem, pod.closed) == ("", False)
        assert resumed.answered_ms > 500


async def test_a_clear_answer_leaves_nothing_to_wait_for():
    paused, refused = ScriptedPod("paused"), ScriptedPod("refused")
    refused.answers(Code.FAILED_PRECONDITION, "TIMED_OUT")
    async with running(paused, refused) as targets, admin_client(slack_seconds=60) as client:
        await client.pause(targets, drain_seconds=60)
        resumed = await client.resume(targets, budget_seconds=60)
    assert all(item.answered_ms < 60_000 and not item.problem for item in resumed)
