"""Many Admin ports, spread over a few processes of their own: `with pods(300) as targets`.

As a program it is one of these processes: it opens COUNT ports, prints their addresses, and lives until its input is closed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from infra.sandbox.pods import server
from infra.sandbox.pods.generations import CLUSTER_3_19
from shared.model.pods import AdminTarget

PODS_PER_PROCESS = 250


@contextmanager
def pods(count: int) -> Iterator[list[AdminTarget]]:
    """`count` pods that listen on loopback, with nothing to drain."""
    with ExitStack() as stack:
        addresses: list[str] = []
        processes = [
            stack.enter_context(_process(min(PODS_PER_PROCESS, count - started)))
            for started in range(0, count, PODS_PER_PROCESS)
        ]
        for process in processes:
            assert process.stdout is not None
            addresses += json.loads(process.stdout.readline())
        yield [_target(number, address) for number, address in enumerate(addresses)]


@contextmanager
def _process(count: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.bench.pod_processes", str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


def _target(number: int, address: str) -> AdminTarget:
    host, port = address.rsplit(":", 1)
    return AdminTarget(pod=f"pod-{number}", uid=f"uid-{number}", host=host, port=int(port), port_source="benchmark")


async def _serve(count: int) -> None:
    running = [await server.start("127.0.0.1", 0, CLUSTER_3_19) for _ in range(count)]
    sys.stdout.write(json.dumps([pod.target for pod in running]) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.gather(*(pod.stop() for pod in running))


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
