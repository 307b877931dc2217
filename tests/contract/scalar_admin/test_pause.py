"""Pause and CheckPaused over real gRPC: every answer a server can give, and what the client makes of it."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from infra.sandbox.pods import generations
from tests.contract.scalar_admin.pods import ScriptedPod, admin_client, dead_target, running, running_generation

Code = grpc.StatusCode
GENERATIONS = [
    generations.SERVER,
    generations.CLUSTER,
    generations.CLUSTER_RACE_FIXED,
    generations.CLUSTER_3_19,
    generations.LEDGER,
    generations.LEDGER_3_14,
]


@pytest.mark.parametrize(
    ("code", "reason", "outcome", "told"),
    [
        (Code.FAILED_PRECONDITION, "", "refused", "FAILED_PRECONDITION"),
        (Code.FAILED_PRECONDITION, "TIMED_OUT", "refused", "TIMED_OUT"),
        (Code.FAILED_PRECONDITION, "TIMED_OUT_STILL_PAUSED", "not-ours", "TIMED_OUT_STILL_PAUSED"),
        (Code.ABORTED, "GATE_OPEN", "refused", "GATE_OPEN"),
        (Code.ABORTED, "PAUSE_IN_PROGRESS", "not-ours", "PAUSE_IN_PROGRESS"),
        (Code.INVALID_ARGUMENT, "", "refused", "INVALID_ARGUMENT"),
        (Code.UNIMPLEMENTED, "", "refused", "UNIMPLEMENTED"),
        (Code.UNAVAILABLE, "", "unknown", "UNAVAILABLE"),
        (Code.DEADLINE_EXCEEDED, "", "unknown", "DEADLINE_EXCEEDED"),
        (Code.CANCELLED, "", "unknown", "CANCELLED"),
        (Code.UNKNOWN, "", "unknown", "UNKNOWN"),
    ],
)
async def test_every_refusal_is_understood_and_never_answered_with_a_second_pause(code, reason, outcome, told):
    pod = ScriptedPod("pod-0")
    pod.answers(code, reason)
    async with running(pod) as targets, admin_client() as client:
        (answer,) = await client.pause(targets, drain_seconds=0.1)
    assert (answer.pod, answer.outcome, answer.reason) == ("pod-0", outcome, told)
    assert answer.detail.startswith(code.name)
    assert len(pod.pauses) == 1


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda generation: generation.name)
async def test_every_generation_of_server_is_paused_proven_and_resumed(generation):
    async with running_generation(generation) as (gate, target), admin_client() as client:
        assert (await client.check_paused([target])).not_paused == ("pod-0",)
        (answer,) = await client.pause([target], drain_seconds=0.5)
        assert (answer.outcome, answer.reason) == ("paused", "")
        assert (await client.check_paused([target])).proves_pause
        (resumed,) = await client.resume([target], budget_seconds=5)
        assert (resumed.tries, resumed.problem, gate.is_open) == (1, "", True)


@pytest.mark.parametrize("generation", GENERATIONS, ids=lambda generation: generation.name)
async def test_a_transaction_that_does_not_end_refuses_the_pause_and_leaves_the_gate_open(generation):
    async with running_generation(generation) as (gate, target), admin_client() as client:
        gate.outstanding = 1
        (answer,) = await client.pause([target], drain_seconds=0.1)
        assert (await client.check_paused([target])).not_paused == ("pod-0",)
    assert answer.outcome == "refused"


@pytest.mark.parametrize(
    "generation", [generations.CLUSTER_3_19, generations.LEDGER_3_14], ids=lambda generation: generation.name
)
async def test_a_pause_of_somebody_else_that_outlasts_ours_is_not_ours(generation):
    async with running_generation(generation) as (gate, target), admin_client() as client:
        gate.is_open, gate.outstanding = False, 1
        (answer,) = await client.pause([target], drain_seconds=0.1)
        assert not gate.is_open
    assert (answer.outcome, answer.reason) == ("not-ours", "TIMED_OUT_STILL_PAUSED")


async def test_check_paused_finds_the_open_gate_behind_an_ok_of_an_older_server():
    async with running_generation(generations.SERVER) as (gate, target), admin_client() as client:
        async with gate.request():
            pausing = asyncio.create_task(client.pause([target], drain_seconds=5))
            while gate.is_open:
                await asyncio.sleep(0.005)
            gate.unpause()
        (answer,) = await pausing
        sample = await client.check_paused([target])
    assert answer.outcome == "paused"
    assert sample.not_paused == ("pod-0",)
    assert not sample.proves_pause


async def test_all_pods_are_paused_at_once_and_answered_in_the_order_given():
    pods = [ScriptedPod(f"pod-{number}") for number in range(30)]
    arrived = asyncio.Barrier(len(pods))
    for pod in pods:

        async def together(context, pod=pod):
            await arrived.wait()
            await pod.close_gate(context)

        pod.on_pause = together
    async with running(*pods) as targets, admin_client() as client:
        answers = await client.pause(targets, drain_seconds=5)
        sample = await client.check_paused(targets)
    assert [answer.pod for answer in answers] == [pod.name for pod in pods]
    assert {answer.outcome for answer in answers} == {"paused"}
    assert all(answer.answered_ms > 0 for answer in answers)
    assert sample.paused == 30


@pytest.mark.parametrize(("drain_seconds", "sent_ms"), [(65, 65_000), (0.25, 250), (0.0004, 1), (0, 1)])
async def test_the_servers_are_told_how_long_to_wait_in_milliseconds_and_never_zero(drain_seconds, sent_ms):
    pod = ScriptedPod("pod-0")
    async with running(pod) as targets, admin_client() as client:
        await client.pause(targets, drain_seconds)
    assert [(request.wait_outstanding, request.max_pause_wait_ms) for request in pod.pauses] == [(True, sent_ms)]


async def test_the_client_waits_longer_than_the_server_itself():
    async with running_generation(generations.CLUSTER_3_19) as (gate, target), admin_client() as client:
        gate.outstanding = 1
        (answer,) = await client.pause([target], drain_seconds=0.3)
    assert answer.reason == "TIMED_OUT"
    assert answer.answered_ms >= 300


async def test_a_server_that_does_not_answer_is_unknown_after_drain_and_slack():
    pod = ScriptedPod("pod-0")
    pod.closes_later(60, code=None)
    async with running(pod) as targets, admin_client() as client:
        (answer,) = await client.pause(targets, drain_seconds=0.1)
    assert (answer.outcome, answer.reason) == ("unknown", "DEADLINE_EXCEEDED")
    assert answer.answered_ms >= 300


async def test_a_pod_that_is_gone_is_unknown_to_a_pause_and_to_a_look():
    alive = ScriptedPod("alive")
    async with running(alive) as targets, admin_client(call_timeout_seconds=0.3) as client:
        both = [*targets, dead_target()]
        assert [answer.outcome for answer in await client.pause(both, drain_seconds=0.1)] == ["paused", "unknown"]
        sample = await client.check_paused(both)
    assert (sample.paused, sample.unknown) == (1, ("dead",))
    assert not sample.proves_pause


async def test_a_server_without_check_paused_counts_as_unknown():
    old = ScriptedPod("old", without=("CheckPaused",))
    async with running(old) as targets, admin_client() as client:
        assert (await client.check_paused(targets)).unknown == ("old",)


async def test_a_look_survives_a_connection_that_died_since_the_last_call():
    pod = ScriptedPod("pod-0")
    async with running(pod) as targets, admin_client() as client:
        assert (await client.check_paused(targets)).not_paused == ("pod-0",)
        reborn = ScriptedPod("pod-0")
        await pod.stop()
        reborn.target = targets[0]
        server = grpc.aio.server(handlers=[reborn._handler()], options=[("grpc.so_reuseport", 0)])
        server.add_insecure_port(targets[0].address)
        await server.start()
        assert (await client.check_paused(targets)).not_paused == ("pod-0",)
        await server.stop(0)


async def test_every_call_to_a_pod_goes_over_one_connection():
    pod = ScriptedPod("pod-0")
    async with running(pod) as targets, admin_client() as client:
        await client.check_paused(targets)
        await client.pause(targets, drain_seconds=1)
        await client.check_paused(targets)
        await client.resume(targets, budget_seconds=1)
    assert len(pod.peers) == 1


async def test_a_proxy_in_the_environment_is_not_for_pods(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    pod = ScriptedPod("pod-0")
    async with running(pod) as targets, admin_client() as client:
        assert (await client.check_paused(targets)).not_paused == ("pod-0",)
