"""The kinds of patch that the Kubernetes API knows, and their precondition.

Source: Kubernetes API concepts, "Updates to existing resources".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MERGE_PATCH = "application/merge-patch+json"
"""Objects merge, null removes, lists are replaced as a whole."""
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
"""As above, but lists such as containers and env merge by name."""
JSON_PATCH = "application/json-patch+json"
"""A list of operations; a failed `test` is an InvalidRequest."""

Patch = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def guarded(patch: Patch, resource_version: str | None) -> dict[str, Any] | list[Mapping[str, Any]]:
    """The patch with the precondition that the object is still the one of `resource_version`; without one, as it is.

    The server compares a version that a patch sets with the object's own, and answers 409 when they differ. A JSON patch
    sets it too instead of testing it, since a failed test is a 422, which says nothing about who is to blame.
    """
    if not isinstance(patch, Mapping):
        version = [{"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version}]
        return [*(version if resource_version else ()), *patch]
    if not resource_version:
        return dict(patch)
    return {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": resource_version}}
