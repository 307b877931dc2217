"""Pods in this process, each with its client, and requests that stay inside a pod until the test lets them go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from infra.sandbox.pods import server
from infra.sandbox.pods.gate import Gate
from infra.sandbox.pods.generations import Generation

from .scalar_admin import AdminClient, Clients


class RequestInside:
    """One client request that has entered the gate. `end` takes it out without giving others a turn in between."""

    def __init__(self, request: AbstractAsyncContextManager[None]) -> None:
        self._request = request

    async def end(self) -> None:
        await self._request.__aexit__(None, None, None)


@dataclass(frozen=True)
class PodUnderTest:
    gate: Gate
    admin: AdminClient
    pod: server.Pod

    async def request(self) -> RequestInside:
        request = self.gate.request()
        await request.__aenter__()
        return RequestInside(request)

    async def until(self, condition: Callable[[Gate], bool]) -> None:
        while not condition(self.gate):
            await asyncio.sleep(0.001)


StartPod = Callable[[Generation], Awaitable[PodUnderTest]]


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients()
    yield opened
    await opened.close()


@pytest.fixture
async def start_pod(clients: Clients) -> AsyncIterator[StartPod]:
    pods = []

    async def start(generation: Generation) -> PodUnderTest:
        pod = await server.start("127.0.0.1", 0, generation)
        pods.append(pod)
        return PodUnderTest(pod.gate, await clients.to(pod.target), pod)

    yield start
    for pod in pods:
        await pod.stop()
