"""ModifyDBInstance: what applies at once, what waits, and what a rename does to names and addresses."""

from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.relational.client import DatabaseUnreachable, SqlClient
from tests.contract.aws.conftest import wait_until
from tests.contract.aws.rds_builders import (
    FAST_RDS,
    LONG,
    PASSWORD,
    SHORT,
    SUFFIX,
    instance,
    instance_status,
    make_instance,
    refused,
    until_instance,
)


@pytest.fixture
def rds(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    return clients("rds")


def modify(rds: Any, **changes: Any) -> dict[str, Any]:
    return dict(rds.modify_db_instance(**{"DBInstanceIdentifier": "orders", **changes})["DBInstance"])


def rename(rds: Any, old: str, new: str) -> None:
    modify(rds, DBInstanceIdentifier=old, NewDBInstanceIdentifier=new, ApplyImmediately=True)


def tables_at(aws: Any, name: str) -> list[str]:
    return SqlClient(aws.url).connect(f"{name}.{SUFFIX}", 3306, "admin", PASSWORD).tables()


@pytest.mark.parametrize(
    ("change", "shown", "value"),
    [
        ({"DBInstanceClass": "db.r6g.xlarge"}, "DBInstanceClass", "db.r6g.xlarge"),
        ({"MultiAZ": True}, "MultiAZ", True),
        ({"AllocatedStorage": 40}, "AllocatedStorage", 40),
        ({"EnableIAMDatabaseAuthentication": True}, "IAMDatabaseAuthenticationEnabled", True),
        ({"BackupRetentionPeriod": 0}, "BackupRetentionPeriod", 0),
        ({"NewDBInstanceIdentifier": "new"}, "DBInstanceIdentifier", "new"),
    ],
)
def test_some_changes_wait_for_the_maintenance_window(rds: Any, change: dict[str, Any], shown: str, value: Any) -> None:
    before = make_instance(rds)[shown]
    assert modify(rds, **change)["PendingModifiedValues"] == {shown: value}
    found = instance(rds)
    assert (found[shown], found["PendingModifiedValues"], found["DBInstanceStatus"]) == (before, {shown: value}, "available")


def test_applying_immediately_applies_what_waited_too(rds: Any) -> None:
    make_instance(rds)
    modify(rds, MultiAZ=True)
    modify(rds, DBInstanceClass="db.r6g.xlarge", ApplyImmediately=True)
    found = instance(rds)
    assert (found["MultiAZ"], found["DBInstanceClass"]) == (True, "db.r6g.xlarge")
    assert found["PendingModifiedValues"] == {}


@pytest.mark.parametrize(
    "change",
    [
        {"DeletionProtection": True},
        {"CopyTagsToSnapshot": True},
        {"MaxAllocatedStorage": 100},
        {"PreferredBackupWindow": "01:00-01:30"},
        {"AutoMinorVersionUpgrade": False},
    ],
)
def test_what_only_the_service_knows_is_in_force_at_once(aws: Any, rds: Any, change: dict[str, Any]) -> None:
    make_instance(rds)
    until_instance(rds, "available")
    aws.settings(rds_modify_seconds=LONG)
    found = modify(rds, **change)
    assert {name: found[name] for name in change} == change
    assert instance_status(rds) == "available"


def test_other_changes_apply_as_soon_as_possible_and_take_time(aws: Any, rds: Any) -> None:
    make_instance(rds)
    until_instance(rds, "available")
    aws.settings(rds_modify_seconds=SHORT)
    modify(rds, PubliclyAccessible=True, CloudwatchLogsExportConfiguration={"EnableLogTypes": ["error"]})
    wait_until(lambda: instance(rds)["PubliclyAccessible"], "the change to be in force")
    assert instance(rds)["EnabledCloudwatchLogsExports"] == ["error"]
    aws.settings(rds_modify_seconds=LONG)
    modify(rds, PubliclyAccessible=False)
    assert (instance_status(rds), instance(rds)["PubliclyAccessible"]) == ("modifying", True)
    assert refused(lambda: modify(rds, PubliclyAccessible=False)) == "InvalidDBInstanceState"


def test_a_limit_at_the_size_switches_storage_autoscaling_off(rds: Any) -> None:
    make_instance(rds, MaxAllocatedStorage=100)
    modify(rds, MaxAllocatedStorage=20)
    assert "MaxAllocatedStorage" not in instance(rds)


def test_a_parameter_group_waits_for_a_reboot(rds: Any) -> None:
    make_instance(rds)
    rds.create_db_parameter_group(DBParameterGroupName="mine", DBParameterGroupFamily="mysql8.0", Description="-")
    modify(rds, DBParameterGroupName="mine", ApplyImmediately=True)
    waiting = {"DBParameterGroupName": "mine", "ParameterApplyStatus": "pending-reboot"}
    assert instance(rds)["DBParameterGroups"] == [waiting]
    rds.reboot_db_instance(DBInstanceIdentifier="orders")
    assert instance(rds)["DBParameterGroups"] == [{**waiting, "ParameterApplyStatus": "in-sync"}]


def test_storage_does_not_shrink_and_nothing_of_a_refused_request_is_applied(rds: Any) -> None:
    make_instance(rds)
    assert refused(lambda: modify(rds, AllocatedStorage=10, DeletionProtection=True)) == "InvalidParameterCombination"
    assert instance(rds)["DeletionProtection"] is False


def test_a_password_can_be_given_into_the_care_of_rds_and_taken_back(aws: Any, rds: Any) -> None:
    make_instance(rds)
    modify(rds, ManageMasterUserPassword=True)
    assert instance(rds)["MasterUserSecret"]["SecretStatus"] == "active"
    with pytest.raises(Exception, match="AccessDenied"):
        tables_at(aws, "orders")
    assert refused(lambda: modify(rds, ManageMasterUserPassword=False)) == "InvalidParameterCombination"
    modify(rds, ManageMasterUserPassword=False, MasterUserPassword=PASSWORD)
    assert tables_at(aws, "orders") == []
    assert "MasterUserSecret" not in instance(rds)


def test_a_renamed_instance_is_itself_under_another_name(rds: Any) -> None:
    made = make_instance(rds, Tags=[{"Key": "team", "Value": "a"}])
    rename(rds, "orders", "orders-old")
    assert instance_status(rds) is None
    found = instance(rds, "orders-old")
    assert (found["DbiResourceId"], found["TagList"]) == (made["DbiResourceId"], [{"Key": "team", "Value": "a"}])
    assert found["DBInstanceArn"].endswith(":db:orders-old")
    assert found["Endpoint"]["Address"] == f"orders-old.{SUFFIX}"
    assert found["PendingModifiedValues"] == {}


def test_during_a_rename_neither_address_answers(aws: Any, rds: Any) -> None:
    make_instance(rds)
    assert tables_at(aws, "orders") == []
    aws.settings(rename_seconds=LONG)
    rename(rds, "orders", "orders-old")
    for name in ("orders", "orders-old"):
        with pytest.raises(DatabaseUnreachable, match="UnknownHost"):
            tables_at(aws, name)
    assert instance_status(rds, "orders-old") is None
    found = instance(rds)
    assert (found["DBInstanceStatus"], found["PendingModifiedValues"]) == ("renaming", {"DBInstanceIdentifier": "orders-old"})
    assert "Endpoint" not in found
    assert refused(lambda: modify(rds, MultiAZ=True)) == "InvalidDBInstanceState"


def test_after_a_rename_the_new_address_answers_and_the_old_does_not(aws: Any, rds: Any) -> None:
    make_instance(rds)
    aws.settings(rename_seconds=SHORT)
    rename(rds, "orders", "orders-old")
    until_instance(rds, "available", "orders-old")
    assert tables_at(aws, "orders-old") == []
    with pytest.raises(DatabaseUnreachable, match="UnknownHost"):
        tables_at(aws, "orders")


def test_a_name_on_its_way_is_taken(aws: Any, rds: Any) -> None:
    make_instance(rds)
    make_instance(rds, "other")
    aws.settings(rename_seconds=LONG)
    rename(rds, "orders", "orders-old")
    for name in ("orders", "orders-old"):
        assert refused(lambda name=name: make_instance(rds, name)) == "DBInstanceAlreadyExists"
        assert refused(lambda name=name: rename(rds, "other", name)) == "DBInstanceAlreadyExists"


def test_a_name_given_up_becomes_free_only_after_a_while(aws: Any, rds: Any) -> None:
    make_instance(rds)
    make_instance(rds, "held")
    aws.settings(name_free_seconds=LONG)
    rename(rds, "held", "held-old")
    assert refused(lambda: make_instance(rds, "held")) == "DBInstanceAlreadyExists"
    aws.settings(name_free_seconds=SHORT)
    rename(rds, "orders", "orders-old")

    def free() -> bool:
        try:
            make_instance(rds)
        except rds.exceptions.DBInstanceAlreadyExistsFault:
            return False
        return True

    wait_until(free, "the name to become free")


def test_swapping_identifiers_keeps_the_address_and_exchanges_the_data(aws: Any, rds: Any) -> None:
    make_instance(rds)
    make_instance(rds, "restored")
    SqlClient(aws.url).connect(f"restored.{SUFFIX}", 3306, "admin", PASSWORD).create_table("bank.savings")
    rename(rds, "orders", "orders-old")
    until_instance(rds, "available", "orders-old")
    rename(rds, "restored", "orders")
    until_instance(rds, "available")
    assert (tables_at(aws, "orders"), tables_at(aws, "orders-old")) == (["bank.savings"], [])


def test_an_instance_that_is_not_available_cannot_be_renamed(aws: Any, rds: Any) -> None:
    aws.settings(rds_create_seconds=LONG)
    make_instance(rds)
    assert refused(lambda: rename(rds, "orders", "orders-old")) == "InvalidDBInstanceState"


def test_injected_faults_strike_rds_as_they_do_other_services(aws: Any, rds: Any) -> None:
    make_instance(rds)
    aws.fault("rds", "ModifyDBInstance", "InvalidDBInstanceState")
    aws.fault("rds", "DescribeDBInstances", "Throttling")
    assert refused(lambda: rds.describe_db_instances()) == "Throttling"
    assert refused(lambda: modify(rds, MultiAZ=True)) == "InvalidDBInstanceState"
    assert aws.faults() == []
