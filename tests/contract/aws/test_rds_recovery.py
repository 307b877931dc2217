"""Point-in-time recovery of instances: the rows of the second, refusals, and what a restore loses."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.relational.client import Connection, DatabaseError, SqlClient
from tests.contract.aws.rds_builders import (
    FAST_RDS,
    LONG,
    PASSWORD,
    SHORT,
    instance,
    instance_status,
    make_instance,
    next_second,
    refused,
    until_instance,
    until_restorable,
)

ROLE = "arn:aws:iam::123456789012:role/monitoring"


@pytest.fixture
def rds(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    return clients("rds")


def session(aws: Any, rds: Any, name: str = "orders", password: str = PASSWORD) -> Connection:
    endpoint = instance(rds, name)["Endpoint"]
    return SqlClient(aws.url).connect(endpoint["Address"], endpoint["Port"], "admin", password)


def restore(rds: Any, at: dt.datetime | None = None, target: str = "restored", **more: Any) -> dict[str, Any]:
    when: dict[str, Any] = {"UseLatestRestorableTime": True} if at is None else {"RestoreTime": at}
    call = {"SourceDBInstanceIdentifier": "orders", "TargetDBInstanceIdentifier": target, **when, **more}
    return dict(rds.restore_db_instance_to_point_in_time(**call)["DBInstance"])


def test_a_restore_gives_the_rows_of_the_second(aws: Any, rds: Any) -> None:
    make_instance(rds)
    live = session(aws, rds)
    for table in ("bank.savings", "bank.dropped"):
        live.create_table(table)
        live.put(table, "changed", {"balance": 1})
        live.put(table, "deleted", {"balance": 2})
    next_second()
    at = next_second()
    live.put("bank.savings", "changed", {"balance": 9})
    live.put("bank.savings", "new", {"balance": 9})
    live.delete("bank.savings", "deleted")
    live.drop_table("bank.dropped")
    live.create_table("bank.later")
    later = next_second()
    restore(rds, at)
    restore(rds, later, "restored-later")
    back, back_later = session(aws, rds, "restored"), session(aws, rds, "restored-later")
    before = {"changed": {"balance": 1}, "deleted": {"balance": 2}}
    assert back.tables() == ["bank.dropped", "bank.savings"]
    assert back.scan("bank.savings") == back.scan("bank.dropped") == before
    assert back_later.tables() == ["bank.later", "bank.savings"]
    assert back_later.scan("bank.savings") == {"changed": {"balance": 9}, "new": {"balance": 9}}


def test_a_restored_instance_has_a_life_and_a_history_of_its_own(aws: Any, rds: Any) -> None:
    make_instance(rds)
    live = session(aws, rds)
    live.create_table("bank.savings")
    next_second()
    at = next_second()
    restore(rds, at)
    restored = session(aws, rds, "restored")
    restored.put("bank.savings", "1", {"balance": 5})
    assert live.scan("bank.savings") == {}
    early = {"SourceDBInstanceIdentifier": "restored", "TargetDBInstanceIdentifier": "again", "RestoreTime": at}
    assert refused(lambda: rds.restore_db_instance_to_point_in_time(**early)) == "InvalidParameterValue"


def test_the_password_is_that_of_the_moment(aws: Any, rds: Any) -> None:
    make_instance(rds)
    next_second()
    at = next_second()
    rds.modify_db_instance(DBInstanceIdentifier="orders", MasterUserPassword="changed-456")
    assert session(aws, rds, password="changed-456").tables() == []
    restore(rds, at)
    assert session(aws, rds, "restored").tables() == []
    with pytest.raises(DatabaseError, match="AccessDenied"):
        session(aws, rds, "restored", "changed-456").tables()


@pytest.mark.parametrize("hours", [-48, 1])
def test_a_time_outside_the_window_is_refused(rds: Any, hours: int) -> None:
    make_instance(rds)
    until_restorable(rds)
    at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    assert refused(lambda: restore(rds, at)) == "InvalidParameterValue"
    assert instance_status(rds, "restored") is None


def test_a_time_that_has_not_become_restorable_is_refused_until_it_has(aws: Any, rds: Any) -> None:
    make_instance(rds)
    until_restorable(rds)
    at = next_second()
    aws.settings(rds_lag_seconds=LONG)
    assert refused(lambda: restore(rds, at)) == "InvalidParameterValue"
    assert "LatestRestorableTime" not in instance(rds)
    aws.settings(rds_lag_seconds=0)
    restore(rds, at)


def test_before_the_first_backup_nothing_can_be_restored(aws: Any, rds: Any) -> None:
    aws.settings(rds_backup_seconds=LONG)
    make_instance(rds)
    assert refused(lambda: restore(rds)) == "InvalidParameterValue"


def test_the_restore_window_is_that_of_the_automated_backup(aws: Any, rds: Any) -> None:
    made = make_instance(rds)
    until_restorable(rds)
    aws.settings(rds_lag_seconds=LONG)
    [backup] = rds.describe_db_instance_automated_backups(DbiResourceId=made["DbiResourceId"])["DBInstanceAutomatedBackups"]
    assert backup["RestoreWindow"] == {}
    aws.settings(rds_lag_seconds=0)
    [backup] = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="orders")["DBInstanceAutomatedBackups"]
    window = backup["RestoreWindow"]
    assert backup["Status"] == "active"
    assert made["InstanceCreateTime"] <= window["EarliestTime"] <= window["LatestTime"] <= dt.datetime.now(dt.UTC)
    by_arn = {"SourceDBInstanceAutomatedBackupsArn": backup["DBInstanceAutomatedBackupsArn"]}
    rds.restore_db_instance_to_point_in_time(
        **by_arn, TargetDBInstanceIdentifier="restored", RestoreTime=window["EarliestTime"]
    )


@pytest.mark.parametrize("when", [{}, {"RestoreTime": dt.datetime.now(dt.UTC), "UseLatestRestorableTime": True}])
def test_a_restore_says_either_a_time_or_the_latest(rds: Any, when: dict[str, Any]) -> None:
    make_instance(rds)
    call = {"SourceDBInstanceIdentifier": "orders", "TargetDBInstanceIdentifier": "restored", **when}
    assert refused(lambda: rds.restore_db_instance_to_point_in_time(**call)) == "InvalidParameterCombination"


def test_without_backups_a_restore_is_refused(rds: Any) -> None:
    make_instance(rds, BackupRetentionPeriod=0)
    assert refused(lambda: restore(rds)) == "PointInTimeRestoreNotEnabled"


def test_backups_turned_off_and_on_start_a_new_window(rds: Any) -> None:
    make_instance(rds)
    until_restorable(rds)
    at = next_second()
    next_second()
    for days in (0, 7):
        rds.modify_db_instance(DBInstanceIdentifier="orders", BackupRetentionPeriod=days, ApplyImmediately=True)
        until_instance(rds, "available")
    assert refused(lambda: restore(rds, at)) == "InvalidParameterValue"
    until_restorable(rds)
    restore(rds)


def test_the_target_name_must_be_free_and_the_account_have_room(aws: Any, rds: Any) -> None:
    make_instance(rds)
    until_restorable(rds)
    assert refused(lambda: restore(rds, target="orders")) == "DBInstanceAlreadyExists"
    aws.settings(rds_max_instances=1)
    assert refused(lambda: restore(rds)) == "InstanceQuotaExceeded"


def test_a_restore_takes_time_and_then_a_first_backup(aws: Any, rds: Any) -> None:
    make_instance(rds)
    until_restorable(rds)
    aws.settings(rds_restore_seconds=LONG)
    restore(rds, target="slow")
    assert instance_status(rds, "slow") == "creating"
    slow = {"SourceDBInstanceIdentifier": "slow", "TargetDBInstanceIdentifier": "next", "UseLatestRestorableTime": True}
    assert refused(lambda: rds.restore_db_instance_to_point_in_time(**slow)) == "InvalidDBInstanceState"
    aws.settings(rds_restore_seconds=SHORT)
    restore(rds)
    until_instance(rds, "available", "restored")


def everything_set(clients: Any) -> dict[str, Any]:
    """Groups made, and every setting away from its default."""
    rds, ec2 = clients("rds"), clients("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="db", Description="-", VpcId=vpc)["GroupId"]
    rds.create_db_subnet_group(DBSubnetGroupName="private", DBSubnetGroupDescription="-", SubnetIds=[subnet])
    rds.create_db_parameter_group(DBParameterGroupName="mine", DBParameterGroupFamily="mysql8.0", Description="-")
    rds.create_option_group(OptionGroupName="mine", EngineName="mysql", MajorEngineVersion="8.0", OptionGroupDescription="-")
    return {
        "DBSubnetGroupName": "private",
        "VpcSecurityGroupIds": [group],
        "DBParameterGroupName": "mine",
        "OptionGroupName": "mine",
        "MultiAZ": True,
        "PubliclyAccessible": True,
        "EnableIAMDatabaseAuthentication": True,
        "DeletionProtection": True,
        "CopyTagsToSnapshot": True,
        "MaxAllocatedStorage": 100,
        "EnableCloudwatchLogsExports": ["error", "slowquery"],
        "Tags": [{"Key": "team", "Value": "a"}],
        "PreferredBackupWindow": "03:00-03:30",
        "CACertificateIdentifier": "rds-ca-rsa4096-g1",
    }


def test_a_restore_resets_what_it_is_not_given(rds: Any, clients: Any) -> None:
    monitored = {"MonitoringInterval": 60, "MonitoringRoleArn": ROLE, "EnablePerformanceInsights": True}
    make_instance(rds, **everything_set(clients), **monitored)
    until_restorable(rds)
    found = restore(rds)
    default_vpc = clients("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    assert (found["DBSubnetGroup"]["DBSubnetGroupName"], found["DBSubnetGroup"]["VpcId"]) == ("default", default_vpc)
    assert found["VpcSecurityGroups"] != instance(rds)["VpcSecurityGroups"]
    assert found["DBParameterGroups"][0]["DBParameterGroupName"] == "default.mysql8.0"
    assert found["OptionGroupMemberships"][0]["OptionGroupName"] == "default:mysql-8-0"
    off = (
        "MultiAZ",
        "PubliclyAccessible",
        "IAMDatabaseAuthenticationEnabled",
        "DeletionProtection",
        "CopyTagsToSnapshot",
        "PerformanceInsightsEnabled",
    )
    assert {name: found[name] for name in off} == dict.fromkeys(off, False)
    assert (found["MonitoringInterval"], found["TagList"], found["EnabledCloudwatchLogsExports"]) == (0, [], [])
    assert found["PreferredBackupWindow"] != "03:00-03:30"
    assert found["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
    assert not {"MaxAllocatedStorage", "MonitoringRoleArn"} & found.keys()


def test_a_restore_applies_what_it_is_given(rds: Any, clients: Any) -> None:
    given = everything_set(clients)
    make_instance(rds, **given)
    until_restorable(rds)
    restore(rds, **given)
    until_instance(rds, "available", "restored")
    own = {"DBInstanceIdentifier", "DBInstanceArn", "DbiResourceId", "InstanceCreateTime", "Endpoint", "LatestRestorableTime"}
    source, restored = instance(rds), instance(rds, "restored")
    assert {name: restored[name] for name in restored.keys() - own} == {name: source[name] for name in source.keys() - own}


def test_a_restore_keeps_class_storage_port_retention_and_user(rds: Any) -> None:
    make_instance(rds, AllocatedStorage=50, Port=3310, BackupRetentionPeriod=7, StorageEncrypted=True, DBName="bank")
    until_restorable(rds)
    restore(rds)
    found = instance(rds, "restored")
    assert (found["DBInstanceClass"], found["AllocatedStorage"], found["BackupRetentionPeriod"]) == ("db.r6g.large", 50, 7)
    assert (found["Endpoint"]["Port"], found["MasterUsername"], found["DBName"]) == (3310, "admin", "bank")
    assert (found["StorageEncrypted"], found["KmsKeyId"]) == (True, instance(rds)["KmsKeyId"])


def test_storage_falls_back_to_gp3_unless_the_restore_says_otherwise(rds: Any) -> None:
    make_instance(rds, StorageType="io2", Iops=4000, AllocatedStorage=500)
    until_restorable(rds)
    assert (restore(rds)["StorageType"], restore(rds, target="second")["Iops"]) == ("gp3", 12_000)
    same = restore(rds, target="same", StorageType="io2", Iops=4000)
    assert (same["StorageType"], same["Iops"]) == ("io2", 4000)


@pytest.mark.parametrize(
    "given",
    [
        {"Engine": "oracle-se2", "LicenseModel": "bring-your-own-license", "CharacterSetName": "JA16SJIS"},
        {"Engine": "sqlserver-se", "Timezone": "Tokyo Standard Time", "CharacterSetName": "Japanese_CI_AS"},
    ],
)
def test_licence_character_set_and_time_zone_come_back(rds: Any, given: dict[str, str]) -> None:
    make_instance(rds, **given)
    until_restorable(rds)
    found = restore(rds)
    assert {name: found[name] for name in given} == given


@pytest.mark.parametrize(
    ("engine", "more", "code"),
    [
        ("mysql", {"DBName": "other"}, "InvalidParameterCombination"),
        ("mysql", {"Engine": "postgres"}, "InvalidParameterCombination"),
        ("mysql", {"AllocatedStorage": 10}, "InvalidParameterValue"),
        ("sqlserver-se", {"AllocatedStorage": 100}, "InvalidParameterCombination"),
        ("oracle-ee", {"LicenseModel": "license-included"}, "InvalidParameterCombination"),
        ("mysql", {"DBParameterGroupName": "none"}, "DBParameterGroupNotFound"),
    ],
)
def test_a_restore_refuses_what_does_not_fit_the_source(rds: Any, engine: str, more: dict[str, Any], code: str) -> None:
    make_instance(rds, Engine=engine)
    until_restorable(rds)
    assert refused(lambda: restore(rds, **more)) == code


def test_what_is_no_parameter_of_the_restore_is_refused_by_the_server_too(aws: Any, rds: Any) -> None:
    make_instance(rds)
    unchecked = aws.client("rds", parameter_validation=False)
    model = unchecked.meta.service_model.operation_model("RestoreDBInstanceToPointInTime")
    assert "MonitoringInterval" not in model.input_shape.members

    def add_unknown(params: dict[str, Any], **_: Any) -> None:
        params["body"]["MonitoringInterval"] = "60"

    unchecked.meta.events.register("before-call.rds.RestoreDBInstanceToPointInTime", add_unknown)
    assert refused(lambda: restore(unchecked)) == "InvalidParameterValue"
