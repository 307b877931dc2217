"""Reaching pods through the API server against reaching them directly: opening the connections, and a whole pause.

The API server is the sandbox's and shares the machine's cores with the client and the pods, as a real one does not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import PODS as POD_RESOURCE
from infra.sandbox.cluster.client import ClusterClient
from shared.clusters.api import KubernetesApi
from shared.clusters.port_forward import PortForwards
from shared.model.plan import EksCluster
from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.transports import Transport
from shared.scalar.admin import AdminClient
from shared.scalar.transport import by
from shared.system_clock import SystemClock
from tests.bench.pod_processes import pods
from tests.bench.report import Section
from tests.contract.clusters.conftest import FixedToken

PODS = (3, 30, 100, 300)
MOST_FILES_PER_POD = 3.0
DRAIN_SECONDS, CALL_SECONDS = 5.0, 30.0
ROUNDS = 7
NAMESPACE = "bench"
NOTE = (
    "Connecting comes before the pause, once per process, and includes one CheckPaused per pod. API server, pods and client "
    "share the machine's cores."
)


@dataclass(frozen=True)
class Times:
    """Milliseconds: connecting to all pods and asking each, once; a Pause of all and its confirmation, median of the rounds.
    `files` are the file descriptors that one pod costs."""

    connected: float
    paused: float
    files: float


def measure() -> Section:
    return measure_port_forward(PODS)


def measure_port_forward(counts: Sequence[int]) -> Section:
    rows, failures = [], []
    with process.start("bench", "http://127.0.0.1:9", api_only=True) as running:
        for count in counts:
            with pods(count) as targets, _known(running, targets) as known:
                direct, forwarded = (asyncio.run(_measure(running, by(way, known))) for way in Transport)
            rows.append(
                (
                    f"{count:,}",
                    f"{direct.connected:.0f}",
                    f"{forwarded.connected:.0f}",
                    f"{direct.paused:.1f}",
                    f"{forwarded.paused:.1f}",
                    f"{forwarded.paused / direct.paused:.1f}",
                    f"{direct.files:.1f}",
                    f"{forwarded.files:.1f}",
                )
            )
            if count >= 100 and forwarded.files > MOST_FILES_PER_POD + 0.2:
                failures.append(
                    f"{count} pods by port-forward cost {forwarded.files:.1f} files each; {MOST_FILES_PER_POD} allowed"
                )
    return Section(
        title="Port-forward against direct, in milliseconds",
        columns=(
            "pods", "direct: connect", "port-forward: connect", "direct: Pause + CheckPaused", "port-forward: both",
            "ratio", "direct: files per pod", "port-forward: files per pod",
        ),
        rows=rows,
        notes=[NOTE],
        failures=failures,
    )  # fmt: skip


@contextmanager
def _known(running: process.RunningCluster, targets: Sequence[AdminTarget]) -> Iterator[list[AdminTarget]]:
    """The pods as the API server knows them, until the end."""
    admin = running.administrator()
    try:
        for target in targets:
            _create(admin, target)
        cluster = EksCluster(name="bench", region="ap-northeast-1")
        yield [replace(target, cluster=cluster, namespace=NAMESPACE) for target in targets]
        for target in targets:
            admin.delete(POD_RESOURCE, NAMESPACE, target.pod, grace_seconds=0)
    finally:
        admin.close()


def _create(admin: ClusterClient, target: AdminTarget) -> None:
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "x:1"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": target.pod, "namespace": NAMESPACE}, "spec": spec}
    admin.apply([body])
    admin.patch(POD_RESOURCE, NAMESPACE, target.pod, {"status": {"podIP": target.host}}, subresource="status")


async def _measure(running: process.RunningCluster, targets: Sequence[AdminTarget]) -> Times:
    api = KubernetesApi(running.url, running.ca_pem, FixedToken(running.admin_token), name="bench")
    client = AdminClient(SystemClock(), CALL_SECONDS, open_forward=PortForwards(lambda _: api).open)
    await client.check_paused(())  # what is imported and started once is not what is measured
    files_before = _files()
    began = time.perf_counter()
    sample = await client.check_paused(targets)
    connected = time.perf_counter() - began
    files = (_files() - files_before) / len(targets)
    if sample.unknown:
        raise RuntimeError(f"{len(sample.unknown)} pods did not answer: the times mean nothing.")
    rounds = [await _pause(client, targets) for _ in range(ROUNDS)]
    await client.close()
    return Times(1000 * connected, 1000 * median(rounds), files)


async def _pause(client: AdminClient, targets: Sequence[AdminTarget]) -> float:
    began = time.perf_counter()
    await client.pause(targets, DRAIN_SECONDS)
    sample = await client.check_paused(targets)
    seconds = time.perf_counter() - began
    resumed = await client.resume(targets, CALL_SECONDS)
    if not sample.proves_pause or any(item.problem for item in resumed):
        raise RuntimeError("A pod was not paused and resumed: the times mean nothing.")
    return seconds


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
