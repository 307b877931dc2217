"""A restore point in the fake account, a disaster after it, and the loops that an engine makes of the halves of a restore."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import timedelta
from typing import Any

from shared.databases.dynamodb import DynamoDbAccess
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseForecast, DatabaseRestore, RestoreOrder, Target
from tests.unit.databases.fake_dynamodb import REGION
from tests.unit.databases.world import DATABASE, POINT, World

STAMP, LATER_STAMP = "20261124t050000z", "20261124t090000z"
AT_POINT, SINCE = "at the point", "written since"
QUIET_SECONDS = 60.0
STREAM = f"arn:aws:kinesis:{REGION}:123456789012:stream/changes"
PLACE = {"ResourceId": "table/bank.accounts/index/by-owner", "ScalableDimension": "dynamodb:index:ReadCapacityUnits"}


class RestoreWorld(World):
    """Everything is quick. `bank.accounts` has every setting there is, except replicas; the others have almost none."""

    def __init__(self, tables: Iterable[str] = ("accounts",), kept_copy: bool = True, most: int = 50, page: int = 7) -> None:
        super().__init__(tables, most)
        account = self.account
        account.lag, account.restore_seconds, account.backup_seconds, account.delete_seconds = 0, 2, 1, 1
        account.update_seconds, account.page = 1, page
        for name in account.live():
            account.tables[name].history = [(POINT - timedelta(hours=1), AT_POINT)]
        if "bank.accounts" in account.tables:
            self.give_all_settings()
        self.protection = self.protect_to_the_end(kept_copy=kept_copy)
        self.clock.advance(1)
        for name in account.live():
            account.write(name, SINCE)
        self.clock.advance(60)
        self.stopped_at = self.clock.now()

    def new_process(self) -> DynamoDbAccess:
        return DynamoDbAccess(
            self.account.session(),
            self.clock,
            self.max_concurrent_restores,
            quiet_seconds=QUIET_SECONDS,
            pause=self.clock.advance,
        )

    def give_all_settings(self) -> None:
        table = self.account.tables["bank.accounts"]
        table.described = {
            "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 20},
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "by-owner",
                    "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                    "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
                }
            ],
            "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:::key/1"},
            "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000},
        }
        table.time_to_live, table.tags, table.policy = "expires", {"team": "orders"}, '{"Statement":[]}'
        table.insights, table.streams = {"": "THROTTLED_KEYS", "by-owner": "THROTTLED_KEYS"}, {STREAM: "MILLISECOND"}
        table.protected, table.period_days = True, 14
        policy = {"PolicyName": "read", "PolicyType": "TargetTrackingScaling"}
        tracking = {"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0}}
        self.account.targets = [{**PLACE, "MinCapacity": 3, "MaxCapacity": 30, "RoleARN": "arn:aws:iam::1:role/scale"}]
        self.account.policies = [{**PLACE, **policy, **tracking, "PolicyARN": "arn", "Alarms": []}]

    def settings(self, name: str = "bank.accounts") -> dict[str, Any]:
        """Everything that can be seen of a live table's settings."""
        table = self.account.tables[name]
        seen = ("protected", "period_days", "time_to_live", "tags", "policy", "insights", "streams", "described")
        of_table = {field: deepcopy(getattr(table, field)) for field in seen}
        return {
            **of_table,
            "recovery": table.recovery_since is not None,
            "scaling": [self.account.targets, self.account.policies],
        }

    def order(self, **changes: Any) -> RestoreOrder:
        given: dict[str, Any] = {
            "database": DATABASE,
            "run": "restore-1",
            "stamp": STAMP,
            "target": Target.IN_PLACE,
            "at": POINT,
            "protection": self.protection,
            "storages": self.storages,
            "stopped_at": self.stopped_at,
        }
        return RestoreOrder(**(given | changes))

    def undo_of(self, restored: DatabaseRestore, stamp: str = LATER_STAMP) -> RestoreOrder:
        self.stopped_at = self.clock.now()
        return self.order(undo=restored, at=None, protection=None, stamp=stamp)

    def forecast(self, order: RestoreOrder | None = None) -> DatabaseForecast:
        return from_record(to_record(self.access.forecast(order or self.order())), DatabaseForecast)

    def prepare(
        self, order: RestoreOrder | None = None, previous: DatabaseRestore | None = None, between: Any = lambda reached: None
    ) -> DatabaseRestore:
        order = order or self.order()
        return self._until_done(lambda previous: self.access.restore(order, previous), previous, between)

    def cut_over(
        self, previous: DatabaseRestore, order: RestoreOrder | None = None, between: Any = lambda reached: None
    ) -> DatabaseRestore:
        order = order or self.order()
        return self._until_done(lambda previous: self.access.cut_over(order, previous), previous, between)

    def restore(self, order: RestoreOrder | None = None) -> DatabaseRestore:
        return self.cut_over(self.prepare(order), order)

    def discard(self, restored: DatabaseRestore, order: RestoreOrder | None = None) -> DatabaseRestore:
        return self._until_done(lambda previous: self.access.discard(order or self.order(), previous), restored)

    def _until_done(self, call: Callable[[Any], DatabaseRestore], previous: Any, between: Any = lambda reached: None) -> Any:
        """What a call returns goes through the catalog's form."""
        for _ in range(3_000):
            previous = from_record(to_record(call(previous)), DatabaseRestore)
            between(previous)
            if previous.done:
                return previous
            assert 1 <= previous.wait_seconds <= 60
            self.clock.advance(previous.wait_seconds)
        raise AssertionError(f"not done after 3,000 calls: {previous}")

    def safety_backups(self, stamp: str = STAMP) -> list[str]:
        prefix = f"scalar-backup.old.{stamp}."
        return sorted(each.name.removeprefix(prefix) for each in self.account.backups.values() if each.name.startswith(prefix))

    def assert_nothing_was_lost(self) -> None:
        """Each table was deleted once, and only while a finished safety backup of that very table existed."""
        ids = [table_id for _, table_id, _ in self.account.deletions]
        assert len(ids) == len(set(ids))
        for name, _, backups in self.account.deletions:
            assert any(backup.startswith("scalar-backup.old.") for backup in backups), name
