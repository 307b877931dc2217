"""Where each kind of object stands in the Kubernetes API, and names and labels in the form that a URL may carry.

Source: Kubernetes API concepts, "Resource URIs", and "Labels and selectors".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared.model.errors import InvalidRequest

_GROUPS = {
    "pods": "",
    "services": "",
    "configmaps": "",
    "secrets": "",
    "deployments": "apps",
    "replicasets": "apps",
}
"""The API group of each kind that the product reads; the core group has no name. All of them are in version v1."""

# A selector has no quoting and a client cleans dots out of a path, so a name that could be read as syntax is refused.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def kinds() -> tuple[str, ...]:
    """The plural names of the resources that can be read."""
    return tuple(_GROUPS)


def group_of(kind: str) -> str:
    """The API group of a kind, "" for the core group.

    Raises:
        ValueError: not one of `kinds()`.
    """
    if kind not in _GROUPS:
        raise ValueError(f"{kind!r} is not one of {', '.join(_GROUPS)}")
    return _GROUPS[kind]


def collection_path(kind: str, namespace: str) -> str:
    """The path of all objects of a kind in a namespace.

    Raises:
        ValueError: not one of `kinds()`.
        InvalidRequest: not a possible name of a namespace.
    """
    group = group_of(kind)
    root = f"/apis/{group}/v1" if group else "/api/v1"
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


def _checked_name(what: str, name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    raise InvalidRequest(
        f"{name!r} is not a possible name of a {what}.",
        hint="Names have lower-case letters, digits, '-' and '.'; check the plan.",
    )
