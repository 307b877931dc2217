"""Makes the bank's DynamoDB tables the way ScalarDB's Schema Loader does, and fills them.

Source: ScalarDB's DynamoAdmin: table, index and policy names, the rows of `scalardb.metadata` and
`scalardb.namespaces`, point-in-time recovery on every table, scaling of provisioned capacity.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Any

from infra.sandbox.bank.dynamodb_items import item_of
from infra.sandbox.bank.opening import Opening, opening_rows
from infra.sandbox.bank.records import Row
from infra.sandbox.bank.tables import (
    BANK_TABLES,
    METADATA_KEY,
    METADATA_TABLE,
    NAMESPACES_KEY,
    NAMESPACES_TABLE,
    PARTITION_KEY,
    SYSTEM_TABLES,
    TableSchema,
    index_name,
    namespaces_of,
    schema_of,
)

REQUEST_UNITS = 10
_METADATA_REQUEST_UNITS = 1
_TARGET_UTILIZATION_PERCENT = 70.0
_COOLDOWN_SECONDS = 60
_BATCH_SIZE = 25
_TABLE_WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.05

# Settings that a managed restore loses and a good one puts back; on tables of their own, so that each can be missed.
TTL_TABLE, TTL_ATTRIBUTE = "bank.wallets", "expires_at"
TAGGED_TABLE, TAGS = "bank.checking", {"cost-center": "retail", "owner": "payments"}


class Billing(Enum):
    """How tables are paid for. The Schema Loader makes PROVISIONED ones and scales them."""

    ON_DEMAND = "PAY_PER_REQUEST"
    PROVISIONED = "PROVISIONED"


class TablesNotReady(RuntimeError):
    """A new table did not become ACTIVE in time."""


def create_tables(
    dynamodb: Any,
    prefix: str = "",
    *,
    tables: Collection[str] = BANK_TABLES,
    billing: Billing = Billing.ON_DEMAND,
    autoscaling: Any = None,
) -> None:
    """Creates what is missing of the bank's tables, with their settings and ScalarDB's own rows about them.

    tables: those of a bank that has others elsewhere; ScalarDB's own two are always there. dynamodb, autoscaling: boto3 or
    botocore clients of `dynamodb` and `application-autoscaling`; the latter is needed for PROVISIONED, which scales by target
    tracking. Raises TablesNotReady, and what the clients raise.
    """
    if (billing is Billing.PROVISIONED) != (autoscaling is not None):
        raise ValueError("Provisioned capacity needs an application-autoscaling client, and on-demand capacity none.")
    for table in (*tables, *SYSTEM_TABLES):
        _create_table(dynamodb, table, prefix, billing)
    for table in (*tables, *SYSTEM_TABLES):
        _await_active(dynamodb, prefix + table)
        _enable_point_in_time_recovery(dynamodb, prefix + table)
    for table in tables:
        if autoscaling is not None:
            _enable_scaling(autoscaling, prefix + table, schema_of(table))
        dynamodb.put_item(TableName=prefix + METADATA_TABLE, Item=metadata_item(prefix + table, schema_of(table)))
    for namespace in namespaces_of(tables):
        dynamodb.put_item(TableName=prefix + NAMESPACES_TABLE, Item={NAMESPACES_KEY: {"S": prefix + namespace}})
    _apply_settings(dynamodb, prefix, tables)


def seed(dynamodb: Any, opening: Opening, prefix: str = "") -> None:
    """Writes the opening balances as one committed transaction. Only for a bank that is not at work."""
    for table, rows in opening_rows(opening).items():
        put_rows(dynamodb, prefix, table, rows)


def put_rows(dynamodb: Any, prefix: str, table: str, rows: Iterable[Row]) -> None:
    """Writes rows of an account table or the Coordinator table, whatever stands there."""
    items = [item_of(table, row) for row in rows]
    for first in range(0, len(items), _BATCH_SIZE):
        pending = {prefix + table: [{"PutRequest": {"Item": item}} for item in items[first : first + _BATCH_SIZE]]}
        while pending:
            pending = dynamodb.batch_write_item(RequestItems=pending)["UnprocessedItems"]


def metadata_item(table_name: str, schema: TableSchema) -> dict[str, dict[str, Any]]:
    """The row of `scalardb.metadata` about one table."""
    item: dict[str, dict[str, Any]] = {
        METADATA_KEY: {"S": table_name},
        "partitionKey": {"L": [{"S": schema.partition_key}]},
        "columns": {"M": {name: {"S": kind} for name, kind in schema.columns.items()}},
    }
    if schema.indexed:
        item["secondaryIndex"] = {"SS": list(schema.indexed)}
    return item


def _create_table(dynamodb: Any, table: str, prefix: str, billing: Billing) -> None:
    name = prefix + table
    request: dict[str, Any] = {"TableName": name, "BillingMode": billing.value}
    if table in SYSTEM_TABLES:
        key = METADATA_KEY if table == METADATA_TABLE else NAMESPACES_KEY
        attributes, throughput, indexes = {key: "S"}, _throughput(billing, _METADATA_REQUEST_UNITS), []
    else:
        schema = schema_of(table)
        key, throughput = PARTITION_KEY, _throughput(billing, REQUEST_UNITS)
        attributes = {PARTITION_KEY: "B"} | dict.fromkeys(schema.indexed, "S")
        indexes = [_index(name, column, throughput) for column in schema.indexed]
    request |= throughput
    request["KeySchema"] = [{"AttributeName": key, "KeyType": "HASH"}]
    request["AttributeDefinitions"] = [{"AttributeName": n, "AttributeType": kind} for n, kind in attributes.items()]
    if indexes:
        request["GlobalSecondaryIndexes"] = indexes
    try:
        dynamodb.create_table(**request)
    except dynamodb.exceptions.ResourceInUseException:
        return  # made by an earlier call


def _throughput(billing: Billing, units: int) -> dict[str, Any]:
    if billing is Billing.ON_DEMAND:
        return {}
    return {"ProvisionedThroughput": {"ReadCapacityUnits": units, "WriteCapacityUnits": units}}


def _index(table_name: str, column: str, throughput: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "IndexName": index_name(table_name, column),
        "KeySchema": [{"AttributeName": column, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        **throughput,
    }


def _await_active(dynamodb: Any, name: str) -> None:
    ends_at = time.monotonic() + _TABLE_WAIT_SECONDS
    while (status := dynamodb.describe_table(TableName=name)["Table"]["TableStatus"]) != "ACTIVE":
        if time.monotonic() > ends_at:
            raise TablesNotReady(
                f"Table {name} is still {status} after {_TABLE_WAIT_SECONDS:.0f} s. Look at it in the console."
            )
        time.sleep(_POLL_SECONDS)


def _enable_point_in_time_recovery(dynamodb: Any, name: str) -> None:
    described = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    # Not again when it is on already: switching it anew may start a new recovery window.
    if described["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )


def _enable_scaling(autoscaling: Any, table_name: str, schema: TableSchema) -> None:
    targets = [(f"table/{table_name}", "table", "")]
    targets += [(f"table/{table_name}/index/{index_name(table_name, c)}", "index", "index-") for c in schema.indexed]
    for resource_id, kind, policy_prefix in targets:
        for access in ("Read", "Write"):
            target = {
                "ServiceNamespace": "dynamodb",
                "ResourceId": resource_id,
                "ScalableDimension": f"dynamodb:{kind}:{access}CapacityUnits",
            }
            autoscaling.register_scalable_target(**target, MinCapacity=REQUEST_UNITS, MaxCapacity=REQUEST_UNITS)
            autoscaling.put_scaling_policy(
                **target,
                PolicyName=f"{resource_id}-{policy_prefix}{access.lower()}",
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "PredefinedMetricSpecification": {"PredefinedMetricType": f"DynamoDB{access}CapacityUtilization"},
                    "TargetValue": _TARGET_UTILIZATION_PERCENT,
                    "ScaleInCooldown": _COOLDOWN_SECONDS,
                    "ScaleOutCooldown": _COOLDOWN_SECONDS,
                },
            )


def _apply_settings(dynamodb: Any, prefix: str, tables: Collection[str]) -> None:
    if TTL_TABLE in tables:
        described = dynamodb.describe_time_to_live(TableName=prefix + TTL_TABLE)["TimeToLiveDescription"]
        # DynamoDB accepts one change of the TTL per hour.
        if described["TimeToLiveStatus"] == "DISABLED":
            dynamodb.update_time_to_live(
                TableName=prefix + TTL_TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
            )
    if TAGGED_TABLE in tables:
        arn = dynamodb.describe_table(TableName=prefix + TAGGED_TABLE)["Table"]["TableArn"]
        dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in TAGS.items()])
