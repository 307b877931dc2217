"""Table states: what a table shows and refuses while it is CREATING, UPDATING or DELETING; TTL, encryption, deletion."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from infra.sandbox.aws.dynamodb import backups
from infra.sandbox.aws.dynamodb.life import Clock
from infra.sandbox.aws.dynamodb.refusals import Refusal, table_busy, table_not_readable, validation
from infra.sandbox.aws.moto_names import DynamoHandler, DynamoResult, Table
from infra.sandbox.aws.settings import Settings

_KINDS_OF_CHANGE = {
    "BillingMode": "capacity",
    "ProvisionedThroughput": "capacity",
    "OnDemandThroughput": "capacity",
    "GlobalSecondaryIndexUpdates": "indexes",
    "StreamSpecification": "stream",
    "SSESpecification": "encryption",
    "DeletionProtectionEnabled": "deletion protection",
    "TableClass": "table class",
    "ReplicaUpdates": "replicas",
    "WarmThroughput": "warm throughput",
}
_ITEM_OPERATIONS = (
    "get_item",
    "put_item",
    "update_item",
    "delete_item",
    "query",
    "scan",
    "batch_get_item",
    "batch_write_item",
    "transact_get_items",
    "transact_write_items",
)
_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")


def settle(backend: Any, now: float) -> None:
    """Remove the tables whose deletion has ended by `now`."""
    for name, table in list(backend.tables.items()):
        if table.life.deleting_until is not None and table.life.deleting_until <= now:
            del backend.tables[name]


def check_name(name: str, parameter: str) -> None:
    """ValidationException unless `name` is one that tables and backups may have."""
    if not _NAME.fullmatch(name or ""):
        raise validation(
            f"1 validation error detected: Value '{name}' at '{parameter}' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z0-9_.-]+ and have length between 3 and 255"
        )


def encrypt(table: Any, specification: dict[str, Any] | None) -> None:
    """Set a table's encryption from an SSESpecification; without one, or not Enabled, it is DynamoDB's own key."""
    if not specification or not specification.get("Enabled"):
        table.sse_specification = None
        return
    key = specification.get("KMSMasterKeyId") or table._get_default_encryption_key(table.account_id, table.region_name)
    table.sse_specification = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}


def install(settings: Settings, clock: Clock) -> None:
    """Replace describe, update, delete and TTL; guard every operation that names a table."""
    _describe_states(clock)
    _guard_items(clock)
    _guard_settings(clock)
    _delete(settings, clock)
    _update(settings, clock)
    _time_to_live(settings, clock)


def _describe_states(clock: Clock) -> None:
    original = Table.describe

    def describe(table: Any, base_key: str = "TableDescription") -> dict[str, Any]:
        result = original(table, base_key)
        description, life, now = result[base_key], table.life, clock.now()
        description["TableStatus"] = life.status(now)
        description["TableId"] = life.table_id
        for indexes in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            if not description[indexes]:
                del description[indexes]  # as AWS: a table without indexes has no such field
        if life.restore_summary:
            description["RestoreSummary"] = {**life.restore_summary, "RestoreInProgress": now < life.creating_until}
        return result

    Table.describe = describe


def _before(operation: str, check: Callable[[Any], None]) -> None:
    original = getattr(DynamoHandler, operation)

    def checked(handler: Any) -> Any:
        check(handler)
        return original(handler)

    setattr(DynamoHandler, operation, checked)


def _guard_items(clock: Clock) -> None:
    """Items of a table that is being created or restored are not there yet; one being deleted may still serve them."""

    def check(handler: Any) -> None:
        for name in _tables_of_items(handler.body):
            table = handler.dynamodb_backend.tables.get(name)
            if table is not None and table.life.status(clock.now()) == "CREATING":
                raise table_not_readable(name)

    for operation in _ITEM_OPERATIONS:
        _before(operation, check)


def _tables_of_items(body: dict[str, Any]) -> Iterable[str]:
    if "TableName" in body:
        yield body["TableName"]
    yield from body.get("RequestItems", {})
    for entry in body.get("TransactItems", ()):
        yield from (operation["TableName"] for operation in entry.values())


def _guard_settings(clock: Clock) -> None:
    """Settings change on ACTIVE tables only."""

    def check(handler: Any) -> None:
        name = handler.body.get("TableName") or handler.body["ResourceArn"].split("/")[1]
        table = handler.dynamodb_backend.tables.get(name)
        if table is not None and (status := table.life.status(clock.now())) != "ACTIVE":
            raise table_busy(name, status)

    for operation in ("update_table", "update_time_to_live", "tag_resource", "untag_resource", "put_resource_policy"):
        _before(operation, check)


def _delete(settings: Settings, clock: Clock) -> None:
    def delete_table(handler: Any) -> Any:
        backend, now = handler.dynamodb_backend, clock.now()
        table = backend.tables.get(handler.body["TableName"].split("/")[-1])
        if table is None:
            raise table_not_readable(handler.body["TableName"])
        status = table.life.status(now)
        if status in ("CREATING", "UPDATING"):
            raise table_busy(table.name, status)
        if table.life.running_backups:
            raise Refusal(
                "ResourceInUseException", f"Table {table.name} has a backup in progress; delete it when that has ended"
            )
        if table.deletion_protection_enabled:
            raise validation(
                f"Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
                f"protection first. Table: {table.name}"
            )
        if status != "DELETING":
            if table.life.recovery_since is not None:
                backups.keep_deleted_table(backend, table, now)
            table.life.deleting_until = now + settings.delete_seconds
        return DynamoResult(table.describe())

    DynamoHandler.delete_table = delete_table


def _update(settings: Settings, clock: Clock) -> None:
    original = DynamoHandler.update_table

    def update_table(handler: Any) -> Any:
        body = handler.body
        kinds = {kind for parameter, kind in _KINDS_OF_CHANGE.items() if parameter in body}
        if all("Update" in update for update in body.get("GlobalSecondaryIndexUpdates", ())):
            # Capacity of indexes goes with that of the table: a change of the billing mode needs both in one call.
            kinds = {"capacity" if kind == "indexes" else kind for kind in kinds}
        if len(kinds) != 1:
            raise validation(
                "At least one of ProvisionedThroughput, BillingMode, GlobalSecondaryIndexUpdates, SSESpecification, "
                "StreamSpecification or DeletionProtectionEnabled is required"
                if not kinds
                else f"Only one kind of change is allowed in one UpdateTable, not {' and '.join(sorted(kinds))}"
            )
        table = handler.dynamodb_backend.get_table(body["TableName"])
        original(handler)
        if "SSESpecification" in body:
            encrypt(table, body["SSESpecification"])
        table.life.updating_until = clock.now() + settings.update_seconds
        return DynamoResult(table.describe())

    DynamoHandler.update_table = update_table


def _time_to_live(settings: Settings, clock: Clock) -> None:
    original = DynamoHandler.update_time_to_live

    def update_time_to_live(handler: Any) -> Any:
        table = handler.dynamodb_backend.tables.get(handler.body["TableName"])
        if table is None:
            raise table_not_readable(handler.body["TableName"])
        life, now = table.life, clock.now()
        if life.ttl_changed_at is not None and now < life.ttl_changed_at + settings.ttl_change_seconds:
            raise validation("Time to live has been modified multiple times within a fixed interval")
        enabled = handler.body["TimeToLiveSpecification"]["Enabled"]
        if enabled == (table.ttl["TimeToLiveStatus"] == "ENABLED"):
            raise validation(f"TimeToLive is already {'enabled' if enabled else 'disabled'}")
        answer = original(handler)
        if not enabled:
            del table.ttl["AttributeName"]
        life.ttl_changed_at = now
        return answer

    DynamoHandler.update_time_to_live = update_time_to_live
