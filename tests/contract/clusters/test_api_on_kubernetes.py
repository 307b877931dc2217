"""`KubernetesApi` on API servers that behave: what it reads is what is there, and a watch misses nothing."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import CONFIG_MAPS
from shared.clusters import api as api_module
from shared.clusters.api import KubernetesApi
from shared.model.errors import Forbidden, HistoryExpired, Throttled, Unreachable
from shared.model.kubernetes import WatchEvent
from tests.contract.clusters.conftest import LABELS, FixedToken, Kube

POD = {"spec": {"containers": [{"name": "c", "image": "x:1"}]}}
DEPLOYMENT = {"spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}} | POD}}


def names(events: list[WatchEvent]) -> list[tuple[str, str]]:
    return [(event.type, event.object["metadata"]["name"]) for event in events if event.type != "BOOKMARK"]


def change(kube: Kube, name: str, patch: dict[str, Any]) -> None:
    kube.admin.patch(CONFIG_MAPS, kube.namespace, name, patch)


def test_every_kind_is_listed_by_its_labels_and_got_by_its_name(kube: Kube, api: KubernetesApi) -> None:
    kube.create("Pod", "a", **POD)
    kube.create("Pod", "b", {"other": "release"}, **POD)
    kube.create("Service", "a", spec={"ports": [{"port": 60053}]})
    kube.create("ConfigMap", "a", data={"key": "value"})
    kube.create("Secret", "a")
    kube.create("Deployment", "a", **DEPLOYMENT)
    for kind in ("pods", "services", "configmaps", "secrets", "deployments"):
        listed = api.list(kind, kube.namespace, LABELS)
        assert [item["metadata"]["name"] for item in listed.items] == ["a"]
        assert api.get(kind, kube.namespace, "a") == listed.items[0] | {
            "kind": kind.removesuffix("s").replace("configmap", "ConfigMap").capitalize().replace("Configmap", "ConfigMap"),
            "apiVersion": "apps/v1" if kind == "deployments" else "v1",
        }
        assert api.get(kind, kube.namespace, "missing") is None
    assert len(api.list("pods", kube.namespace, {}).items) == 2


def test_a_namespace_that_does_not_exist_has_nothing_in_it(kube: Kube, api: KubernetesApi) -> None:
    assert api.list("pods", "no-such-namespace", LABELS).items == ()
    assert api.list("replicasets", "no-such-namespace", {}).items == ()


def test_pages_put_together_are_the_whole_list(kube: Kube, api: KubernetesApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "PAGE_SIZE", 2)
    for number in range(5):
        kube.create("ConfigMap", f"c{number}", {"page": "yes"})
    listed = api.list("configmaps", kube.namespace, {"page": "yes"})
    assert [item["metadata"]["name"] for item in listed.items] == [f"c{number}" for number in range(5)]


def test_a_watch_from_a_list_sees_everything_that_followed_and_ends_when_its_time_is_over(
    kube: Kube, api: KubernetesApi
) -> None:
    kube.create("ConfigMap", "before")
    version = api.list("configmaps", kube.namespace, LABELS).resource_version
    kube.create("ConfigMap", "a")
    kube.create("ConfigMap", "stranger", {"other": "release"})
    change(kube, "a", {"data": {"key": "value"}})
    change(kube, "stranger", {"metadata": {"labels": LABELS}})
    change(kube, "before", {"metadata": {"labels": dict.fromkeys(LABELS)}})
    kube.admin.delete(CONFIG_MAPS, kube.namespace, "a")
    began = time.monotonic()
    seen = [*api.watch("configmaps", kube.namespace, LABELS, version, 1)]
    assert names(seen) == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("ADDED", "stranger"),
        ("DELETED", "before"),
        ("DELETED", "a"),
    ]
    assert 0.9 < time.monotonic() - began < 3


def test_a_watch_delivers_an_event_while_it_waits(kube: Kube, api: KubernetesApi) -> None:
    version = api.list("configmaps", kube.namespace, {}).resource_version
    stream = api.watch("configmaps", kube.namespace, LABELS, version, 30)
    kube.create("ConfigMap", "late")
    assert names([next(stream)]) == [("ADDED", "late")]
    stream.close()


def test_a_waiting_watch_ends_promptly_when_another_thread_closes_it(kube: Kube, api: KubernetesApi) -> None:
    version = api.list("pods", kube.namespace, {}).resource_version
    stream = api.watch("pods", kube.namespace, LABELS, version, 30)
    seen: list[WatchEvent] = []
    reader = threading.Thread(target=lambda: seen.extend(stream))
    reader.start()
    stream.close()
    reader.join(5)
    assert not reader.is_alive(), "the watch itself would have gone on for half a minute"
    assert seen == []


def test_a_version_that_the_server_has_forgotten_is_history_expired(kube: Kube, api: KubernetesApi) -> None:
    version = api.list("configmaps", kube.namespace, {}).resource_version
    for value in "abc":
        kube.create("ConfigMap", f"c{value}")
    kube.compact()
    with pytest.raises(HistoryExpired, match="too old"):
        [*api.watch("configmaps", kube.namespace, {}, version, 5)]


def test_an_unknown_token_is_forbidden_with_the_way_to_sign_in(kube: Kube) -> None:
    with pytest.raises(Forbidden, match=r"does not know who asks: Unauthorized \(401\)\. Sign in\."):
        kube.api_with(FixedToken("nobody")).list("pods", kube.namespace, {})


def test_the_administrator_may_do_anything(kube: Kube, api: KubernetesApi) -> None:
    assert api.can_i("list", "pods", kube.namespace)
    assert api.can_i("create", "pods/portforward", kube.namespace)


def test_the_version_of_the_server_is_told(kube: Kube, api: KubernetesApi) -> None:
    assert api.server_version().startswith("v1.")


def test_a_throttled_list_waits_as_asked_and_succeeds(sandbox: Kube, sandbox_api: KubernetesApi) -> None:
    sandbox.create("ConfigMap", "a")
    sandbox.admin.add_fault(verb="list", resource="configmaps", namespace=sandbox.namespace, status=429, retry_after=2, times=2)
    assert len(sandbox_api.list("configmaps", sandbox.namespace, {}).items) == 1
    assert sandbox.slept == [2.0, 2.0]


@pytest.mark.parametrize(("status", "expected"), [(429, Throttled), (500, Unreachable), (503, Unreachable)])
def test_a_refusal_that_lasts_is_raised_after_three_tries(
    sandbox: Kube, sandbox_api: KubernetesApi, status: int, expected: type[Exception]
) -> None:
    sandbox.admin.add_fault(verb="get", resource="pods", namespace=sandbox.namespace, status=status, times=3)
    with pytest.raises(expected, match="fault on demand"):
        sandbox_api.get("pods", sandbox.namespace, "a")
    assert sandbox_api.get("pods", sandbox.namespace, "a") is None


def test_a_reset_connection_is_tried_again(sandbox: Kube, sandbox_api: KubernetesApi) -> None:
    sandbox.admin.add_fault(verb="list", resource="pods", namespace=sandbox.namespace, reset=True)
    assert sandbox_api.list("pods", sandbox.namespace, {}).items == ()


def test_a_watch_that_is_cut_is_unreachable_and_can_go_on_from_the_last_version(
    sandbox: Kube, sandbox_api: KubernetesApi
) -> None:
    version = sandbox_api.list("configmaps", sandbox.namespace, {}).resource_version
    stream = sandbox_api.watch("configmaps", sandbox.namespace, {}, version, 30)
    sandbox.create("ConfigMap", "a")
    seen = next(stream)
    sandbox.admin.cut_watches()
    with pytest.raises(Unreachable, match="cannot watch configmaps"):
        next(stream)
    sandbox.create("ConfigMap", "b")
    rest = sandbox_api.watch("configmaps", sandbox.namespace, {}, seen.object["metadata"]["resourceVersion"], 30)
    assert names([next(rest)]) == [("ADDED", "b")]
    rest.close()
