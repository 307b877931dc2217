"""DB instances: engines, states over time, names and addresses, quotas, stopping, deletion."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.aws.rds_builders import (
    FAST_RDS,
    LONG,
    SHORT,
    SUFFIX,
    instance,
    instance_status,
    make_instance,
    refused,
    until_instance,
    until_restorable,
)


@pytest.fixture
def rds(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    return clients("rds")


def test_an_instance_is_created_then_backed_up_then_available(aws: Any, rds: Any) -> None:
    aws.settings(rds_create_seconds=LONG)
    assert make_instance(rds, "created")["DBInstanceStatus"] == instance_status(rds, "created") == "creating"
    aws.settings(rds_create_seconds=0, rds_backup_seconds=LONG)
    make_instance(rds, "backed-up")
    assert instance_status(rds, "backed-up") == "backing-up"
    aws.settings(rds_create_seconds=SHORT, rds_backup_seconds=SHORT)
    make_instance(rds)
    until_instance(rds, "available")


def test_an_instance_without_backups_is_not_backed_up(aws: Any, rds: Any) -> None:
    aws.settings(rds_backup_seconds=LONG)
    make_instance(rds, BackupRetentionPeriod=0)
    assert instance_status(rds) == "available"
    assert "LatestRestorableTime" not in instance(rds)


def test_an_instance_has_no_endpoint_while_it_is_created(aws: Any, rds: Any) -> None:
    aws.settings(rds_create_seconds=SHORT)
    assert "Endpoint" not in make_instance(rds)
    until_instance(rds, "available")
    assert instance(rds)["Endpoint"]["Address"] == f"orders.{SUFFIX}"


@pytest.mark.parametrize(
    ("engine", "port", "licence", "group", "options"),
    [
        ("mysql", 3306, "general-public-license", "default.mysql8.0", "default:mysql-8-0"),
        ("postgres", 5432, "postgresql-license", "default.postgres16", "default:postgres-16"),
        ("oracle-ee", 1521, "bring-your-own-license", "default.oracle-ee-19", "default:oracle-ee-19"),
        ("oracle-se2-cdb", 1521, "license-included", "default.oracle-se2-cdb-19", "default:oracle-se2-cdb-19"),
        ("sqlserver-ee", 1433, "license-included", "default.sqlserver-ee-15.0", "default:sqlserver-ee-15-00"),
        ("sqlserver-web", 1433, "license-included", "default.sqlserver-web-15.0", "default:sqlserver-web-15-00"),
    ],
)
def test_each_engine_has_its_defaults(rds: Any, engine: str, port: int, licence: str, group: str, options: str) -> None:
    make_instance(rds, Engine=engine)
    found = instance(rds)
    assert (found["Endpoint"]["Port"], found["LicenseModel"]) == (port, licence)
    assert found["DBParameterGroups"] == [{"DBParameterGroupName": group, "ParameterApplyStatus": "in-sync"}]
    assert found["OptionGroupMemberships"] == [{"OptionGroupName": options, "Status": "in-sync"}]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Engine": "nosuchdb"}, "InvalidParameterValue"),
        ({"Engine": "aurora-mysql"}, "InvalidParameterCombination"),
        ({"Engine": "oracle-ee", "LicenseModel": "license-included"}, "InvalidParameterCombination"),
        ({"Timezone": "Asia/Tokyo"}, "InvalidParameterCombination"),
        ({"CharacterSetName": "AL32UTF8"}, "InvalidParameterCombination"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "two--hyphens"}, "InvalidParameterValue"),
        ({"DBInstanceIdentifier": "1orders"}, "InvalidParameterValue"),
        ({"BackupRetentionPeriod": 36}, "InvalidParameterValue"),
        ({"DBSubnetGroupName": "none"}, "DBSubnetGroupNotFoundFault"),
        ({"DBParameterGroupName": "none"}, "DBParameterGroupNotFound"),
        ({"OptionGroupName": "none"}, "OptionGroupNotFoundFault"),
        ({"VpcSecurityGroupIds": ["sg-none"]}, "InvalidParameterValue"),
        ({"MonitoringInterval": 60}, "InvalidParameterCombination"),
        ({"MultiAZ": True, "AvailabilityZone": "ap-northeast-1a"}, "InvalidParameterCombination"),
        ({"MaxAllocatedStorage": 10}, "InvalidParameterCombination"),
        ({"ManageMasterUserPassword": True}, "InvalidParameterCombination"),
        ({"StorageType": "io1"}, "InvalidParameterCombination"),
        ({"StorageType": "gp3", "Iops": 4000}, "InvalidParameterCombination"),
        ({"KmsKeyId": "alias/mine"}, "InvalidParameterCombination"),
    ],
)
def test_settings_that_rds_refuses_are_refused(rds: Any, more: dict[str, Any], code: str) -> None:
    assert refused(lambda: make_instance(rds, **more)) == code
    assert rds.describe_db_instances()["DBInstances"] == []


@pytest.mark.parametrize(
    ("engine", "size", "performance"),
    [
        ("mysql", 399, (3_000, 125)),
        ("mysql", 400, (12_000, 500)),
        ("oracle-ee", 200, (12_000, 500)),
        ("sqlserver-se", 1_000, (3_000, 125)),
    ],
)
def test_gp3_has_a_baseline_by_size(rds: Any, engine: str, size: int, performance: tuple[int, int]) -> None:
    made = make_instance(rds, Engine=engine, AllocatedStorage=size)
    assert (made["StorageType"], made["Iops"], made["StorageThroughput"]) == ("gp3", *performance)


def test_a_parameter_group_of_another_family_is_refused(rds: Any) -> None:
    rds.create_db_parameter_group(DBParameterGroupName="mine", DBParameterGroupFamily="postgres16", Description="-")
    assert refused(lambda: make_instance(rds, DBParameterGroupName="mine")) == "InvalidParameterCombination"


def test_a_parameter_that_the_sandbox_cannot_honour_is_refused_and_not_forgotten(rds: Any) -> None:
    assert refused(lambda: make_instance(rds, MultiTenant=True)) == "InvalidParameterValue"


def test_an_operation_that_the_sandbox_does_not_have_is_refused(rds: Any) -> None:
    assert refused(lambda: rds.describe_reserved_db_instances()) == "InvalidAction"


def test_a_name_is_taken_once_and_whatever_its_case(rds: Any) -> None:
    make_instance(rds)
    assert refused(lambda: make_instance(rds, "ORDERS")) == "DBInstanceAlreadyExists"


def test_the_account_can_have_only_so_many_instances(aws: Any, rds: Any) -> None:
    aws.settings(rds_max_instances=1)
    make_instance(rds)
    assert refused(lambda: make_instance(rds, "more")) == "InstanceQuotaExceeded"


def test_instances_are_found_by_resource_id_which_no_rename_changes(rds: Any) -> None:
    made = make_instance(rds)
    make_instance(rds, "other")
    found = rds.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": [made["DbiResourceId"]]}])
    assert [entry["DBInstanceIdentifier"] for entry in found["DBInstances"]] == ["orders"]
    unknown = [{"Name": "colour", "Values": ["red"]}]
    assert refused(lambda: rds.describe_db_instances(Filters=unknown)) == "InvalidParameterValue"


def test_a_long_list_comes_in_pages(aws: Any, rds: Any) -> None:
    aws.settings(rds_max_instances=21)
    for number in range(21):
        make_instance(rds, f"orders-{number}", BackupRetentionPeriod=0)
    first = rds.describe_db_instances(MaxRecords=20)
    rest = rds.describe_db_instances(MaxRecords=20, Marker=first["Marker"])
    assert (len(first["DBInstances"]), len(rest["DBInstances"])) == (20, 1)
    assert "Marker" not in rest


def test_the_subnet_groups_vpc_decides_the_default_security_group(rds: Any, clients: Any) -> None:
    ec2 = clients("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    rds.create_db_subnet_group(DBSubnetGroupName="private", DBSubnetGroupDescription="-", SubnetIds=[subnet])
    made = make_instance(rds, DBSubnetGroupName="private")
    default = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"][0]["GroupId"]
    assert made["VpcSecurityGroups"] == [{"VpcSecurityGroupId": default, "Status": "active"}]
    assert made["DBSubnetGroup"]["VpcId"] == vpc


def test_tags_are_added_listed_and_removed_by_arn(rds: Any) -> None:
    arn = make_instance(rds, Tags=[{"Key": "team", "Value": "a"}])["DBInstanceArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "tier", "Value": "1"}])
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["tier"])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "team", "Value": "b"}]
    assert instance(rds)["TagList"] == [{"Key": "team", "Value": "b"}]
    assert refused(lambda: rds.list_tags_for_resource(ResourceName=arn + "x")) == "DBInstanceNotFound"


def test_tags_of_groups_are_still_kept(rds: Any) -> None:
    group = {"DBParameterGroupName": "mine", "DBParameterGroupFamily": "mysql8.0", "Description": "-"}
    arn = rds.create_db_parameter_group(**group)["DBParameterGroup"]["DBParameterGroupArn"]
    rds.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "team", "Value": "a"}])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "team", "Value": "a"}]


def test_a_role_is_associated_once_per_feature(rds: Any) -> None:
    make_instance(rds, Engine="oracle-ee")
    role = {"DBInstanceIdentifier": "orders", "RoleArn": "arn:aws:iam::123456789012:role/s3", "FeatureName": "S3_INTEGRATION"}
    rds.add_role_to_db_instance(**role)
    assert refused(lambda: rds.add_role_to_db_instance(**role)) == "DBInstanceRoleAlreadyExists"
    assert instance(rds)["AssociatedRoles"][0]["FeatureName"] == "S3_INTEGRATION"
    rds.remove_role_from_db_instance(**role)
    assert refused(lambda: rds.remove_role_from_db_instance(**role)) == "DBInstanceRoleNotFound"


def test_a_managed_password_lies_in_a_secret(rds: Any, clients: Any) -> None:
    given = {"DBInstanceIdentifier": "orders", "DBInstanceClass": "db.r6g.large", "Engine": "mysql", "MasterUsername": "admin"}
    made = rds.create_db_instance(**given, ManageMasterUserPassword=True)["DBInstance"]
    secret = clients("secretsmanager").get_secret_value(SecretId=made["MasterUserSecret"]["SecretArn"])
    assert '"username": "admin"' in secret["SecretString"]


def test_a_stopped_instance_starts_again(rds: Any) -> None:
    make_instance(rds)
    rds.stop_db_instance(DBInstanceIdentifier="orders")
    assert instance_status(rds) == "stopped"
    assert refused(lambda: rds.stop_db_instance(DBInstanceIdentifier="orders")) == "InvalidDBInstanceState"
    rds.start_db_instance(DBInstanceIdentifier="orders")
    assert instance_status(rds) == "available"


def test_an_instance_reboots_for_a_while(aws: Any, rds: Any) -> None:
    make_instance(rds)
    until_instance(rds, "available")
    aws.settings(rds_modify_seconds=SHORT)
    assert rds.reboot_db_instance(DBInstanceIdentifier="orders")["DBInstance"]["DBInstanceStatus"] == "rebooting"
    until_instance(rds, "available")
    aws.settings(rds_modify_seconds=LONG)
    rds.reboot_db_instance(DBInstanceIdentifier="orders")
    assert refused(lambda: rds.reboot_db_instance(DBInstanceIdentifier="orders")) == "InvalidDBInstanceState"


def test_a_deletion_takes_time_and_the_name_with_it(aws: Any, rds: Any) -> None:
    make_instance(rds)
    make_instance(rds, "slow")
    aws.settings(rds_delete_seconds=SHORT)
    rds.delete_db_instance(DBInstanceIdentifier="orders", SkipFinalSnapshot=True)
    until_instance(rds, None)
    make_instance(rds)
    aws.settings(rds_delete_seconds=LONG)
    slow = {"DBInstanceIdentifier": "slow", "SkipFinalSnapshot": True}
    rds.delete_db_instance(**slow)
    assert instance_status(rds, "slow") == "deleting"
    assert refused(lambda: make_instance(rds, "slow")) == "DBInstanceAlreadyExists"
    assert refused(lambda: rds.delete_db_instance(**slow)) == "InvalidDBInstanceState"


def test_a_protected_instance_is_not_deleted_until_unprotected(rds: Any) -> None:
    make_instance(rds, DeletionProtection=True)
    delete = {"DBInstanceIdentifier": "orders", "SkipFinalSnapshot": True}
    assert refused(lambda: rds.delete_db_instance(**delete)) == "InvalidParameterCombination"
    rds.modify_db_instance(DBInstanceIdentifier="orders", DeletionProtection=False)
    rds.delete_db_instance(**delete)
    assert instance_status(rds) is None


@pytest.mark.parametrize("more", [{}, {"SkipFinalSnapshot": True, "FinalDBSnapshotIdentifier": "last"}])
def test_a_deletion_says_either_skip_or_which_final_snapshot(rds: Any, more: dict[str, Any]) -> None:
    make_instance(rds)
    call = {"DBInstanceIdentifier": "orders", **more}
    assert refused(lambda: rds.delete_db_instance(**call)) == "InvalidParameterCombination"


def test_automated_backups_go_with_the_instance_unless_kept(rds: Any) -> None:
    kept_id = make_instance(rds, "kept")["DbiResourceId"]
    make_instance(rds, "lost")
    until_restorable(rds, "kept")
    rds.delete_db_instance(DBInstanceIdentifier="kept", SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    rds.delete_db_instance(DBInstanceIdentifier="lost", SkipFinalSnapshot=True)
    found = rds.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
    assert [(entry["DbiResourceId"], entry["Status"]) for entry in found] == [(kept_id, "retained")]
    rds.restore_db_instance_to_point_in_time(
        SourceDbiResourceId=kept_id, TargetDBInstanceIdentifier="back", UseLatestRestorableTime=True
    )
    rds.delete_db_instance_automated_backup(DbiResourceId=kept_id)
    by_id = {"SourceDbiResourceId": kept_id, "TargetDBInstanceIdentifier": "again", "UseLatestRestorableTime": True}
    assert refused(lambda: rds.restore_db_instance_to_point_in_time(**by_id)) == "DBInstanceAutomatedBackupNotFound"
