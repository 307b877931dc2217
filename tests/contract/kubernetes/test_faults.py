"""What the sandbox's API server does on demand: fail, be slow, hang up, forget, and have another clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
import urllib3

from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.client import KubernetesError
from tests.contract.kubernetes.conftest import Kube


def test_a_fault_is_answered_as_often_as_asked_and_then_over(sandbox: Kube) -> None:
    sandbox.client.add_fault(verb="list", resource="pods", status=429, retry_after=1, times=2)
    answers = [sandbox.client.send("GET", PODS.path(sandbox.namespace)) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "1"
    assert answers[0].body["reason"] == "TooManyRequests"


def test_a_fault_hits_only_what_it_names(sandbox: Kube) -> None:
    sandbox.create_deployment("d")
    sandbox.client.add_fault(verb="patch", resource="deployments/scale", namespace=sandbox.namespace, status=500)
    assert sandbox.patch_deployment("d", {"spec": {"replicas": 3}})
    with pytest.raises(KubernetesError) as raised:
        sandbox.patch_deployment("d", {"spec": {"replicas": 4}}, subresource="scale")
    assert raised.value.status == 500


def test_a_slow_answer_comes_late_but_right(sandbox: Kube) -> None:
    sandbox.client.add_fault(verb="list", resource="pods", delay_seconds=0.3)
    begin = time.monotonic()
    assert sandbox.pod_names() == []
    assert time.monotonic() - begin >= 0.3


def test_a_reset_connection_gives_no_answer_at_all(sandbox: Kube) -> None:
    sandbox.client.add_fault(verb="list", resource="pods", reset=True)
    with pytest.raises(urllib3.exceptions.ProtocolError):
        sandbox.client.send("GET", PODS.path(sandbox.namespace))
    assert sandbox.pod_names() == []


def test_a_fault_that_does_nothing_is_refused(sandbox: Kube) -> None:
    with pytest.raises(KubernetesError, match="needs status, delay_seconds or reset"):
        sandbox.client.add_fault(verb="list")
    with pytest.raises(KubernetesError, match="a fault has the fields verb"):
        sandbox.client.add_fault(colour="red")


def test_cut_watches_end_without_their_last_chunk(sandbox: Kube) -> None:
    version = sandbox.client.call("GET", PODS.path(sandbox.namespace))["metadata"]["resourceVersion"]
    events = sandbox.client.watch(PODS, sandbox.namespace, version, 30)
    sandbox.create_pod("p")
    assert next(events)["type"] == "ADDED"
    sandbox.client.cut_watches()
    with pytest.raises(urllib3.exceptions.HTTPError):
        next(events)


def test_a_running_watch_survives_the_loss_of_history(sandbox: Kube) -> None:
    version = sandbox.client.call("GET", PODS.path(sandbox.namespace))["metadata"]["resourceVersion"]
    events = sandbox.client.watch(PODS, sandbox.namespace, version, 30)
    sandbox.create_pod("a")
    assert next(events)["object"]["metadata"]["name"] == "a"
    sandbox.client.compact()
    sandbox.create_pod("b")
    assert next(events)["object"]["metadata"]["name"] == "b"
    events.close()


def test_the_servers_clock_is_in_dates_and_in_timestamps(sandbox: Kube) -> None:
    sandbox.client.set_clock_offset(3600)
    answer = sandbox.client.send("GET", PODS.path(sandbox.namespace))
    expected = datetime.now(UTC) + timedelta(hours=1)
    assert abs(parsedate_to_datetime(answer.headers["Date"]) - expected) < timedelta(seconds=5)
    stamp = sandbox.create_pod("p")["metadata"]["creationTimestamp"]
    assert abs(datetime.fromisoformat(stamp) - expected) < timedelta(seconds=5)


def test_the_sandboxs_own_paths_need_the_admin_token(sandbox: Kube) -> None:
    for client in (sandbox.client_with(None), sandbox.client_with("guess")):
        assert client.send("POST", "/sandbox/compact").status == 401
