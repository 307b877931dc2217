"""Pods in this process with their clients, requests that stay inside until the test lets them go, and container processes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.sandbox.pods import server
from infra.sandbox.pods.gate import Gate
from infra.sandbox.pods.generations import Generation

from .containers import Start
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


@pytest.fixture
def address() -> str:
    """An address of its own in 127.0.0.0/8 for each worker process of the test run, which all use the same ports."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return f"127.201.{worker}.1"


@pytest.fixture
async def start(tmp_path: Path, address: str) -> AsyncIterator[Start]:
    processes = []

    async def start_container(image: str, path: str = "", text: str = "", **environment: str) -> asyncio.subprocess.Process:
        if path:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        arguments = ("-m", "infra.sandbox.pods", "--image", image, "--address", address, "--root", str(tmp_path))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env=os.environ | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start_container
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()
