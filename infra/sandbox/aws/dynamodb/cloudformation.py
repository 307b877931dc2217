"""AWS::DynamoDB::Table: the settings that moto drops when a stack makes a table, and updates of them."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.dynamodb import recovery, tables
from infra.sandbox.aws.dynamodb.life import LOCK, Clock
from infra.sandbox.aws.dynamodb.refusals import validation
from infra.sandbox.aws.moto_names import DynamoDBBackend, Table, dynamodb_backends


def install(clock: Clock) -> None:
    """Wrap creation, add update; deletion refuses protected tables as the API does."""
    create = Table.create_from_cloudformation_json.__func__

    def create_from_cloudformation_json(
        cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Any:
        with LOCK:
            table = create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
            _apply(table, cloudformation_json["Properties"], clock.now())
            return table

    def update_from_cloudformation_json(
        cls: Any,
        original_resource: Any,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Any:
        with LOCK:
            properties = cloudformation_json["Properties"]
            # The object of the stack may have been replaced by a cancelled transaction: take the table of today.
            backend: DynamoDBBackend = dynamodb_backends[account_id][region_name]
            table = backend.get_table(original_resource.name)
            if properties["KeySchema"] != table.schema:
                raise validation(f"Table {table.name} would have to be replaced to change its key: not done here")
            _apply(table, properties, clock.now())
            return table

    Table.create_from_cloudformation_json = classmethod(create_from_cloudformation_json)
    Table.update_from_cloudformation_json = classmethod(update_from_cloudformation_json)


def _apply(table: Any, properties: dict[str, Any], now: float) -> None:
    table.billing_mode = properties.get("BillingMode", "PROVISIONED")
    table.deletion_protection_enabled = _true(properties.get("DeletionProtectionEnabled"))
    table.tags = properties.get("Tags", [])
    encryption = properties.get("SSESpecification", {})
    tables.encrypt(table, {**encryption, "Enabled": _true(encryption.get("SSEEnabled"))})
    point_in_time = properties.get("PointInTimeRecoverySpecification", {})
    if _true(point_in_time.get("PointInTimeRecoveryEnabled")):
        days = point_in_time.get("RecoveryPeriodInDays")
        recovery.enable(table.life, now, None if days is None else int(days))
    else:
        table.life.recovery_since = None
    expiry = properties.get("TimeToLiveSpecification", {})
    if _true(expiry.get("Enabled")):
        table.ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": expiry["AttributeName"]}
    else:
        table.ttl = {"TimeToLiveStatus": "DISABLED"}


def _true(value: Any) -> bool:
    """Templates write booleans as text too."""
    return value is True or value == "true"
