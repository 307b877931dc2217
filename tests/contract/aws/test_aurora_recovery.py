"""Restores of clusters by time and from snapshots: the rows of the moment, no instances, and what is lost."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.relational.client import Connection, SqlClient
from tests.contract.aws.conftest import wait_until
from tests.contract.aws.rds_builders import (
    FAST_RDS,
    LONG,
    PASSWORD,
    SUFFIX,
    cluster,
    cluster_status,
    make_cluster,
    make_member,
    next_second,
    refused,
    until_cluster,
    until_cluster_restorable,
    until_instance,
)


@pytest.fixture
def rds(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    return clients("rds")


def session(aws: Any, name: str = "orders", port: int = 3306) -> Connection:
    return SqlClient(aws.url).connect(f"{name}.cluster-{SUFFIX}", port, "admin", PASSWORD)


def restore(rds: Any, at: dt.datetime | None = None, target: str = "restored", **more: Any) -> dict[str, Any]:
    when: dict[str, Any] = {"UseLatestRestorableTime": True} if at is None else {"RestoreToTime": at}
    call = {"SourceDBClusterIdentifier": "orders", "DBClusterIdentifier": target, **when, **more}
    return dict(rds.restore_db_cluster_to_point_in_time(**call)["DBCluster"])


def from_snapshot(rds: Any, target: str = "restored", **more: Any) -> dict[str, Any]:
    call = {"SnapshotIdentifier": "first", "DBClusterIdentifier": target, "Engine": "aurora-mysql", **more}
    return dict(rds.restore_db_cluster_from_snapshot(**call)["DBCluster"])


def take(rds: Any, name: str = "first", **more: Any) -> dict[str, Any]:
    call = {"DBClusterIdentifier": "orders", "DBClusterSnapshotIdentifier": name, **more}
    return dict(rds.create_db_cluster_snapshot(**call)["DBClusterSnapshot"])


@pytest.mark.parametrize(("engine", "port"), [("aurora-mysql", 3306), ("aurora-postgresql", 5432)])
def test_a_restore_gives_the_rows_of_the_second_once_it_has_an_instance(aws: Any, rds: Any, engine: str, port: int) -> None:
    make_cluster(rds, Engine=engine)
    make_member(rds, "orders-1", Engine=engine)
    live = session(aws, port=port)
    live.create_table("bank.savings")
    live.put("bank.savings", "1", {"balance": 1})
    next_second()
    at = next_second()
    live.put("bank.savings", "1", {"balance": 9})
    assert restore(rds, at)["DBClusterMembers"] == []
    make_member(rds, "restored-1", "restored", Engine=engine)
    assert session(aws, "restored", port).scan("bank.savings") == {"1": {"balance": 1}}
    assert live.scan("bank.savings") == {"1": {"balance": 9}}


def test_a_restored_cluster_takes_instances_only_when_it_is_available(aws: Any, rds: Any) -> None:
    make_cluster(rds)
    until_cluster_restorable(rds)
    aws.settings(rds_restore_seconds=LONG)
    restore(rds)
    assert cluster_status(rds, "restored") == "creating"
    assert refused(lambda: make_member(rds, "restored-1", "restored")) == "InvalidDBClusterStateFault"


def test_a_clone_is_of_the_present(aws: Any, rds: Any) -> None:
    make_cluster(rds)
    make_member(rds, "orders-1")
    session(aws).create_table("bank.savings")
    clone = {"SourceDBClusterIdentifier": "orders", "DBClusterIdentifier": "clone", "RestoreType": "copy-on-write"}
    rds.restore_db_cluster_to_point_in_time(**clone)
    make_member(rds, "clone-1", "clone")
    assert session(aws, "clone").tables() == ["bank.savings"]
    assert refused(lambda: restore(rds, next_second(), RestoreType="copy-on-write")) == "InvalidParameterCombination"


def test_a_restore_resets_what_it_is_not_given(rds: Any, clients: Any) -> None:
    ec2 = clients("ec2")
    group = ec2.create_security_group(GroupName="db", Description="-")["GroupId"]
    family = "aurora-mysql8.0"
    rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="mine", DBParameterGroupFamily=family, Description="-")
    given = {
        "VpcSecurityGroupIds": [group],
        "DBClusterParameterGroupName": "mine",
        "Port": 3310,
        "DeletionProtection": True,
        "EnableIAMDatabaseAuthentication": True,
        "CopyTagsToSnapshot": True,
        "EnableCloudwatchLogsExports": ["error"],
        "BacktrackWindow": 3600,
        "StorageType": "aurora-iopt1",
        "Tags": [{"Key": "team", "Value": "a"}],
    }
    kept = {
        "BackupRetentionPeriod": 7,
        "PreferredBackupWindow": "03:00-03:30",
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 4.0},
    }
    make_cluster(rds, **given, **kept)
    rds.add_role_to_db_cluster(DBClusterIdentifier="orders", RoleArn="arn:aws:iam::123456789012:role/s3")
    until_cluster_restorable(rds)
    found = restore(rds)
    assert found["VpcSecurityGroups"][0]["VpcSecurityGroupId"] != group
    assert found["DBClusterParameterGroup"] == "default.aurora-mysql8.0"
    off = ("DeletionProtection", "IAMDatabaseAuthenticationEnabled", "CopyTagsToSnapshot")
    assert {name: found[name] for name in off} == dict.fromkeys(off, False)
    assert (found["Port"], found["StorageType"]) == (3306, "aurora")
    assert (found["TagList"], found["EnabledCloudwatchLogsExports"], found["AssociatedRoles"]) == ([], [], [])
    assert "BacktrackWindow" not in found
    assert {name: found[name] for name in kept} == kept
    whole = restore(rds, None, "whole", **given, AssociatedRoles=[{"RoleArn": "arn:aws:iam::123456789012:role/s3"}])
    own = {"DBClusterIdentifier", "DBClusterArn", "DbClusterResourceId", "ClusterCreateTime", "Status"}
    changing = own | {"Endpoint", "ReaderEndpoint", "EarliestRestorableTime", "LatestRestorableTime"}
    source = cluster(rds)
    assert {name: whole.get(name) for name in source.keys() - changing} == {
        name: source[name] for name in source.keys() - changing
    }


def test_a_restore_can_change_the_key_of_an_encrypted_cluster_only(rds: Any) -> None:
    make_cluster(rds)
    make_cluster(rds, "locked", StorageEncrypted=True)
    for name in ("orders", "locked"):
        until_cluster_restorable(rds, name)
    assert refused(lambda: restore(rds, KmsKeyId="alias/mine")) == "InvalidParameterCombination"
    found = restore(rds, SourceDBClusterIdentifier="locked", KmsKeyId="alias/mine")
    assert (found["StorageEncrypted"], found["KmsKeyId"]) == (True, "alias/mine")


@pytest.mark.parametrize("hours", [-48, 1])
def test_a_time_outside_the_window_is_refused(rds: Any, hours: int) -> None:
    make_cluster(rds)
    until_cluster_restorable(rds)
    at = dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours)
    assert refused(lambda: restore(rds, at)) == "InvalidParameterValue"


@pytest.mark.parametrize("when", [{}, {"RestoreToTime": dt.datetime.now(dt.UTC), "UseLatestRestorableTime": True}])
def test_a_restore_says_either_a_time_or_the_latest(rds: Any, when: dict[str, Any]) -> None:
    make_cluster(rds)
    call = {"SourceDBClusterIdentifier": "orders", "DBClusterIdentifier": "restored", **when}
    assert refused(lambda: rds.restore_db_cluster_to_point_in_time(**call)) == "InvalidParameterCombination"


def test_the_window_is_that_of_the_automated_backup_and_can_outlive_the_cluster(rds: Any) -> None:
    made = make_cluster(rds)
    until_cluster_restorable(rds)
    [backup] = rds.describe_db_cluster_automated_backups(DBClusterIdentifier="orders")["DBClusterAutomatedBackups"]
    assert backup["RestoreWindow"]["EarliestTime"] == cluster(rds)["EarliestRestorableTime"]
    rds.delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    until_cluster(rds, None)
    by_id = {"SourceDbClusterResourceId": made["DbClusterResourceId"], "DBClusterIdentifier": "restored"}
    rds.restore_db_cluster_to_point_in_time(**by_id, UseLatestRestorableTime=True)
    [kept] = rds.describe_db_cluster_automated_backups(DbClusterResourceId=made["DbClusterResourceId"])[
        "DBClusterAutomatedBackups"
    ]
    assert kept["Status"] == "retained"
    rds.delete_db_cluster_automated_backup(DbClusterResourceId=made["DbClusterResourceId"])
    again = {**by_id, "DBClusterIdentifier": "again", "UseLatestRestorableTime": True}
    assert refused(lambda: rds.restore_db_cluster_to_point_in_time(**again)) == "DBClusterAutomatedBackupNotFoundFault"


def test_a_snapshot_holds_the_rows_and_makes_a_cluster_without_instances(aws: Any, rds: Any) -> None:
    make_cluster(rds, DeletionProtection=True)
    make_member(rds, "orders-1")
    session(aws).create_table("bank.savings")
    assert take(rds)["Status"] == "creating"
    wait_until(lambda: rds.describe_db_cluster_snapshots()["DBClusterSnapshots"][0]["Status"] == "available", "the snapshot")
    session(aws).drop_table("bank.savings")
    found = from_snapshot(rds)
    assert (found["DBClusterMembers"], found["DeletionProtection"]) == ([], False)
    make_member(rds, "restored-1", "restored")
    assert session(aws, "restored").tables() == ["bank.savings"]


def test_a_cluster_snapshot_takes_time_and_its_name(aws: Any, rds: Any) -> None:
    make_cluster(rds)
    aws.settings(rds_snapshot_seconds=LONG)
    take(rds)
    [found] = rds.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="first")["DBClusterSnapshots"]
    assert (found["Status"], found["PercentProgress"]) == ("creating", 0)
    assert refused(lambda: take(rds)) == "DBClusterSnapshotAlreadyExistsFault"
    assert refused(lambda: from_snapshot(rds)) == "InvalidDBClusterSnapshotStateFault"
    delete = {"DBClusterSnapshotIdentifier": "first"}
    assert refused(lambda: rds.delete_db_cluster_snapshot(**delete)) == "InvalidDBClusterSnapshotStateFault"
    assert cluster_status(rds) == "available"


def test_a_final_snapshot_outlives_the_cluster(rds: Any) -> None:
    make_cluster(rds)
    rds.delete_db_cluster(DBClusterIdentifier="orders", FinalDBSnapshotIdentifier="first")
    until_cluster(rds, None)
    from_snapshot(rds)
    assert refused(lambda: from_snapshot(rds, "other", Engine="aurora-postgresql")) == "InvalidParameterCombination"
    rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="first")
    assert refused(lambda: from_snapshot(rds, "again")) == "DBClusterSnapshotNotFoundFault"


def test_swapping_identifiers_of_clusters_and_members_keeps_every_address(aws: Any, rds: Any) -> None:
    make_cluster(rds)
    make_member(rds, "orders-1")
    session(aws).create_table("bank.savings")
    until_cluster_restorable(rds)
    next_second()
    restore(rds)
    make_member(rds, "restored-1", "restored")
    session(aws).drop_table("bank.savings")
    for old, new in (("orders", "orders-old"), ("restored", "orders")):
        rds.modify_db_cluster(DBClusterIdentifier=old, NewDBClusterIdentifier=new, ApplyImmediately=True)
        until_cluster(rds, "available", new)
    for old, new in (("orders-1", "orders-old-1"), ("restored-1", "orders-1")):
        rds.modify_db_instance(DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)
        until_instance(rds, "available", new)
    assert session(aws).tables() == ["bank.savings"]
    assert SqlClient(aws.url).connect(f"orders-1.{SUFFIX}", 3306, "admin", PASSWORD).tables() == ["bank.savings"]
    assert session(aws, "orders-old").tables() == []
