"""Merge patch (RFC 7396) and JSON patch (RFC 6902) as pure functions; `strategic` has Kubernetes' own kind."""

from __future__ import annotations

import copy
from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """Objects merge, null removes, everything else, lists included, is replaced."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def json_patch(target: Any, operations: Any) -> Any:
    """Applies the operations in order. Raises ValueError when one does not apply or a test fails."""
    if not isinstance(operations, list):
        raise ValueError("a JSON patch is a list of operations")  # noqa: TRY004  the API answers it like any bad patch
    document = copy.deepcopy(target)
    for operation in operations:
        try:
            document = _applied(document, operation)
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(f"the operation does not apply: {operation}") from error
    return document


def _applied(document: Any, operation: dict[str, Any]) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "test":
            if _at(document, path) != operation["value"]:
                raise ValueError(f"testing value {operation['path']} failed")
            return document
        case "add":
            return _added(document, path, copy.deepcopy(operation["value"]))
        case "replace":
            _at(document, path)  # it must exist
            return _added(_removed(document, path), path, copy.deepcopy(operation["value"]))
        case "remove":
            return _removed(document, path)
        case "move":
            source = _pointer(operation["from"])
            value = _at(document, source)
            return _added(_removed(document, source), path, value)
        case "copy":
            return _added(document, path, copy.deepcopy(_at(document, _pointer(operation["from"]))))
    raise ValueError(f"unknown operation: {operation['op']}")


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(f"not a JSON pointer: {text}")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _at(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document[_index(step, document)] if isinstance(document, list) else document[step]
    return document


def _added(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _at(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        at = len(parent) if last == "-" else _index(last, parent, one_past_the_end=True)
        parent.insert(at, value)
    else:
        parent[last] = value
    return document


def _removed(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent = _at(document, path[:-1])
    if isinstance(parent, list):
        del parent[_index(path[-1], parent)]
    else:
        del parent[path[-1]]
    return document


def _index(step: str, items: list[Any], *, one_past_the_end: bool = False) -> int:
    if not step.isdecimal():  # "-1" would otherwise mean the last item in Python
        raise KeyError(step)
    at = int(step)
    if at >= len(items) + one_past_the_end:
        raise IndexError(step)
    return at
