"""What a bank starts with, on whichever databases: the opening balances as one committed transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.sandbox.bank.records import Account, Record, TransactionState, Version, coordinator_row, epoch_ms
from infra.sandbox.bank.tables import ACCOUNT_TABLES, COORDINATOR_TABLE


@dataclass(frozen=True)
class Opening:
    """`accounts` in each of the account tables, each with `balance`."""

    accounts: int = 100
    balance: int = 100_000
    tables: tuple[str, ...] = ACCOUNT_TABLES

    @property
    def total(self) -> int:
        return len(self.tables) * self.accounts * self.balance

    def all_accounts(self) -> Iterator[Account]:
        for table in self.tables:
            for number in range(self.accounts):
                yield Account(table, number)


def opening_rows(opening: Opening) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The rows to write, by table, the Coordinator's included."""
    tx_id, at_ms = str(uuid.uuid4()), epoch_ms()
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in (*opening.tables, COORDINATOR_TABLE)}
    for account in opening.all_accounts():
        rows[account.table].append(_opening_record(account, opening.balance, tx_id, at_ms).as_row())
    rows[COORDINATOR_TABLE].append(coordinator_row(tx_id, TransactionState.COMMITTED, at_ms))
    return rows


def _opening_record(account: Account, balance: int, tx_id: str, at_ms: int) -> Record:
    version = Version(
        owner=f"customer-{account.number}",
        balance=balance,
        counterpart=None,
        counterpart_version=None,
        tx_id=tx_id,
        tx_state=TransactionState.COMMITTED,
        tx_version=1,
        tx_prepared_at=at_ms,
        tx_committed_at=at_ms,
    )
    return Record(account, version)
