"""DynamoDB's point-in-time recovery: the data of the second that was asked for, and refusals."""

import datetime as dt
import time
from typing import Any

import botocore.exceptions
import pytest

from tests.contract.aws.conftest import FAST, make_table, status, turn_recovery_on, wait_until


def put(dynamodb: Any, key: str, value: str, table: str = "accounts") -> None:
    dynamodb.put_item(TableName=table, Item={"pk": {"S": key}, "v": {"S": value}})


def contents(dynamodb: Any, table: str) -> dict[str, str]:
    items = dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    return {item["pk"]["S"]: item.get("v", {"S": ""})["S"] for item in items}


def next_second() -> dt.datetime:
    """Sleeps into the next whole second and returns it."""
    whole = int(time.time()) + 1
    time.sleep(whole - time.time() + 0.02)
    return dt.datetime.fromtimestamp(whole, dt.UTC)


def restore(dynamodb: Any, at: dt.datetime | None = None, target: str = "restored", **more: Any) -> dict[str, Any]:
    when = {"UseLatestRestorableTime": True} if at is None else {"RestoreDateTime": at}
    answer = dynamodb.restore_table_to_point_in_time(SourceTableName="accounts", TargetTableName=target, **when, **more)
    return dict(answer["TableDescription"])


def refusal(call: Any) -> str:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def recovery(dynamodb: Any, table: str = "accounts") -> dict[str, Any]:
    answer = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    return dict(answer["PointInTimeRecoveryDescription"])


@pytest.fixture
def table(aws: Any, dynamodb: Any) -> None:
    aws.settings(**FAST)
    make_table(dynamodb)
    turn_recovery_on(dynamodb)


def test_a_restore_gives_the_items_of_the_second(dynamodb: Any, table: None) -> None:
    put(dynamodb, "changed", "old")
    put(dynamodb, "deleted", "old")
    put(dynamodb, "updated", "old")
    at = next_second()
    put(dynamodb, "changed", "new")
    dynamodb.delete_item(TableName="accounts", Key={"pk": {"S": "deleted"}})
    value = {":v": {"S": "new"}}
    dynamodb.update_item(
        TableName="accounts",
        Key={"pk": {"S": "updated"}},
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues=value,
    )
    dynamodb.batch_write_item(
        RequestItems={"accounts": [{"PutRequest": {"Item": {"pk": {"S": "batched"}, "v": {"S": "new"}}}}]}
    )
    dynamodb.transact_write_items(
        TransactItems=[{"Put": {"TableName": "accounts", "Item": {"pk": {"S": "transacted"}, "v": {"S": "new"}}}}]
    )
    later = next_second()
    restore(dynamodb, at)
    restore(dynamodb, later, "restored-later")
    assert contents(dynamodb, "restored") == {"changed": "old", "deleted": "old", "updated": "old"}
    assert contents(dynamodb, "restored-later") == {
        "changed": "new", "updated": "new", "batched": "new", "transacted": "new",
    }  # fmt: skip


def test_a_table_with_a_range_key_is_restored_too(aws: Any, dynamodb: Any) -> None:
    aws.settings(**FAST)
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    make_table(
        dynamodb,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    )
    turn_recovery_on(dynamodb)
    for sort in ("1", "2"):
        dynamodb.put_item(TableName="accounts", Item={"pk": {"S": "a"}, "sk": {"S": sort}})
    at = next_second()
    dynamodb.delete_item(TableName="accounts", Key={"pk": {"S": "a"}, "sk": {"S": "1"}})
    restore(dynamodb, at)
    answer = dynamodb.query(
        TableName="restored", KeyConditionExpression="pk = :a", ExpressionAttributeValues={":a": {"S": "a"}}
    )
    assert [item["sk"]["S"] for item in answer["Items"]] == ["1", "2"]


def test_a_cancelled_transaction_leaves_no_trace(dynamodb: Any, table: None) -> None:
    put(dynamodb, "a", "old")
    condition = {"ConditionExpression": "attribute_exists(pk)"}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "accounts", "Item": {"pk": {"S": "a"}, "v": {"S": "new"}}}},
                {"Put": {"TableName": "accounts", "Item": {"pk": {"S": "b"}}, **condition}},
            ]
        )
    restore(dynamodb, next_second())
    assert contents(dynamodb, "restored") == contents(dynamodb, "accounts") == {"a": "old"}


def test_an_update_that_is_refused_changes_nothing(dynamodb: Any, table: None) -> None:
    update = {
        "TableName": "accounts",
        "Key": {"pk": {"S": "new"}},
        "UpdateExpression": "SET v = missing + :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    assert refusal(lambda: dynamodb.update_item(**update)) == "ValidationException"
    assert contents(dynamodb, "accounts") == {}


def test_history_survives_a_restore_and_the_restored_table_has_its_own(dynamodb: Any, table: None) -> None:
    put(dynamodb, "a", "1")
    at = next_second()
    restore(dynamodb, at, "first")
    put(dynamodb, "a", "2")
    put(dynamodb, "a", "changed", table="first")
    restore(dynamodb, at, "second")
    assert contents(dynamodb, "second") == {"a": "1"}


@pytest.mark.parametrize("seconds", [-86_400, 3_600])
def test_a_time_outside_the_window_is_refused(dynamodb: Any, table: None, seconds: int) -> None:
    at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)
    assert refusal(lambda: restore(dynamodb, at)) == "InvalidRestoreTimeException"


def test_a_time_that_has_not_become_restorable_is_refused(aws: Any, dynamodb: Any, table: None) -> None:
    at = next_second()
    aws.settings(lag_seconds=60)
    assert refusal(lambda: restore(dynamodb, at)) == "InvalidRestoreTimeException"
    assert refusal(lambda: restore(dynamodb)) == "InvalidRestoreTimeException"


def test_without_recovery_a_restore_is_refused(aws: Any, dynamodb: Any) -> None:
    make_table(dynamodb)
    assert refusal(lambda: restore(dynamodb)) == "PointInTimeRecoveryUnavailableException"


def test_recovery_turned_off_and_on_starts_a_new_window(dynamodb: Any, table: None) -> None:
    put(dynamodb, "a", "1")
    at = next_second()
    dynamodb.update_continuous_backups(
        TableName="accounts", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    turn_recovery_on(dynamodb)
    next_second()
    assert recovery(dynamodb)["EarliestRestorableDateTime"] > at
    assert refusal(lambda: restore(dynamodb, at)) == "InvalidRestoreTimeException"
    restore(dynamodb, next_second())
    assert contents(dynamodb, "restored") == {"a": "1"}


def test_the_latest_restorable_time_lags_and_moves_on(aws: Any, dynamodb: Any, table: None) -> None:
    first = recovery(dynamodb)["LatestRestorableDateTime"]
    next_second()
    later = next_second()
    assert first < recovery(dynamodb)["LatestRestorableDateTime"]
    aws.settings(lag_seconds=1)
    assert later - recovery(dynamodb)["LatestRestorableDateTime"] >= dt.timedelta(seconds=1)


@pytest.mark.parametrize(("days", "kept"), [(None, 35), (7, 7)])
def test_the_recovery_period_is_kept(dynamodb: Any, table: None, days: int | None, kept: int) -> None:
    turn_recovery_on(dynamodb, **({} if days is None else {"RecoveryPeriodInDays": days}))
    assert recovery(dynamodb)["RecoveryPeriodInDays"] == kept
    with pytest.raises(botocore.exceptions.ClientError, match="between 1 and 35"):
        turn_recovery_on(dynamodb, RecoveryPeriodInDays=36)


def test_times_are_those_of_dynamodbs_own_clock(aws: Any, dynamodb: Any) -> None:
    aws.settings(**FAST, dynamodb_skew_seconds=3600)
    make_table(dynamodb)
    turn_recovery_on(dynamodb)
    put(dynamodb, "a", "1")
    at = next_second() + dt.timedelta(hours=1)
    put(dynamodb, "a", "2")
    next_second()
    assert refusal(lambda: restore(dynamodb, at - dt.timedelta(hours=1))) == "InvalidRestoreTimeException"
    restore(dynamodb, at)
    assert contents(dynamodb, "restored") == {"a": "1"}


def test_a_restore_takes_time_and_shows_no_items_before(aws: Any, dynamodb: Any, table: None) -> None:
    put(dynamodb, "a", "1")
    at = next_second()
    aws.settings(restore_seconds=0.5)
    described = restore(dynamodb, at)
    assert described["TableStatus"] == "CREATING"
    assert described["RestoreSummary"]["RestoreInProgress"] is True
    assert described["RestoreSummary"]["RestoreDateTime"] == at
    get = {"TableName": "restored", "Key": {"pk": {"S": "a"}}}
    assert refusal(lambda: dynamodb.get_item(**get)) == "ResourceNotFoundException"
    assert refusal(lambda: dynamodb.delete_table(TableName="restored")) == "ResourceInUseException"
    assert refusal(lambda: turn_recovery_on(dynamodb, "restored")) == "ContinuousBackupsUnavailableException"
    assert refusal(lambda: restore(dynamodb, at)) == "TableInUseException"
    wait_until(lambda: status(dynamodb, "restored") == "ACTIVE", "the restored table")
    summary = dynamodb.describe_table(TableName="restored")["Table"]["RestoreSummary"]
    assert summary["RestoreInProgress"] is False
    assert dynamodb.get_item(**get)["Item"]["v"] == {"S": "1"}
    assert refusal(lambda: restore(dynamodb, at)) == "TableAlreadyExistsException"


def test_restores_of_any_kind_are_limited(aws: Any, dynamodb: Any, table: None) -> None:
    backup = dynamodb.create_backup(TableName="accounts", BackupName="kept")["BackupDetails"]["BackupArn"]
    at = next_second()
    aws.settings(max_concurrent_restores=2, restore_seconds=0.5)
    restore(dynamodb, at, "one")
    dynamodb.restore_table_from_backup(TargetTableName="two", BackupArn=backup)
    assert refusal(lambda: restore(dynamodb, at, "three")) == "LimitExceededException"
    wait_until(lambda: status(dynamodb, "two") == "ACTIVE", "the restores to end")
    restore(dynamodb, at, "three")


def test_a_restore_keeps_capacity_indexes_and_encryption_and_loses_the_rest(aws: Any, dynamodb: Any) -> None:
    aws.settings(**FAST)
    index = {
        "IndexName": "by-v",
        "KeySchema": [{"AttributeName": "v", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    make_table(
        dynamodb,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "v")],
        GlobalSecondaryIndexes=[index],
        SSESpecification={"Enabled": True, "SSEType": "KMS"},
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": "owner", "Value": "me"}],
        DeletionProtectionEnabled=True,
    )
    turn_recovery_on(dynamodb)
    dynamodb.update_time_to_live(TableName="accounts", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    next_second()
    restore(dynamodb, next_second())
    described = dynamodb.describe_table(TableName="restored")["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [index["IndexName"] for index in described["GlobalSecondaryIndexes"]] == ["by-v"]
    assert described["SSEDescription"]["Status"] == "ENABLED"
    assert "StreamSpecification" not in described
    assert not described["DeletionProtectionEnabled"]
    assert dynamodb.list_tags_of_resource(ResourceArn=described["TableArn"])["Tags"] == []
    expiry = dynamodb.describe_time_to_live(TableName="restored")["TimeToLiveDescription"]
    assert expiry["TimeToLiveStatus"] == "DISABLED"
    assert recovery(dynamodb, "restored")["PointInTimeRecoveryStatus"] == "DISABLED"
    original = dynamodb.describe_table(TableName="accounts")["Table"]
    assert original["TableId"] != described["TableId"]


def test_overrides_of_a_restore_are_applied(aws: Any, dynamodb: Any) -> None:
    aws.settings(**FAST)
    make_table(dynamodb, SSESpecification={"Enabled": True, "SSEType": "KMS"})
    turn_recovery_on(dynamodb)
    next_second()
    described = restore(
        dynamodb,
        next_second(),
        BillingModeOverride="PROVISIONED",
        ProvisionedThroughputOverride={"ReadCapacityUnits": 7, "WriteCapacityUnits": 8},
        SSESpecificationOverride={"Enabled": False},
    )
    assert described["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    capacity = described["ProvisionedThroughput"]
    assert (capacity["ReadCapacityUnits"], capacity["WriteCapacityUnits"]) == (7, 8)
    assert "SSEDescription" not in described
