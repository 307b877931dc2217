"""Multi-AZ DB clusters: RDS makes, names, restores and deletes their three instances."""

from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.relational.client import DatabaseError, SqlClient
from tests.contract.aws.rds_builders import (
    FAST_RDS,
    PASSWORD,
    SUFFIX,
    cluster,
    instance,
    make_cluster,
    make_member,
    make_multi_az_cluster,
    next_second,
    refused,
    until_cluster,
    until_cluster_restorable,
)

MEMBERS = ["orders-instance-1", "orders-instance-2", "orders-instance-3"]


@pytest.fixture
def rds(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    return clients("rds")


@pytest.mark.parametrize("engine", ["mysql", "postgres"])
def test_rds_makes_one_writer_and_two_readers_in_three_zones(rds: Any, engine: str) -> None:
    make_multi_az_cluster(rds, Engine=engine)
    found = cluster(rds)
    assert {member["DBInstanceIdentifier"]: member["IsClusterWriter"] for member in found["DBClusterMembers"]} == {
        MEMBERS[0]: True,
        MEMBERS[1]: False,
        MEMBERS[2]: False,
    }
    assert found["MultiAZ"] is True
    assert len({instance(rds, name)["AvailabilityZone"] for name in MEMBERS}) == 3
    assert {instance(rds, name)["DBInstanceClass"] for name in MEMBERS} == {"db.m6gd.large"}


@pytest.mark.parametrize("missing", ["AllocatedStorage", "Iops"])
def test_storage_and_iops_must_be_given(rds: Any, missing: str) -> None:
    given = {"Engine": "mysql", "DBClusterInstanceClass": "db.m6gd.large", "AllocatedStorage": 100, "Iops": 3000}
    del given[missing]
    assert refused(lambda: make_cluster(rds, **given)) == "InvalidParameterCombination"


def test_its_instances_cannot_be_added_modified_or_deleted_one_by_one(rds: Any) -> None:
    make_multi_az_cluster(rds)
    assert refused(lambda: make_member(rds, "more", Engine="mysql")) == "InvalidParameterCombination"
    modify = {"DBInstanceIdentifier": MEMBERS[0], "DBInstanceClass": "db.m6gd.xlarge"}
    assert refused(lambda: rds.modify_db_instance(**modify)) == "InvalidParameterCombination"
    delete = {"DBInstanceIdentifier": MEMBERS[0], "SkipFinalSnapshot": True}
    assert refused(lambda: rds.delete_db_instance(**delete)) == "InvalidDBClusterStateFault"


def test_three_instances_count_against_the_quota(aws: Any, rds: Any) -> None:
    aws.settings(rds_max_instances=2)
    assert refused(lambda: make_multi_az_cluster(rds)) == "InstanceQuotaExceeded"


def test_the_class_of_the_cluster_is_that_of_its_instances(rds: Any) -> None:
    make_multi_az_cluster(rds)
    rds.modify_db_cluster(DBClusterIdentifier="orders", DBClusterInstanceClass="db.m6gd.xlarge", ApplyImmediately=True)
    until_cluster(rds, "available")
    assert {instance(rds, name)["DBInstanceClass"] for name in MEMBERS} == {"db.m6gd.xlarge"}


def test_the_reader_address_takes_no_writes(aws: Any, rds: Any) -> None:
    make_multi_az_cluster(rds)
    client = SqlClient(aws.url)
    client.connect(f"orders.cluster-{SUFFIX}", 3306, "admin", PASSWORD).create_table("bank.savings")
    reader = client.connect(f"orders.cluster-ro-{SUFFIX}", 3306, "admin", PASSWORD)
    assert reader.tables() == ["bank.savings"]
    with pytest.raises(DatabaseError, match="ReadOnly"):
        reader.drop_table("bank.savings")


def test_a_restore_brings_its_instances_with_it(aws: Any, rds: Any) -> None:
    make_multi_az_cluster(rds, DeletionProtection=True, MonitoringInterval=60, MonitoringRoleArn="arn:aws:iam::1:role/m")
    client = SqlClient(aws.url)
    client.connect(f"orders.cluster-{SUFFIX}", 3306, "admin", PASSWORD).create_table("bank.savings")
    until_cluster_restorable(rds)
    next_second()
    call = {"SourceDBClusterIdentifier": "orders", "DBClusterIdentifier": "restored", "UseLatestRestorableTime": True}
    rds.restore_db_cluster_to_point_in_time(**call)
    found = cluster(rds, "restored")
    names = [member["DBInstanceIdentifier"] for member in found["DBClusterMembers"]]
    assert names == [f"restored-instance-{number}" for number in (1, 2, 3)]
    assert (found["DeletionProtection"], found.get("MonitoringInterval")) == (False, 0)
    assert (found["DBClusterInstanceClass"], found["AllocatedStorage"], found["Iops"]) == ("db.m6gd.large", 100, 3000)
    assert client.connect(f"restored.cluster-{SUFFIX}", 3306, "admin", PASSWORD).tables() == ["bank.savings"]
    clone = {"SourceDBClusterIdentifier": "orders", "DBClusterIdentifier": "clone", "RestoreType": "copy-on-write"}
    assert refused(lambda: rds.restore_db_cluster_to_point_in_time(**clone)) == "InvalidParameterCombination"


def test_a_deletion_takes_the_instances_along(rds: Any) -> None:
    make_multi_az_cluster(rds)
    rds.delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True)
    until_cluster(rds, None)
    assert rds.describe_db_instances()["DBInstances"] == []
