"""A release in a fake account, and the loop that an engine makes of `protect`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from shared.databases.dynamodb import DynamoDbAccess
from shared.model.plan import DynamoDb
from shared.model.protection import DatabaseProtection
from shared.model.records import from_record, to_record
from shared.model.storage import ReleaseStorage, Storage
from tests.unit.databases.fake_clock import START, FakeClock
from tests.unit.databases.fake_dynamodb import REGION, FakeDynamoDb, Table

DATABASE = DynamoDb(region=REGION)
CORE = ("coordinator.state", "scalardb.metadata", "scalardb.namespaces")
POINT = START


def release(**changes: object) -> ReleaseStorage:
    storage = Storage(name="default", kind="dynamo", contact_point=REGION, **changes)  # type: ignore[arg-type]
    return ReleaseStorage(release="prod/scalar/orders", source="ConfigMap orders", storages=(storage,))


class World:
    """ScalarDB with tables `bank.<name>` in an account, and the product's access to it."""

    def __init__(self, tables: Iterable[str] = ("accounts", "history"), max_concurrent_restores: int = 50) -> None:
        self.clock = FakeClock()
        self.account = FakeDynamoDb(self.clock)
        for name in CORE:
            self.account.add(name)
        self.account.tables["scalardb.namespaces"].rows = [{"namespace_name": {"S": "bank"}}]
        self.declare("coordinator.state")
        for name in tables:
            self.add(f"bank.{name}")
        self.storages = (release(),)
        self.max_concurrent_restores = max_concurrent_restores
        self.access = self.new_process()

    def new_process(self) -> DynamoDbAccess:
        return DynamoDbAccess(self.account.session(), self.clock, self.max_concurrent_restores, pause=self.clock.advance)

    def declare(self, name: str) -> None:
        self.account.tables["scalardb.metadata"].rows.append({"table": {"S": name}})

    def add(self, name: str, **more: object) -> Table:
        self.declare(name)
        return self.account.add(name, **more)  # type: ignore[arg-type]

    def protect(self, previous: DatabaseProtection | None, kept_copy: bool = True) -> DatabaseProtection:
        """One call; what it returns goes through the catalog's form."""
        reached = self.access.protect(DATABASE, self.storages, POINT, kept_copy, previous)
        return from_record(to_record(reached), DatabaseProtection)

    def protect_to_the_end(
        self,
        previous: DatabaseProtection | None = None,
        kept_copy: bool = True,
        between: Callable[[DatabaseProtection], object] = lambda reached: None,
    ) -> DatabaseProtection:
        for _ in range(2_000):
            previous = self.protect(previous, kept_copy)
            between(previous)
            if previous.done:
                return previous
            assert 1 <= previous.wait_seconds <= 60
            self.clock.advance(previous.wait_seconds)
        raise AssertionError(f"not done after 2,000 calls: {previous}")

    def backups_of(self, point: datetime = POINT) -> list[str]:
        """The live tables that a good copy exists of, one entry per backup."""
        return sorted(
            backup.table.partition("Z.")[2]
            for backup in self.account.backups.values()
            if backup.kind == "USER" and backup.restored_to == point and backup.name == backup.table
        )
