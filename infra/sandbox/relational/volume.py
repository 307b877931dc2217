"""What an instance's disk or a cluster's volume holds: tables of rows and the master password, with their history."""

from __future__ import annotations

import copy
from typing import Any

from infra.sandbox.journal import Journal, Key

Row = dict[str, Any]
_PASSWORD: Key = ("", None)
"""Kept like a row, so a restore brings back the password of the moment; no table has an empty name."""


class Volume:
    """Rows are replaced, never changed in place: history, snapshots and restored volumes share them."""

    def __init__(self, contents: dict[Key, Any] | None = None) -> None:
        self._journal = Journal(contents)
        self._password: str = (contents or {}).get(_PASSWORD, "")
        self._tables: dict[str, dict[str, Row]] = {}
        for (table, key), held in (contents or {}).items():
            if table:
                rows = self._tables.setdefault(table, {})
                if key is not None:
                    rows[key] = held

    @property
    def password(self) -> str:
        return self._password

    def set_password(self, password: str, at: float, forget_before: float) -> None:
        self._password = password
        self._journal.record(_PASSWORD, password, at, forget_before)

    def tables(self) -> list[str]:
        return sorted(self._tables)

    def rows(self, table: str) -> dict[str, Row] | None:
        """By key; None when there is no such table. Not to be changed by the caller."""
        return self._tables.get(table)

    def create_table(self, table: str, at: float, forget_before: float) -> None:
        self._tables[table] = {}
        self._journal.record((table, None), True, at, forget_before)

    def drop_table(self, table: str, at: float, forget_before: float) -> None:
        for key in self._tables.pop(table):
            self._journal.record((table, key), None, at, forget_before)
        self._journal.record((table, None), None, at, forget_before)

    def put(self, table: str, key: str, row: Row | None, at: float, forget_before: float) -> None:
        """Write or, with None, delete one row of a table that exists."""
        kept = copy.deepcopy(row)
        if kept is None:
            self._tables[table].pop(key, None)
        else:
            self._tables[table][key] = kept
        self._journal.record((table, key), kept, at, forget_before)

    def contents_at(self, at: float) -> dict[Key, Any]:
        """Everything as it stood at `at`, to make another Volume of."""
        return self._journal.items_at(at)
