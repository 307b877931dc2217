"""Pausing many pods: from the first call sent to the last pod confirmed.

Against two yardsticks of the same run: the floor, which is one round trip and the client's own CPU for each call, and the
straightforward way, a thread and a new channel for each call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

import grpc
import grpc.aio

from shared.model.pods import AdminTarget
from shared.scalar import wire
from shared.scalar.admin import AdminClient
from shared.system_clock import SystemClock
from tests.bench.pod_processes import pods
from tests.bench.report import Section

PODS = (3, 30, 100, 300, 1000)
LIMIT = 0.5
LIMIT_FROM_PODS = 30
"""From so many pods on the product may take at most half as long as threads with new channels."""
DRAIN_SECONDS = 5.0
CALL_SECONDS = 30.0
_EMPTY_PAUSE = wire.encode_pause(5000)


@dataclass(frozen=True)
class Times:
    """Milliseconds, medians of the rounds."""

    floor: float
    pause: float
    confirmed: float
    threads_pause: float
    threads_confirmed: float


def measure() -> Section:
    rows, failures = [], []
    for count in PODS:
        with pods(count) as targets:
            times = _measure(targets)
        ratios = (times.pause / times.threads_pause, times.confirmed / times.threads_confirmed)
        rows.append(
            (
                f"{count:,}",
                f"{times.floor:.1f}",
                f"{times.pause:.1f}",
                f"{times.confirmed:.1f}",
                f"{times.threads_pause:.1f}",
                f"{times.threads_confirmed:.1f}",
                f"{times.pause / times.floor:.1f}",
                f"{ratios[0]:.2f}",
                f"{ratios[1]:.2f}",
            )
        )
        if count >= LIMIT_FROM_PODS and max(ratios) > LIMIT:
            failures.append(f"{count} pods took {max(ratios):.2f} of what threads with new channels take; at most {LIMIT}")
    return Section(
        title="Pause fan-out, in milliseconds",
        columns=(
            "pods", "floor", "Pause", "Pause + CheckPaused", "threads: Pause", "threads: both", "Pause / floor",
            "Pause / threads", "both / threads",
        ),
        rows=rows,
        notes=[
            "Floor: one round trip + pods x client CPU of a bare call.",
            "The pods' processes run on the same cores and are in every other number, but not in the floor.",
        ],
        failures=failures,
    )  # fmt: skip


def _measure(targets: Sequence[AdminTarget]) -> Times:
    """Rounds of both ways in turns, so that whatever else the machine does meets them alike."""
    rounds = 9 if len(targets) <= 300 else 5
    with asyncio.Runner() as runner:
        client = AdminClient(SystemClock())
        runner.run(client.check_paused(targets))  # as before every pause: it opens the channels
        ours, threads = [], []
        for _ in range(rounds):
            ours.append(runner.run(_product(client, targets)))
            threads.append(_threads(targets))
        floor = 1000 * runner.run(_floor(targets, rounds))
        runner.run(client.close())
    return Times(
        floor=floor,
        pause=median(each[0] for each in ours),
        confirmed=median(each[1] for each in ours),
        threads_pause=median(each[0] for each in threads),
        threads_confirmed=median(each[1] for each in threads),
    )


async def _product(client: AdminClient, targets: Sequence[AdminTarget]) -> tuple[float, float]:
    """Milliseconds for Pause, and for Pause and CheckPaused."""
    began = time.perf_counter()
    acknowledged = await client.pause(targets, DRAIN_SECONDS)
    paused = time.perf_counter() - began
    sample = await client.check_paused(targets)
    both = time.perf_counter() - began
    resumed = await client.resume(targets, CALL_SECONDS)
    if any(item.outcome != "paused" for item in acknowledged) or not sample.proves_pause or any(p.problem for p in resumed):
        raise RuntimeError("A pod was not paused and resumed: the times mean nothing.")
    return 1000 * paused, 1000 * both


async def _floor(targets: Sequence[AdminTarget], rounds: int) -> float:
    """Seconds: a bare call there and back, and what the client's CPU spends on each of many bare calls at once."""
    channels = [grpc.aio.insecure_channel(target.address) for target in targets]
    calls = [
        channel.unary_unary(wire.CHECK_PAUSED, request_serializer=None, response_deserializer=None) for channel in channels
    ]
    await asyncio.gather(*(_call(call) for call in calls))
    trips = [await _timed(lambda: _call(calls[0]), time.perf_counter) for _ in range(30)]
    spent = [await _timed(lambda: asyncio.gather(*map(_call, calls)), time.process_time) for _ in range(rounds)]
    await asyncio.gather(*(channel.close() for channel in channels))
    return median(trips) + median(spent)


async def _call(call: Callable[..., Awaitable[bytes]]) -> bytes:
    return await call(wire.EMPTY, timeout=CALL_SECONDS)


async def _timed(work: Callable[[], Awaitable[object]], clock: Callable[[], float]) -> float:
    began = clock()
    await work()
    return clock() - began


def _threads(targets: Sequence[AdminTarget]) -> tuple[float, float]:
    """Milliseconds for Pause, and for Pause and CheckPaused: a thread for each pod, a new channel for each call."""
    with ThreadPoolExecutor(len(targets)) as threads:
        began = time.perf_counter()
        list(threads.map(lambda target: _on_new_channel(target, wire.PAUSE, _EMPTY_PAUSE), targets))
        paused = time.perf_counter() - began
        answers = list(threads.map(lambda target: _on_new_channel(target, wire.CHECK_PAUSED, wire.EMPTY), targets))
        both = time.perf_counter() - began
        list(threads.map(lambda target: _on_new_channel(target, wire.UNPAUSE, wire.EMPTY), targets))
    if not all(map(wire.decode_check_paused, answers)):
        raise RuntimeError("A pod was not paused: the times mean nothing.")
    return 1000 * paused, 1000 * both


def _on_new_channel(target: AdminTarget, path: str, request: bytes) -> bytes:
    with grpc.insecure_channel(target.address) as channel:
        call = channel.unary_unary(path, request_serializer=None, response_deserializer=None)
        answer: bytes = call(request, timeout=CALL_SECONDS)
        return answer
