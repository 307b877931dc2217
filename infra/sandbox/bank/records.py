"""An account's record with its Consensus Commit metadata: the states it passes through, and its DynamoDB item.

Source: ScalarDB's Prepare-, Commit- and RollbackMutationComposer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import IntEnum
from typing import Any

from infra.sandbox.bank.tables import BEFORE, PARTITION_KEY, VERSION_COLUMNS, encode_int_key

Item = Mapping[str, Mapping[str, Any]]


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

    @property
    def key(self) -> dict[str, dict[str, bytes]]:
        return {PARTITION_KEY: {"B": encode_int_key(self.number)}}


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

    def as_item(self) -> dict[str, dict[str, Any]]:
        item: dict[str, dict[str, Any]] = {**self.account.key, "account_id": {"N": str(self.account.number)}}
        item |= _attributes(self.current, prefix="")
        return item if self.before is None else item | _attributes(self.before, prefix=BEFORE)

    @classmethod
    def from_item(cls, table: str, item: Item) -> Record:
        account = Account(table, int(item["account_id"]["N"]))
        before = _version(item, BEFORE) if f"{BEFORE}tx_id" in item else None
        return cls(account, _version(item, ""), before)


def _attributes(version: Version, prefix: str) -> dict[str, dict[str, Any]]:
    return {prefix + name: _attribute_value(value) for name, value in asdict(version).items()}


def _attribute_value(value: str | int | None) -> dict[str, Any]:
    if value is None:
        return {"NULL": True}
    return {"S": value} if isinstance(value, str) else {"N": str(int(value))}


def _version(item: Item, prefix: str) -> Version:
    return Version(**{name: _plain(item.get(prefix + name, {"NULL": True})) for name in VERSION_COLUMNS})


def _plain(attribute: Mapping[str, Any]) -> Any:
    if "N" in attribute:
        return int(attribute["N"])
    return attribute.get("S")
