"""Who wrote a field of an object last, as the API server records it in `metadata.managedFields`.

Source: Kubernetes, "Server-Side Apply", section "Field management". Servers before 1.22 do not record who changed the number of
replicas through the scale subresource.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.model.kubernetes import KubernetesObject


class FieldOwner(NamedTuple):
    """`manager` is the name that the writer gave itself. `applies`: by server-side apply, so it insists on its value."""

    manager: str
    applies: bool
    time: str

    def __str__(self) -> str:
        return f"{self.manager} at {self.time}" if self.time else self.manager


def field_owners(document: KubernetesObject, *path: str) -> tuple[FieldOwner, ...]:
    """The owners of the field, or of a part of it, the latest writer first. `path` names the way to it: "spec", "replicas"."""
    entries: list[Mapping[str, Any]] = document["metadata"].get("managedFields") or []
    owners = [
        FieldOwner(entry["manager"], entry.get("operation") == "Apply", entry.get("time") or "")
        for entry in entries
        if entry.get("manager") and _holds(entry.get("fieldsV1") or {}, path)
    ]
    return tuple(sorted(owners, key=lambda owner: owner.time, reverse=True))


def last_writer(document: KubernetesObject) -> FieldOwner | None:
    """Whoever wrote any part of the object last, other than its status."""
    entries: list[Mapping[str, Any]] = document["metadata"].get("managedFields") or []
    specified = [entry for entry in entries if entry.get("subresource") != "status"]
    return next(iter(field_owners({"metadata": {"managedFields": specified}})), None)


def _holds(fields: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    for name in path:
        if f"f:{name}" not in fields:
            return False
        fields = fields[f"f:{name}"]
    return True
