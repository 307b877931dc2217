"""`KubernetesApi.patch`: one object, guarded against whoever else writes, under a name of our own."""

from __future__ import annotations

from typing import Any

import pytest

from shared.clusters.api import KubernetesApi
from shared.clusters.patches import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH
from shared.model.errors import Conflict, InvalidRequest, NotReady
from tests.contract.kubernetes_writes.conftest import Kube

LABELS = {"app.kubernetes.io/instance": "orders"}
CONTAINERS = [
    {"name": "ledger", "image": "x:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
    {"name": "proxy", "image": "y:1"},
]
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": CONTAINERS}}
SPEC = {"replicas": 3, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}


def version_of(document: dict[str, Any]) -> str:
    return str(document["metadata"]["resourceVersion"])


def test_a_merge_patch_changes_one_key_and_returns_the_object_as_it_is_now(kube: Kube) -> None:
    kube.create("ConfigMap", "c", data={"a": "1", "b": "2"})
    after = kube.api.patch("configmaps", kube.namespace, "c", {"data": {"b": "3"}}, content_type=MERGE_PATCH)
    assert after["data"] == {"a": "1", "b": "3"}
    assert after == kube.api.get("configmaps", kube.namespace, "c")


def test_a_strategic_merge_patch_changes_one_variable_of_one_container(kube: Kube) -> None:
    kube.create("Deployment", "d", spec=SPEC)
    env = {"containers": [{"name": "ledger", "env": [{"name": "B", "value": "3"}]}]}
    patch = {"spec": {"template": {"spec": env}}}
    after = kube.api.patch("deployments", kube.namespace, "d", patch, content_type=STRATEGIC_MERGE_PATCH)
    ledger, proxy = after["spec"]["template"]["spec"]["containers"]
    assert ledger["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]
    assert (ledger["image"], proxy["image"]) == ("x:1", "y:1")


@pytest.mark.parametrize("is_json", [False, True])
def test_a_patch_of_the_present_version_is_made(kube: Kube, is_json: bool) -> None:
    version = version_of(kube.create("ConfigMap", "c", data={"a": "1"}))
    after = patch_data(kube.api, kube.namespace, version, is_json)
    assert after["data"] == {"a": "2"}


@pytest.mark.parametrize("is_json", [False, True])
def test_a_patch_of_an_older_version_is_a_conflict_and_changes_nothing(kube: Kube, is_json: bool) -> None:
    created = kube.create("ConfigMap", "c", data={"a": "1"})
    kube.change(created, {"data": {"a": "theirs"}})
    with pytest.raises(Conflict, match="the object has been modified") as raised:
        patch_data(kube.api, kube.namespace, version_of(created), is_json)
    found = kube.api.get("configmaps", kube.namespace, "c")
    assert found is not None
    assert found["data"] == {"a": "theirs"}
    assert "cannot patch configmap" in raised.value.message


def patch_data(api: KubernetesApi, namespace: str, version: str, is_json: bool) -> dict[str, Any]:
    if is_json:
        operations = [{"op": "replace", "path": "/data/a", "value": "2"}]
        return api.patch("configmaps", namespace, "c", operations, content_type=JSON_PATCH, resource_version=version)
    patch = {"data": {"a": "2"}}
    return api.patch("configmaps", namespace, "c", patch, content_type=MERGE_PATCH, resource_version=version)


def test_a_conflict_names_the_field_manager_that_wrote_last(kube: Kube) -> None:
    created = kube.create("ConfigMap", "c", data={"a": "1"})
    other = {"content_type": MERGE_PATCH, "field_manager": "helm"}
    kube.api.patch("configmaps", kube.namespace, "c", {"data": {"a": "theirs"}}, **other)
    with pytest.raises(Conflict) as raised:
        patch_data(kube.api, kube.namespace, version_of(created), is_json=False)
    assert ("last by helm at 20" if kube.records_managers else "last by somebody else") in raised.value.message


def test_our_fields_are_recorded_under_our_name_where_the_server_records_managers(kube: Kube) -> None:
    kube.create("ConfigMap", "c", data={"a": "1", "b": "2"})
    after = kube.api.patch("configmaps", kube.namespace, "c", {"data": {"a": "2"}}, content_type=MERGE_PATCH)
    ours = [entry for entry in after["metadata"].get("managedFields", ()) if entry["manager"] == "scalar-backup"]
    assert [entry["fieldsV1"]["f:data"] for entry in ours] == ([{"f:a": {}}] if kube.records_managers else [])


def test_a_patch_of_the_scale_sets_the_replicas_alone(kube: Kube) -> None:
    created = kube.create("Deployment", "d", spec=SPEC)
    scale = kube.api.patch(
        "deployments", kube.namespace, "d", {"spec": {"replicas": 0}}, content_type=MERGE_PATCH,
        resource_version=version_of(created), subresource="scale",
    )  # fmt: skip
    assert scale["kind"] == "Scale"
    after = kube.api.get("deployments", kube.namespace, "d")
    assert after is not None
    assert after["spec"] == created["spec"] | {"replicas": 0}


def test_an_immutable_config_map_refuses_a_change(kube: Kube) -> None:
    kube.create("ConfigMap", "c", data={"a": "1"}, immutable=True)
    with pytest.raises(InvalidRequest, match=r"immutable.*\(HTTP 422\)\. Nothing was changed"):
        kube.api.patch("configmaps", kube.namespace, "c", {"data": {"a": "2"}}, content_type=MERGE_PATCH)


def test_a_failed_test_of_a_json_patch_is_an_invalid_request(kube: Kube) -> None:
    kube.create("ConfigMap", "c", data={"a": "1"})
    operations = [{"op": "test", "path": "/data/a", "value": "other"}]
    with pytest.raises(InvalidRequest, match="HTTP 422"):
        kube.api.patch("configmaps", kube.namespace, "c", operations, content_type=JSON_PATCH)


def test_an_object_that_does_not_exist_is_told_as_such(kube: Kube) -> None:
    with pytest.raises(NotReady, match=r"cannot patch secret .*/s: it does not exist"):
        kube.api.patch("secrets", kube.namespace, "s", {"data": {}}, content_type=MERGE_PATCH)


def test_an_object_that_was_deleted_in_the_meantime_is_told_as_such(kube: Kube) -> None:
    version = version_of(kube.create("ConfigMap", "c", data={"a": "1"}))
    kube.admin.call("DELETE", f"/api/v1/namespaces/{kube.namespace}/configmaps/c")
    with pytest.raises(NotReady, match="does not exist"):
        patch_data(kube.api, kube.namespace, version, is_json=False)


def test_a_patch_whose_form_does_not_fit_its_type_is_a_programming_error(kube: Kube) -> None:
    with pytest.raises(ValueError, match="does not describe"):
        kube.api.patch("configmaps", kube.namespace, "c", {"data": {}}, content_type=JSON_PATCH)
    with pytest.raises(ValueError, match="does not describe"):
        kube.api.patch("configmaps", kube.namespace, "c", [], content_type=MERGE_PATCH)
