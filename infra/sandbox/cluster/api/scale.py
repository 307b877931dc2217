"""The scale subresource: autoscaling/v1 Scale as a view on a Deployment's or ReplicaSet's replicas."""

from __future__ import annotations

import copy
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.objects import Objects, check_version, patched
from infra.sandbox.cluster.api.requests import ResourceRequest
from infra.sandbox.cluster.api.store import Stored
from infra.sandbox.cluster.api.validation import invalid_value

_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class Scale:
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def read(self, request: ResourceRequest) -> dict[str, Any]:
        return scale_view(self._objects.existing(request)[1])

    def write(self, request: ResourceRequest) -> dict[str, Any]:
        """PUT or PATCH of the view. Raises 404, 409 Conflict (a stale resourceVersion), 415 or 422."""
        key, stored = self._objects.existing(request)
        wanted = self._wanted(request, stored)
        metadata = wanted.get("metadata") or {}
        check_version(request.served, key.name, metadata, stored)
        replicas = (wanted.get("spec") or {}).get("replicas") or 0
        if not isinstance(replicas, int):
            raise errors.bad_request(f"spec.replicas must be a whole number, not {replicas!r}")
        if replicas < 0:
            cause = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
            raise errors.invalid("Scale", "autoscaling", key.name, [cause])
        document = copy.deepcopy(stored.document)
        document["spec"]["replicas"] = replicas
        return scale_view(self._objects.replace(request, key, stored, document))

    @staticmethod
    def _wanted(request: ResourceRequest, stored: Stored) -> dict[str, Any]:
        if request.verb == "patch":
            view = scale_view(stored)
            view["spec"] = {"replicas": stored.document["spec"]["replicas"]}
            return patched(request, view)
        if not isinstance(request.body, dict):
            raise errors.bad_request("the object provided is unrecognized (must be a Scale of autoscaling/v1)")
        return request.body


def scale_view(stored: Stored) -> dict[str, Any]:
    """Zero replicas are left out on the wire: `"spec": {}`."""
    document = stored.document
    replicas = document["spec"]["replicas"]
    selector = document["spec"]["selector"].get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: document["metadata"][name] for name in _METADATA},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {
            "replicas": document["status"].get("replicas", 0),
            "selector": ",".join(f"{name}={value}" for name, value in sorted(selector.items())),
        },
    }
