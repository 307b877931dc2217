"""ScalarDB's tables in the sandbox's DynamoDB, and the loop that an engine makes of `protect`."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from infra.sandbox.aws.process import RunningAws
from shared.databases.clock import Clock
from shared.databases.dynamodb import DynamoDbAccess
from shared.model.plan import DynamoDb
from shared.model.protection import DatabaseProtection
from shared.model.records import from_record, to_record
from shared.model.storage import ReleaseStorage, Storage

CORE = ("coordinator.state", "scalardb.metadata")


class SandboxSession:
    """A boto3 session whose clients reach the sandbox only; `on_call` sees each operation before it is sent."""

    def __init__(self, aws: RunningAws, on_call: Callable[[str], None] = lambda operation: None) -> None:
        self._aws = aws
        self._on_call = on_call

    def client(self, service: str, region_name: str, config: Any) -> Any:
        session = boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=region_name)
        client = session.client(service, endpoint_url=self._aws.url, config=config)
        client.meta.events.register("before-call", lambda model, **_: self._on_call(model.name))
        return client


class ScalarDb:
    def __init__(self, aws: RunningAws, dynamodb: Any, clock: Clock) -> None:
        self.aws, self.dynamodb, self.clock = aws, dynamodb, clock
        self.database = DynamoDb(region=aws.region)
        storage = Storage(name="default", kind="dynamo", contact_point=aws.region)
        self.storages = (ReleaseStorage(release="prod/scalar/orders", source="ConfigMap orders", storages=(storage,)),)
        for name in CORE:
            self.create_table(name)
        self.declare("coordinator.state")

    def access(self, max_concurrent_restores: int = 50, on_call: Callable[[str], None] = lambda _: None) -> DynamoDbAccess:
        return DynamoDbAccess(SandboxSession(self.aws, on_call), self.clock, max_concurrent_restores)

    def create_table(self, name: str, recovery: bool = True) -> None:
        key = "table" if name == "scalardb.metadata" else "id"
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        if recovery:
            self.recovery(name, True)

    def recovery(self, name: str, on: bool) -> None:
        self.dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": on}
        )

    def declare(self, name: str) -> None:
        self.dynamodb.put_item(TableName="scalardb.metadata", Item={"table": {"S": name}})

    def add_tables(self, *names: str) -> None:
        def add(name: str) -> None:
            self.create_table(name)
            self.declare(name)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(add, names))

    def put(self, table: str, key: str, value: str) -> None:
        self.dynamodb.put_item(TableName=table, Item={"id": {"S": key}, "value": {"S": value}})

    def values(self, table: str) -> dict[str, str]:
        rows = self.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
        return {row["id"]["S"]: row["value"]["S"] for row in rows}

    def next_whole_second(self) -> datetime:
        """Waits until a second has begun and ended in which nothing is written; returns its begin. The point of a pause."""
        point = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        time.sleep((point - datetime.now(UTC)).total_seconds() + 0.02)
        return point

    def protect_to_the_end(
        self,
        point: datetime,
        access: DynamoDbAccess,
        previous: DatabaseProtection | None = None,
        kept_copy: bool = True,
        between: Callable[[DatabaseProtection], object] = lambda reached: None,
    ) -> DatabaseProtection:
        until = time.monotonic() + 90
        while time.monotonic() < until:
            reached = access.protect(self.database, self.storages, point, kept_copy, previous)
            previous = from_record(to_record(reached), DatabaseProtection)
            between(previous)
            if previous.done:
                return previous
            time.sleep(min(0.1, previous.wait_seconds))
        raise AssertionError(f"not done after 90 s: {previous}")

    def delete_table(self, name: str) -> None:
        """Somebody deletes a live table; returns when it is gone."""
        self.dynamodb.delete_table(TableName=name)
        self.wait_until(lambda: name not in self.tables())

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not is_so():
            assert time.monotonic() < until, "not so after 20 s"
            time.sleep(0.05)

    def tables(self) -> set[str]:
        return {name for page in self.dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]}

    def side_tables(self) -> set[str]:
        return {name for name in self.tables() if name.startswith("scalar-backup.")}

    def backups(self) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("list_backups").paginate(BackupType="USER")
        return [backup for page in pages for backup in page["BackupSummaries"]]

    def restored_values(self, backup_arn: str) -> dict[str, str]:
        """The items of a kept copy."""
        name = "restored." + backup_arn.rpartition("/")[2]
        self.dynamodb.restore_table_from_backup(TargetTableName=name, BackupArn=backup_arn)
        self.wait_until(lambda: self.dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE")
        return self.values(name)
