"""A client of the sandbox's relational databases: `SqlClient(url).connect(host, port, user, password)`, then statements.

Like a driver it knows host names only; `url` is where all of the sandbox's databases answer, because their host names
resolve to nothing on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import urllib3

ABSENT = "absent"
"""As `expect`: there must be no such row."""

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
_UNREACHABLE = ("UnknownHost", "NotAvailable", "WrongPort")


class DatabaseError(Exception):
    """`code`: AccessDenied, ReadOnly, NoSuchTable, BadRequest; or one of those of its subclasses."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class DatabaseUnreachable(DatabaseError):
    """No database answers at the host: UnknownHost, NotAvailable or WrongPort. Nothing was written."""


class OutcomeUnknown(DatabaseError):
    """NoAnswer: the connection broke, or the answer did not come in time; a write may or may not have happened."""


class SqlClient:
    """One per process; its connections may be used by many threads."""

    def __init__(self, url: str, connections: int = 32) -> None:
        self._url = url.rstrip("/") + "/sandbox/sql"
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        self._pool = urllib3.PoolManager(maxsize=connections, timeout=timeout, retries=False)

    def connect(self, host: str, port: int, user: str, password: str) -> Connection:
        """Asks nothing yet: each statement finds the database that has the host name at that moment."""
        return Connection(self, {"host": host, "port": port, "user": user, "password": password})

    def run(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """One request of the data plane as it is; DatabaseError and its subclasses."""
        try:
            response = self._pool.request("POST", self._url, body=json.dumps(statement).encode())
        except urllib3.exceptions.HTTPError as error:
            raise OutcomeUnknown("NoAnswer", f"No answer from {self._url} for {statement['host']}: {error}") from error
        try:
            answer: dict[str, Any] = json.loads(response.data)
        except ValueError:
            text = response.data[:200].decode(errors="replace")
            raise OutcomeUnknown("NoAnswer", f"{self._url} answered {response.status}: {text}") from None
        if "error" in answer:
            kind = DatabaseUnreachable if answer["error"] in _UNREACHABLE else DatabaseError
            raise kind(answer["error"], answer.get("message", ""))
        return answer

    def close(self) -> None:
        self._pool.clear()


class Connection:
    """Statements on one host name; each is atomic. All raise DatabaseError and its subclasses."""

    def __init__(self, client: SqlClient, credentials: dict[str, Any]) -> None:
        self._client, self._credentials = client, credentials

    def get(self, table: str, key: str) -> dict[str, Any] | None:
        """The row, None when there is none."""
        row: dict[str, Any] | None = self._run("get", table=table, key=key)["row"]
        return row

    def scan(self, table: str) -> dict[str, dict[str, Any]]:
        """All rows by key, as of one moment."""
        return dict(self._run("scan", table=table)["rows"])

    def put(self, table: str, key: str, row: Mapping[str, Any], expect: Mapping[str, Any] | str | None = None) -> bool:
        """Write the whole row if `expect` holds: None always, ABSENT, or columns with their values. Whether it was written."""
        return bool(self._run("put", table=table, key=key, row=row, expect=expect)["written"])

    def delete(self, table: str, key: str, expect: Mapping[str, Any] | None = None) -> bool:
        """Whether there was such a row, as expected, and it is gone now."""
        return bool(self._run("delete", table=table, key=key, expect=expect)["written"])

    def tables(self) -> list[str]:
        return list(self._run("tables")["tables"])

    def create_table(self, table: str) -> bool:
        """False when it exists already."""
        return bool(self._run("create_table", table=table)["created"])

    def drop_table(self, table: str) -> bool:
        """False when there is none."""
        return bool(self._run("drop_table", table=table)["dropped"])

    def _run(self, operation: str, **statement: Any) -> dict[str, Any]:
        return self._client.run({**self._credentials, "operation": operation, **statement})
