"""What every cluster holds from the start: its namespaces and the RBAC objects that the API server itself creates."""

from __future__ import annotations

from typing import Any

from infra.sandbox.cluster.api.objects import Objects
from infra.sandbox.cluster.api.requests import ResourceRequest
from infra.sandbox.cluster.api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, NAMESPACES, Resource

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_PUBLIC_PATHS = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]
_SELF_REVIEW = [{"apiGroups": ["authorization.k8s.io"], "resources": ["selfsubjectaccessreviews"], "verbs": ["create"]}]
# role -> (rules, groups that have it)
_ROLES: dict[str, tuple[list[dict[str, Any]], tuple[str, ...]]] = {
    "cluster-admin": (_EVERYTHING, ("system:masters",)),
    "system:basic-user": (_SELF_REVIEW, ("system:authenticated",)),
    "system:public-info-viewer": (
        [{"nonResourceURLs": _PUBLIC_PATHS, "verbs": ["get"]}],
        ("system:authenticated", "system:unauthenticated"),
    ),
}


def create_initial_objects(objects: Objects) -> None:
    for name in _NAMESPACES:
        _create(objects, NAMESPACES, name, {})
    for name, (rules, groups) in _ROLES.items():
        _create(objects, CLUSTER_ROLES, name, {"rules": rules})
        binding = {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "Group", "name": group} for group in groups],
        }
        _create(objects, CLUSTER_ROLE_BINDINGS, name, binding)


def _create(objects: Objects, resource: Resource, name: str, content: dict[str, Any]) -> None:
    body = {"metadata": {"name": name}, **content}
    objects.create(
        ResourceRequest("create", resource.group, resource.plural, None, None, None, {}, body=body, definition=resource)
    )
