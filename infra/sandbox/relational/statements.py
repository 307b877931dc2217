"""The data plane: one statement on one session of a database. Stands in for the wire protocols.

Body: {"host", "port", "user", "password", "operation", "table", "key", "row", "expect"}; see `Statement`. Errors are
{"error": code, "message": text}: 503 UnknownHost, NotAvailable, WrongPort; 403 AccessDenied, ReadOnly; 404 NoSuchTable;
400 BadRequest.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.sandbox.relational.volume import Volume

PATH = "/sandbox/sql"
ABSENT = "absent"
STATUS = {
    "UnknownHost": 503,
    "NotAvailable": 503,
    "WrongPort": 503,
    "AccessDenied": 403,
    "ReadOnly": 403,
    "NoSuchTable": 404,
    "BadRequest": 400,
}


class SqlError(Exception):
    """`code`: ReadOnly, NoSuchTable or BadRequest."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ConnectionRefused(Exception):
    """`code`: UnknownHost, NotAvailable, WrongPort, AccessDenied."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Session:
    """`forget_before`: history older than this can be asked for by nobody, in seconds since 1970."""

    volume: Volume
    forget_before: float
    writable: bool


class Statement:
    """One statement on one session; every one is atomic.

    get → {"row": row or null}; scan → {"rows": {key: row}}; tables → {"tables": [name]}; put, delete → {"written": bool};
    create_table → {"created": bool}; drop_table → {"dropped": bool}. `expect` makes put and delete conditional: "absent" (no
    such row), or values that columns of the row must have.
    """

    def __init__(self, session: Session, given: dict[str, Any], now: float) -> None:
        self._session, self._given, self._now = session, given, now
        self._volume = session.volume
        self._forget_before = session.forget_before
        self._operations: dict[str, Callable[[], dict[str, Any]]] = {
            "get": self._get,
            "scan": lambda: {"rows": dict(self._rows())},  # a copy: it is written out after the lock is released
            "tables": lambda: {"tables": self._volume.tables()},
            "put": self._put,
            "delete": self._delete,
            "create_table": self._create_table,
            "drop_table": self._drop_table,
        }

    def run(self) -> dict[str, Any]:
        name = self._given.get("operation")
        if name not in self._operations:
            known = ", ".join(self._operations)
            raise SqlError("BadRequest", f"operation must be one of {known}, it is {name!r}.")
        if name not in ("get", "scan", "tables") and not self._session.writable:
            raise SqlError(
                "ReadOnly", f"Cannot execute {name} in a read-only transaction: {self._given['host']} is of a reader."
            )
        return self._operations[name]()

    def _get(self) -> dict[str, Any]:
        return {"row": self._rows().get(text_of(self._given, "key"))}

    def _put(self) -> dict[str, Any]:
        row = self._given.get("row")
        if not isinstance(row, dict):
            raise SqlError("BadRequest", "row must be an object of columns and values.")
        return self._write(row)

    def _delete(self) -> dict[str, Any]:
        return self._write(None)

    def _write(self, row: dict[str, Any] | None) -> dict[str, Any]:
        rows, key = self._rows(), text_of(self._given, "key")
        written = _holds(self._given.get("expect"), rows.get(key)) and not (row is None and key not in rows)
        if written:
            self._volume.put(self._given["table"], key, row, self._now, self._forget_before)
        return {"written": written}

    def _create_table(self) -> dict[str, Any]:
        created = self._volume.rows(text_of(self._given, "table")) is None
        if created:
            self._volume.create_table(self._given["table"], self._now, self._forget_before)
        return {"created": created}

    def _drop_table(self) -> dict[str, Any]:
        dropped = self._volume.rows(text_of(self._given, "table")) is not None
        if dropped:
            self._volume.drop_table(self._given["table"], self._now, self._forget_before)
        return {"dropped": dropped}

    def _rows(self) -> dict[str, dict[str, Any]]:
        table = text_of(self._given, "table")
        rows = self._volume.rows(table)
        if rows is None:
            raise SqlError("NoSuchTable", f"Table {table} does not exist at {self._given['host']}.")
        return rows


def _holds(expect: Any, row: dict[str, Any] | None) -> bool:
    if expect is None:
        return True
    if expect == ABSENT:
        return row is None
    if not isinstance(expect, dict):
        raise SqlError("BadRequest", f'expect must be null, "{ABSENT}" or an object of columns and values.')
    return row is not None and all(row.get(column) == value for column, value in expect.items())


def parse(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body)
    except ValueError as error:
        raise SqlError("BadRequest", f"The body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise SqlError("BadRequest", "The body must be a JSON object.")
    return given


def text_of(given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise SqlError("BadRequest", f"{name} must be a text that is not empty.")
    return value
