"""Selectors, pages and versions of lists."""

from __future__ import annotations

import time

import pytest

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, PODS
from infra.sandbox.cluster.client import KubernetesError
from tests.contract.kubernetes.conftest import Kube


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("i=1", "1"),
        ("i==1", "1"),
        ("i!=1", "023n"),
        ("i in (1,3)", "13"),
        ("i in ( 1 , 3 ),app.kubernetes.io/instance=orders", "13"),
        ("i notin (1,3)", "02n"),
        ("i", "0123"),
        ("!i", "n"),
        ("i>1", "23"),
        ("app.kubernetes.io/instance=orders,i=2", "2"),
        ("i=", ""),
        ("i=9", ""),
        ("", "0123n"),
    ],
)
def test_a_label_selector_chooses(kube: Kube, selector: str, chosen: str) -> None:
    for number in "0123":
        kube.create_pod(f"p{number}", i=number)
    kube.create_pod("pn")
    assert "".join(name[1] for name in kube.pod_names(labelSelector=selector)) == chosen


@pytest.mark.parametrize("selector", ["a===b", "i in 1", "i in (1", "a b", "=x", "i=%"])
def test_a_malformed_label_selector_is_400(kube: Kube, selector: str) -> None:
    with pytest.raises(KubernetesError) as raised:
        kube.pod_names(labelSelector=selector)
    assert (raised.value.status, raised.value.reason) == (400, "BadRequest")


def test_field_selectors_choose_by_name_phase_and_node(kube: Kube) -> None:
    kube.create_pod("a")
    kube.create_pod("b")
    kube.client.patch(PODS, kube.namespace, "b", {"status": {"phase": "Running"}}, subresource="status")
    assert kube.pod_names(fieldSelector="metadata.name=a") == ["a"]
    assert kube.pod_names(fieldSelector="metadata.name!=a") == ["b"]
    assert kube.pod_names(fieldSelector="status.phase=Running") == ["b"]
    assert kube.pod_names(fieldSelector="spec.nodeName=n1,status.phase=Pending") == ["a"]


def test_an_unknown_field_in_a_selector_is_400(kube: Kube) -> None:
    with pytest.raises(KubernetesError) as raised:
        kube.pod_names(fieldSelector="spec.nosuchfield=1")
    assert raised.value.status == 400


def test_only_the_list_says_what_its_items_are(kube: Kube) -> None:
    kube.create_pod("a")
    answer = kube.client.call("GET", PODS.path(kube.namespace))
    assert (answer["kind"], answer["apiVersion"]) == ("PodList", "v1")
    assert not any({"kind", "apiVersion"} & item.keys() for item in answer["items"])


def test_pages_are_a_snapshot_of_the_first_ones_version(kube: Kube) -> None:
    for name in "bcd":
        kube.create_pod(name)
    first = kube.client.call("GET", PODS.path(kube.namespace), query={"limit": 2})
    kube.create_pod("a")
    kube.create_pod("e")
    kube.client.delete(PODS, kube.namespace, "d", grace_seconds=0)
    token = first["metadata"]["continue"]
    second = kube.client.call("GET", PODS.path(kube.namespace), query={"limit": 2, "continue": token})
    assert [item["metadata"]["name"] for page in (first, second) for item in page["items"]] == ["b", "c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


def test_the_number_of_remaining_items_is_told_without_a_selector_only(kube: Kube) -> None:
    for name in "abc":
        kube.create_pod(name)
    path = PODS.path(kube.namespace)
    assert kube.client.call("GET", path, query={"limit": 1})["metadata"]["remainingItemCount"] == 2
    selected = kube.client.call("GET", path, query={"limit": 1, "labelSelector": "app.kubernetes.io/app"})
    assert "remainingItemCount" not in selected["metadata"]


def test_a_list_at_an_exact_version_shows_the_past(kube: Kube) -> None:
    kube.create_pod("a")
    version = kube.client.call("GET", PODS.path(kube.namespace))["metadata"]["resourceVersion"]
    kube.create_pod("b")
    assert kube.pod_names(resourceVersion=version, resourceVersionMatch="Exact") == ["a"]
    assert kube.pod_names() == ["a", "b"]


def test_an_expired_version_is_410(kube: Kube) -> None:
    version = kube.create_config_map("a")["metadata"]["resourceVersion"]
    kube.create_config_map("b")
    kube.create_config_map("c")
    kube.compact()
    query = {"resourceVersion": version, "resourceVersionMatch": "Exact", "limit": 500}
    answer = kube.client.send("GET", CONFIG_MAPS.path(kube.namespace), query=query)
    assert (answer.status, answer.body["reason"]) == (410, "Expired")


def test_an_expired_page_is_410_with_a_token_to_go_on_inconsistently(kube: Kube) -> None:
    for name in "bcd":
        kube.create_config_map(name)
    path = CONFIG_MAPS.path(kube.namespace)
    token = kube.client.call("GET", path, query={"limit": 1, "fieldSelector": "metadata.name!=kube-root-ca.crt"})
    kube.create_config_map("e")
    kube.compact()
    answer = kube.client.send("GET", path, query={"limit": 1, "continue": token["metadata"]["continue"]})
    assert (answer.status, answer.body["reason"]) == (410, "Expired")
    rest = kube.client.call("GET", path, query={"continue": answer.body["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c", "d", "e"]


def test_a_version_of_the_future_is_waited_for_and_then_504(kube: Kube) -> None:
    version = kube.client.call("GET", PODS.path(kube.namespace))["metadata"]["resourceVersion"]
    begin = time.monotonic()
    answer = kube.client.send("GET", PODS.path(kube.namespace), query={"resourceVersion": int(version) + 1_000_000})
    assert (answer.status, answer.body["reason"]) == (504, "Timeout")
    assert answer.headers["Retry-After"] == "1"
    assert time.monotonic() - begin > 2.5


def test_a_list_over_all_namespaces_shows_every_namespace(kube: Kube) -> None:
    kube.create_pod("everywhere")
    places = {item["metadata"]["namespace"] for item in kube.client.call("GET", PODS.path())["items"]}
    assert kube.namespace in places
