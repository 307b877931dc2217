"""Journals every write, and makes writes all-or-nothing where moto leaves half of one behind.

Items are replaced, never changed in place: the history, backups and restored tables can then share them.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

from infra.sandbox.aws.dynamodb.life import LOCK, Clock, Life
from infra.sandbox.aws.dynamodb.refusals import validation
from infra.sandbox.aws.moto_names import DynamoDBBackend, DynamoType, Table
from infra.sandbox.aws.settings import Settings
from infra.sandbox.journal import Key


class _Writes:
    """Collects the writes of one request and journals them with one time when it succeeds. Used under LOCK only."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._pending: list[tuple[Life, Key, Any]] | None = None

    def add(self, life: Life, key: Key, item: Any) -> None:
        with self.together():
            assert self._pending is not None
            self._pending.append((life, key, item))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Writes inside happen at one moment, or not at all when the block raises."""
        if self._pending is not None:  # already inside: the outermost block decides
            yield
            return
        self._pending = []
        try:
            yield
            now = self._clock.now()
            for life, key, item in self._pending:
                life.journal.record(key, item, now, life.forget_before(now, self._settings.backup_skew_seconds))
        finally:
            self._pending = None


def install(settings: Settings, clock: Clock) -> None:
    """Wrap moto's four ways of writing an item: put, delete, update, transaction."""
    writes = _Writes(settings, clock)
    put_item, delete_item = Table.put_item, Table.delete_item
    update_item, transact = DynamoDBBackend.update_item, DynamoDBBackend.transact_write_items

    def journaled_put(table: Any, *args: Any, **kwargs: Any) -> Any:
        with LOCK:
            item = put_item(table, *args, **kwargs)
            writes.add(table.life, (item.hash_key, item.range_key), item)
            return item

    def journaled_delete(table: Any, hash_key: Any, range_key: Any) -> Any:
        with LOCK:
            item = delete_item(table, hash_key, range_key)
            if item is not None:
                writes.add(table.life, (hash_key, range_key), None)
            return item

    def journaled_update(backend: Any, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        with LOCK, writes.together():
            table = backend.get_table(table_name)
            place = _key(table, key)
            before = _replace(table, place, copy.deepcopy(table.get_item(*place)))
            try:
                item = update_item(backend, table_name, key, *args, **kwargs)
            except Exception:
                # moto has changed the copy, or created an item, before it found the update invalid.
                _replace(table, place, before)
                raise
            writes.add(table.life, place, item)
            return item

    def journaled_transaction(backend: Any, transact_items: Any) -> None:
        with LOCK, writes.together():
            transact(backend, transact_items)

    Table.put_item, Table.delete_item = journaled_put, journaled_delete
    DynamoDBBackend.update_item, DynamoDBBackend.transact_write_items = journaled_update, journaled_transaction
    Table.__deepcopy__ = _copy_for_rollback


def _key(table: Any, key: dict[str, Any]) -> Key:
    if set(key) != set(table.table_key_attrs):
        raise validation("The provided key element does not match the schema")
    return DynamoType(key[table.hash_key_attr]), DynamoType(key[table.range_key_attr]) if table.range_key_attr else None


def _replace(table: Any, key: Key, item: Any) -> Any:
    """Put `item` (None: nothing) under `key`, unseen by the journal; return what stood there."""
    hash_key, range_key = key
    place, inner = (table.items[hash_key], range_key) if range_key is not None else (table.items, hash_key)
    before = place.pop(inner, None)
    if item is not None:
        place[inner] = item
    return before


def _copy_for_rollback(table: Any, memo: dict[int, Any]) -> Any:
    """moto copies every table of a transaction, to put it back on failure: sharing the items makes that cheap."""
    clone = table.__class__.__new__(table.__class__)
    memo[id(table)] = clone
    for name, value in vars(table).items():
        if name == "items":
            clone.items = copy.copy(value)
            if table.has_range_key:
                for hash_key, ranges in value.items():
                    clone.items[hash_key] = dict(ranges)
        elif name in ("life", "stream_shard"):
            setattr(clone, name, value)
        else:
            setattr(clone, name, copy.deepcopy(value, memo))
    return clone
