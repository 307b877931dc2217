"""Deletion: at once for most objects, in two steps for a pod that a node runs."""

from __future__ import annotations

from typing import Any

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, PODS
from tests.contract.kubernetes.conftest import Kube


def _delete_pod(kube: Kube, name: str = "p", **query: int) -> dict[str, Any]:
    answer: dict[str, Any] = kube.client.call("DELETE", PODS.path(kube.namespace, name), query=query)
    return answer


def test_a_deleted_pod_stays_until_its_node_confirms(kube: Kube) -> None:
    kube.create_pod("p")
    assert _delete_pod(kube)["metadata"]["deletionGracePeriodSeconds"] == 30
    assert "deletionTimestamp" in kube.client.get(PODS, kube.namespace, "p")["metadata"]
    _delete_pod(kube, gracePeriodSeconds=0)
    assert kube.pod_names() == []


def test_watchers_see_the_mark_before_the_deletion(kube: Kube) -> None:
    version = kube.create_pod("p")["metadata"]["resourceVersion"]
    _delete_pod(kube)
    _delete_pod(kube, gracePeriodSeconds=0)
    events = list(kube.client.watch(PODS, kube.namespace, version, 1))
    assert events[0]["type"] == "MODIFIED"
    assert "deletionTimestamp" in events[0]["object"]["metadata"]
    assert events[-1]["type"] == "DELETED"


def test_a_grace_period_can_be_shortened_but_not_prolonged(kube: Kube) -> None:
    kube.create_pod("p")
    _delete_pod(kube, gracePeriodSeconds=20)
    assert _delete_pod(kube, gracePeriodSeconds=10)["metadata"]["deletionGracePeriodSeconds"] == 10
    assert _delete_pod(kube, gracePeriodSeconds=60)["metadata"]["deletionGracePeriodSeconds"] == 10


def test_the_pods_own_grace_period_counts_when_none_is_asked_for(kube: Kube) -> None:
    spec = {"nodeName": "n1", "terminationGracePeriodSeconds": 90, "containers": [{"name": "c", "image": "x:1"}]}
    kube.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}, kube.namespace)
    assert _delete_pod(kube)["metadata"]["deletionGracePeriodSeconds"] == 90


def test_a_pod_without_a_node_is_deleted_at_once(kube: Kube) -> None:
    spec = {"containers": [{"name": "c", "image": "x:1"}]}
    kube.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}, kube.namespace)
    _delete_pod(kube)
    assert kube.pod_names() == []


def test_a_deleted_config_map_is_answered_with_a_status(kube: Kube) -> None:
    uid = kube.create_config_map("c")["metadata"]["uid"]
    answer = kube.client.call("DELETE", CONFIG_MAPS.path(kube.namespace, "c"))
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"] == {"name": "c", "kind": "configmaps", "uid": uid}


def test_a_finalizer_holds_the_object_until_it_is_removed(kube: Kube) -> None:
    kube.create_config_map("c")
    kube.patch_config_map("c", {"metadata": {"finalizers": ["example.com/held"]}})
    kube.client.delete(CONFIG_MAPS, kube.namespace, "c")
    assert "deletionTimestamp" in kube.client.get(CONFIG_MAPS, kube.namespace, "c")["metadata"]
    kube.patch_config_map("c", {"metadata": {"finalizers": None}})
    assert kube.client.send("GET", CONFIG_MAPS.path(kube.namespace, "c")).status == 404


def test_a_collection_is_deleted_by_selector(kube: Kube) -> None:
    for name, kind in (("a", "1"), ("b", "1"), ("c", "2")):
        kube.create_config_map(name)
        kube.patch_config_map(name, {"metadata": {"labels": {"kind": kind}}})
    kube.client.call("DELETE", CONFIG_MAPS.path(kube.namespace), query={"labelSelector": "kind=1"})
    names = [each["metadata"]["name"] for each in kube.client.list_objects(CONFIG_MAPS, kube.namespace, "kind")]
    assert names == ["c"]


def test_a_binding_gives_a_pod_its_node_once(kube: Kube) -> None:
    spec = {"containers": [{"name": "c", "image": "x:1"}]}
    kube.client.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}, kube.namespace)
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}}
    binding["target"] = {"kind": "Node", "name": "n2"}
    path = PODS.path(kube.namespace, "p", "binding")
    assert kube.client.call("POST", path, binding)["status"] == "Success"
    pod = kube.client.get(PODS, kube.namespace, "p")
    assert pod["spec"]["nodeName"] == "n2"
    assert [(each["type"], each["status"]) for each in pod["status"]["conditions"]] == [("PodScheduled", "True")]
    assert kube.client.send("POST", path, binding).status == 409
