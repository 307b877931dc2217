"""Aurora clusters: members, writer and readers, failover, names and addresses, deletion, custom endpoints, replica scaling."""

from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.relational.client import Connection, DatabaseError, DatabaseUnreachable, SqlClient
from tests.contract.aws.conftest import wait_until
from tests.contract.aws.rds_builders import (
    FAST_RDS,
    LONG,
    PASSWORD,
    SHORT,
    SUFFIX,
    cluster,
    cluster_status,
    instance,
    make_cluster,
    make_member,
    refused,
    until_cluster,
    until_instance,
)


@pytest.fixture
def rds(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    return clients("rds")


@pytest.fixture
def aurora(rds: Any) -> Any:
    """A cluster with a writer and a reader."""
    make_cluster(rds)
    make_member(rds, "orders-1")
    make_member(rds, "orders-2", PromotionTier=0)
    return rds


def session(aws: Any, host: str) -> Connection:
    return SqlClient(aws.url).connect(host, 3306, "admin", PASSWORD)


def roles(rds: Any, name: str = "orders") -> dict[str, bool]:
    """Member → whether it writes."""
    return {member["DBInstanceIdentifier"]: member["IsClusterWriter"] for member in cluster(rds, name)["DBClusterMembers"]}


def rename(rds: Any, old: str, new: str) -> None:
    rds.modify_db_cluster(DBClusterIdentifier=old, NewDBClusterIdentifier=new, ApplyImmediately=True)


def test_a_cluster_begins_without_instances_and_its_first_one_writes(aurora: Any) -> None:
    assert roles(aurora) == {"orders-1": True, "orders-2": False}
    assert make_cluster(aurora, "empty")["DBClusterMembers"] == []


def test_an_instance_cannot_join_a_cluster_that_is_not_available(aws: Any, rds: Any) -> None:
    aws.settings(rds_create_seconds=LONG)
    make_cluster(rds)
    assert refused(lambda: make_member(rds, "orders-1")) == "InvalidDBClusterStateFault"
    assert refused(lambda: make_member(rds, "orders-1", "none")) == "DBClusterNotFoundFault"


@pytest.mark.parametrize(
    "more",
    [
        {"Engine": "aurora-postgresql"},
        {"MasterUsername": "admin"},
        {"AllocatedStorage": 20},
        {"BackupRetentionPeriod": 7},
        {"DeletionProtection": True},
        {"EnableIAMDatabaseAuthentication": True},
        {"DBInstanceClass": "db.serverless"},
    ],
)
def test_what_is_the_clusters_cannot_be_given_to_a_member(rds: Any, more: dict[str, Any]) -> None:
    make_cluster(rds)
    assert refused(lambda: make_member(rds, "orders-1", **more)) == "InvalidParameterCombination"


def test_a_serverless_member_joins_a_cluster_with_capacity_limits(rds: Any) -> None:
    limits = {"MinCapacity": 0.5, "MaxCapacity": 4.0}
    make_cluster(rds, ServerlessV2ScalingConfiguration=limits)
    assert make_member(rds, "orders-1", DBInstanceClass="db.serverless")["DBInstanceClass"] == "db.serverless"
    assert cluster(rds)["ServerlessV2ScalingConfiguration"] == limits


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Engine": "mysql"}, "InvalidParameterCombination"),
        ({"Engine": "oracle-ee"}, "InvalidParameterCombination"),
        ({"BackupRetentionPeriod": 0}, "InvalidParameterValue"),
        ({"DBClusterParameterGroupName": "none"}, "DBClusterParameterGroupNotFound"),
        ({"DBClusterInstanceClass": "db.r6g.large"}, "InvalidParameterCombination"),
        ({"Engine": "aurora-postgresql", "BacktrackWindow": 3600}, "InvalidParameterCombination"),
        ({"EngineMode": "serverless"}, "InvalidParameterCombination"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue"),
    ],
)
def test_settings_that_aurora_refuses_are_refused(rds: Any, more: dict[str, Any], code: str) -> None:
    assert refused(lambda: make_cluster(rds, **more)) == code


def test_the_account_can_have_only_so_many_clusters(aws: Any, rds: Any) -> None:
    aws.settings(rds_max_clusters=1)
    make_cluster(rds)
    assert refused(lambda: make_cluster(rds, "more")) == "DBClusterQuotaExceededFault"
    assert refused(lambda: make_cluster(rds)) == "DBClusterAlreadyExistsFault"


def test_members_share_the_data_and_only_the_writer_writes(aws: Any, aurora: Any) -> None:
    session(aws, f"orders.cluster-{SUFFIX}").create_table("bank.savings")
    for host in (f"orders.cluster-ro-{SUFFIX}", f"orders-2.{SUFFIX}"):
        reader = session(aws, host)
        assert reader.tables() == ["bank.savings"]
        with pytest.raises(DatabaseError, match="ReadOnly"):
            reader.put("bank.savings", "1", {"balance": 1})
    assert session(aws, f"orders-1.{SUFFIX}").put("bank.savings", "1", {"balance": 1})


def test_the_reader_address_leads_to_the_writer_while_there_is_no_reader(aws: Any, rds: Any) -> None:
    make_cluster(rds)
    make_member(rds, "orders-1")
    assert session(aws, f"orders.cluster-ro-{SUFFIX}").tables() == []


def test_a_cluster_without_instances_does_not_answer(aws: Any, rds: Any) -> None:
    make_cluster(rds)
    with pytest.raises(DatabaseUnreachable, match=r"NotAvailable.*no instance"):
        session(aws, f"orders.cluster-{SUFFIX}").tables()


def test_a_failover_makes_the_reader_write(aws: Any, aurora: Any) -> None:
    aurora.failover_db_cluster(DBClusterIdentifier="orders")
    until_cluster(aurora, "available")
    assert roles(aurora) == {"orders-1": False, "orders-2": True}
    assert session(aws, f"orders-2.{SUFFIX}").create_table("bank.savings")
    aurora.failover_db_cluster(DBClusterIdentifier="orders", TargetDBInstanceIdentifier="orders-1")
    until_cluster(aurora, "available")
    assert roles(aurora) == {"orders-1": True, "orders-2": False}


def test_when_the_writer_goes_the_reader_with_the_lowest_tier_writes(aurora: Any) -> None:
    make_member(aurora, "orders-3", PromotionTier=5)
    aurora.delete_db_instance(DBInstanceIdentifier="orders-1")
    until_instance(aurora, None, "orders-1")
    assert roles(aurora) == {"orders-2": True, "orders-3": False}


def test_a_cluster_goes_only_after_its_instances(aws: Any, aurora: Any) -> None:
    delete = {"DBClusterIdentifier": "orders", "SkipFinalSnapshot": True}
    assert refused(lambda: aurora.delete_db_cluster(**delete)) == "InvalidDBClusterStateFault"
    for name in ("orders-1", "orders-2"):
        aurora.delete_db_instance(DBInstanceIdentifier=name)
    aurora.delete_db_cluster(**delete)
    until_cluster(aurora, None)


def test_a_protected_cluster_is_not_deleted_until_unprotected(rds: Any) -> None:
    make_cluster(rds, DeletionProtection=True)
    delete = {"DBClusterIdentifier": "orders", "SkipFinalSnapshot": True}
    assert refused(lambda: rds.delete_db_cluster(**delete)) == "InvalidParameterCombination"
    rds.modify_db_cluster(DBClusterIdentifier="orders", DeletionProtection=False)
    rds.delete_db_cluster(**delete)
    assert cluster_status(rds) is None


def test_the_middle_of_every_address_belongs_to_account_and_region(aurora: Any) -> None:
    found = cluster(aurora)
    assert found["Endpoint"] == f"orders.cluster-{SUFFIX}"
    assert found["ReaderEndpoint"] == f"orders.cluster-ro-{SUFFIX}"
    assert instance(aurora, "orders-1")["Endpoint"]["Address"] == f"orders-1.{SUFFIX}"


def test_the_members_of_a_renamed_cluster_follow_and_keep_their_names(aws: Any, aurora: Any) -> None:
    made = cluster(aurora)
    rename(aurora, "orders", "orders-old")
    until_cluster(aurora, "available", "orders-old")
    found = cluster(aurora, "orders-old")
    assert found["DbClusterResourceId"] == made["DbClusterResourceId"]
    assert found["DBClusterArn"].endswith(":cluster:orders-old")
    assert roles(aurora, "orders-old") == {"orders-1": True, "orders-2": False}
    assert instance(aurora, "orders-1")["DBClusterIdentifier"] == "orders-old"
    assert cluster_status(aurora) is None
    assert session(aws, f"orders-old.cluster-{SUFFIX}").tables() == []
    with pytest.raises(DatabaseUnreachable, match="UnknownHost"):
        session(aws, f"orders.cluster-{SUFFIX}").tables()


def test_during_a_rename_neither_address_of_the_cluster_answers(aws: Any, aurora: Any) -> None:
    aws.settings(rename_seconds=LONG)
    rename(aurora, "orders", "orders-old")
    for host in (f"orders.cluster-{SUFFIX}", f"orders-old.cluster-{SUFFIX}", f"orders.cluster-ro-{SUFFIX}"):
        with pytest.raises(DatabaseUnreachable, match="UnknownHost"):
            session(aws, host).tables()
    found = cluster(aurora)
    assert (found["Status"], found["PendingModifiedValues"]) == ("renaming", {"DBClusterIdentifier": "orders-old"})
    assert not {"Endpoint", "ReaderEndpoint"} & found.keys()
    assert refused(lambda: make_cluster(aurora, "orders-old")) == "DBClusterAlreadyExistsFault"
    assert refused(lambda: make_member(aurora, "orders-3")) == "InvalidDBClusterStateFault"


def test_a_cluster_name_given_up_becomes_free_only_after_a_while(aws: Any, rds: Any) -> None:
    make_cluster(rds)
    make_cluster(rds, "held")
    aws.settings(name_free_seconds=LONG)
    rename(rds, "held", "held-old")
    assert refused(lambda: make_cluster(rds, "held")) == "DBClusterAlreadyExistsFault"
    aws.settings(name_free_seconds=SHORT)
    rename(rds, "orders", "orders-old")

    def free() -> bool:
        try:
            make_cluster(rds)
        except rds.exceptions.DBClusterAlreadyExistsFault:
            return False
        return True

    wait_until(free, "the name to become free")


def test_a_rename_without_applying_immediately_waits(rds: Any) -> None:
    make_cluster(rds)
    rds.modify_db_cluster(DBClusterIdentifier="orders", NewDBClusterIdentifier="new", EnableIAMDatabaseAuthentication=True)
    waiting = {"DBClusterIdentifier": "new", "IAMDatabaseAuthenticationEnabled": True}
    assert cluster(rds)["PendingModifiedValues"] == waiting
    rds.modify_db_cluster(DBClusterIdentifier="orders", ApplyImmediately=True)
    until_cluster(rds, "available", "new")
    assert cluster(rds, "new")["IAMDatabaseAuthenticationEnabled"] is True


def test_deletion_protection_and_password_do_not_wait(aws: Any, aurora: Any) -> None:
    aurora.modify_db_cluster(DBClusterIdentifier="orders", DeletionProtection=True, MasterUserPassword="changed-456")
    found = cluster(aurora)
    assert (found["DeletionProtection"], found["PendingModifiedValues"]) == (True, {})
    with pytest.raises(DatabaseError, match="AccessDenied"):
        session(aws, f"orders.cluster-{SUFFIX}").tables()


@pytest.mark.parametrize("change", [{"MasterUserPassword": "changed-456"}, {"VpcSecurityGroupIds": []}, {"MultiAZ": True}])
def test_what_is_the_clusters_cannot_be_modified_at_a_member(aurora: Any, change: dict[str, Any]) -> None:
    call = {"DBInstanceIdentifier": "orders-1", "MasterUserPassword": "changed-456", **change}
    assert refused(lambda: aurora.modify_db_instance(**call)) == "InvalidParameterCombination"


def test_a_member_is_renamed_by_itself(aws: Any, aurora: Any) -> None:
    rename_member = {"DBInstanceIdentifier": "orders-1", "NewDBInstanceIdentifier": "orders-one", "ApplyImmediately": True}
    aurora.modify_db_instance(**rename_member)
    until_instance(aurora, "available", "orders-one")
    assert roles(aurora) == {"orders-one": True, "orders-2": False}
    assert session(aws, f"orders-one.{SUFFIX}").tables() == []


def test_a_cluster_parameter_group_waits_for_a_reboot_of_each_member(aurora: Any) -> None:
    group = {"DBClusterParameterGroupName": "mine", "DBParameterGroupFamily": "aurora-mysql8.0", "Description": "-"}
    aurora.create_db_cluster_parameter_group(**group)
    aurora.modify_db_cluster(DBClusterIdentifier="orders", DBClusterParameterGroupName="mine")
    aurora.reboot_db_instance(DBInstanceIdentifier="orders-1")
    until_instance(aurora, "available", "orders-1")
    states = {
        member["DBInstanceIdentifier"]: member["DBClusterParameterGroupStatus"]
        for member in cluster(aurora)["DBClusterMembers"]
    }
    assert states == {"orders-1": "in-sync", "orders-2": "pending-reboot"}


def test_a_stopped_cluster_does_not_answer_and_starts_again(aws: Any, aurora: Any) -> None:
    writer = session(aws, f"orders.cluster-{SUFFIX}")
    aurora.stop_db_cluster(DBClusterIdentifier="orders")
    assert (cluster_status(aurora), instance(aurora, "orders-1")["DBInstanceStatus"]) == ("stopped", "stopped")
    with pytest.raises(DatabaseUnreachable, match="NotAvailable"):
        writer.tables()
    aurora.start_db_cluster(DBClusterIdentifier="orders")
    until_cluster(aurora, "available")
    assert writer.tables() == []


def test_a_member_has_no_snapshots_and_no_recovery_of_its_own(aurora: Any) -> None:
    snapshot = {"DBInstanceIdentifier": "orders-1", "DBSnapshotIdentifier": "first"}
    assert refused(lambda: aurora.create_db_snapshot(**snapshot)) == "InvalidDBInstanceState"
    restore = {"SourceDBInstanceIdentifier": "orders-1", "TargetDBInstanceIdentifier": "x", "UseLatestRestorableTime": True}
    assert refused(lambda: aurora.restore_db_instance_to_point_in_time(**restore)) == "InvalidDBInstanceState"


def test_replica_scaling_is_kept_by_application_autoscaling(aws: Any, aurora: Any, clients: Any) -> None:
    scaling = clients("application-autoscaling")
    which = {
        "ServiceNamespace": "rds",
        "ResourceId": "cluster:orders",
        "ScalableDimension": "rds:cluster:ReadReplicaCount",
    }
    scaling.register_scalable_target(**which, MinCapacity=1, MaxCapacity=3)
    metric = {"PredefinedMetricSpecification": {"PredefinedMetricType": "RDSReaderAverageCPUUtilization"}, "TargetValue": 60}
    policy = {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": metric}
    scaling.put_scaling_policy(**which, **policy)
    [target] = scaling.describe_scalable_targets(ServiceNamespace="rds")["ScalableTargets"]
    [found] = scaling.describe_scaling_policies(ServiceNamespace="rds")["ScalingPolicies"]
    assert (target["MaxCapacity"], found["PolicyName"]) == (3, "cpu")


def test_the_data_api_is_switched_by_arn(aurora: Any) -> None:
    arn = cluster(aurora)["DBClusterArn"]
    aurora.enable_http_endpoint(ResourceArn=arn)
    assert cluster(aurora)["HttpEndpointEnabled"] is True
    aurora.disable_http_endpoint(ResourceArn=arn)
    assert cluster(aurora)["HttpEndpointEnabled"] is False
