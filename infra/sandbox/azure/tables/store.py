"""Tables and entities in SQLite: in memory, or in a file that survives the end of its process at any moment."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from infra.sandbox.azure.tables.entities import Properties, Property

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tables (name TEXT PRIMARY KEY COLLATE NOCASE) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS entities (
    tbl TEXT COLLATE NOCASE, pk TEXT, rk TEXT, ticks INTEGER NOT NULL, properties TEXT NOT NULL, PRIMARY KEY (tbl, pk, rk)
) WITHOUT ROWID;
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Entity(NamedTuple):
    """`ticks` is when it was written, in units of 100 ns since 1970; no two writes have the same."""

    partition: str
    row: str
    ticks: int
    properties: Properties

    @property
    def timestamp(self) -> str:
        seconds = (_EPOCH + timedelta(seconds=self.ticks // 10_000_000)).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{seconds}.{self.ticks % 10_000_000:07d}Z"

    @property
    def etag(self) -> str:
        return f"W/\"datetime'{quote(self.timestamp)}'\""


class Store:
    """One account's tables. Used from one thread at a time; a `transaction` happens as a whole or not at all."""

    def __init__(self, file: Path | None = None) -> None:
        self._sqlite = sqlite3.connect(file or ":memory:", isolation_level=None, check_same_thread=False)
        self._sqlite.execute("PRAGMA journal_mode = WAL")
        self._sqlite.execute("PRAGMA synchronous = FULL")
        self._sqlite.executescript(_SCHEMA)
        self._last_ticks = self._sqlite.execute("SELECT COALESCE(MAX(ticks), 0) FROM entities").fetchone()[0]

    def close(self) -> None:
        self._sqlite.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._sqlite.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sqlite.execute("ROLLBACK")
            raise
        self._sqlite.execute("COMMIT")

    def tables(self) -> list[str]:
        return [name for (name,) in self._sqlite.execute("SELECT name FROM tables ORDER BY name")]

    def create_table(self, name: str) -> bool:
        """False when there is one of that name."""
        return self._sqlite.execute("INSERT OR IGNORE INTO tables VALUES (?)", (name,)).rowcount == 1

    def delete_table(self, name: str) -> bool:
        """False when there is none."""
        with self.transaction():
            self._sqlite.execute("DELETE FROM entities WHERE tbl = ?", (name,))
            return self._sqlite.execute("DELETE FROM tables WHERE name = ?", (name,)).rowcount == 1

    def has_table(self, name: str) -> bool:
        return self._sqlite.execute("SELECT 1 FROM tables WHERE name = ?", (name,)).fetchone() is not None

    def get(self, table: str, partition: str, row: str) -> Entity | None:
        query = "SELECT pk, rk, ticks, properties FROM entities WHERE tbl = ? AND pk = ? AND rk = ?"
        found = self._sqlite.execute(query, (table, partition, row)).fetchone()
        return _entity(*found) if found else None

    def put(self, table: str, partition: str, row: str, properties: Properties) -> Entity:
        self._last_ticks = max(time.time_ns() // 100, self._last_ticks + 1)
        entity = Entity(partition, row, self._last_ticks, properties)
        values = (table, partition, row, entity.ticks, json.dumps(properties))
        self._sqlite.execute("INSERT OR REPLACE INTO entities VALUES (?, ?, ?, ?, ?)", values)
        return entity

    def delete(self, table: str, partition: str, row: str) -> None:
        self._sqlite.execute("DELETE FROM entities WHERE tbl = ? AND pk = ? AND rk = ?", (table, partition, row))

    def scan(self, table: str, partition: str | None, start: tuple[str, str]) -> Iterator[Entity]:
        """In the order of the keys, from `start` on; only of one partition where it is given."""
        query = "SELECT pk, rk, ticks, properties FROM entities WHERE tbl = ? AND (pk, rk) >= (?, ?) AND (? IS NULL OR pk = ?)"
        found = self._sqlite.execute(f"{query} ORDER BY pk, rk", (table, *start, partition, partition))
        yield from (_entity(*each) for each in found)


def _entity(partition: str, row: str, ticks: int, properties: str) -> Entity:
    return Entity(partition, row, ticks, {name: Property(*each) for name, each in json.loads(properties).items()})
