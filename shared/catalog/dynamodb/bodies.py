"""Records of any size in items of at most 400 KB: as text, compressed, or compressed in parts (see the package's docstring)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import msgspec

from shared.catalog.dynamodb.attributes import Item
from shared.catalog.dynamodb.table import Key, Refused, Table
from shared.model.errors import Unreachable

TEXT_BYTES = 16 * 1024
"""Up to this size a record stays readable in the console; above it, compression saves write units."""
PACKED_BYTES = 256 * 1024
"""Leaves 144 KB of an item to its other attributes: the names of pods whose pause is not ours can be thousands."""
PART_BYTES = 384 * 1024
READ_TRIES = 5


class PartsGone(Exception):
    """The parts were removed after the item that points to them was read: it points elsewhere by now."""


def write_body(table: Table, record: object) -> Item:
    """The attributes that hold `record`; parts are stored at once, before anything points to them."""
    text = msgspec.json.encode(record)
    if len(text) <= TEXT_BYTES:
        return {"record": text.decode()}
    packed = zlib.compress(text)
    if len(packed) <= PACKED_BYTES:
        return {"packed": packed}
    version, parts = uuid4().hex, [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
    for number, part in enumerate(parts):
        table.put(_part(version, number), {"packed": part})
    return {"version": version, "parts": len(parts)}


def read_body(table: Table, item: Item) -> Any:
    """The record of an item. Raises PartsGone."""
    if "record" in item:
        return msgspec.json.decode(item["record"])
    packed = item["packed"] if "packed" in item else b"".join(_parts(table, item))
    return msgspec.json.decode(zlib.decompress(packed))


def _parts(table: Table, item: Item) -> Iterator[bytes]:
    for number in range(item["parts"]):
        part = table.get(_part(item["version"], number))
        if part is None:
            raise PartsGone
        yield part["packed"]


def discard_body(table: Table, item: Mapping[str, Any]) -> None:
    """Removes the parts of an item that is not stored (any more)."""
    for number in range(item.get("parts", 0)):
        table.delete(_part(item["version"], number))


def put_record(table: Table, key: Key, record: object, item: Mapping[str, Any], condition: str = "", **values: Any) -> None:
    """Writes an item with its record, then removes the parts it replaces. Raises Refused.

    Parts are removed only when it is certain that nothing points to them: after an error without an answer the write may have
    happened, and a repeated write finds its own item.
    """
    body = write_body(table, record)
    try:
        old = table.put(key, {**item, **body}, condition, **values)
    except Refused as refusal:
        if _is_stored(body, refusal.item):
            return
        discard_body(table, body)
        raise
    if old and not _is_stored(body, old):
        discard_body(table, old)


def _is_stored(body: Item, item: Item | None) -> bool:
    return item is not None and "version" in body and item.get("version") == body["version"]


def get_record(table: Table, key: Key) -> tuple[Item, Any] | None:
    """An item and its record; both of one version."""
    for _ in range(READ_TRIES):
        item = table.get(key)
        if item is None:
            return None
        try:
            return item, read_body(table, item)
        except PartsGone:
            continue
    raise Unreachable(
        f"{key.sk} in table {table.name} was rewritten {READ_TRIES} times while it was being read.", hint="Read it again."
    )


def records(table: Table, items: Iterable[Item]) -> Iterator[tuple[Item, Any]]:
    """Each item of a query with its record; one that has gone since the query is left out."""
    for item in items:
        try:
            yield item, read_body(table, item)
        except PartsGone:
            if again := get_record(table, Key(item["pk"], item["sk"])):
                yield again


def _part(version: str, number: int) -> Key:
    return Key(f"body#{version}", f"{number:06d}")
