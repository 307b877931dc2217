"""Whatever pods answer to a Pause: what we paused, or may have paused, runs again, and nobody else's pause is touched."""

from __future__ import annotations

import asyncio

import grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.scalar_admin.pods import ScriptedPod, admin_client, running

Code = grpc.StatusCode
LATE_SECONDS = 0.1

ANSWERS = {
    "paused": lambda pod: None,
    "drain took too long, older server": lambda pod: pod.answers(Code.FAILED_PRECONDITION),
    "drain took too long": lambda pod: pod.answers(Code.FAILED_PRECONDITION, "TIMED_OUT"),
    "unpaused by somebody": lambda pod: pod.answers(Code.ABORTED, "GATE_OPEN"),
    "paused by somebody": lambda pod: pod.answers(Code.FAILED_PRECONDITION, "TIMED_OUT_STILL_PAUSED", closes=True),
    "being paused by somebody": lambda pod: pod.answers(Code.ABORTED, "PAUSE_IN_PROGRESS", closes=True),
    "lost, not paused": lambda pod: pod.answers(Code.UNAVAILABLE),
    "lost, paused": lambda pod: pod.answers(Code.UNAVAILABLE, closes=True),
    "lost, paused later": lambda pod: pod.closes_later(LATE_SECONDS, Code.UNKNOWN),
    "paused slowly": lambda pod: pod.closes_later(LATE_SECONDS, None),
    "never answered": lambda pod: pod.closes_later(60, None),
}
NOT_OURS = {"paused by somebody", "being paused by somebody"}


@st.composite
def scripts(draw):
    """What a pod does with a Pause, how many Unpauses it fails, and whether it is among those to be resumed."""
    return draw(st.sampled_from(sorted(ANSWERS))), draw(st.integers(0, 2)), draw(st.booleans())


def pod_of(number, answer, failing_unpauses):
    pod = ScriptedPod(f"pod-{number}")
    ANSWERS[answer](pod)

    async def unpause(context):
        if pod.unpauses <= failing_unpauses:
            await context.abort(Code.UNAVAILABLE, "not now")
        pod.closed = False

    pod.on_unpause = unpause
    return pod


async def pause_and_resume(drawn):
    pods = [pod_of(number, answer, failing) for number, (answer, failing, _) in enumerate(drawn)]
    async with running(*pods) as targets, admin_client(slack_seconds=0.15, jitter=lambda _: 0.0) as client:
        acknowledgements = await client.pause(targets, drain_seconds=0.02)
        ours = [
            target
            for target, answer, (_, _, is_given) in zip(targets, acknowledgements, drawn, strict=True)
            if is_given and answer.outcome != "not-ours"
        ]
        resumed = await client.resume(ours, budget_seconds=20)
    return pods, {target.pod for target in ours}, resumed


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(scripts(), min_size=1, max_size=5))
def test_pods_that_may_be_paused_by_us_run_again_and_no_other_is_resumed(drawn):
    pods, given_to_resume, resumed = asyncio.run(pause_and_resume(drawn))
    assert [item.problem for item in resumed] == [""] * len(given_to_resume)
    for pod, (answer, _, _) in zip(pods, drawn, strict=True):
        assert len(pod.pauses) <= 1, "a Pause is never repeated"
        if pod.name in given_to_resume:
            assert not pod.closed
        else:
            assert pod.unpauses == 0
        if answer in NOT_OURS:
            assert pod.closed
