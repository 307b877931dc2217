"""Rows as ScalarDB's DynamoDB adapter writes them, and back: the encoded key beside the columns, typed attribute values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from infra.sandbox.bank.records import Row
from infra.sandbox.bank.tables import PARTITION_KEY, encode_int_key, encode_text_key, schema_of

Item = Mapping[str, Mapping[str, Any]]

_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "S": str,
    "N": int,
    "B": bytes,
    "NULL": lambda _: None,
    "SS": sorted,
    "L": lambda values: [_plain(value) for value in values],
    "M": lambda values: {name: _plain(value) for name, value in values.items()},
}


def item_of(table: str, row: Row) -> dict[str, dict[str, Any]]:
    """The item of a row of an account table or the Coordinator table, given without the namespace prefix."""
    key = key_of(row[schema_of(table).partition_key])
    return {**key, **{name: _attribute_value(value) for name, value in row.items()}}


def key_of(value: int | str) -> dict[str, dict[str, bytes]]:
    """The key attribute for the value of a partition key column."""
    return {PARTITION_KEY: {"B": encode_text_key(value) if isinstance(value, str) else encode_int_key(value)}}


def row_of(item: Item) -> dict[str, Any]:
    """The row of an item of any of ScalarDB's tables; the encoded key is left out, because its column is there too."""
    return {name: _plain(value) for name, value in item.items() if name != PARTITION_KEY}


def _attribute_value(value: str | int | None) -> dict[str, Any]:
    if value is None:
        return {"NULL": True}
    return {"S": value} if isinstance(value, str) else {"N": str(int(value))}


def _plain(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    return _DECODERS[kind](value)
