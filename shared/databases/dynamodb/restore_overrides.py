"""What RestoreTableFromBackup is told to do otherwise than the backup says: mode, capacity and encryption of the manifest.

Given with the request because later it may be refused: a table may change its billing mode and lower its capacity only a few
times a day (quotas of DynamoDB).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.databases.dynamodb.settings_compare import is_unknown
from shared.model.table_settings import Capacity, TableSettings


def overrides(wanted: TableSettings, backup: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters for what differs between `wanted` and BackupDescription; nothing for what is not known."""
    details, features = backup.get("SourceTableDetails", {}), backup.get("SourceTableFeatureDetails", {})
    return {
        **_capacity(wanted, details, features.get("GlobalSecondaryIndexes", [])),
        **_encryption(wanted, features.get("SSEDescription", {})),
    }


def _capacity(wanted: TableSettings, details: Mapping[str, Any], indexes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if is_unknown(wanted, "billing_mode") or is_unknown(wanted, "capacity") or is_unknown(wanted, "index_capacity"):
        return {}
    mode = details.get("BillingMode") or "PROVISIONED"
    given: dict[str, Any] = {} if mode == wanted.billing_mode else {"BillingModeOverride": wanted.billing_mode}
    if wanted.billing_mode == "PROVISIONED":
        given |= _provisioned(wanted, details, indexes, is_other_mode=bool(given))
    elif limits := _limits(wanted.capacity):
        given["OnDemandThroughputOverride"] = limits
    return given


def _provisioned(
    wanted: TableSettings, details: Mapping[str, Any], indexes: Sequence[Mapping[str, Any]], is_other_mode: bool
) -> dict[str, Any]:
    given: dict[str, Any] = {}
    units = _units(wanted.capacity)
    if units and (is_other_mode or units != _read(details)):
        given["ProvisionedThroughputOverride"] = units
    of_indexes = [_units(wanted.index_capacity.get(index["IndexName"], Capacity())) or _read(index) for index in indexes]
    if indexes and (is_other_mode or of_indexes != [_read(index) for index in indexes]):
        given["GlobalSecondaryIndexOverride"] = [
            {
                "IndexName": index["IndexName"],
                "KeySchema": index["KeySchema"],
                "Projection": index["Projection"],
                "ProvisionedThroughput": throughput,
            }
            for index, throughput in zip(indexes, of_indexes, strict=True)
        ]
    return given


def _encryption(wanted: TableSettings, backup: Mapping[str, Any]) -> dict[str, Any]:
    if is_unknown(wanted, "sse_type") or is_unknown(wanted, "kms_key_arn"):
        return {}
    is_encrypted = backup.get("Status") in ("ENABLED", "UPDATING")
    sse_type = backup.get("SSEType", "") if is_encrypted else ""
    key = backup.get("KMSMasterKeyArn", "") if is_encrypted else ""
    if (wanted.sse_type, wanted.kms_key_arn) == (sse_type, key):
        return {}
    if not wanted.sse_type:
        return {"SSESpecificationOverride": {"Enabled": False}}
    of_key = {"KMSMasterKeyId": wanted.kms_key_arn} if wanted.kms_key_arn else {}
    return {"SSESpecificationOverride": {"Enabled": True, "SSEType": wanted.sse_type, **of_key}}


def _units(capacity: Capacity) -> dict[str, int]:
    if capacity.read_units is None or capacity.write_units is None:
        return {}
    return {"ReadCapacityUnits": capacity.read_units, "WriteCapacityUnits": capacity.write_units}


def _read(described: Mapping[str, Any]) -> dict[str, int]:
    found = described.get("ProvisionedThroughput", {})
    return {name: found[name] for name in ("ReadCapacityUnits", "WriteCapacityUnits") if found.get(name)}


def _limits(capacity: Capacity) -> dict[str, int]:
    limits = {
        "MaxReadRequestUnits": capacity.max_read_request_units,
        "MaxWriteRequestUnits": capacity.max_write_request_units,
    }
    return {name: units for name, units in limits.items() if units is not None}
