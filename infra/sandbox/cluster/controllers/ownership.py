"""Who owns whom: controller references, and the traits of pods that controllers count."""

from __future__ import annotations

from typing import Any

from infra.sandbox.cluster.informer import Document


def controller_of(document: Document) -> dict[str, Any] | None:
    """The owner reference of the controller, if there is one."""
    references = document["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def is_controlled_by(document: Document, owner: Document) -> bool:
    reference = controller_of(document)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def reference_to(owner: Document) -> dict[str, Any]:
    """A controller reference for a new dependent of `owner`."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_active(pod: Document) -> bool:
    """Whether the pod counts as a replica: neither ended nor being deleted."""
    return "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") not in ("Succeeded", "Failed")


def is_ready(pod: Document) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
