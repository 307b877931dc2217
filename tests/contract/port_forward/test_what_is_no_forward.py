"""What both API servers answer to a request that cannot become a port-forward: the stand-in is as strict as the real one."""

from __future__ import annotations

import asyncio

import pytest

from infra.sandbox.cluster.api.resources import PODS
from shared.clusters.port_forward import PortForwards
from tests.contract.port_forward.clusters import CLUSTER, ForwardingCluster
from tests.contract.scalar_admin.pods import dead_target


def test_a_plain_request_is_told_to_upgrade(cluster: ForwardingCluster) -> None:
    cluster.add(dead_target())
    path = PODS.path(cluster.namespace, "dead", "portforward")
    answer = cluster.admin.send("GET", path, query={"ports": "60053"})
    assert (answer.status, answer.body["message"]) == (400, "Upgrade request required")


@pytest.mark.parametrize(
    ("pod", "words"), [("nobody", 'pods "nobody" not found'), ("unbound", "does not have a host assigned")]
)
async def test_a_pod_without_a_node_is_refused_by_name(cluster: ForwardingCluster, pod: str, words: str) -> None:
    spec = {"containers": [{"name": "c", "image": "x:1"}]}
    cluster.admin.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "unbound"}, "spec": spec}, cluster.namespace)
    forward = await PortForwards(lambda _: cluster.api()).open(CLUSTER, cluster.namespace, pod, 60053)
    reader, writer = await asyncio.open_unix_connection(forward.path)
    assert await reader.read() == b"", "the connection is only closed"
    writer.close()
    await forward.close()
    assert forward.problem
    assert words in forward.problem.message
