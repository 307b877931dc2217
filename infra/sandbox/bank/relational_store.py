"""The bank's reads and conditional writes on a relational database, one statement each; nothing is tried again here.

The keys are the values of ScalarDB's partition key columns as text. Columns that a row does not have are NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from infra.sandbox.bank.records import Account, Record, Row, TransactionState, Version, coordinator_row
from infra.sandbox.bank.store import StorageError
from infra.sandbox.bank.tables import COORDINATOR_TABLE, schema_of
from infra.sandbox.relational.client import ABSENT, Connection, DatabaseError

T = TypeVar("T")


class RelationalStore:
    """A Store. `where` names the database in messages."""

    def __init__(self, connection: Connection, where: str) -> None:
        self._connection = connection
        self._where = where

    def read(self, account: Account) -> Record:
        row = self._ask("read", account.table, lambda: self._connection.get(account.table, str(account.number)))
        if row is None:
            raise StorageError.no_such_account(account, f"table {account.table} on {self._where}")
        return Record.from_row(account.table, row)

    def replace(self, record: Record, was: Version) -> bool:
        """The condition of ScalarDB's UPDATE: the same record is still there, in the version that was read."""
        unchanged = {"tx_id": was.tx_id, "tx_version": was.tx_version, "tx_state": int(was.tx_state)}
        return self._put(record.account.table, record.as_row(), unchanged)

    def decide(self, tx_id: str, state: TransactionState, at_ms: int) -> bool:
        return self._put(COORDINATOR_TABLE, coordinator_row(tx_id, state, at_ms), ABSENT)

    def decision(self, tx_id: str) -> TransactionState | None:
        row = self._ask("read", COORDINATOR_TABLE, lambda: self._connection.get(COORDINATOR_TABLE, tx_id))
        return None if row is None else TransactionState(row["tx_state"])

    def _put(self, table: str, row: Row, expect: dict[str, Any] | str) -> bool:
        whole = whole_row(table, row)
        return self._ask("write", table, lambda: self._connection.put(table, key_of(table, row), whole, expect))

    def _ask(self, operation: str, table: str, statement: Callable[[], T]) -> T:
        try:
            return statement()
        except DatabaseError as error:
            raise StorageError(f"The database at {self._where} did not {operation} table {table}: {error}") from error


def key_of(table: str, row: Row) -> str:
    """The key of a row of an account table or the Coordinator table."""
    return str(row[schema_of(table).partition_key])


def whole_row(table: str, row: Row) -> dict[str, Any]:
    """The row with all columns of its table."""
    return {column: row.get(column) for column in schema_of(table).columns}
