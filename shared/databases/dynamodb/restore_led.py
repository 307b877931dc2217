"""Do a release's properties lead to tables that a restore has made beside the live ones? Somebody may have led it there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.databases.dynamodb.discovery import UNRESOLVED
from shared.databases.dynamodb.names import restored_prefix
from shared.model.storage import ReleaseStorage, Storage


def led_aside(stamp: str, region: str, storages: Sequence[ReleaseStorage]) -> tuple[str, ...]:
    """The releases that are led to tables of the restore `stamp`, or may be, each with where it says so.

    ScalarDB's tables are `<prefix><namespace>.<table>`: a prefix or a namespace that begins as the names of these tables do
    leads to them. A value that nobody could fill in may be anything.
    """
    prefix = restored_prefix(stamp)
    return tuple(
        f"{release.release} ({release.source}, storage {storage.name!r}: {text})"
        for release in storages
        for storage in release.storages
        if _may_be_here(storage, region)
        for text in _first(text for text in _beginnings(storage) if text.startswith(prefix) or _is_open(text))
    )


def _may_be_here(storage: Storage, region: str) -> bool:
    is_dynamo = storage.kind == "dynamo" or _is_open(storage.kind)
    return is_dynamo and (storage.contact_point == region or _is_open(storage.contact_point))


def _beginnings(storage: Storage) -> Iterator[str]:
    """What names of the tables of this storage begin with."""
    yield storage.namespace_prefix
    for namespace in (storage.system_namespace, storage.coordinator_namespace, *storage.namespaces):
        yield f"{storage.namespace_prefix}{namespace}."


def _is_open(text: str) -> bool:
    return any(sign in text for sign in UNRESOLVED)


def _first(texts: Iterator[str]) -> tuple[str, ...]:
    return next(((text,) for text in texts), ())
