"""Strategic merge patch: a merge patch whose lists merge item by item where Kubernetes defines a merge key.

Rules: sig-api-machinery/strategic-merge-patch.md in kubernetes/community; the keys are the `patchMergeKey` tags of the
API types that this cluster serves.
"""

from __future__ import annotations

import copy
from typing import Any

# Field name -> merge key. Where one field name means different types, the parent's field name decides.
_MERGE_KEYS = {
    "containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name", "env": "name",
    "volumeMounts": "mountPath", "volumeDevices": "devicePath", "imagePullSecrets": "name", "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey", "ownerReferences": "uid", "conditions": "type", "addresses": "type",
    "podIPs": "ip", "secrets": "name",
}  # fmt: skip
_PRIMITIVE_MERGE = frozenset({"finalizers", "podCIDRs"})
_DELETE_PRIMITIVE, _SET_ORDER, _RETAIN_KEYS = "$deleteFromPrimitiveList/", "$setElementOrder/", "$retainKeys"


def strategic_merge(target: Any, patch: Any) -> Any:
    """Applies `patch` to the object `target`; neither is changed. Raises ValueError for a malformed directive."""
    if not isinstance(patch, dict):
        raise ValueError("a strategic merge patch is an object")  # noqa: TRY004  answered like any bad patch
    return _merged_map(target if isinstance(target, dict) else {}, patch)


def _merged_map(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    directive = patch.get("$patch", "merge")
    if directive == "replace":
        return {name: copy.deepcopy(value) for name, value in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    if directive != "merge":
        raise ValueError(f"Unknown patch type {directive}")
    result = dict(target)
    if _RETAIN_KEYS in patch:
        result = {name: value for name, value in result.items() if name in patch[_RETAIN_KEYS]}
    for name, value in patch.items():
        if name.startswith(_DELETE_PRIMITIVE):
            field = name.removeprefix(_DELETE_PRIMITIVE)
            result[field] = [item for item in result.get(field) or [] if item not in value]
        elif not name.startswith("$"):
            order = patch.get(_SET_ORDER + name)
            if value is None:
                result.pop(name, None)
            else:
                result[name] = _merged_field(name, result.get(name), value, order)
    for name, order in patch.items():
        field = name.removeprefix(_SET_ORDER)
        if name.startswith(_SET_ORDER) and field not in patch and field in result:
            result[field] = _merged_field(field, result[field], [], order)
    return result


def _merged_field(name: str, target: Any, patch: Any, order: list[Any] | None) -> Any:
    if isinstance(patch, dict):
        return _merged_map(target if isinstance(target, dict) else {}, patch)
    if not isinstance(patch, list):
        return copy.deepcopy(patch)
    if name in _PRIMITIVE_MERGE:
        present = list(target or [])
        return present + [item for item in patch if item not in present]
    merge_key = _merge_key(name, [*(target or []), *patch])
    if merge_key is None:
        return copy.deepcopy(patch)
    return _merged_list(list(target or []), patch, merge_key, order)


def _merge_key(field: str, items: list[Any]) -> str | None:
    if field != "ports":
        return _MERGE_KEYS.get(field)
    # Ports of a container merge by containerPort, ports of a Service by port.
    return "containerPort" if any("containerPort" in item for item in items) else "port"


def _merged_list(target: list[Any], patch: list[Any], key: str, order: list[Any] | None) -> list[Any]:
    if any(item.get("$patch") == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if "$patch" not in item]
    merged = {item.get(key): item for item in target}
    patched: list[Any] = []  # the keys that the patch gives a value to, in its order
    for item in patch:
        if key not in item:
            raise ValueError(f"map: {item} does not contain declared merge key: {key}")
        if item.get("$patch") == "delete":
            merged.pop(item[key], None)
        else:
            merged[item[key]] = _merged_map(merged.get(item[key]) or {}, item)
            patched.append(item[key])
    if order is not None:
        patched = [item[key] for item in order if item[key] in merged]
    before = [item.get(key) for item in target]
    others = [name for name in before if name in merged and name not in patched]
    return [merged[name] for name in _interleaved(others, patched, before)]


def _interleaved(others: list[Any], patched: list[Any], before: list[Any]) -> list[Any]:
    """Both orders kept. An item of the patch that is new goes before the items that only the server had."""
    position = {name: at for at, name in enumerate(before)}
    result: list[Any] = []
    left, right = list(others), list(patched)
    while left and right:
        both_known = right[0] in position
        result.append(left.pop(0) if both_known and position[left[0]] < position[right[0]] else right.pop(0))
    return result + left + right
