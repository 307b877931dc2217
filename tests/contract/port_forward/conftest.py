"""API servers that forward ports: the sandbox's always, a real one with a node of ours when KUBEBUILDER_ASSETS names it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import NODES
from infra.sandbox.cluster.certificates import create_certificates
from infra.sandbox.cluster.node.streaming import StreamingServer
from infra.sandbox.cluster.port_forward import PortForwarding
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, find_assets
from tests.contract.clusters.fake_sts import fake_sts
from tests.contract.port_forward.clusters import CLUSTER, ForwardingCluster


@pytest.fixture(scope="session")
def arns() -> dict[str, str]:
    """The ARN of the role behind each session token, as STS knows it."""
    return {}


@pytest.fixture(scope="session")
def sts_url(arns: dict[str, str]) -> Iterator[str]:
    with fake_sts(arns) as url:
        yield url


@pytest.fixture(scope="session")
def stand_in_api(sts_url: str) -> Iterator[process.RunningCluster]:
    with process.start(CLUSTER.name, sts_url, api_only=True) as running:
        yield running


@pytest.fixture(scope="session")
def real_api(sts_url: str) -> Iterator[process.RunningCluster]:
    if find_assets() is None:
        pytest.skip(f"not held against a real kube-apiserver: {ASSETS_VARIABLE} names no folder with kube-apiserver and etcd")
    with process.start(CLUSTER.name, sts_url, api_only=True, control_plane=process.REAL) as running:
        yield running


@pytest.fixture(params=process.CONTROL_PLANES)
async def cluster(request: pytest.FixtureRequest, arns: dict[str, str], tmp_path: Path) -> AsyncIterator[ForwardingCluster]:
    is_real = request.param == process.REAL
    running = request.getfixturevalue("real_api" if is_real else "stand_in_api")
    with closing(ForwardingCluster(running, arns)) as found:
        if not is_real:
            yield found
            return
        async with _node(found, tmp_path):
            yield found


@pytest.fixture
async def stand_in(stand_in_api: process.RunningCluster, arns: dict[str, str]) -> AsyncIterator[ForwardingCluster]:
    """The stand-in alone, for what a real one cannot be told to do; as it was again afterwards."""
    with closing(ForwardingCluster(stand_in_api, arns)) as found:
        yield found
        found.admin.clear_faults()
        found.admin.check_create_of_port_forwards(False)


def _no_logs(namespace: str, pod: str, container: str, lines: int | None) -> str:
    raise LookupError(f"{namespace}/{pod}: forwarding is all that this node is for")


@asynccontextmanager
async def _node(cluster: ForwardingCluster, folder: Path) -> AsyncIterator[None]:
    """A node's HTTPS port on the test's own loop, which the real API server is told of."""
    cluster.node = PortForwarding(cluster.dial)
    server = StreamingServer(cluster.node, _no_logs)
    port = await server.start("127.0.0.1", create_certificates("node").server_context(folder))
    cluster.admin.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}])
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    cluster.admin.patch(NODES, None, "n1", {"status": status}, subresource="status")
    try:
        yield
    finally:
        await server.stop()
