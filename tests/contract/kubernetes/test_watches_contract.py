"""Watches: order, selection, expiry and the end."""

from __future__ import annotations

from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, PODS
from infra.sandbox.cluster.client import KubernetesError
from tests.contract.kubernetes.conftest import Kube


def _version(kube: Kube) -> str:
    return str(kube.client.call("GET", PODS.path(kube.namespace))["metadata"]["resourceVersion"])


def _events(kube: Kube, version: str, **query: str) -> list[tuple[str, str]]:
    events = kube.client.watch(PODS, kube.namespace, version, 1, **query)
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in events]


def test_a_watch_shows_every_change_after_its_version_in_order(kube: Kube) -> None:
    kube.create_pod("before")
    version = _version(kube)
    kube.create_pod("p")
    kube.client.patch(PODS, kube.namespace, "p", {"metadata": {"annotations": {"x": "1"}}})
    kube.client.delete(PODS, kube.namespace, "p", grace_seconds=0)
    events = _events(kube, version)
    assert [events[0], events[1], events[-1]] == [("ADDED", "p"), ("MODIFIED", "p"), ("DELETED", "p")]
    assert {name for _, name in events} == {"p"}


def test_leaving_a_selection_is_deleted_and_entering_it_is_added(kube: Kube) -> None:
    for name in ("stays", "leaves"):
        kube.create_pod(name, i="1")
    kube.create_pod("enters")
    version = _version(kube)
    for name, label in (("stays", "2"), ("leaves", None), ("enters", "3")):
        kube.client.patch(PODS, kube.namespace, name, {"metadata": {"labels": {"i": label}}})
    kube.create_pod("never-selected")
    expected = [("MODIFIED", "stays"), ("DELETED", "leaves"), ("ADDED", "enters")]
    assert _events(kube, version, labelSelector="i") == expected


def test_the_object_of_a_deletion_carries_the_deletions_version(kube: Kube) -> None:
    created = kube.create_config_map("c")
    version = created["metadata"]["resourceVersion"]
    kube.client.delete(CONFIG_MAPS, kube.namespace, "c")
    (event,) = kube.client.watch(CONFIG_MAPS, kube.namespace, version, 1)
    assert event["type"] == "DELETED"
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(version)


def test_a_watch_from_zero_begins_with_what_is_there(kube: Kube) -> None:
    kube.create_pod("a")
    assert ("ADDED", "a") in _events(kube, "0")


def test_a_watch_of_one_object_by_field_sees_no_other(kube: Kube) -> None:
    version = _version(kube)
    for name in "ab":
        kube.create_pod(name)
    assert _events(kube, version, fieldSelector="metadata.name=b") == [("ADDED", "b")]


def test_an_expired_version_is_an_error_event_inside_the_stream(kube: Kube) -> None:
    version = kube.create_config_map("a")["metadata"]["resourceVersion"]
    kube.create_config_map("b")
    kube.create_config_map("c")
    kube.compact()
    events = list(kube.client.watch(CONFIG_MAPS, kube.namespace, version, 2))
    assert [event["type"] for event in events] == ["ERROR"]
    status: dict[str, Any] = events[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")


def test_a_malformed_selector_is_refused_before_the_stream_begins(kube: Kube) -> None:
    with pytest.raises(KubernetesError) as raised:
        list(kube.client.watch(PODS, kube.namespace, "0", 1, labelSelector="a===b"))
    assert raised.value.status == 400


def test_a_bookmark_tells_how_far_a_watch_has_seen(sandbox: Kube) -> None:
    version = _version(sandbox)
    latest = sandbox.create_config_map("of-another-kind")["metadata"]["resourceVersion"]
    (event,) = sandbox.client.watch(PODS, sandbox.namespace, version, 1, allowWatchBookmarks="true")
    assert event["type"] == "BOOKMARK"
    assert int(event["object"]["metadata"]["resourceVersion"]) >= int(latest)


def test_a_watch_ends_by_itself_when_its_time_is_over(kube: Kube) -> None:
    assert _events(kube, _version(kube)) == []
