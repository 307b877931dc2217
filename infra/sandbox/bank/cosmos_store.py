"""The bank's reads and conditional writes on Cosmos DB, one request each; nothing is tried again here.

Like ScalarDB it writes through the stored procedure of the container: one that lacks it cannot be written to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from infra.sandbox.azure.cosmos.client import ABSENT, AccountConnection, CosmosError
from infra.sandbox.bank.cosmos_documents import STORED_PROCEDURE, document_of, key_of, place_of, row_of
from infra.sandbox.bank.records import Account, Record, Row, TransactionState, Version, coordinator_row
from infra.sandbox.bank.store import StorageError
from infra.sandbox.bank.tables import COORDINATOR_TABLE

T = TypeVar("T")


class CosmosStore:
    """A Store. `where` names the account in messages."""

    def __init__(self, connection: AccountConnection, where: str) -> None:
        self._connection = connection
        self._where = where

    def read(self, account: Account) -> Record:
        row = self._row(account.table, account.number)
        if row is None:
            raise StorageError.no_such_account(account, f"container {account.table} of {self._where}")
        return Record.from_row(account.table, row)

    def replace(self, record: Record, was: Version) -> bool:
        """The condition of ScalarDB's query: the same record is still there, in the version that was read."""
        unchanged = {
            "values.tx_id": was.tx_id,
            "values.tx_version": was.tx_version,
            "values.tx_state": int(was.tx_state),
        }
        return self._mutate(record.account.table, record.as_row(), unchanged)

    def decide(self, tx_id: str, state: TransactionState, at_ms: int) -> bool:
        return self._mutate(COORDINATOR_TABLE, coordinator_row(tx_id, state, at_ms), ABSENT)

    def decision(self, tx_id: str) -> TransactionState | None:
        row = self._row(COORDINATOR_TABLE, tx_id)
        return None if row is None else TransactionState(row["tx_state"])

    def _row(self, table: str, key: int | str) -> Row | None:
        database, container = place_of(table)
        text = key_of(key)
        document = self._ask("read", table, lambda: self._connection.read(database, container, text, text))
        return None if document is None else row_of(table, document)

    def _mutate(self, table: str, row: Row, expect: dict[str, Any] | str) -> bool:
        database, container = place_of(table)
        document = document_of(table, row)
        mutation = {"id": document["id"], "document": document, "expect": expect}
        return self._ask(
            "write",
            table,
            lambda: self._connection.execute(database, container, STORED_PROCEDURE, document["id"], [mutation]),
        )

    def _ask(self, operation: str, table: str, request: Callable[[], T]) -> T:
        try:
            return request()
        except CosmosError as error:
            raise StorageError(f"{self._where} did not {operation} container {table}: {error}") from error
