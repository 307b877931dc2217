"""ScalarDB Cluster 3.19 and ScalarDL 3.14: every failure says why, and none of them ends a pause that it did not begin."""

from __future__ import annotations

import grpc
import pytest

from infra.sandbox.pods import generations
from infra.sandbox.pods.generations import Generation

from .conftest import StartPod
from .scalar_admin import OK

WITH_REASONS = [generations.CLUSTER_3_19, generations.LEDGER_3_14]
both_products = pytest.mark.parametrize("generation", WITH_REASONS, ids=lambda generation: generation.name)


@pytest.mark.parametrize(
    ("generation", "domain"),
    [(generations.CLUSTER_3_19, "com.scalar.db.cluster.admin"), (generations.LEDGER_3_14, "com.scalar.dl.admin")],
)
async def test_a_failure_names_the_domain_of_its_product(start_pod: StartPod, generation: Generation, domain: str) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    answer = await pod.admin.pause(30)
    assert (answer.code, answer.reason, answer.domain) == (grpc.StatusCode.FAILED_PRECONDITION, "TIMED_OUT", domain)
    await request.end()


@both_products
async def test_a_pause_that_times_out_under_an_earlier_one_keeps_it_in_effect(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    assert await pod.admin.pause(wait_outstanding=False) == OK
    answer = await pod.admin.pause(30)
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TIMED_OUT_STILL_PAUSED")
    assert await pod.admin.check_paused()
    await request.end()


@both_products
async def test_an_unpause_during_the_drain_aborts_the_pause(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    pausing = pod.admin.start_pause(60_000)
    await pod.until(lambda gate: not gate.is_open)
    await pod.admin.unpause()
    answer = await pausing
    assert (answer.code, answer.reason) == (grpc.StatusCode.ABORTED, "GATE_OPEN")
    assert not await pod.admin.check_paused()
    await request.end()


@both_products
async def test_success_is_never_reported_when_the_last_request_ends_with_an_unpause(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    pausing = pod.admin.start_pause(5_000)
    await pod.until(lambda gate: not gate.is_open)
    pod.gate.unpause()
    await request.end()
    assert (await pausing).reason == "GATE_OPEN"


@both_products
async def test_a_pause_that_waits_in_vain_for_another_one_says_so_and_changes_nothing(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    first = pod.admin.start_pause(60_000)
    await pod.until(lambda gate: not gate.is_open)
    answer = await pod.admin.pause(30)
    assert (answer.code, answer.reason) == (grpc.StatusCode.ABORTED, "PAUSE_IN_PROGRESS")
    assert await pod.admin.check_paused()
    await request.end()
    assert await first == OK


@both_products
async def test_a_pause_that_does_not_wait_is_turned_away_by_one_that_does(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    first = pod.admin.start_pause(60_000)
    await pod.until(lambda gate: not gate.is_open)
    assert (await pod.admin.pause(wait_outstanding=False)).reason == "PAUSE_IN_PROGRESS"
    await request.end()
    assert await first == OK


@both_products
async def test_a_second_pause_takes_its_turn_when_the_first_has_drained(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    first = pod.admin.start_pause(60_000)
    await pod.until(lambda gate: not gate.is_open)
    second = pod.admin.start_pause(60_000)
    await request.end()
    assert (await first, await second) == (OK, OK)
    assert await pod.admin.check_paused()


@both_products
@pytest.mark.parametrize("limit_ms", [0, -1])
async def test_a_limit_of_zero_or_less_is_an_invalid_argument_without_a_reason(
    start_pod: StartPod, generation: Generation, limit_ms: int
) -> None:
    pod = await start_pod(generation)
    answer = await pod.admin.pause(limit_ms)
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, None)
    assert not await pod.admin.check_paused()


@both_products
async def test_a_pause_that_does_not_wait_ignores_its_limit(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    assert await pod.admin.pause(0, wait_outstanding=False) == OK
    assert await pod.admin.check_paused()
