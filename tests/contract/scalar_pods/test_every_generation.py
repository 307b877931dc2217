"""What Pause, Unpause and CheckPaused do on every generation of server that has all three."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from infra.sandbox.pods import generations
from infra.sandbox.pods.gate import Refused
from infra.sandbox.pods.generations import Generation

from .conftest import StartPod
from .scalar_admin import OK, pause_request

ALL = [
    generations.SERVER,
    generations.CLUSTER,
    generations.CLUSTER_RACE_FIXED,
    generations.CLUSTER_3_19,
    generations.LEDGER,
    generations.LEDGER_3_14,
]
every_generation = pytest.mark.parametrize("generation", ALL, ids=lambda generation: generation.name)


@every_generation
async def test_a_pause_closes_the_gate_and_an_unpause_opens_it(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    assert not await pod.admin.check_paused()
    assert await pod.admin.pause() == OK
    assert await pod.admin.check_paused()
    assert await pod.admin.unpause() == OK
    assert not await pod.admin.check_paused()


@every_generation
async def test_an_unpause_may_be_repeated(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    assert await pod.admin.unpause() == OK
    assert await pod.admin.unpause() == OK
    assert not await pod.admin.check_paused()


@every_generation
async def test_a_pause_of_a_paused_server_without_requests_succeeds_again(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    assert await pod.admin.pause() == OK
    assert await pod.admin.pause(1_000) == OK
    assert await pod.admin.check_paused()


@every_generation
async def test_a_waiting_pause_answers_only_after_the_last_request_has_ended(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    first, second = await pod.request(), await pod.request()
    pausing = pod.admin.start_pause(5_000)
    await pod.until(lambda gate: not gate.is_open)
    await first.end()
    assert await pod.admin.check_paused(), "it says paused while it is still draining"
    assert not pausing.done()
    await second.end()
    assert await pausing == OK


@every_generation
async def test_a_pause_that_does_not_wait_closes_the_gate_over_running_requests(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    assert await pod.admin.pause(wait_outstanding=False) == OK
    assert await pod.admin.check_paused()
    assert pod.gate.outstanding == 1
    await request.end()


@every_generation
async def test_a_pause_that_cannot_drain_fails_and_leaves_the_gate_open(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    answer = await pod.admin.pause(30)
    assert answer.code is grpc.StatusCode.FAILED_PRECONDITION
    assert not await pod.admin.check_paused()
    await request.end()


@every_generation
async def test_a_pause_whose_client_gave_up_takes_effect_all_the_same(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    answer = await pod.admin.call("Pause", pause_request(5_000), timeout_seconds=0.05)
    assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await pod.admin.check_paused(), "the pause goes on"
    await request.end()
    assert await pod.admin.check_paused(), "and ends paused, with nobody listening"


@every_generation
async def test_a_pause_whose_client_gave_up_still_reopens_the_gate_when_its_own_wait_is_over(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    request = await pod.request()
    answer = await pod.admin.call("Pause", pause_request(300), timeout_seconds=0.05)
    assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await pod.admin.check_paused()
    await pod.until(lambda gate: gate.is_open)
    await request.end()


@every_generation
async def test_requests_that_arrive_while_paused_are_refused_by_scalardb_and_held_by_scalardl(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    assert await pod.admin.pause() == OK
    if generation.while_paused is generations.WhilePaused.REFUSED:
        with pytest.raises(Refused):
            async with pod.gate.request():
                pass
        return
    waiting = asyncio.create_task(pod.request())
    assert await pod.admin.check_paused()
    assert pod.gate.outstanding == 0
    await pod.admin.unpause()
    request = await waiting
    assert pod.gate.outstanding == 1
    await request.end()


@every_generation
async def test_a_request_that_fails_does_not_stay_outstanding(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    with pytest.raises(ZeroDivisionError):
        async with pod.gate.request():
            raise ZeroDivisionError
    assert await pod.admin.pause(50) == OK


@every_generation
async def test_bytes_that_are_no_pause_request_are_an_error_and_pause_nothing(
    start_pod: StartPod, generation: Generation
) -> None:
    pod = await start_pod(generation)
    answer = await pod.admin.call("Pause", b"\x08")
    assert answer.code is grpc.StatusCode.INTERNAL
    assert not await pod.admin.check_paused()


async def test_a_paused_pod_is_open_again_after_a_restart(start_pod: StartPod) -> None:
    pod = await start_pod(generations.SERVER)
    assert await pod.admin.pause() == OK
    assert not await (await start_pod(generations.SERVER)).admin.check_paused()


@pytest.mark.parametrize(
    "generation",
    [generations.SERVER_BEFORE_CHECK_PAUSED, generations.LEDGER_BEFORE_CHECK_PAUSED],
    ids=lambda generation: generation.name,
)
async def test_servers_older_than_may_2022_pause_but_cannot_be_asked(start_pod: StartPod, generation: Generation) -> None:
    pod = await start_pod(generation)
    assert await pod.admin.pause() == OK
    assert (await pod.admin.call("CheckPaused")).code is grpc.StatusCode.UNIMPLEMENTED
    assert await pod.admin.unpause() == OK
