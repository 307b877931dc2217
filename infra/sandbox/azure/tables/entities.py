"""Entities: types, limits and JSON form of their properties.

Sources: "Understanding the Table service data model" (types, limits, how the size is counted), "Payload format for
Table service operations" (JSON; a property's type is in a property `<name>@odata.type`).
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from datetime import datetime
from typing import Any, NamedTuple

from infra.sandbox.azure.tables.refusals import TableRefusal, invalid_input, out_of_range

KEY_BYTES, PROPERTY_BYTES, ENTITY_BYTES = 1024, 64 * 1024, 1024 * 1024
MOST_PROPERTIES = 252
LONGEST_NAME = 255
SYSTEM = ("PartitionKey", "RowKey", "Timestamp")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORBIDDEN_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_FIXED_BYTES = {"Edm.DateTime": 8, "Edm.Guid": 16, "Edm.Double": 8, "Edm.Int32": 4, "Edm.Int64": 8, "Edm.Boolean": 1}
_SAID_BY_JSON = ("Edm.String", "Edm.Int32", "Edm.Double", "Edm.Boolean")
"""Types that a reader sees by the JSON value; the others are annotated in an answer."""


class Property(NamedTuple):
    """`value` is in its JSON form: an Int64, a Guid, a DateTime and a Binary are texts."""

    edm: str
    value: Any


Properties = dict[str, Property]


def read(document: Any) -> tuple[str | None, str | None, Properties]:
    """PartitionKey, RowKey (None where the document has none) and the other properties. Raises TableRefusal."""
    if not isinstance(document, dict):
        raise invalid_input()
    types = {name.removesuffix("@odata.type"): edm for name, edm in document.items() if name.endswith("@odata.type")}
    found: Properties = {}
    for name, value in document.items():
        if "@" in name or name.startswith("odata.") or name == "Timestamp" or value is None:
            continue
        found[name] = _property(name, types.get(name), value)
    keys = [_key(found.pop(name, None)) for name in ("PartitionKey", "RowKey")]
    if len(found) > MOST_PROPERTIES:
        message = (
            f"The entity contains more properties than allowed. Each entity can include up to {MOST_PROPERTIES} properties."
        )
        raise TableRefusal(400, "TooManyProperties", message)
    return keys[0], keys[1], found


def _key(given: Property | None) -> str | None:
    if given is None:
        return None
    if given.edm != "Edm.String":
        raise invalid_input()
    check_key(given.value)
    return str(given.value)


def check_key(key: str) -> None:
    if _FORBIDDEN_IN_KEYS.search(key):
        raise out_of_range()
    if _utf16(key) > KEY_BYTES:
        raise TableRefusal(400, "KeyValueTooLarge", "The specified key is too large.")


def check_size(partition: str, row: str, properties: Properties) -> None:
    """4 bytes + the keys in UTF-16 + for each property 8 bytes, its name in UTF-16 and its value."""
    total = 4 + _utf16(partition + row) + sum(8 + _utf16(name) + _bytes(each) for name, each in properties.items())
    if total > ENTITY_BYTES:
        message = "The entity is larger than the maximum allowed size (1MB)."
        raise TableRefusal(400, "EntityTooLarge", message)


def written(partition: str, row: str, timestamp: str, etag: str, properties: Properties, select: list[str]) -> dict[str, Any]:
    """The entity with minimal metadata; `select` is empty for all properties. A selected one that is missing is null."""
    document: dict[str, Any] = {"odata.etag": etag}
    system = {"PartitionKey": partition, "RowKey": row, "Timestamp": timestamp}
    for name in select or [*SYSTEM, *properties]:
        if name in system:
            document[name] = system[name]
        elif name in properties:
            edm, value = properties[name]
            if edm not in _SAID_BY_JSON or (edm == "Edm.Double" and isinstance(value, str)):
                document[f"{name}@odata.type"] = edm
            document[name] = value
        else:
            document[name] = None
    if "Timestamp" in document:
        document["Timestamp@odata.type"] = "Edm.DateTime"
    return document


def _property(name: str, edm: str | None, value: Any) -> Property:
    if len(name) > LONGEST_NAME:
        raise TableRefusal(400, "PropertyNameTooLong", "The property name exceeds the maximum allowed length (255).")
    if not _NAME.fullmatch(name):
        raise TableRefusal(400, "PropertyNameInvalid", f"The property name '{name}' is invalid.")
    kind = edm or _guessed(value)
    checked = Property(kind, _value(kind, value))
    if kind in ("Edm.String", "Edm.Binary") and name not in SYSTEM and _bytes(checked) - 4 > PROPERTY_BYTES:
        message = (
            "The property value exceeds the maximum allowed size (64KB). If the property value is a string, it is UTF-16 "
            "encoded and the maximum number of characters should be 32K or less."
        )
        raise TableRefusal(400, "PropertyValueTooLarge", message)
    return checked


def _guessed(value: Any) -> str:
    match value:
        case bool():
            return "Edm.Boolean"
        case int():
            return "Edm.Int32"
        case float():
            return "Edm.Double"
        case str():
            return "Edm.String"
    raise invalid_input()


def _value(edm: str, value: Any) -> Any:
    try:
        match edm, value:
            case "Edm.String", str():
                return value
            case "Edm.Boolean", bool():
                return value
            case "Edm.Int32", int() if -(2**31) <= value < 2**31:
                return value
            case "Edm.Int64", str() if -(2**63) <= int(value) < 2**63:
                return value
            case "Edm.Double", int() | float() | "NaN" | "Infinity" | "-Infinity":
                return value
            case "Edm.Guid", str():
                return str(uuid.UUID(value))
            case "Edm.DateTime", str() if datetime.fromisoformat(value).year >= 1601:
                return value
            case "Edm.Binary", str():
                base64.b64decode(value, validate=True)
                return value
    except (ValueError, binascii.Error):
        pass  # refused below, as every other value that is not of its type
    raise invalid_input(f"An error occurred while processing this request: the value is not of type {edm}.")


def _bytes(given: Property) -> int:
    match given.edm:
        case "Edm.String":
            return 4 + _utf16(given.value)
        case "Edm.Binary":
            return 4 + len(base64.b64decode(given.value))
    return _FIXED_BYTES[given.edm]


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass"))
