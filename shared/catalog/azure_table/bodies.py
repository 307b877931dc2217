"""Records of any size in entities of at most 1 MiB: as text, compressed, or compressed in parts (see the package)."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import msgspec

from shared.catalog.azure_table.keys import Key
from shared.catalog.azure_table.table import Refused, Stored, Table
from shared.model.errors import Unreachable

PROPERTY_BYTES = 64 * 1024
"""Of a binary property: "Understanding the Table service data model"."""
TEXT_BYTES = 16 * 1024
"""Up to this size a record stays readable in Storage Explorer; a text property holds 64 KiB of UTF-16."""
PACKED_BYTES = 8 * PROPERTY_BYTES
"""Leaves room in the entity's 1 MiB, and in the 4 MiB of a transaction, to which it goes as base64."""
PART_BYTES = 12 * PROPERTY_BYTES
PACKED = "packed_"
READ_TRIES = 5


class PartsGone(Exception):
    """The parts were removed after the entity that points to them was read: it points elsewhere by now."""


def write_body(table: Table, record: object) -> dict[str, Any]:
    """The properties that hold `record`; parts are stored at once, before anything points to them."""
    text = msgspec.json.encode(record)
    if len(text) <= TEXT_BYTES:
        return {"record": text.decode()}
    packed = zlib.compress(text)
    if len(packed) <= PACKED_BYTES:
        return _properties(packed)
    version, parts = uuid4().hex, _cut(packed, PART_BYTES)
    for number, part in enumerate(parts):
        table.put(_part(version, number), _properties(part), old=None)
    return {"version": version, "parts": len(parts)}


def read_body(table: Table, values: Mapping[str, Any]) -> Any:
    """The record of an entity. Raises PartsGone."""
    if "record" in values:
        return msgspec.json.decode(values["record"])
    packed = b"".join(_parts(table, values)) if "parts" in values else _packed(values)
    return msgspec.json.decode(zlib.decompress(packed))


def _parts(table: Table, values: Mapping[str, Any]) -> Iterator[bytes]:
    for number in range(values["parts"]):
        part = table.get(_part(values["version"], number))
        if part is None:
            raise PartsGone
        yield _packed(part.values)


def discard_body(table: Table, values: Mapping[str, Any]) -> None:
    """Removes the parts that an entity pointed to which is not stored (any more)."""
    for number in range(values.get("parts", 0)):
        table.delete(_part(values["version"], number))


def put_record(table: Table, key: Key, record: object, values: Mapping[str, Any], old: Stored | None) -> None:
    """Writes an entity with its record in the place of `old`, then removes the parts it replaces. Raises Refused.

    Parts are removed only when it is certain that nothing points to them: after an error without an answer the write may have
    happened, and a repeated write is refused because of its own first time.
    """
    body = write_body(table, record)
    try:
        table.put(key, {**values, **body}, old)
    except Refused:
        if points_to(table, key, body):
            return
        discard_body(table, body)
        raise
    if old:
        discard_body(table, old.values)


def points_to(table: Table, key: Key, body: Mapping[str, Any]) -> bool:
    """Whether the stored entity points to these parts."""
    if "version" not in body:
        return False
    stored = table.get(key)
    return stored is not None and stored.values.get("version") == body["version"]


def get_record(table: Table, key: Key) -> tuple[Stored, Any] | None:
    """An entity and its record; both of one version."""
    for _ in range(READ_TRIES):
        stored = table.get(key)
        if stored is None:
            return None
        try:
            return stored, read_body(table, stored.values)
        except PartsGone:
            continue
    raise Unreachable(
        f"{key.row} in table {table.name} was rewritten {READ_TRIES} times while it was being read.", hint="Read it again."
    )


def records(table: Table, found: Iterable[Stored]) -> Iterator[Any]:
    """The record of each entity of a query; one that has gone since the query is left out."""
    for stored in found:
        try:
            yield read_body(table, stored.values)
        except PartsGone:
            if again := get_record(table, stored.key):
                yield again[1]


def _properties(packed: bytes) -> dict[str, bytes]:
    return {f"{PACKED}{number:02d}": part for number, part in enumerate(_cut(packed, PROPERTY_BYTES))}


def _packed(values: Mapping[str, Any]) -> bytes:
    return b"".join(values[name] for name in sorted(values) if name.startswith(PACKED))


def _cut(whole: bytes, size: int) -> list[bytes]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def _part(version: str, number: int) -> Key:
    return Key(f"body:{version}", f"{number:06d}")
