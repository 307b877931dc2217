"""The three kinds of patch, and what each refuses."""

from __future__ import annotations

from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import DEPLOYMENTS, SERVICES
from infra.sandbox.cluster.client import JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, KubernetesError
from tests.contract.kubernetes.conftest import LABELS, Kube


def _containers(kube: Kube, containers: list[dict[str, Any]], content_type: str) -> list[tuple[str, str]]:
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    after = kube.patch_deployment("d", patch, content_type=content_type)
    return [(each["name"], each["image"]) for each in after["spec"]["template"]["spec"]["containers"]]


def test_a_strategic_merge_puts_a_new_container_before_those_it_does_not_name(kube: Kube) -> None:
    kube.create_deployment("d")
    side = [{"name": "side", "image": "y:1"}]
    assert _containers(kube, side, STRATEGIC_MERGE_PATCH) == [("side", "y:1"), ("c", "x:1")]


def test_a_strategic_merge_changes_the_container_of_the_same_name(kube: Kube) -> None:
    kube.create_deployment("d")
    assert _containers(kube, [{"name": "c", "image": "x:2"}], STRATEGIC_MERGE_PATCH) == [("c", "x:2")]


def test_a_strategic_merge_deletes_an_item_by_directive(kube: Kube) -> None:
    kube.create_deployment("d")
    _containers(kube, [{"name": "side", "image": "y:1"}], STRATEGIC_MERGE_PATCH)
    assert _containers(kube, [{"name": "side", "$patch": "delete"}], STRATEGIC_MERGE_PATCH) == [("c", "x:1")]


def test_a_strategic_merge_replaces_a_list_by_directive(kube: Kube) -> None:
    kube.create_deployment("d")
    replacement = [{"$patch": "replace"}, {"name": "only", "image": "z:1"}]
    assert _containers(kube, replacement, STRATEGIC_MERGE_PATCH) == [("only", "z:1")]


def test_a_strategic_merge_orders_a_list_by_directive(kube: Kube) -> None:
    kube.create_deployment("d")
    patch = {"$setElementOrder/containers": [{"name": "c"}, {"name": "side"}]}
    patch["containers"] = [{"name": "side", "image": "y:1"}]
    after = kube.patch_deployment("d", {"spec": {"template": {"spec": patch}}}, content_type=STRATEGIC_MERGE_PATCH)
    assert [each["name"] for each in after["spec"]["template"]["spec"]["containers"]] == ["c", "side"]


def test_a_strategic_merge_merges_env_by_name(kube: Kube) -> None:
    kube.create_deployment("d")
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    _containers(kube, [{"name": "c", "env": env}], STRATEGIC_MERGE_PATCH)
    _containers(kube, [{"name": "c", "env": [{"name": "B", "value": "3"}]}], STRATEGIC_MERGE_PATCH)
    container = kube.client.get(DEPLOYMENTS, kube.namespace, "d")["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}]


def test_a_strategic_merge_merges_a_services_ports_by_port(kube: Kube) -> None:
    ports = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]
    spec = {"clusterIP": "None", "selector": LABELS, "ports": ports}
    kube.client.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}, kube.namespace)
    patch = {"spec": {"ports": [{"port": 2, "targetPort": 99}]}}
    after = kube.client.patch(SERVICES, kube.namespace, "s", patch, content_type=STRATEGIC_MERGE_PATCH)
    assert [(each["name"], each["targetPort"]) for each in after["spec"]["ports"]] == [("a", 1), ("b", 99)]


def test_a_merge_patch_replaces_a_list(kube: Kube) -> None:
    kube.create_deployment("d")
    assert _containers(kube, [{"name": "only", "image": "z:1"}], MERGE_PATCH) == [("only", "z:1")]


def test_null_in_a_merge_patch_removes_a_key(kube: Kube) -> None:
    kube.create_config_map("c", keep="1", drop="2")
    assert kube.patch_config_map("c", {"data": {"drop": None}})["data"] == {"keep": "1"}


def test_a_json_patch_applies_its_operations_in_order(kube: Kube) -> None:
    kube.create_config_map("c", a="1")
    operations = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/data/b", "value": "2"},
        {"op": "move", "from": "/data/a", "path": "/data/d"},
        {"op": "replace", "path": "/data/d", "value": "3"},
        {"op": "copy", "from": "/data/d", "path": "/data/e"},
        {"op": "remove", "path": "/data/d"},
    ]
    assert kube.patch_config_map("c", operations, content_type=JSON_PATCH)["data"] == {"b": "2", "e": "3"}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "other"},
        {"op": "remove", "path": "/data/missing"},
    ],
)
def test_a_json_patch_that_does_not_apply_is_422(kube: Kube, operation: dict[str, Any]) -> None:
    kube.create_config_map("c", a="1")
    with pytest.raises(KubernetesError) as raised:
        kube.patch_config_map("c", [operation], content_type=JSON_PATCH)
    assert (raised.value.status, raised.value.reason) == (422, "Invalid")


def test_an_unknown_patch_type_is_415(kube: Kube) -> None:
    kube.create_config_map("c", a="1")
    with pytest.raises(KubernetesError) as raised:
        kube.patch_config_map("c", {}, content_type="application/json")
    assert (raised.value.status, raised.value.reason) == (415, "UnsupportedMediaType")


def test_a_patch_that_is_no_json_is_400(kube: Kube) -> None:
    kube.create_config_map("c", a="1")
    with pytest.raises(KubernetesError) as raised:
        kube.patch_config_map("c", b"{not json")
    assert raised.value.status in (400, 500)  # older releases take the client's mistake for their own
