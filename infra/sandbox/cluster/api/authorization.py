"""RBAC, evaluated from the Role, RoleBinding, ClusterRole and ClusterRoleBinding objects that the API holds.

Rules: https://kubernetes.io/docs/reference/access-authn-authz/rbac/. Rights only add up; what no rule gives is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.authentication import User
from infra.sandbox.cluster.api.errors import ApiError
from infra.sandbox.cluster.api.requests import ResourceRequest
from infra.sandbox.cluster.api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from infra.sandbox.cluster.api.store import Key, Store


@dataclass(frozen=True)
class Action:
    """What somebody wants to do: to a resource, or, with `path`, to a URL that is no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str | None = None
    namespace: str | None = None
    path: str | None = None


class Authorization:
    def __init__(self, store: Store) -> None:
        self._store = store

    def reason(self, user: User, action: Action) -> str | None:
        """Which binding allows the action, in words; None when none does."""
        for binding, role_key, scope in self._bindings(action.namespace):
            if not any(_is_subject(user, subject, scope) for subject in binding.get("subjects") or []):
                continue
            role = self._store.get(role_key)
            if role is None:
                continue
            if any(_allows(rule, action) for rule in role.document.get("rules") or []):
                kind, name = binding["kind"], binding["metadata"]["name"]
                where = f"{name}/{scope}" if scope else name
                return f'RBAC: allowed by {kind} "{where}" of {role_key.resource.kind} "{role_key.name}"'
        return None

    def require(self, user: User, request: ResourceRequest) -> None:
        """Raises 403 Forbidden."""
        action = Action(request.verb, request.group, request.rbac_resource, request.name, request.namespace)
        if self.reason(user, action) is None:
            raise _forbidden(user, request)

    def require_path(self, user: User, verb: str, path: str) -> None:
        """Raises 403 Forbidden for a URL that is no resource."""
        if self.reason(user, Action(verb, path=path)) is None:
            message = f'forbidden: User "{user.name}" cannot {verb} path "{path}"'
            raise ApiError(403, "Forbidden", message)

    def _bindings(self, namespace: str | None) -> Iterator[tuple[dict[str, Any], Key, str | None]]:
        """Each binding that counts in `namespace`, with its role and the namespace that it is limited to."""
        for _, stored in self._store.objects(CLUSTER_ROLE_BINDINGS):
            yield stored.document, Key(CLUSTER_ROLES, None, stored.document["roleRef"]["name"]), None
        for key, stored in self._store.objects(ROLE_BINDINGS) if namespace else []:
            if key.namespace == namespace:
                reference = stored.document["roleRef"]
                is_cluster_role = reference.get("kind") == "ClusterRole"
                resource, place = (CLUSTER_ROLES, None) if is_cluster_role else (ROLES, namespace)
                yield stored.document, Key(resource, place, reference["name"]), namespace


def _is_subject(user: User, subject: dict[str, Any], namespace: str | None) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case "ServiceAccount":
            account = f"system:serviceaccount:{subject.get('namespace') or namespace}:{subject['name']}"
            return account == user.name
    return False


def _allows(rule: dict[str, Any], action: Action) -> bool:
    if not _matches(rule.get("verbs"), action.verb):
        return False
    if action.path is not None:
        return any(_matches_path(allowed, action.path) for allowed in rule.get("nonResourceURLs") or [])
    if not _matches(rule.get("apiGroups"), action.group):
        return False
    subresource = action.resource.partition("/")[2]
    resources = rule.get("resources")
    if not _matches(resources, action.resource) and not (subresource and f"*/{subresource}" in (resources or [])):
        return False
    names = rule.get("resourceNames")
    return not names or action.name in names


def _matches(allowed: list[str] | None, wanted: str) -> bool:
    return "*" in (allowed or []) or wanted in (allowed or [])


def _matches_path(allowed: str, path: str) -> bool:
    return allowed == path or (allowed.endswith("*") and path.startswith(allowed[:-1]))


def _forbidden(user: User, request: ResourceRequest) -> ApiError:
    qualified = f"{request.resource}.{request.group}" if request.group else request.resource
    name = f' "{request.name}"' if request.name else ""
    where = f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    details = {"name": request.name, "group": request.group, "kind": request.resource}
    message = (
        f'{qualified}{name} is forbidden: User "{user.name}" cannot {request.verb} resource "{request.rbac_resource}" '
        f'in API group "{request.group}" {where}'
    )
    return ApiError(403, "Forbidden", message, {key: value for key, value in details.items() if value})


def self_subject_access_review(authorization: Authorization, user: User, body: Any) -> dict[str, Any]:
    """The answer to a SelfSubjectAccessReview: a right, without using it. Raises 400 for a review of nothing."""
    spec = body.get("spec") if isinstance(body, dict) else None
    asked = spec.get("resourceAttributes") or spec.get("nonResourceAttributes") if isinstance(spec, dict) else None
    if not isinstance(asked, dict):
        raise errors.bad_request("spec needs exactly one of resourceAttributes and nonResourceAttributes")
    resource = asked.get("resource", "") + (f"/{asked['subresource']}" if asked.get("subresource") else "")
    action = Action(
        asked.get("verb", ""),
        asked.get("group", ""),
        resource,
        asked.get("name") or None,
        asked.get("namespace") or None,
        asked.get("path"),
    )
    reason = authorization.reason(user, action)
    status: dict[str, Any] = {"allowed": reason is not None}
    return {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {**status, "reason": reason} if reason else status,
    }
