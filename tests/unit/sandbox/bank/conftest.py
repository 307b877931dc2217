"""A bank on moto's DynamoDB inside this process, every write of which is kept in a journal in the order it happened."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.sandbox.bank import schema
from infra.sandbox.bank.audit import Audit, audit, scan_with
from infra.sandbox.bank.dynamodb_items import Item, row_of
from infra.sandbox.bank.dynamodb_store import DynamoDbStore
from infra.sandbox.bank.opening import Opening
from infra.sandbox.bank.store import Store
from infra.sandbox.bank.tables import ALL_TABLES, METADATA_TABLE, NAMESPACES_TABLE

OPENING = Opening(accounts=3, balance=1_000)
EPOCH_MS = 1_800_000_000_000

Tables = dict[str, dict[str, Item]]


@dataclass
class Clock:
    now_ms: int = EPOCH_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Journal:
    """The items at the start, and every write since: its table and the whole item."""

    start: Tables
    writes: list[tuple[str, Item]] = field(default_factory=list)

    def at(self, cuts: int | Mapping[str, int]) -> Tables:
        """The tables after so many writes of the global order: the same for all tables, or for each its own."""
        tables = {table: dict(items) for table, items in self.start.items()}
        for position, (table, item) in enumerate(self.writes):
            if position < (cuts if isinstance(cuts, int) else cuts[table]):
                tables[table][_key(item)] = item
        return tables

    def audit(self, cuts: int | Mapping[str, int]) -> Audit:
        tables = self.at(cuts)
        return audit(lambda name: map(row_of, tables[name].values()), OPENING)


class JournalledClient:
    """A DynamoDB client whose conditional writes are atomic, as the service's are and moto's across threads are not."""

    def __init__(self, client: Any, journal: Journal) -> None:
        self._client = client
        self._journal = journal
        self._lock = threading.Lock()

    def put_item(self, **request: Any) -> Any:
        with self._lock:
            answer = self._client.put_item(**request)
            self._journal.writes.append((request["TableName"], request["Item"]))
            return answer

    def get_item(self, **request: Any) -> Any:
        return self._client.get_item(**request)


@dataclass
class BankUnderTest:
    dynamodb: Any
    store: Store
    journal: Journal
    clock: Clock

    def audit(self) -> Audit:
        return audit(scan_with(self.dynamodb), OPENING)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.fixture
def dynamodb(aws: None) -> Any:
    return boto3.client("dynamodb", region_name="ap-northeast-1")


@pytest.fixture
def bank(dynamodb: Any) -> BankUnderTest:
    schema.create_tables(dynamodb)
    return reseed(dynamodb)


def reseed(dynamodb: Any) -> BankUnderTest:
    """The opening balances again, with a new journal; the Coordinator keeps what it has."""
    schema.seed(dynamodb, OPENING)
    items = {table: dynamodb.scan(TableName=table)["Items"] for table in ALL_TABLES}
    journal = Journal({table: {_key(item): item for item in found} for table, found in items.items()})
    return BankUnderTest(dynamodb, DynamoDbStore(JournalledClient(dynamodb, journal)), journal, Clock())


def _key(item: Item) -> str:
    return next(str(item[name]) for name in ("concatenatedPartitionKey", "table", "namespace_name") if name in item)


def everywhere(position: int) -> dict[str, int]:
    """One cut per table; the tables that nobody writes to are whole."""
    return dict.fromkeys(ALL_TABLES, position) | {METADATA_TABLE: 0, NAMESPACES_TABLE: 0}
