"""An account's record with its Consensus Commit metadata: the states it passes through, its row, and the Coordinator's row.

A row is a mapping from column to text, number or None; `dynamodb_items` writes it as DynamoDB has it.
Source: ScalarDB's Prepare-, Commit- and RollbackMutationComposer.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Any

from infra.sandbox.bank.tables import BEFORE, VERSION_COLUMNS

Row = Mapping[str, Any]


def epoch_ms() -> int:
    """Now, as ScalarDB stamps it."""
    return time.time_ns() // 1_000_000


class TransactionState(IntEnum):
    """ScalarDB's TransactionState. ABORTED is written to the Coordinator only."""

    PREPARED = 1
    DELETED = 2
    COMMITTED = 3
    ABORTED = 4


@dataclass(frozen=True, order=True)
class Account:
    """table: name without the namespace prefix, for example `bank.savings`."""

    table: str
    number: int

    def __str__(self) -> str:
        return f"{self.table}/{self.number}"

    @classmethod
    def named(cls, name: str) -> Account:
        """The inverse of str(): `bank.savings/17`."""
        table, _, number = name.rpartition("/")
        return cls(table, int(number))


@dataclass(frozen=True)
class Version:
    """One version of a record; the fields are the columns. Times are milliseconds since the epoch."""

    owner: str
    balance: int
    counterpart: str | None
    counterpart_version: int | None
    tx_id: str
    tx_state: int
    tx_version: int
    tx_prepared_at: int
    tx_committed_at: int | None


@dataclass(frozen=True)
class Record:
    """An account with its current version and the before-image, which is None until the first transfer."""

    account: Account
    current: Version
    before: Version | None = None

    @property
    def is_committed(self) -> bool:
        return self.current.tx_state == TransactionState.COMMITTED

    def prepared(self, tx_id: str, at_ms: int, balance: int, counterpart: Record) -> Record:
        """The next version, prepared by a transaction that also prepares `counterpart` (given as it was read)."""
        version = replace(
            self.current,
            balance=balance,
            counterpart=str(counterpart.account),
            counterpart_version=counterpart.current.tx_version + 1,
            tx_id=tx_id,
            tx_state=TransactionState.PREPARED,
            tx_version=self.current.tx_version + 1,
            tx_prepared_at=at_ms,
            tx_committed_at=None,
        )
        return Record(self.account, version, before=self.current)

    def committed(self, at_ms: int) -> Record:
        version = replace(self.current, tx_state=TransactionState.COMMITTED, tx_committed_at=at_ms)
        return replace(self, current=version)

    def rolled_back(self) -> Record:
        """The before-image becomes the record again; its columns stay behind, as ScalarDB leaves them."""
        if self.before is None:
            raise ValueError(f"{self.account} has no before-image: no transfer has ever prepared it.")
        return replace(self, current=self.before)

    def as_row(self) -> dict[str, Any]:
        """Columns of a before-image only if there is one."""
        row = {"account_id": self.account.number, **_columns(self.current, prefix="")}
        return row if self.before is None else row | _columns(self.before, prefix=BEFORE)

    @classmethod
    def from_row(cls, table: str, row: Row) -> Record:
        """Columns that the row lacks count as NULL."""
        before = _version(row, BEFORE) if row.get(f"{BEFORE}tx_id") is not None else None
        return cls(Account(table, row["account_id"]), _version(row, ""), before)


def coordinator_row(tx_id: str, state: TransactionState, at_ms: int) -> dict[str, Any]:
    """A row of the Coordinator table."""
    return {"tx_id": tx_id, "tx_state": int(state), "tx_created_at": at_ms}


def _columns(version: Version, prefix: str) -> dict[str, Any]:
    # int(): an enumeration member is no plain number for everybody who writes rows.
    return {prefix + name: int(value) if isinstance(value, int) else value for name, value in asdict(version).items()}


def _version(row: Row, prefix: str) -> Version:
    return Version(**{name: row.get(prefix + name) for name in VERSION_COLUMNS})
