"""Tables that cannot be restored, that come into being during a run, and a DynamoDB that is busy with others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from infra.sandbox.bank.schema import metadata_item
from infra.sandbox.bank.tables import METADATA_KEY, METADATA_TABLE, SCHEMAS
from infra.sandbox.proof import audit_kept_copies
from infra.sandbox.world import RELEASE
from shared.model.protection import ItemPhase
from shared.model.run import RunStatus
from tests.scenarios.deployment import Deployment, eventually

pytestmark = pytest.mark.stand_in_only(reason="it is about DynamoDB's tables")

UNPROTECTED = "bank.wallets"
EARLY, LATE = "bank.vouchers", "bank.coupons"


@pytest.fixture
def table_without_pitr(deployment: Deployment) -> Iterator[str]:
    _set_pitr(deployment, UNPROTECTED, False)
    yield UNPROTECTED
    _set_pitr(deployment, UNPROTECTED, True)


def _set_pitr(deployment: Deployment, table: str, on: bool) -> None:
    deployment.world.aws.client("dynamodb").update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": on}
    )


def test_one_table_of_many_without_recovery_stops_the_run_before_anything_is_paused(
    deployment: Deployment, table_without_pitr: str
) -> None:
    plan = deployment.apply("no-recovery", RELEASE)
    checking = deployment.begin_command("check", plan, "-o", "json")
    running = deployment.begin_command("backup", "run", plan, "--wait", "-o", "json")
    checked, ran = deployment.ended(checking), deployment.ended(running)

    assert checked.code == 1
    (failed,) = [item for item in checked.answer["checks"] if item["status"] == "failed"]
    assert failed["name"] == "dynamodb-pitr"
    assert f"1 tables have point-in-time recovery off: {table_without_pitr}" in failed["detail"]

    assert ran.code == 1
    assert ran.answer["status"] == "failed"
    (run,) = deployment.catalog.runs(plan)
    deployment.followed.append(run.execution)
    assert (run.status, run.attempts) == (RunStatus.FAILED, ())
    assert run.cause is not None
    assert run.cause.code == "NotReady"
    assert table_without_pitr in run.cause.message
    assert "nothing was paused" in run.cause.message
    assert deployment.paused_pods(RELEASE) == []


@pytest.fixture
def new_tables(deployment: Deployment) -> Iterator[None]:
    """Removes what the test has created."""
    yield
    dynamodb = deployment.world.aws.client("dynamodb")
    for table in (EARLY, LATE):
        dynamodb.delete_item(TableName=METADATA_TABLE, Key={METADATA_KEY: {"S": table}})
        dynamodb.delete_table(TableName=table)
        dynamodb.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 20})


def create_table(deployment: Deployment, name: str) -> datetime:
    """As the Schema Loader does it, which needs no running pod; the time at which it was there."""
    dynamodb = deployment.world.aws.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "concatenatedPartitionKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "concatenatedPartitionKey", "AttributeType": "B"}],
    )
    eventually(lambda: dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE", f"{name} is ACTIVE")
    _set_pitr(deployment, name, True)
    dynamodb.put_item(TableName=METADATA_TABLE, Item=metadata_item(name, SCHEMAS["bank.checking"]))
    return datetime.now(UTC)


@pytest.mark.usefixtures("new_tables")
def test_tables_that_appear_during_a_run_are_told_apart_by_the_point(deployment: Deployment) -> None:
    """One comes after the checks and before the point: it belongs to it. One comes after the point: there is nothing of it to
    keep. Meanwhile DynamoDB throttles and has few restore slots, which costs time and nothing else."""
    aws = deployment.world.aws
    before = aws.settings()["max_concurrent_restores"]
    aws.settings(max_concurrent_restores=2)
    try:
        aws.fault("dynamodb", "DescribeContinuousBackups", "ThrottlingException", times=2)
        plan = deployment.apply("appearing", RELEASE, kept_copy=True, hold="3s")
        execution = deployment.start(plan)
        deployment.run_when(execution, lambda run: run.token > 0, "the checks are over")
        early_at = create_table(deployment, EARLY)
        run = deployment.run_when(execution, lambda run: bool(run.attempts and run.attempts[-1].resumed_at), "pods resumed")
        late_from = datetime.now(UTC)
        create_table(deployment, LATE)
        for operation in ("RestoreTableToPointInTime", "CreateBackup", "DeleteTable"):
            aws.fault("dynamodb", operation, "LimitExceededException", times=2)
        run = deployment.run_of(deployment.finish(execution, 90))
    finally:
        aws.settings(max_concurrent_restores=before)
    assert run.status is RunStatus.SUCCEEDED, run.cause
    point = deployment.catalog.point(plan, "latest")
    assert point.at is not None
    assert early_at < point.at < late_from
    (protection,) = point.databases.values()
    phases = {item.name: item.phase for item in protection.items}
    assert phases.pop(LATE) is ItemPhase.ABSENT
    assert phases.pop(EARLY) is ItemPhase.KEPT
    assert set(phases.values()) == {ItemPhase.KEPT}
    kept = audit_kept_copies(aws.client("dynamodb"), point, deployment.world.scale.opening, "kept")
    assert kept.is_consistent, kept.explain()
    assert [name for name in aws.client("dynamodb").list_tables()["TableNames"] if name.startswith("scalar-backup.")] == []
    assert aws.faults() == [], "every fault was met"
    assert deployment.paused_pods(RELEASE) == []
