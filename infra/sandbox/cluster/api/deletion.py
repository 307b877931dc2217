"""Deletion: preconditions, finalizers, and pods that first get a deletionTimestamp and vanish when their node says so.

Rules: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination. Dependents are the garbage
collector's, which is a controller; of the propagation policies only Background exists here. For a Job it has to be named: when
nothing is said, a real server takes Orphan for one, and its pods stay.
"""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.clock import Clock, rfc3339
from infra.sandbox.cluster.api.objects import Objects
from infra.sandbox.cluster.api.requests import ResourceRequest
from infra.sandbox.cluster.api.resources import JOBS, NAMESPACES, PODS, SERVICES
from infra.sandbox.cluster.api.store import Key, Store, Stored

_RETURNS_THE_OBJECT = (PODS, SERVICES)  # the others answer with a Status


class Deletion:
    def __init__(self, store: Store, objects: Objects, clock: Clock) -> None:
        self._store, self._objects, self._clock = store, objects, clock

    def delete(self, request: ResourceRequest) -> dict[str, Any]:
        """Deletes the named object or begins to; the answer's body. Raises 400, 404 or 409 (a precondition)."""
        options = _options(request)
        key, stored = self._objects.existing(request)
        _check_preconditions(request, key, stored, options)
        if request.is_dry_run:
            return stored.document
        last, is_gone = self._begin(key, stored, options)
        if is_gone and key.resource not in _RETURNS_THE_OBJECT:
            return _success(key, last)
        return last.document

    def delete_all(self, request: ResourceRequest, keys: list[Key]) -> None:
        """Deletes what a collection's selector chose."""
        options = _options(request)
        for key in keys:
            stored = self._store.get(key)
            if stored is not None:
                self._begin(key, stored, options)

    def _begin(self, key: Key, stored: Stored, options: dict[str, Any]) -> tuple[Stored, bool]:
        """The object's last or next state, and whether it is gone."""
        grace_seconds = _grace_seconds(key, stored, options)
        if grace_seconds or stored.document["metadata"].get("finalizers"):
            return self._mark(key, stored, grace_seconds), False
        if key.resource == PODS and not stored.document["metadata"].get("deletionTimestamp"):
            self._mark(key, stored, 0)  # watchers of a forced deletion see the mark as well
        if key.resource == NAMESPACES:
            self._empty_namespace(key.name)
        return self._store.delete(key), True

    def _mark(self, key: Key, stored: Stored, grace_seconds: int) -> Stored:
        metadata = stored.document["metadata"]
        if metadata.get("deletionTimestamp"):
            remaining = metadata.get("deletionGracePeriodSeconds", 0)
            if grace_seconds >= remaining:  # a grace period can only be shortened
                return stored
        document = copy.deepcopy(stored.document)
        document["metadata"] |= {
            "deletionTimestamp": rfc3339(self._clock.now() + timedelta(seconds=grace_seconds)),
            "deletionGracePeriodSeconds": grace_seconds,
        }
        return self._store.put(key, document)

    def _empty_namespace(self, namespace: str) -> None:
        # On a real cluster the namespace controller does this while the namespace is Terminating.
        for resource in self._store.resources():
            for key, _ in self._store.objects(resource):
                if key.namespace == namespace:
                    self._store.delete(key)


def _options(request: ResourceRequest) -> dict[str, Any]:
    """DeleteOptions from body and query; the body wins, as on a real server."""
    body = request.body if request.body is not None else {}
    if not isinstance(body, dict):
        raise errors.bad_request("DeleteOptions must be a JSON object")
    grace_seconds = request.whole_number("gracePeriodSeconds")
    query = {"propagationPolicy": request.query.get("propagationPolicy"), "gracePeriodSeconds": grace_seconds}
    options = {**{name: value for name, value in query.items() if value is not None}, **body}
    policy = options.get("propagationPolicy", "Orphan" if request.served == JOBS else "Background")
    if policy != "Background":
        raise errors.bad_request(f"propagationPolicy {policy} is not offered by the sandbox's cluster: use Background")
    return options


def _check_preconditions(request: ResourceRequest, key: Key, stored: Stored, options: dict[str, Any]) -> None:
    preconditions = options.get("preconditions") or {}
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        present = stored.document["metadata"][field]
        if field in preconditions and preconditions[field] != present:
            why = f"Precondition failed: {label} in precondition: {preconditions[field]}, {label} in object meta: {present}"
            raise errors.conflict(request.served, key.name, why)


def _grace_seconds(key: Key, stored: Stored, options: dict[str, Any]) -> int:
    """Only a pod that a node runs gets time to stop."""
    if key.resource != PODS:
        return 0
    document = stored.document
    if not document["spec"].get("nodeName") or document["status"].get("phase") in ("Failed", "Succeeded"):
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(document["spec"]["terminationGracePeriodSeconds"] if asked is None else asked)


def _success(key: Key, last: Stored) -> dict[str, Any]:
    details = {"name": key.name, "group": key.resource.group, "kind": key.resource.plural}
    details = {name: value for name, value in details.items() if value}
    details["uid"] = last.document["metadata"]["uid"]
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
