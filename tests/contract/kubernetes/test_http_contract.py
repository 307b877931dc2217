"""The HTTP side: TLS, sign-in, errors, dates and probes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import urllib3

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, PODS
from infra.sandbox.cluster.certificates import create_certificates
from infra.sandbox.cluster.client import ClusterClient
from tests.contract.kubernetes.conftest import Kube


def test_a_client_that_trusts_another_authority_is_not_served(kube: Kube) -> None:
    stranger = ClusterClient(kube.client.url, create_certificates("another").ca_pem, None)
    with pytest.raises(urllib3.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.send("GET", "/version")
    stranger.close()


def test_an_unknown_token_is_401(kube: Kube) -> None:
    answer = kube.client_with("no-such-token").send("GET", PODS.path())
    assert answer.status == 401
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


def test_nobody_may_read_the_version_but_not_the_pods(kube: Kube) -> None:
    anonymous = kube.client_with(None)
    assert anonymous.send("GET", "/version").body["major"] == "1"
    answer = anonymous.send("GET", PODS.path())
    assert answer.status == 403
    assert 'User "system:anonymous" cannot list resource "pods"' in answer.body["message"]


def test_the_server_says_that_it_is_ready(kube: Kube) -> None:
    assert kube.client.send("GET", "/readyz").body == b"ok"


def test_a_missing_object_is_a_404_that_names_it(kube: Kube) -> None:
    answer = kube.client.send("GET", f"/apis/apps/v1/namespaces/{kube.namespace}/deployments/missing")
    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.body["message"] == 'deployments.apps "missing" not found'
    assert answer.body["details"] == {"name": "missing", "group": "apps", "kind": "deployments"}


def test_an_unknown_path_is_a_404_of_another_kind(kube: Kube) -> None:
    assert kube.client.send("GET", "/apis/example.com/v1/things").status == 404


def test_an_object_in_a_missing_namespace_is_refused(kube: Kube) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    answer = kube.client.send("POST", CONFIG_MAPS.path("no-such-namespace"), body)
    assert (answer.status, answer.body["message"]) == (404, 'namespaces "no-such-namespace" not found')


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"name": "Upper_Case"}}, "metadata.name"),
        ({"metadata": {"name": "c", "labels": {"a": "not a value"}}}, "metadata.labels"),
    ],
)
def test_an_invalid_object_is_a_422_that_names_the_field(kube: Kube, content: dict[str, Any], field: str) -> None:
    answer = kube.client.send("POST", CONFIG_MAPS.path(kube.namespace), {"apiVersion": "v1", "kind": "ConfigMap", **content})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert field in [cause["field"] for cause in answer.body["details"]["causes"]]


def test_a_deployment_whose_selector_misses_its_template_is_invalid(kube: Kube) -> None:
    template = {"metadata": {"labels": {"a": "1"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    spec = {"selector": {"matchLabels": {"a": "2"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}
    answer = kube.client.send("POST", f"/apis/apps/v1/namespaces/{kube.namespace}/deployments", body)
    assert answer.status == 422
    assert "`selector` does not match template `labels`" in answer.body["message"]


def test_a_body_of_another_kind_is_400(kube: Kube) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c"}}
    assert kube.client.send("POST", CONFIG_MAPS.path(kube.namespace), body).status == 400


def test_the_date_header_is_the_servers_clock_in_whole_seconds(kube: Kube) -> None:
    before = datetime.now(UTC)
    answer = kube.client.send("GET", PODS.path(kube.namespace))
    told = parsedate_to_datetime(answer.headers["Date"])
    assert before.replace(microsecond=0) <= told <= datetime.now(UTC)


def test_errors_carry_a_date_as_well(kube: Kube) -> None:
    assert kube.client.send("GET", PODS.path(kube.namespace, "missing")).headers["Date"]


def test_a_secret_takes_text_and_keeps_it_encoded(kube: Kube) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"user": "scalar"}}
    created = kube.client.create(body, kube.namespace)
    assert created["data"] == {"user": "c2NhbGFy"}
    assert (created["type"], "stringData" in created) == ("Opaque", False)


def test_a_new_object_is_stamped_with_the_servers_time(kube: Kube) -> None:
    stamp = kube.create_config_map("c")["metadata"]["creationTimestamp"]
    created_at = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(time.time() - created_at.timestamp()) < 5
