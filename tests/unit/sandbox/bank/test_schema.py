"""The tables are made as ScalarDB's Schema Loader makes them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from infra.sandbox.bank import schema
from infra.sandbox.bank.audit import audit, scan_with
from infra.sandbox.bank.opening import Opening
from infra.sandbox.bank.schema import Billing
from infra.sandbox.bank.tables import ALL_TABLES, SCHEMAS

PREFIX = "prod-"


@pytest.fixture
def autoscaling(aws: None) -> Any:
    return boto3.client("application-autoscaling", region_name="ap-northeast-1")


def describe(dynamodb: Any, table: str) -> dict[str, Any]:
    return dict(dynamodb.describe_table(TableName=table)["Table"])


def test_all_tables_are_made_with_the_prefix_and_with_point_in_time_recovery(dynamodb: Any) -> None:
    schema.create_tables(dynamodb, PREFIX)
    assert sorted(dynamodb.list_tables()["TableNames"]) == sorted(PREFIX + table for table in ALL_TABLES)
    for table in ALL_TABLES:
        backups = dynamodb.describe_continuous_backups(TableName=PREFIX + table)["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_making_them_again_changes_nothing(dynamodb: Any) -> None:
    schema.create_tables(dynamodb)
    schema.seed(dynamodb, Opening(accounts=2, balance=10))
    schema.create_tables(dynamodb)
    assert audit(scan_with(dynamodb), Opening(accounts=2, balance=10)).is_consistent


def test_scalardbs_metadata_describes_every_transactional_table_under_its_full_name(dynamodb: Any) -> None:
    schema.create_tables(dynamodb, PREFIX)
    rows = {row["table"]["S"]: row for row in dynamodb.scan(TableName=PREFIX + "scalardb.metadata")["Items"]}
    assert set(rows) == {PREFIX + table for table in SCHEMAS}
    savings = rows[PREFIX + "bank.savings"]
    assert savings["partitionKey"] == {"L": [{"S": "account_id"}]}
    assert savings["secondaryIndex"] == {"SS": ["owner"]}
    assert savings["columns"]["M"]["before_tx_prepared_at"] == {"S": "bigint"}
    assert "secondaryIndex" not in rows[PREFIX + "bank.checking"]


def test_the_namespaces_are_listed_with_the_prefix(dynamodb: Any) -> None:
    schema.create_tables(dynamodb, PREFIX)
    rows = scan_with(dynamodb)(PREFIX + "scalardb.namespaces")
    assert {row["namespace_name"] for row in rows} == {"prod-bank", "prod-coordinator", "prod-scalardb"}


def test_one_table_has_an_index_one_a_time_to_live_and_one_has_tags(dynamodb: Any) -> None:
    schema.create_tables(dynamodb)
    (index,) = describe(dynamodb, "bank.savings")["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "bank.savings.global_index.owner"
    ttl = dynamodb.describe_time_to_live(TableName="bank.wallets")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    arn = describe(dynamodb, "bank.checking")["TableArn"]
    assert len(dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]) == 2


def test_on_demand_tables_have_no_capacity(dynamodb: Any) -> None:
    schema.create_tables(dynamodb)
    assert describe(dynamodb, "bank.checking")["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_provisioned_tables_and_indexes_scale_reads_and_writes_by_target_tracking(dynamodb: Any, autoscaling: Any) -> None:
    schema.create_tables(dynamodb, billing=Billing.PROVISIONED, autoscaling=autoscaling)
    assert describe(dynamodb, "bank.checking")["ProvisionedThroughput"]["ReadCapacityUnits"] == schema.REQUEST_UNITS
    targets = autoscaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"]
    scaled = {(target["ResourceId"], target["ScalableDimension"]) for target in targets}
    tables = {(f"table/{t}", f"dynamodb:table:{a}CapacityUnits") for t in SCHEMAS for a in ("Read", "Write")}
    index = "table/bank.savings/index/bank.savings.global_index.owner"
    assert scaled == tables | {(index, f"dynamodb:index:{access}CapacityUnits") for access in ("Read", "Write")}
    policies = autoscaling.describe_scaling_policies(ServiceNamespace="dynamodb")["ScalingPolicies"]
    assert {policy["PolicyName"] for policy in policies} >= {"table/bank.checking-read", f"{index}-index-write"}


@pytest.mark.parametrize(("billing", "with_client"), [(Billing.PROVISIONED, False), (Billing.ON_DEMAND, True)])
def test_a_scaling_client_goes_with_provisioned_capacity_and_with_nothing_else(
    dynamodb: Any, autoscaling: Any, billing: Billing, with_client: bool
) -> None:
    with pytest.raises(ValueError, match="Provisioned capacity needs"):
        schema.create_tables(dynamodb, billing=billing, autoscaling=autoscaling if with_client else None)


def test_the_seed_is_the_opening_balance_in_every_account(dynamodb: Any) -> None:
    schema.create_tables(dynamodb)
    opening = Opening(accounts=30, balance=7)
    schema.seed(dynamodb, opening)
    result = audit(scan_with(dynamodb), opening)
    assert result.expected_total == 3 * 30 * 7
    assert result.resolved_total == result.raw_total == result.expected_total
    assert result.record_states == {"COMMITTED": 90}
