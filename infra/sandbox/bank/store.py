"""What a transfer needs of the databases, whichever they are: four operations, each one request or nearly so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from infra.sandbox.bank.records import Account, Record, TransactionState, Version
from infra.sandbox.bank.tables import COORDINATOR_TABLE


class StorageError(RuntimeError):
    """A request to a database failed, or nobody knows whether it took effect."""

    @classmethod
    def no_such_account(cls, account: Account, where: str) -> StorageError:
        return cls(
            f"Account {account} does not exist in {where}. The bank was not seeded with that many accounts, or the table was "
            "restored without its data; compare BANK_ACCOUNTS with the seed."
        )


class Store(Protocol):
    """Safe to use from several threads. Nothing is tried again, because transfers are, as a whole."""

    def read(self, account: Account) -> Record:
        """The account's record, read consistently. Raises StorageError, also when there is none."""

    def replace(self, record: Record, was: Version) -> bool:
        """Writes the record if it is still in version `was`; whether it was. Raises StorageError."""

    def decide(self, tx_id: str, state: TransactionState, at_ms: int) -> bool:
        """Puts the transaction's Coordinator row unless it has one; whether this call decided. Raises StorageError."""

    def decision(self, tx_id: str) -> TransactionState | None:
        """What the Coordinator says of a transaction, None while it is undecided. Raises StorageError."""


class RoutedStore:
    """The tables of one bank in several databases. `stores` by name; `route` gives the name for a table."""

    def __init__(self, stores: Mapping[str, Store], route: Callable[[str], str]) -> None:
        self._stores = stores
        self._route = route

    def read(self, account: Account) -> Record:
        return self._of(account.table).read(account)

    def replace(self, record: Record, was: Version) -> bool:
        return self._of(record.account.table).replace(record, was)

    def decide(self, tx_id: str, state: TransactionState, at_ms: int) -> bool:
        return self._of(COORDINATOR_TABLE).decide(tx_id, state, at_ms)

    def decision(self, tx_id: str) -> TransactionState | None:
        return self._of(COORDINATOR_TABLE).decision(tx_id)

    def _of(self, table: str) -> Store:
        return self._stores[self._route(table)]
