"""Controllers: a Deployment becomes pods, rolls, scales, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from tests.contract.kubernetes.conftest import Kube

LABELS = {"app": "tiny"}


def deploy(kube: Kube, replicas: int, env: dict[str, str] | None = None, **pod_spec: Any) -> dict[str, Any]:
    """Creates Deployment `tiny` and waits until its pods are available."""
    variables = [{"name": name, "value": value} for name, value in (env or {}).items()]
    probe = {"exec": {"command": ["/usr/local/bin/grpc_health_probe", "-addr=localhost:60053"]}, "failureThreshold": 60}
    container = {"name": "c", "image": "tiny:1", "env": variables, "startupProbe": probe}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 5, **pod_spec}
    template = {"metadata": {"labels": LABELS}, "spec": spec}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "tiny"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template},
    }
    kube.client.create(body, kube.namespace)
    return kube.client.wait_until_ready(kube.namespace, "tiny")


def _uids(kube: Kube) -> set[str]:
    return {pod["metadata"]["uid"] for pod in kube.client.list_objects(PODS, kube.namespace)}


def test_a_deployment_owns_a_replica_set_that_owns_pods(cluster: Kube) -> None:
    deployment = deploy(cluster, 2)
    (replica_set,) = cluster.client.list_objects(REPLICA_SETS, cluster.namespace)
    pods = cluster.client.list_objects(PODS, cluster.namespace)
    assert replica_set["metadata"]["ownerReferences"][0]["uid"] == deployment["metadata"]["uid"]
    template_hash = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"tiny-{template_hash}"
    assert len(pods) == 2
    for pod in pods:
        assert pod["metadata"]["ownerReferences"][0]["uid"] == replica_set["metadata"]["uid"]
        assert pod["metadata"]["labels"] == {**LABELS, "pod-template-hash": template_hash}


def test_a_finished_rollout_is_in_the_status(cluster: Kube) -> None:
    status = deploy(cluster, 2)["status"]
    counts = {field: status.get(field) for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    assert set(counts.values()) == {2}
    assert {each["type"]: each["status"] for each in status["conditions"]} == {"Available": "True", "Progressing": "True"}


def test_the_controllers_leave_the_generation_alone(cluster: Kube) -> None:
    assert deploy(cluster, 1)["metadata"]["generation"] == 1


def test_a_new_template_replaces_every_pod(cluster: Kube) -> None:
    deploy(cluster, 2)
    before = _uids(cluster)
    patch = {"spec": {"template": {"metadata": {"annotations": {"checksum/config": "new"}}}}}
    cluster.patch_deployment("tiny", patch)
    deployment = cluster.client.wait_until_ready(cluster.namespace, "tiny")
    cluster.client.wait_until(PODS, cluster.namespace, lambda pods: len(pods) == 2, "only the new pods are left")
    assert not before & _uids(cluster)
    assert deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    replicas = sorted(each["spec"]["replicas"] for each in cluster.client.list_objects(REPLICA_SETS, cluster.namespace))
    assert replicas == [0, 2]


def test_an_annotation_on_the_deployment_replaces_no_pod(cluster: Kube) -> None:
    deploy(cluster, 1)
    before = _uids(cluster)
    cluster.client.annotate(DEPLOYMENTS, cluster.namespace, "tiny", {"note": "1"})

    def is_observed(deployments: list[dict[str, Any]]) -> bool:
        return all(each["status"].get("observedGeneration") == 2 for each in deployments)

    cluster.client.wait_until(DEPLOYMENTS, cluster.namespace, is_observed, "generation 2 observed")
    assert _uids(cluster) == before


def test_a_deleted_pod_is_replaced_by_one_with_another_name_and_address(cluster: Kube) -> None:
    deploy(cluster, 1)
    (before,) = cluster.client.list_objects(PODS, cluster.namespace)
    cluster.client.delete_pod(cluster.namespace, before["metadata"]["name"])

    def is_replaced(pods: list[dict[str, Any]]) -> bool:
        return len(pods) == 1 and pods[0]["metadata"]["uid"] != before["metadata"]["uid"] and "podIP" in pods[0]["status"]

    (after,) = cluster.client.wait_until(PODS, cluster.namespace, is_replaced, "the pod is replaced")
    assert after["metadata"]["name"] != before["metadata"]["name"]
    assert after["status"]["podIP"] != before["status"]["podIP"]


def test_scaled_to_zero_the_status_says_so_before_the_pods_are_gone(cluster: Kube) -> None:
    deploy(cluster, 2, {"STOP_SECONDS": "1"})
    cluster.client.scale(cluster.namespace, "tiny", 0)

    def is_zero(deployments: list[dict[str, Any]]) -> bool:
        return all("replicas" not in each["status"] for each in deployments)

    cluster.client.wait_until(DEPLOYMENTS, cluster.namespace, is_zero, "status.replicas is 0")
    pods = cluster.client.list_objects(PODS, cluster.namespace)
    assert [("deletionTimestamp" in pod["metadata"], pod["status"]["phase"]) for pod in pods] == [(True, "Running")] * 2
    cluster.client.wait_until_no_pods(cluster.namespace, LABELS)


def test_a_deployment_takes_its_replica_sets_and_pods_along(cluster: Kube) -> None:
    deploy(cluster, 2)
    cluster.client.delete(DEPLOYMENTS, cluster.namespace, "tiny")
    cluster.client.wait_until_no_pods(cluster.namespace, LABELS)
    assert cluster.client.list_objects(REPLICA_SETS, cluster.namespace) == []


def test_the_controllers_carry_on_after_cut_watches_and_lost_history(cluster: Kube) -> None:
    deploy(cluster, 1)
    cluster.client.compact()
    cluster.client.cut_watches()
    cluster.client.scale(cluster.namespace, "tiny", 3)
    assert cluster.client.wait_until_ready(cluster.namespace, "tiny")["status"]["availableReplicas"] == 3
