"""Where each kind of object stands in the Kubernetes API, and names and labels in the form that a URL may carry.

Source: Kubernetes API concepts, "Resource URIs", and "Labels and selectors".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.model.errors import InvalidRequest

_GROUP_VERSIONS = {
    "pods": "v1",
    "services": "v1",
    "configmaps": "v1",
    "secrets": "v1",
    "deployments": "apps/v1",
    "replicasets": "apps/v1",
    "jobs": "batch/v1",
    # Every release serves v1, and it shows the objects of v2 too.
    "horizontalpodautoscalers": "autoscaling/v1",
    "scaledobjects": "keda.sh/v1alpha1",
}
"""The API group and version of each kind that the product knows; the core group has no name. KEDA's is not in every cluster."""

# A selector has no quoting and a client cleans dots out of a path, so a name that could be read as syntax is refused.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def kinds() -> tuple[str, ...]:
    """The plural names of the resources that can be read."""
    return tuple(_GROUP_VERSIONS)


def group_of(kind: str) -> str:
    """The API group of a kind, "" for the core group.

    Raises:
        ValueError: not one of `kinds()`.
    """
    return _group_version(kind).rpartition("/")[0]


def collection_path(kind: str, namespace: str) -> str:
    """The path of all objects of a kind in a namespace.

    Raises:
        ValueError: not one of `kinds()`.
        InvalidRequest: not a possible name of a namespace.
    """
    group_version = _group_version(kind)
    root = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    return f"{root}/namespaces/{_checked_name('namespace', namespace)}/{kind}"


def object_path(kind: str, namespace: str, name: str) -> str:
    """The path of one object; raises as `collection_path` does."""
    return f"{collection_path(kind, namespace)}/{_checked_name(kind.removesuffix('s'), name)}"


def label_selector(labels: Mapping[str, str]) -> str:
    """All of `labels` must match; empty for no labels.

    Raises:
        InvalidRequest: a key or value that no object can carry.
    """
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise InvalidRequest(
                f"{key}={value!r} is not a possible label.",
                hint="A value has at most 63 letters, digits, '-', '_' and '.'; check the Helm release's name in the plan.",
            )
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _group_version(kind: str) -> str:
    if kind not in _GROUP_VERSIONS:
        raise ValueError(f"{kind!r} is not one of {', '.join(_GROUP_VERSIONS)}")
    return _GROUP_VERSIONS[kind]


def _checked_name(what: str, name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    raise InvalidRequest(
        f"{name!r} is not a possible name of a {what}.",
        hint="Names have lower-case letters, digits, '-' and '.'; check the plan.",
    )
