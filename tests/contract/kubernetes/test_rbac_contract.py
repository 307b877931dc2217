"""Rights: given by Role and ClusterRole objects only, and asked about without being used."""

from __future__ import annotations

from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES
from infra.sandbox.cluster.client import ClusterClient, KubernetesError
from tests.contract.kubernetes.conftest import Kube

RBAC = "rbac.authorization.k8s.io"
BACKUP_RULES = [
    {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "replicasets"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch", "update"]},
    {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": ["get", "patch"]},
]


def _operator(kube: Kube, rules: list[dict[str, Any]] = BACKUP_RULES) -> ClusterClient:
    """A client whose group has `rules` in the test's namespace."""
    _bind(kube, "Role", rules, {"kind": "Group", "name": f"operators-{kube.namespace}"})
    return kube.client.acting_as("alice", f"operators-{kube.namespace}")


def _bind(kube: Kube, kind: str, rules: list[dict[str, Any]], subject: dict[str, str]) -> None:
    api = f"{RBAC}/v1"
    name = f"backup-{kube.namespace}"
    role = {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "rules": rules}
    binding = {
        "apiVersion": api,
        "kind": f"{kind}Binding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [subject],
    }
    for document in (role, binding):
        kube.client.create(document, kube.namespace if kind == "Role" else None)
    _wait_for_rights(kube, subject["name"])


def _wait_for_rights(kube: Kube, name: str) -> None:
    """A real server reads its RBAC objects from a cache, which follows within milliseconds."""
    client = kube.client.acting_as("somebody", name)
    for _ in range(100):
        if _review(client, kube.namespace, "list", "pods")["allowed"]:
            return
    raise AssertionError(f"{name} was given no rights")


def _review(client: ClusterClient, namespace: str, verb: str, resource: str, **more: str) -> dict[str, Any]:
    asked = {"namespace": namespace, "verb": verb, "resource": resource, **more}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": asked}}
    status: dict[str, Any] = client.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)["status"]
    return status


def test_a_group_gets_what_its_role_gives_and_nothing_else(kube: Kube) -> None:
    kube.create_pod("p")
    operator = _operator(kube)
    assert [each["metadata"]["name"] for each in operator.list_objects(PODS, kube.namespace)] == ["p"]
    assert operator.list_objects(SERVICES, kube.namespace) == []
    answer = operator.send("DELETE", PODS.path(kube.namespace, "p"))
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")


def test_a_refusal_says_who_cannot_do_what_where(kube: Kube) -> None:
    answer = _operator(kube).send("GET", CONFIG_MAPS.path(kube.namespace, "other"))
    assert answer.body["message"] == (
        'configmaps "other" is forbidden: User "alice" cannot get resource "configmaps" in API group "" '
        f'in the namespace "{kube.namespace}"'
    )
    assert answer.body["details"] == {"name": "other", "kind": "configmaps"}


def test_a_refusal_for_all_namespaces_says_cluster_scope(kube: Kube) -> None:
    answer = _operator(kube).send("GET", DEPLOYMENTS.path())
    assert answer.body["message"] == (
        'deployments.apps is forbidden: User "alice" cannot list resource "deployments" in API group "apps" '
        "at the cluster scope"
    )


def test_the_right_to_scale_is_not_the_right_to_change_the_deployment(kube: Kube) -> None:
    kube.create_deployment("d")
    operator = _operator(kube)
    assert operator.patch(DEPLOYMENTS, kube.namespace, "d", {"spec": {"replicas": 0}}, subresource="scale")
    with pytest.raises(KubernetesError) as raised:
        operator.patch(DEPLOYMENTS, kube.namespace, "d", {"spec": {"replicas": 3}})
    assert raised.value.status == 403


def test_a_right_on_a_name_does_not_reach_another_name_or_a_list(kube: Kube) -> None:
    for name in ("mine", "other"):
        kube.create_config_map(name)
    operator = _operator(kube)
    assert operator.get(CONFIG_MAPS, kube.namespace, "mine")
    for path in (CONFIG_MAPS.path(kube.namespace, "other"), CONFIG_MAPS.path(kube.namespace)):
        assert operator.send("GET", path).status == 403


def test_a_role_ends_at_its_namespace(kube: Kube) -> None:
    assert _operator(kube).send("GET", PODS.path("default")).status == 403


def test_a_cluster_role_binding_reaches_every_namespace(kube: Kube) -> None:
    subject = {"kind": "Group", "name": f"everywhere-{kube.namespace}"}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    _bind(kube, "ClusterRole", rules, subject)
    client = kube.client.acting_as("bob", subject["name"])
    assert client.send("GET", PODS.path()).status == 200
    assert client.send("GET", PODS.path("default")).status == 200


def test_a_user_without_any_right_is_refused_even_what_does_not_exist(kube: Kube) -> None:
    nobody = kube.client.acting_as("nobody")
    assert nobody.send("GET", PODS.path(kube.namespace, "missing")).status == 403
    assert nobody.send("GET", "/apis/example.com/v1/things").status == 403


def test_an_access_review_tells_a_right_without_using_it(kube: Kube) -> None:
    operator = _operator(kube)
    assert _review(operator, kube.namespace, "list", "pods")["allowed"] is True
    assert _review(operator, kube.namespace, "patch", "deployments", group="apps", subresource="scale")["allowed"] is True
    assert _review(operator, kube.namespace, "patch", "deployments", group="apps")["allowed"] is False
    assert _review(operator, kube.namespace, "get", "configmaps", name="mine")["allowed"] is True
    assert _review(operator, kube.namespace, "get", "configmaps", name="other")["allowed"] is False


def test_watching_needs_its_own_right(kube: Kube) -> None:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    operator = _operator(kube, rules)
    with pytest.raises(KubernetesError) as raised:
        list(operator.watch(PODS, kube.namespace, "0", 1))
    assert raised.value.status == 403


def test_acting_as_somebody_else_is_a_right_of_its_own(kube: Kube) -> None:
    operator = _operator(kube)
    kube.create_pod("p")
    anonymous = kube.client_with(None, **{"Impersonate-User": "alice"})
    answer = anonymous.send("GET", PODS.path(kube.namespace))
    assert answer.status == 403
    assert "cannot impersonate resource" in answer.body["message"]
    assert operator.send("GET", PODS.path(kube.namespace)).status == 200
