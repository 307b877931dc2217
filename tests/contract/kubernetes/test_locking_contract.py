"""Optimistic locking, identity and what may never change."""

from __future__ import annotations

from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, DEPLOYMENTS, PODS
from infra.sandbox.cluster.client import KubernetesError
from tests.contract.kubernetes.conftest import Kube

OTHER_UID = "11111111-1111-1111-1111-111111111111"


def _refusal(raised: pytest.ExceptionInfo[KubernetesError]) -> tuple[int, str]:
    return raised.value.status, raised.value.reason


def test_a_patch_with_a_stale_version_is_a_conflict(kube: Kube) -> None:
    stale = kube.create_config_map("c", k="1")["metadata"]["resourceVersion"]
    kube.patch_config_map("c", {"data": {"k": "2"}})
    with pytest.raises(KubernetesError) as raised:
        kube.patch_config_map("c", {"metadata": {"resourceVersion": stale}, "data": {"k": "3"}})
    assert _refusal(raised) == (409, "Conflict")
    assert "the object has been modified" in str(raised.value)


def test_a_put_with_a_stale_version_is_a_conflict(kube: Kube) -> None:
    stale = kube.create_config_map("c", k="1")
    kube.patch_config_map("c", {"data": {"k": "2"}})
    with pytest.raises(KubernetesError) as raised:
        kube.client.call("PUT", CONFIG_MAPS.path(kube.namespace, "c"), {**stale, "data": {"k": "3"}})
    assert _refusal(raised) == (409, "Conflict")


def test_a_patch_with_the_present_version_is_accepted(kube: Kube) -> None:
    version = kube.create_config_map("c", k="1")["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "data": {"k": "2"}}
    assert kube.patch_config_map("c", patch)["data"] == {"k": "2"}


def test_creating_what_exists_is_already_exists(kube: Kube) -> None:
    kube.create_config_map("c")
    with pytest.raises(KubernetesError) as raised:
        kube.create_config_map("c")
    assert _refusal(raised) == (409, "AlreadyExists")
    assert 'configmaps "c" already exists' in str(raised.value)


def test_a_patch_for_another_uid_is_invalid(kube: Kube) -> None:
    kube.create_config_map("c")
    with pytest.raises(KubernetesError) as raised:
        kube.patch_config_map("c", {"metadata": {"uid": OTHER_UID}})
    assert _refusal(raised) == (422, "Invalid")


def test_a_put_for_another_uid_is_a_conflict(kube: Kube) -> None:
    document = kube.create_config_map("c")
    document["metadata"]["uid"] = OTHER_UID
    with pytest.raises(KubernetesError) as raised:
        kube.client.call("PUT", CONFIG_MAPS.path(kube.namespace, "c"), document)
    assert _refusal(raised) == (409, "Conflict")


def test_a_deletion_of_another_uid_is_a_conflict(kube: Kube) -> None:
    kube.create_config_map("c")
    with pytest.raises(KubernetesError) as raised:
        kube.client.call("DELETE", CONFIG_MAPS.path(kube.namespace, "c"), {"preconditions": {"uid": OTHER_UID}})
    assert _refusal(raised) == (409, "Conflict")


def test_an_immutable_config_map_refuses_new_data(kube: Kube) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "1"}, "immutable": True}
    kube.client.create(body, kube.namespace)
    with pytest.raises(KubernetesError) as raised:
        kube.patch_config_map("c", {"data": {"k": "2"}})
    assert _refusal(raised) == (422, "Invalid")
    assert "immutable" in str(raised.value)


def test_a_deployments_selector_cannot_change(kube: Kube) -> None:
    kube.create_deployment("d")
    with pytest.raises(KubernetesError) as raised:
        kube.patch_deployment("d", {"spec": {"selector": {"matchLabels": {"another": "one"}}}})
    assert _refusal(raised) == (422, "Invalid")


@pytest.mark.parametrize(
    ("patch", "is_allowed"),
    [
        ({"containers": [{"name": "c", "image": "x:2"}]}, True),
        ({"containers": [{"name": "c", "image": "x:1", "env": [{"name": "A", "value": "1"}]}]}, False),
        ({"nodeName": "another"}, False),
    ],
)
def test_of_a_pods_spec_only_the_image_can_change(kube: Kube, patch: dict[str, Any], is_allowed: bool) -> None:
    kube.create_pod("p")
    path = PODS.path(kube.namespace, "p")
    content_type = "application/strategic-merge-patch+json"
    answer = kube.client.send("PATCH", path, {"spec": patch}, content_type=content_type)
    assert answer.status == (200 if is_allowed else 422)


def test_a_resource_version_in_a_new_object_is_refused(kube: Kube) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "resourceVersion": "5"}}
    with pytest.raises(KubernetesError) as raised:
        kube.client.create(body, kube.namespace)
    assert _refusal(raised)[0] in (400, 500)  # newer releases say 400, older ones forgot to map the error


def test_the_name_in_a_put_must_be_the_one_in_its_path(kube: Kube) -> None:
    document = kube.create_config_map("c")
    document["metadata"]["name"] = "another"
    with pytest.raises(KubernetesError) as raised:
        kube.client.call("PUT", CONFIG_MAPS.path(kube.namespace, "c"), document)
    assert _refusal(raised) == (400, "BadRequest")


def test_a_generated_name_begins_as_asked(kube: Kube) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}
    first, second = (kube.client.create(body, kube.namespace)["metadata"]["name"] for _ in range(2))
    assert first.startswith("made-")
    assert len(first) == len("made-") + 5
    assert first != second


def test_scaling_by_patch_and_by_scale_meet_in_one_version(kube: Kube) -> None:
    kube.create_deployment("d")
    scale = kube.client.call("GET", DEPLOYMENTS.path(kube.namespace, "d", "scale"))
    kube.patch_deployment("d", {"spec": {"replicas": 4}})
    scale["spec"]["replicas"] = 9
    with pytest.raises(KubernetesError) as raised:
        kube.client.call("PUT", DEPLOYMENTS.path(kube.namespace, "d", "scale"), scale)
    assert _refusal(raised) == (409, "Conflict")
