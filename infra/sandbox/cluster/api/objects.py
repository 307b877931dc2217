"""The rules of a write: identity, versions, generation, what a status may change, and optimistic locking."""

from __future__ import annotations

import base64
import binascii
import copy
import ipaddress
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.clock import Clock, rfc3339
from infra.sandbox.cluster.api.defaults import canonical, initial_status, set_defaults
from infra.sandbox.cluster.api.job_selectors import select_its_pods
from infra.sandbox.cluster.api.patches import json_patch, merge_patch
from infra.sandbox.cluster.api.requests import ResourceRequest
from infra.sandbox.cluster.api.resources import DEPLOYMENTS, JOBS, NAMESPACES, SERVICES, Resource
from infra.sandbox.cluster.api.store import Key, Store, Stored
from infra.sandbox.cluster.api.strategic import strategic_merge
from infra.sandbox.cluster.api.validation import check_change, check_new

NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words by accident (apimachinery/util/rand)
PATCH_TYPES: dict[str, Callable[[Any, Any], Any]] = {
    "application/json-patch+json": json_patch,
    "application/merge-patch+json": merge_patch,
    "application/strategic-merge-patch+json": strategic_merge,
}
_SERVICE_NETWORK = ipaddress.ip_network("10.100.0.0/16")


class Objects:
    """Creates and changes objects in a store. Deletion has a module of its own."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._service_addresses = _SERVICE_NETWORK.hosts()

    def existing(self, request: ResourceRequest) -> tuple[Key, Stored]:
        """The object that the request names. Raises 404."""
        key = key_of(request)
        stored = self._store.get(key)
        if stored is None:
            raise errors.not_found(request.served, key.name)
        return key, stored

    def create(self, request: ResourceRequest) -> Stored:
        """Stores a new object. Raises 400, 404 (no such namespace), 409 AlreadyExists or 422."""
        resource = request.served
        document = copy.deepcopy(object_body(request))
        metadata = document["metadata"]
        if metadata.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            suffix = "".join(secrets.choice(NAME_ALPHABET) for _ in range(5))
            metadata["name"] = metadata["generateName"][:58] + suffix
        self._place(request, metadata)
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
            metadata.pop(name, None)
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": rfc3339(self._clock.now())}
        if resource.counts_generation:
            metadata["generation"] = 1
        if resource.has_status:
            document["status"] = initial_status(resource)
        self._complete(resource, document)
        if resource == JOBS:
            select_its_pods(document)
        check_new(resource, document)
        key = Key(resource, metadata.get("namespace"), metadata["name"])
        if self._store.get(key) is not None:
            raise errors.already_exists(resource, key.name)
        return Stored(0, document) if request.is_dry_run else self._store.put(key, document)

    def update(self, request: ResourceRequest) -> Stored:
        """PUT of an object or of its status. Raises 404, 409 Conflict or 422."""
        key, old = self.existing(request)
        document = copy.deepcopy(object_body(request))
        uid = document["metadata"].get("uid")
        if uid and uid != old.document["metadata"]["uid"]:
            why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {_uid(old)}"
            raise errors.conflict(request.served, key.name, why)
        return self.replace(request, key, old, document)

    def patch(self, request: ResourceRequest) -> Stored:
        """PATCH of an object or of its status, in one of three patch types. Raises 404, 409, 415 or 422."""
        key, old = self.existing(request)
        return self.replace(request, key, old, patched(request, old.document))

    def replace(self, request: ResourceRequest, key: Key, old: Stored, document: dict[str, Any]) -> Stored:
        """Stores `document` in place of `old`, or returns `old` when nothing is different."""
        resource, before = request.served, old.document
        metadata = document.setdefault("metadata", {})
        if not isinstance(metadata, dict):
            raise errors.bad_request("the object provided is unrecognized: metadata must be an object")
        if metadata.get("name", key.name) != key.name:
            raise errors.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({key.name})"
            )
        check_version(resource, key.name, metadata, old)
        document = _with_fixed_fields(resource, request.subresource, before, document)
        self._complete(resource, document)
        check_change(resource, before, document)
        _count_generation(request, before, document)
        document["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
        if document == before:
            return old
        if request.is_dry_run:
            return Stored(old.version, document)
        stored = self._store.put(key, document)
        if _lost_its_last_finalizer(before, document):
            return self._store.delete(key)
        return stored

    def bind(self, request: ResourceRequest) -> None:
        """POST of pods/binding: the scheduler's decision. Raises 409 when the pod has a node already."""
        key, old = self.existing(request)
        node = ((request.body or {}).get("target") or {}).get("name")
        if not node:
            raise errors.bad_request("a Binding needs target.name, the node's name")
        if old.document["spec"].get("nodeName"):
            why = f'pod {key.name} is already assigned to node "{old.document["spec"]["nodeName"]}"'
            raise errors.conflict(request.served, key.name, why)
        document = copy.deepcopy(old.document)
        document["spec"]["nodeName"] = node
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": rfc3339(self._clock.now())}
        document["status"]["conditions"] = [scheduled]
        self._store.put(key, document)

    def _place(self, request: ResourceRequest, metadata: dict[str, Any]) -> None:
        if not request.served.namespaced:
            metadata.pop("namespace", None)
            return
        if request.namespace is None:
            raise errors.method_not_allowed()
        if metadata.get("namespace", request.namespace) != request.namespace:
            raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if self._store.get(Key(NAMESPACES, None, request.namespace)) is None:
            raise errors.not_found(NAMESPACES, request.namespace)
        metadata["namespace"] = request.namespace

    def _complete(self, resource: Resource, document: dict[str, Any]) -> None:
        document |= {"apiVersion": resource.api_version, "kind": resource.kind}
        canonical(document)
        set_defaults(resource, document)
        if resource.kind == "Secret" and (text := document.pop("stringData", None)):
            encoded = {name: base64.b64encode(value.encode()).decode() for name, value in text.items()}
            document["data"] = {**(document.get("data") or {}), **encoded}
        if resource.kind == "Secret":
            _check_base64(document)
        if resource == SERVICES and document["spec"].get("type") != "ExternalName" and not document["spec"].get("clusterIP"):
            document["spec"]["clusterIP"] = str(next(self._service_addresses))


def key_of(request: ResourceRequest) -> Key:
    resource = request.served
    namespace = request.namespace if resource.namespaced else None
    if resource.namespaced and namespace is None:
        raise errors.path_not_found()
    return Key(resource, namespace, request.name or "")


def object_body(request: ResourceRequest) -> dict[str, Any]:
    """The body of a create or update. Raises 400 for anything that is not an object of the right kind."""
    body, resource = request.body, request.served
    if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
        raise errors.bad_request("the object provided is unrecognized (must be a JSON object with metadata)")
    for field, expected in (("apiVersion", resource.api_version), ("kind", resource.kind)):
        if body.get(field, expected) != expected:
            raise errors.bad_request(
                f"the {field} in the data ({body[field]}) does not match the expected {field} ({expected})"
            )
    return {**body, "metadata": body.get("metadata", {})}


def patched(request: ResourceRequest, document: dict[str, Any]) -> dict[str, Any]:
    """`document` after the request's patch, as a copy. Raises 415 for an unknown type, 422 when it does not apply."""
    apply = PATCH_TYPES.get(request.content_type)
    if apply is None:
        raise errors.unsupported_media_type(tuple(PATCH_TYPES))
    if apply is not json_patch and not isinstance(request.body, dict):
        raise errors.bad_request("the patch must be a JSON object")
    try:
        result = apply(document, request.body)
    except (ValueError, AttributeError, TypeError) as error:
        raise errors.unprocessable(request.served, request.name or "") from error
    if not isinstance(result, dict):
        raise errors.unprocessable(request.served, request.name or "")
    return copy.deepcopy(result)


def check_version(resource: Resource, name: str, metadata: dict[str, Any], old: Stored) -> None:
    """Optimistic locking: a resourceVersion that is given must be the present one. Raises 409 Conflict."""
    if metadata.get("resourceVersion") not in (None, "", "0", old.document["metadata"]["resourceVersion"]):
        raise errors.conflict(resource, name)


def _with_fixed_fields(
    resource: Resource, subresource: str | None, before: dict[str, Any], document: dict[str, Any]
) -> dict[str, Any]:
    """Puts back what this kind of write may not change."""
    fixed = before["metadata"]
    if subresource == "status":
        metadata = {**document["metadata"], "labels": fixed.get("labels")}
        document = {**copy.deepcopy(before), "metadata": metadata, "status": document.get("status") or {}}
    elif resource.has_status:
        document["status"] = copy.deepcopy(before.get("status") or {})
    if resource == SERVICES:
        document["spec"].setdefault("clusterIP", before["spec"].get("clusterIP"))
    metadata = document["metadata"]
    metadata.setdefault("uid", fixed["uid"])
    for name in ("name", "namespace", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata.pop(name, None)
        if name in fixed:
            metadata[name] = fixed[name]
    return document


def _count_generation(request: ResourceRequest, before: dict[str, Any], document: dict[str, Any]) -> None:
    # Its controller notes a Deployment's revision in an annotation, through /status: that must not count.
    if not request.served.counts_generation or request.subresource == "status":
        return
    moved = document["spec"] != before["spec"]
    if request.served == DEPLOYMENTS:
        moved = moved or document["metadata"].get("annotations") != before["metadata"].get("annotations")
    document["metadata"]["generation"] = before["metadata"]["generation"] + moved


def _lost_its_last_finalizer(before: dict[str, Any], document: dict[str, Any]) -> bool:
    """Whether this write ends what a deletion began."""
    was_held = bool(before["metadata"].get("deletionTimestamp") and before["metadata"].get("finalizers"))
    return was_held and not document["metadata"].get("finalizers")


def _check_base64(document: dict[str, Any]) -> None:
    for name, value in (document.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise errors.bad_request(f'Secret in version "v1" cannot be handled: data[{name}] is not base64') from error


def _uid(stored: Stored) -> str:
    return str(stored.document["metadata"]["uid"])
