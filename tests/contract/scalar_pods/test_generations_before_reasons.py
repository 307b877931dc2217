"""ScalarDB Server, ScalarDB Cluster before 3.19 and ScalarDL before 3.14: no reasons, and success with an open gate."""

from __future__ import annotations

import grpc
import pytest

from infra.sandbox.pods import generations
from infra.sandbox.pods.generations import Generation

from .conftest import StartPod
from .scalar_admin import OK

RACY = [generations.SERVER, generations.CLUSTER, generations.LEDGER]
BLIND = [generations.SERVER, generations.CLUSTER]
racy_generations = pytest.mark.parametrize("generation", RACY, ids=lambda generation: generation.name)
blind_generations = pytest.mark.parametrize("generation", BLIND, ids=lambda generation: generation.name)


@blind_generations
async def test_an_unpause_during_the_drain_goes_unnoticed_and_the_pause_says_ok_with_an_open_gate(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    pausing = pod.admin.start_pause(5_000)
    await pod.until(lambda gate: not gate.is_open)
    await pod.admin.unpause()
    assert not pausing.done(), "it goes on waiting"
    await request.end()
    assert await pausing == OK
    assert not await pod.admin.check_paused()


async def test_an_unpause_ends_scalardls_drain_which_fails_while_a_request_is_outstanding(start_pod: StartPod) -> None:
    pod = await start_pod(generations.LEDGER)
    request = await pod.request()
    pausing = pod.admin.start_pause(60_000)
    await pod.until(lambda gate: not gate.is_open)
    await pod.admin.unpause()
    assert (await pausing).code is grpc.StatusCode.FAILED_PRECONDITION
    await request.end()


async def test_scalardl_says_ok_with_an_open_gate_when_the_last_request_ends_with_the_unpause(start_pod: StartPod) -> None:
    pod = await start_pod(generations.LEDGER)
    request = await pod.request()
    pausing = pod.admin.start_pause(5_000)
    await pod.until(lambda gate: not gate.is_open)
    pod.gate.unpause()  # and the end of the request, before the pause gets its turn to look
    await request.end()
    assert await pausing == OK
    assert not await pod.admin.check_paused()


@racy_generations
async def test_a_second_pause_that_times_out_ends_the_first_one(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    assert await pod.admin.pause(wait_outstanding=False) == OK
    assert (await pod.admin.pause(30)).code is grpc.StatusCode.FAILED_PRECONDITION
    assert not await pod.admin.check_paused()
    await request.end()


@pytest.mark.parametrize(("generation", "has_text"), [(generations.SERVER, True), (generations.LEDGER, False)])
async def test_a_failed_drain_carries_no_reason_and_on_scalardl_no_text(
    start_pod: StartPod, generation: Generation, has_text: bool
) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    answer = await pod.admin.pause(30)
    assert answer.reason is None
    assert bool(answer.text) == has_text
    await request.end()


@racy_generations
async def test_a_limit_of_zero_means_the_default_of_thirty_seconds(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    pausing = pod.admin.start_pause(0)
    await pod.until(lambda gate: not gate.is_open)
    assert await pod.admin.check_paused(), "a wait of 0 would have reopened the gate by now"
    await request.end()
    assert await pausing == OK


@racy_generations
async def test_a_limit_below_zero_is_over_at_once(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    assert (await pod.admin.pause(-1)).code is grpc.StatusCode.FAILED_PRECONDITION
    await request.end()
    assert await pod.admin.pause(-1) == OK


async def test_with_the_race_fix_an_unpause_during_the_drain_fails_the_pause_without_a_reason(start_pod: StartPod) -> None:
    pod = await start_pod(generations.CLUSTER_RACE_FIXED)
    request = await pod.request()
    pausing = pod.admin.start_pause(5_000)
    await pod.until(lambda gate: not gate.is_open)
    await pod.admin.unpause()
    answer = await pausing
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, None)
    assert not await pod.admin.check_paused()
    await request.end()


async def test_with_the_race_fix_a_second_pause_that_times_out_leaves_the_first_in_effect(start_pod: StartPod) -> None:
    pod = await start_pod(generations.CLUSTER_RACE_FIXED)
    request = await pod.request()
    assert await pod.admin.pause(wait_outstanding=False) == OK
    answer = await pod.admin.pause(30)
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, None)
    assert await pod.admin.check_paused()
    await request.end()
