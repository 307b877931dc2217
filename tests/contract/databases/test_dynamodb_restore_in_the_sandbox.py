"""A whole restore of tables against a strict stand-in: data and settings of the point come back, and an undo takes it back."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.databases.dynamodb import DynamoDbAccess
from shared.databases.dynamodb.actions import RESTORE_ACCOUNT_ACTIONS, RESTORE_ACTIONS
from shared.model.checks import failures
from shared.model.protection import DatabaseProtection
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, RestoreOrder, Target
from tests.contract.databases.scalardb import SandboxSession, ScalarDb
from tests.contract.databases.test_dynamodb_in_the_sandbox import Killed, killer

QUIET_SECONDS = 2.2
"""The stand-in's on-demand backups are exact to two seconds."""
SCALING = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/bank.accounts",
    "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
}


class Restores:
    """The loops of the restore machine for this database."""

    def __init__(self, scalardb: ScalarDb, protection: DatabaseProtection) -> None:
        self.scalardb, self.protection = scalardb, protection
        self.stopped_at = datetime.now(UTC)

    def access(self, on_call: Callable[[str], None] = lambda _: None) -> DynamoDbAccess:
        session = SandboxSession(self.scalardb.aws, on_call)
        return DynamoDbAccess(session, self.scalardb.clock, quiet_seconds=QUIET_SECONDS)

    def order(self, **changes: Any) -> RestoreOrder:
        given: dict[str, Any] = {
            "database": self.scalardb.database,
            "run": "restore-1",
            "stamp": "20261124t050000z",
            "target": Target.IN_PLACE,
            "at": self.protection.point,
            "protection": self.protection,
            "storages": self.scalardb.storages,
            "stopped_at": self.stopped_at,
        }
        return RestoreOrder(**(given | changes))

    def undo_of(self, restored: DatabaseRestore) -> RestoreOrder:
        self.stopped_at = datetime.now(UTC)
        return self.order(undo=restored, at=None, protection=None, stamp="20261124t090000z")

    def run(
        self,
        order: RestoreOrder,
        access: DynamoDbAccess | None = None,
        stored: DatabaseRestore | None = None,
        between: Callable[[DatabaseRestore], object] = lambda reached: None,
    ) -> DatabaseRestore:
        access = access or self.access()
        if stored is None or not stored.changed_live:
            stored = until_done(lambda previous: access.restore(order, previous), stored, between)
        if order.target is Target.SIDE_BY_SIDE:
            return stored
        return until_done(lambda previous: access.cut_over(order, previous), stored, between)


def until_done(
    call: Callable[[Any], DatabaseRestore],
    previous: DatabaseRestore | None,
    between: Callable[[DatabaseRestore], object] = lambda reached: None,
) -> DatabaseRestore:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        previous = from_record(to_record(call(previous)), DatabaseRestore)
        between(previous)
        if previous.done:
            return previous
        time.sleep(min(0.25, previous.wait_seconds))
    raise AssertionError(f"not done after 90 s: {previous}")


@pytest.fixture
def restores(scalardb: ScalarDb) -> Restores:
    """A point at which `a` and `b` were `before`; since then one was changed and one deleted."""
    scalardb.add_tables("bank.accounts", "bank.history")
    scalardb.put("bank.accounts", "a", "before")
    scalardb.put("bank.accounts", "b", "before")
    scalardb.put("bank.history", "1", "before")
    give_settings(scalardb)
    time.sleep(1)
    point = scalardb.next_whole_second()
    scalardb.put("bank.accounts", "a", "after")
    scalardb.dynamodb.delete_item(TableName="bank.accounts", Key={"id": {"S": "b"}})
    return Restores(scalardb, scalardb.protect_to_the_end(point, scalardb.access()))


def give_settings(scalardb: ScalarDb) -> None:
    dynamodb, name = scalardb.dynamodb, "bank.accounts"
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "orders"}])
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    dynamodb.put_resource_policy(ResourceArn=arn, Policy='{"Version": "2012-10-17", "Statement": []}')
    dynamodb.update_contributor_insights(TableName=name, ContributorInsightsAction="ENABLE")
    kinesis = "arn:aws:kinesis:ap-northeast-1:123456789012:stream/changes"
    dynamodb.enable_kinesis_streaming_destination(TableName=name, StreamArn=kinesis)
    recovery = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 14}
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    changes: tuple[dict[str, Any], ...] = (
        {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}},
        {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}},
        {"SSESpecification": {"Enabled": True, "SSEType": "KMS"}},
        {"DeletionProtectionEnabled": True},
    )
    for change in changes:
        dynamodb.update_table(TableName=name, **change)
        scalardb.wait_until(lambda: dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE")
    scaling = scalardb.aws.client("application-autoscaling")
    scaling.register_scalable_target(**SCALING, MinCapacity=5, MaxCapacity=50)
    scaling.put_scaling_policy(
        **SCALING,
        PolicyName="read",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 70.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "DynamoDBReadCapacityUtilization"},
        },
    )


def assert_restored(restores: Restores, order: RestoreOrder, restored: DatabaseRestore) -> None:
    checks = restores.access().verify(order, restored)
    assert not failures(checks), checks
    assert [item.differences for item in restored.items if item.differences] == []


def test_a_restore_brings_back_data_and_settings_and_an_undo_brings_back_what_was_there_before(restores: Restores) -> None:
    scalardb, called = restores.scalardb, set[str]()
    order, access = restores.order(), restores.access(on_call=called.add)
    assert not failures(access.forecast(order).checks)
    restored = restores.run(order, access)
    assert scalardb.values("bank.accounts") == {"a": "before", "b": "before"}
    assert scalardb.values("bank.history") == {"1": "before"}
    assert_restored(restores, order, restored)

    undo = restores.undo_of(restored)
    undone = restores.run(undo, access)
    assert scalardb.values("bank.accounts") == {"a": "after"}
    assert_restored(restores, undo, undone)

    again = restores.order(undo=undone, at=None, protection=None, stamp="20261124t100000z", stopped_at=datetime.now(UTC))
    assert_restored(restores, again, restores.run(again, access))
    assert scalardb.values("bank.accounts") == {"a": "before", "b": "before"}

    until_done(lambda previous: access.discard(order, previous), restored)
    assert not [backup for backup in scalardb.backups() if ".old.20261124t050000z." in backup["BackupName"]]
    allowed = {action.partition(":")[2] for action in (*RESTORE_ACTIONS, *RESTORE_ACCOUNT_ACTIONS)}
    assert called - allowed == set()


def test_dropped_tables_come_back_and_an_undo_removes_them_again(restores: Restores) -> None:
    scalardb = restores.scalardb
    scalardb.delete_table("bank.history")
    order = restores.order()
    warned = {check.name for check in restores.access().forecast(order).checks}
    assert "dynamodb-restore-missing" in warned
    restored = restores.run(order)
    assert scalardb.values("bank.history") == {"1": "before"}
    assert {item.name for item in restored.items if not item.kept} == {"bank.history"}

    undo = restores.undo_of(restored)
    undone = restores.run(undo)
    assert "bank.history" not in scalardb.tables()
    assert scalardb.values("bank.accounts") == {"a": "after"}
    assert_restored(restores, undo, undone)

    again = restores.order(undo=undone, at=None, protection=None, stamp="20261124t100000z", stopped_at=datetime.now(UTC))
    assert_restored(restores, again, restores.run(again))
    assert scalardb.values("bank.history") == {"1": "before"}


def test_a_point_without_kept_copies_is_restored_by_point_in_time_recovery(scalardb: ScalarDb) -> None:
    scalardb.add_tables("bank.accounts")
    scalardb.put("bank.accounts", "a", "before")
    point = scalardb.next_whole_second()
    scalardb.put("bank.accounts", "a", "after")
    restores = Restores(scalardb, scalardb.protect_to_the_end(point, scalardb.access(), kept_copy=False))
    order = restores.order()
    assert restores.access().forecast(order).source == "point-in-time recovery"
    assert_restored(restores, order, restores.run(order))
    assert scalardb.values("bank.accounts") == {"a": "before"}
    assert scalardb.side_tables() == set()


def test_side_by_side_leaves_the_live_tables_alone_and_is_discarded_by_its_stamp(restores: Restores) -> None:
    scalardb = restores.scalardb
    order = restores.order(target=Target.SIDE_BY_SIDE, stopped_at=None)
    restored = restores.run(order)
    side = {item.name: item.side for item in restored.items}
    assert scalardb.values(side["bank.accounts"]) == {"a": "before", "b": "before"}
    assert scalardb.values("bank.accounts") == {"a": "after"}
    assert not failures(restores.access().verify(order, restored))
    kept = {backup["BackupArn"] for backup in scalardb.backups()}
    until_done(lambda previous: restores.access().discard(order, previous), restored)
    assert scalardb.side_tables() == set()
    assert {backup["BackupArn"] for backup in scalardb.backups()} == kept


def test_a_second_stop_before_the_cut_over_makes_another_safety_backup_beside_the_first(scalardb: ScalarDb) -> None:
    scalardb.add_tables("bank.accounts")
    scalardb.put("bank.accounts", "a", "before")
    point = scalardb.next_whole_second()
    restores = Restores(scalardb, scalardb.protect_to_the_end(point, scalardb.access()))
    access = restores.access()
    prepared = until_done(lambda previous: access.restore(restores.order(), previous), None)
    begun = access.cut_over(restores.order(), prepared)
    scalardb.put("bank.accounts", "a", "late")
    restores.stopped_at = datetime.now(UTC)
    restored = restores.run(restores.order(), access, begun)
    assert scalardb.values("bank.accounts") == {"a": "before"}
    made = {backup["BackupArn"]: backup["BackupCreationDateTime"] for backup in scalardb.backups()}
    assert min(made[item.kept] for item in restored.items) > restores.stopped_at
    assert {item.kept for item in prepared.items} < made.keys()


@pytest.mark.parametrize("seed", range(2))
def test_processes_that_die_again_and_again_end_in_the_same_restore(restores: Restores, seed: int) -> None:
    scalardb, dice, order = restores.scalardb, random.Random(seed), restores.order()
    stored: list[DatabaseRestore | None] = [None]
    for _ in range(8):
        try:
            restores.run(order, restores.access(on_call=killer(dice.randint(5, 90))), stored[-1], stored.append)
        except Killed:
            continue
    restored = restores.run(order, None, stored[-1], stored.append)
    assert_restored(restores, order, restored)
    assert scalardb.values("bank.accounts") == {"a": "before", "b": "before"}
    restores.run(restores.undo_of(restored))
    assert scalardb.values("bank.accounts") == {"a": "after"}


def test_an_account_with_one_slot_only_takes_longer(restores: Restores) -> None:
    restores.scalardb.aws.settings(max_concurrent_restores=1)
    order = restores.order()
    assert_restored(restores, order, restores.run(order))
