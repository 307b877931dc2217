"""A request in Kubernetes' terms: verb, resource, namespace, name and options, read from method, path and query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.resources import BY_PATH, Resource

_COLLECTION_VERBS = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT_VERBS = {"GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/(?!status$|finalize$)))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>[^/]+))?)?/?"
)


@dataclass(frozen=True)
class ResourceRequest:
    """What is asked of one resource. `definition` is None when the cluster does not serve it."""

    verb: str
    group: str
    resource: str
    subresource: str | None
    namespace: str | None
    name: str | None
    query: dict[str, str]
    content_type: str = ""
    body: Any = None
    definition: Resource | None = None

    @property
    def served(self) -> Resource:
        """The resource. Raises the 404 of an unknown path."""
        if self.definition is None:
            raise errors.path_not_found()
        return self.definition

    @property
    def rbac_resource(self) -> str:
        """As a Role names it, for example `deployments/scale`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def is_dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("1", "true")

    def whole_number(self, name: str) -> int | None:
        """A numeric option, None when it is absent. Raises 400 when it is no number."""
        text = self.query.get(name, "")
        if not text:
            return None
        if not text.isdecimal():
            label = "resource version" if name == "resourceVersion" else name
            raise errors.bad_request(f'invalid {label} "{text}": it must be a whole number that is not negative')
        return int(text)


def read_request(method: str, path: str, query: dict[str, str], content_type: str, body: Any) -> ResourceRequest | None:
    """The request that a path stands for, or None when the path names no resource."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    group, version = match["group"] or "", match["version"] or match["core"]
    resource, name, namespace = match["resource"], match["name"], match["namespace"]
    definition = BY_PATH.get((group, version, resource))
    if resource == "namespaces":
        namespace = name  # rights on a Namespace can be given inside it
    verb = (_OBJECT_VERBS if name else _COLLECTION_VERBS).get(method)
    if verb is None:
        raise errors.method_not_allowed()
    if method == "GET" and query.get("watch", "").lower() in ("1", "true"):
        verb = "watch"
    return ResourceRequest(verb, group, resource, match["subresource"], namespace, name, query, content_type, body, definition)
