"""On-demand and SYSTEM backups of DynamoDB."""

import time
from typing import Any

import pytest

from tests.contract.aws.conftest import FAST, make_table, status, turn_recovery_on, wait_until
from tests.contract.aws.test_dynamodb_recovery import contents, put, refusal


@pytest.fixture
def table(aws: Any, dynamodb: Any) -> None:
    aws.settings(**FAST)
    make_table(dynamodb)


def create(dynamodb: Any, name: str = "kept") -> str:
    return str(dynamodb.create_backup(TableName="accounts", BackupName=name)["BackupDetails"]["BackupArn"])


def describe(dynamodb: Any, arn: str) -> dict[str, Any]:
    return dict(dynamodb.describe_backup(BackupArn=arn)["BackupDescription"])


def restore(dynamodb: Any, arn: str, target: str = "restored", **more: Any) -> dict[str, Any]:
    answer = dynamodb.restore_table_from_backup(BackupArn=arn, TargetTableName=target, **more)
    return dict(answer["TableDescription"])


def test_a_backup_takes_time_and_cannot_be_used_before(aws: Any, dynamodb: Any, table: None) -> None:
    aws.settings(backup_seconds=0.4)
    arn = create(dynamodb)
    assert describe(dynamodb, arn)["BackupDetails"]["BackupStatus"] == "CREATING"
    assert refusal(lambda: restore(dynamodb, arn)) == "BackupInUseException"
    assert refusal(lambda: dynamodb.delete_backup(BackupArn=arn)) == "BackupInUseException"
    assert refusal(lambda: dynamodb.delete_table(TableName="accounts")) == "ResourceInUseException"
    wait_until(lambda: describe(dynamodb, arn)["BackupDetails"]["BackupStatus"] == "AVAILABLE", "the backup")
    restore(dynamodb, arn)
    assert status(dynamodb, "restored") == "ACTIVE"


def test_a_backup_of_a_table_that_is_written_to_is_not_of_one_moment(aws: Any, dynamodb: Any, table: None) -> None:
    aws.settings(backup_skew_seconds=0.6, backup_seconds=0.3)
    for key in range(40):
        put(dynamodb, str(key), "before")
    time.sleep(0.8)
    for key in range(40):
        put(dynamodb, str(key), "after")
    arn = create(dynamodb)
    wait_until(lambda: describe(dynamodb, arn)["BackupDetails"]["BackupStatus"] == "AVAILABLE", "the backup")
    restore(dynamodb, arn)
    assert set(contents(dynamodb, "restored").values()) == {"before", "after"}


def test_a_backup_of_a_table_that_nobody_writes_to_is_exact(aws: Any, dynamodb: Any, table: None) -> None:
    aws.settings(backup_skew_seconds=0.2)
    put(dynamodb, "a", "old")
    put(dynamodb, "a", "new")
    put(dynamodb, "gone", "old")
    dynamodb.delete_item(TableName="accounts", Key={"pk": {"S": "gone"}})
    time.sleep(0.3)
    restore(dynamodb, create(dynamodb))
    assert contents(dynamodb, "restored") == {"a": "new"}


def test_a_backup_of_a_table_just_restored_is_exact(aws: Any, dynamodb: Any, table: None) -> None:
    aws.settings(backup_skew_seconds=0.2)
    put(dynamodb, "a", "1")
    time.sleep(0.3)
    aws.settings(backup_skew_seconds=60)
    turn_recovery_on(dynamodb)
    time.sleep(1.1)
    dynamodb.restore_table_to_point_in_time(SourceTableName="accounts", TargetTableName="side", UseLatestRestorableTime=True)
    arn = dynamodb.create_backup(TableName="side", BackupName="kept")["BackupDetails"]["BackupArn"]
    restore(dynamodb, arn)
    assert contents(dynamodb, "restored") == {"a": "1"}


def test_a_backup_outlives_its_table_and_keeps_what_it_describes(dynamodb: Any, table: None) -> None:
    arn = create(dynamodb)
    made = dynamodb.describe_table(TableName="accounts")["Table"]
    dynamodb.delete_table(TableName="accounts")
    wait_until(lambda: status(dynamodb, "accounts") is None, "the table to go")
    source = describe(dynamodb, arn)["SourceTableDetails"]
    assert (source["TableId"], source["BillingMode"]) == (made["TableId"], "PAY_PER_REQUEST")
    described = restore(dynamodb, arn, "accounts")
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["RestoreSummary"]["SourceBackupArn"] == arn


def test_a_deleted_backup_is_gone(dynamodb: Any, table: None) -> None:
    arn = create(dynamodb)
    deleted = dynamodb.delete_backup(BackupArn=arn)["BackupDescription"]["BackupDetails"]
    assert deleted["BackupStatus"] == "DELETED"
    assert refusal(lambda: describe(dynamodb, arn)) == "BackupNotFoundException"
    assert refusal(lambda: restore(dynamodb, arn)) == "BackupNotFoundException"


def test_backups_are_listed_by_table_kind_and_page(dynamodb: Any, table: None) -> None:
    make_table(dynamodb, "others")
    arns = [create(dynamodb, f"kept-{number}") for number in range(3)]
    dynamodb.create_backup(TableName="others", BackupName="other")
    first = dynamodb.list_backups(TableName="accounts", Limit=2)
    start = first["LastEvaluatedBackupArn"]
    rest = dynamodb.list_backups(TableName="accounts", ExclusiveStartBackupArn=start)
    listed = first["BackupSummaries"] + rest["BackupSummaries"]
    assert [backup["BackupArn"] for backup in listed] == arns
    assert "LastEvaluatedBackupArn" not in rest
    assert dynamodb.list_backups(BackupType="SYSTEM")["BackupSummaries"] == []


def test_deleting_a_table_with_recovery_keeps_a_system_backup(dynamodb: Any, table: None) -> None:
    turn_recovery_on(dynamodb)
    put(dynamodb, "a", "1")
    dynamodb.delete_table(TableName="accounts")
    assert dynamodb.list_backups()["BackupSummaries"] == []
    (kept,) = dynamodb.list_backups(BackupType="SYSTEM")["BackupSummaries"]
    assert kept["BackupName"] == "accounts$DeletedTableBackup"
    days = (kept["BackupExpiryDateTime"] - kept["BackupCreationDateTime"]).days
    assert days == 35
    restore(dynamodb, kept["BackupArn"])
    assert contents(dynamodb, "restored") == {"a": "1"}


def test_deleting_a_table_without_recovery_keeps_nothing(dynamodb: Any, table: None) -> None:
    dynamodb.delete_table(TableName="accounts")
    assert dynamodb.list_backups(BackupType="ALL")["BackupSummaries"] == []


def test_names_are_checked(dynamodb: Any, table: None) -> None:
    assert refusal(lambda: create(dynamodb, "a b c")) == "ValidationException"
    arn = create(dynamodb)
    assert refusal(lambda: restore(dynamodb, arn, "a b c")) == "ValidationException"


def test_backup_operations_are_throttled_when_asked(aws: Any, dynamodb: Any, table: None) -> None:
    aws.settings(enforce_rate_limits=True)

    def list_many() -> None:
        for _ in range(6):
            dynamodb.list_backups()

    assert refusal(list_many) == "ThrottlingException"
