"""The form in which Kubernetes objects travel between the rooms: dicts as the API's JSON has them, never typed models, whose
import alone costs more than a whole pause (docs/adr/0003)."""

from __future__ import annotations

from typing import Any, NamedTuple

KubernetesObject = dict[str, Any]


class ObjectList(NamedTuple):
    """The items of a list call and the `resourceVersion` of the list, from which a watch can go on."""

    items: tuple[KubernetesObject, ...]
    resource_version: str


class WatchEvent(NamedTuple):
    """`type` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: KubernetesObject
