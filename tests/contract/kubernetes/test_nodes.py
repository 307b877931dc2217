"""Which node a pod comes to, and how it leaves one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import NODES, PODS
from tests.contract.kubernetes.conftest import Kube
from tests.contract.kubernetes.pods import is_ready
from tests.contract.kubernetes.test_deployments import deploy

ONE, TWO = NAMES = ("with-node-node-1", "with-node-node-2")


@pytest.fixture
def nodes(cluster: Kube) -> Iterator[Kube]:
    """The cluster, whose nodes are open for every pod again afterwards."""
    yield cluster
    for name in NAMES:
        cluster.client.uncordon(name)


def _pods(kube: Kube) -> list[dict[str, Any]]:
    return kube.client.list_objects(PODS, kube.namespace)


def _on_nodes(kube: Kube) -> list[str]:
    return sorted(pod["spec"]["nodeName"] for pod in _pods(kube))


def test_a_node_tells_where_it_is_and_that_it_is_ready(cluster: Kube) -> None:
    found = [cluster.client.get(NODES, None, name) for name in NAMES]
    addresses = {node["status"]["addresses"][0]["address"] for node in found}
    assert len(addresses) == 2
    for name, node in zip(NAMES, found, strict=True):
        assert node["metadata"]["labels"]["kubernetes.io/hostname"] == name
        assert {each["type"]: each["status"] for each in node["status"]["conditions"]} == {"Ready": "True"}


def test_pods_of_a_deployment_are_spread_over_the_nodes(nodes: Kube) -> None:
    deploy(nodes, 4)
    assert _on_nodes(nodes) == [ONE, ONE, TWO, TWO]


def test_a_pod_comes_to_the_node_that_it_selects(nodes: Kube) -> None:
    deploy(nodes, 2, nodeSelector={"kubernetes.io/hostname": TWO})
    assert _on_nodes(nodes) == [TWO, TWO]


def test_a_drained_pod_comes_back_on_the_other_node_as_another_pod(nodes: Kube) -> None:
    deploy(nodes, 1)
    (before,) = _pods(nodes)
    nodes.client.drain(before["spec"]["nodeName"], "app=tiny")

    def has_moved(pods: list[dict[str, Any]]) -> bool:
        return [each["metadata"]["uid"] != before["metadata"]["uid"] and is_ready(each) for each in pods] == [True]

    (after,) = nodes.client.wait_until(PODS, nodes.namespace, has_moved, "one pod, another one, is ready")
    assert {before["spec"]["nodeName"], after["spec"]["nodeName"]} == set(NAMES)
    assert after["status"]["hostIP"] != before["status"]["hostIP"]
    assert after["status"]["podIP"] != before["status"]["podIP"]


def test_a_pod_that_no_node_takes_waits_and_says_so(nodes: Kube) -> None:
    for name in NAMES:
        nodes.client.drain(name, "app=nobody")
    nodes.client.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "x:1"}]},
        },
        nodes.namespace,
    )

    def is_told(pods: list[dict[str, Any]]) -> bool:
        return any(each.get("reason") == "Unschedulable" for each in pods[0]["status"].get("conditions", []))

    (pod,) = nodes.client.wait_until(PODS, nodes.namespace, is_told, "the pod has no node")
    (condition,) = pod["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "False")
    assert condition["message"].startswith("0/2 nodes are available")
    nodes.client.uncordon(TWO)
    (pod,) = nodes.client.wait_until(PODS, nodes.namespace, lambda pods: is_ready(pods[0]), "the pod runs")
    assert pod["spec"]["nodeName"] == TWO
    assert {each["type"]: each["status"] for each in pod["status"]["conditions"]}["PodScheduled"] == "True"
