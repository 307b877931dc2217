"""Custom endpoints of Aurora clusters: members by name, kinds, addresses, quotas, life."""

from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.relational.client import DatabaseError, DatabaseUnreachable, SqlClient
from tests.contract.aws.conftest import wait_until
from tests.contract.aws.rds_builders import (
    FAST_RDS,
    LONG,
    PASSWORD,
    SHORT,
    SUFFIX,
    cluster,
    make_cluster,
    make_member,
    make_multi_az_cluster,
    refused,
    until_cluster,
    until_instance,
)


@pytest.fixture
def aurora(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    rds = clients("rds")
    make_cluster(rds)
    for name in ("orders-1", "orders-2", "orders-3"):
        make_member(rds, name)
    return rds


def make_endpoint(rds: Any, name: str = "reports", **more: Any) -> dict[str, Any]:
    given = {"DBClusterIdentifier": "orders", "DBClusterEndpointIdentifier": name, "EndpointType": "READER", **more}
    return dict(rds.create_db_cluster_endpoint(**given))


def custom(rds: Any, **more: Any) -> list[dict[str, Any]]:
    filters = [{"Name": "db-cluster-endpoint-type", "Values": ["custom"]}]
    return list(rds.describe_db_cluster_endpoints(Filters=filters, **more)["DBClusterEndpoints"])


def tables_at(aws: Any, name: str) -> list[str]:
    return SqlClient(aws.url).connect(f"{name}.cluster-custom-{SUFFIX}", 3306, "admin", PASSWORD).tables()


def test_every_cluster_has_a_writer_and_a_reader_endpoint(aurora: Any) -> None:
    found = aurora.describe_db_cluster_endpoints(DBClusterIdentifier="orders")["DBClusterEndpoints"]
    assert {entry["EndpointType"]: entry["Endpoint"] for entry in found} == {
        "WRITER": f"orders.cluster-{SUFFIX}",
        "READER": f"orders.cluster-ro-{SUFFIX}",
    }


def test_a_custom_endpoint_is_created_for_a_while(aws: Any, aurora: Any) -> None:
    aws.settings(rds_modify_seconds=SHORT)
    assert make_endpoint(aurora, StaticMembers=["orders-3"])["Status"] == "creating"
    wait_until(lambda: custom(aurora)[0]["Status"] == "available", "the endpoint")
    [found] = custom(aurora, DBClusterIdentifier="orders")
    assert (found["Endpoint"], found["StaticMembers"]) == (f"reports.cluster-custom-{SUFFIX}", ["orders-3"])
    assert (found["EndpointType"], found["CustomEndpointType"]) == ("CUSTOM", "READER")
    assert cluster(aurora)["CustomEndpoints"] == [f"reports.cluster-custom-{SUFFIX}"]
    aws.settings(rds_modify_seconds=LONG)
    make_endpoint(aurora, "slow")
    with pytest.raises(DatabaseUnreachable, match="UnknownHost"):
        tables_at(aws, "slow")
    slow = {"DBClusterEndpointIdentifier": "slow"}
    assert refused(lambda: aurora.delete_db_cluster_endpoint(**slow)) == "InvalidDBClusterEndpointStateFault"


def test_connections_reach_the_members_of_the_endpoint_only(aws: Any, aurora: Any) -> None:
    make_endpoint(aurora, StaticMembers=["orders-3"])
    assert tables_at(aws, "reports") == []
    aurora.delete_db_instance(DBInstanceIdentifier="orders-3")
    until_instance(aurora, None, "orders-3")
    make_endpoint(aurora, "rest", ExcludedMembers=["orders-2"])
    with pytest.raises(DatabaseUnreachable, match="NotAvailable"):
        tables_at(aws, "rest")


def test_a_custom_endpoint_of_readers_takes_no_writes(aws: Any, aurora: Any) -> None:
    make_endpoint(aurora)
    reports = SqlClient(aws.url).connect(f"reports.cluster-custom-{SUFFIX}", 3306, "admin", PASSWORD)
    with pytest.raises(DatabaseError, match="ReadOnly"):
        reports.create_table("bank.savings")


def test_members_are_replaced_by_a_modification(aurora: Any) -> None:
    make_endpoint(aurora, StaticMembers=["orders-3"])
    aurora.modify_db_cluster_endpoint(DBClusterEndpointIdentifier="reports", EndpointType="ANY", ExcludedMembers=["orders-1"])
    [found] = custom(aurora)
    assert (found["CustomEndpointType"], found["StaticMembers"], found["ExcludedMembers"]) == ("ANY", [], ["orders-1"])


def test_a_member_renamed_stays_in_the_endpoint_and_a_cluster_renamed_keeps_it(aurora: Any) -> None:
    make_endpoint(aurora, StaticMembers=["orders-3"])
    member = {"DBInstanceIdentifier": "orders-3", "NewDBInstanceIdentifier": "reader", "ApplyImmediately": True}
    aurora.modify_db_instance(**member)
    aurora.modify_db_cluster(DBClusterIdentifier="orders", NewDBClusterIdentifier="orders-old", ApplyImmediately=True)
    until_cluster(aurora, "available", "orders-old")
    [found] = custom(aurora, DBClusterIdentifier="orders-old")
    assert (found["StaticMembers"], found["DBClusterIdentifier"]) == (["reader"], "orders-old")


def test_tags_of_an_endpoint_are_kept_by_arn(aurora: Any) -> None:
    arn = make_endpoint(aurora, Tags=[{"Key": "team", "Value": "a"}])["DBClusterEndpointArn"]
    assert aurora.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"EndpointType": "WRITER"}, "InvalidParameterValue"),
        ({"StaticMembers": ["none"]}, "DBInstanceNotFound"),
        ({"StaticMembers": ["orders-1"], "ExcludedMembers": ["orders-2"]}, "InvalidParameterCombination"),
        ({"DBClusterIdentifier": "none"}, "DBClusterNotFoundFault"),
    ],
)
def test_an_endpoint_that_makes_no_sense_is_refused(aurora: Any, more: dict[str, Any], code: str) -> None:
    assert refused(lambda: make_endpoint(aurora, **more)) == code


def test_a_cluster_has_at_most_five_custom_endpoints_with_names_of_their_own(aurora: Any) -> None:
    make_endpoint(aurora, "reports-1")
    assert refused(lambda: make_endpoint(aurora, "reports-1")) == "DBClusterEndpointAlreadyExistsFault"
    for number in range(2, 6):
        make_endpoint(aurora, f"reports-{number}")
    assert refused(lambda: make_endpoint(aurora, "reports-6")) == "DBClusterEndpointQuotaExceededFault"


def test_a_deleted_endpoint_is_gone_and_frees_its_name(aws: Any, aurora: Any) -> None:
    make_endpoint(aurora)
    aurora.delete_db_cluster_endpoint(DBClusterEndpointIdentifier="reports")
    wait_until(lambda: custom(aurora) == [], "the endpoint to be gone")
    gone = {"DBClusterEndpointIdentifier": "reports"}
    assert refused(lambda: aurora.delete_db_cluster_endpoint(**gone)) == "DBClusterEndpointNotFoundFault"
    make_endpoint(aurora)


def test_a_multi_az_cluster_has_no_custom_endpoints(aurora: Any) -> None:
    make_multi_az_cluster(aurora, "multi")
    assert refused(lambda: make_endpoint(aurora, DBClusterIdentifier="multi")) == "InvalidParameterCombination"
