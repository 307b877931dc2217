"""DynamoDB's attribute values for the few types the catalog uses. boto3's resource API would do it too, and costs a cold start
more than the whole catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = dict[str, Any]
"""An item with plain values: text, whole numbers, bytes and frozen sets of text."""


def to_attributes(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: _to_attribute(value) for name, value in item.items()}


def from_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> Item:
    return {name: _from_attribute(value) for name, value in attributes.items()}


def _to_attribute(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case frozenset():
            return {"SS": sorted(value)}
    raise TypeError(f"no attribute for a {type(value).__name__}")


def _from_attribute(attribute: Mapping[str, Any]) -> Any:
    kind, value = next(iter(attribute.items()))
    match kind:
        case "N":
            return int(value)
        case "SS":
            return frozenset(value)
    return value
