"""Container processes: images, where their properties file is, and what to ask of a running one."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable

CLUSTER_3_18, CLUSTER_3_19 = (
    "ghcr.io/scalar-labs/scalardb-cluster-node:3.18.0",
    "ghcr.io/scalar-labs/scalardb-cluster-node:3.19.0",
)
CLUSTER_PROPERTIES = "scalardb-cluster/node/scalardb-cluster-node.properties"

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]


async def until_ready(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert "ready on" in line
    return line


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    _, errors = await process.communicate()
    return process.returncode, errors.decode()


async def metrics(address: str) -> str:
    def fetch() -> str:
        with urllib.request.urlopen(f"http://{address}:9080/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(fetch)
