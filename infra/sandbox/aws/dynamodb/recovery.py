"""Point-in-time recovery and both kinds of restore: data as of the second, refusals, and what a restore loses."""

from __future__ import annotations

import copy
from collections import defaultdict
from hashlib import sha256
from typing import Any

from infra.sandbox.aws.dynamodb import backups, tables
from infra.sandbox.aws.dynamodb.life import Clock, Life
from infra.sandbox.aws.dynamodb.refusals import Refusal, table_missing, validation
from infra.sandbox.aws.moto_names import DynamoHandler, DynamoResult, Table
from infra.sandbox.aws.settings import Settings
from infra.sandbox.journal import Journal, Key

_LONGEST_WINDOW_DAYS = 35


def enable(life: Life, now: float, days: int | None) -> None:
    """Turn recovery on, or change its period: 1 to 35 days, 35 when never given."""
    if days is not None and not 1 <= days <= _LONGEST_WINDOW_DAYS:
        raise validation(f"RecoveryPeriodInDays must be between 1 and {_LONGEST_WINDOW_DAYS}, it is {days}")
    if life.recovery_since is None:
        life.recovery_since, life.recovery_days = now, _LONGEST_WINDOW_DAYS
    if days is not None:
        life.recovery_days = days


def install(settings: Settings, clock: Clock) -> None:
    """Replace the continuous-backup operations and both restores."""
    _continuous_backups(settings, clock)
    _restore_to_point_in_time(settings, clock)
    _restore_from_backup(settings, clock)


def _continuous_backups(settings: Settings, clock: Clock) -> None:
    def describe(handler: Any) -> Any:
        table = _table(handler.dynamodb_backend, handler.body["TableName"])
        return DynamoResult({"ContinuousBackupsDescription": _description(table.life)})

    def update(handler: Any) -> Any:
        table = _table(handler.dynamodb_backend, handler.body["TableName"])
        life, now = table.life, clock.now()
        if (status := life.status(now)) in ("CREATING", "DELETING"):
            raise Refusal(
                "ContinuousBackupsUnavailableException",
                f"Table {table.name} is {status}: backups are being enabled for the table. Please retry later",
            )
        specification = handler.body["PointInTimeRecoverySpecification"]
        if specification["PointInTimeRecoveryEnabled"]:
            enable(life, now, specification.get("RecoveryPeriodInDays"))
        else:
            life.recovery_since = None  # turned on again, it starts a new window
        return DynamoResult({"ContinuousBackupsDescription": _description(life)})

    def _description(life: Life) -> dict[str, Any]:
        window = life.restorable_window(clock.now(), settings.lag_seconds)
        recovery: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
        if window is not None:
            recovery = {
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": life.recovery_days,
                "EarliestRestorableDateTime": backups.utc(window[0]),
                "LatestRestorableDateTime": backups.utc(window[1]),
            }
        return {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}

    DynamoHandler.describe_continuous_backups = describe
    DynamoHandler.update_continuous_backups = update


def _restore_to_point_in_time(settings: Settings, clock: Clock) -> None:
    def restore(handler: Any) -> Any:
        body, backend, now = handler.body, handler.dynamodb_backend, clock.now()
        source = _table(backend, body.get("SourceTableName") or body.get("SourceTableArn", ""))
        window = source.life.restorable_window(now, settings.lag_seconds)
        if window is None or source.life.status(now) == "DELETING":
            raise Refusal("PointInTimeRecoveryUnavailableException", f"Point in time recovery is not enabled for {source.name}")
        _check_target(backend, body["TargetTableName"], now, settings)
        at = _restore_time(body, window, now - settings.lag_seconds)
        summary = {"SourceTableArn": source.table_arn, "RestoreDateTime": backups.utc(at)}
        items = source.life.journal.items_at(at + _cut_after(source.name, settings.restore_precision_seconds))
        table = _restored(backend, body, source, items, summary)
        table.life.creating_until = now + settings.restore_seconds
        return DynamoResult(table.describe())

    DynamoHandler.restore_table_to_point_in_time = restore


def _restore_from_backup(settings: Settings, clock: Clock) -> None:
    def restore(handler: Any) -> Any:
        body, backend, now = handler.body, handler.dynamodb_backend, clock.now()
        backup = backups.find(backend, body["BackupArn"])
        if backup.items is None:
            raise Refusal("BackupInUseException", f"Backup is still being created: {backup.arn}")
        _check_target(backend, body["TargetTableName"], now, settings)
        summary = {
            "SourceBackupArn": backup.arn,
            "SourceTableArn": backup.source.table_arn,
            "RestoreDateTime": backups.utc(backup.requested_at),
        }
        table = _restored(backend, body, backup.source, backup.items, summary)
        table.life.creating_until = backup.restores_until = now + settings.restore_seconds
        return DynamoResult(table.describe())

    DynamoHandler.restore_table_from_backup = restore


def _cut_after(name: str, precision_seconds: float) -> float:
    """Where within the precision this table is cut: by a hash of its name, so always the same and spread over all tables."""
    share = int.from_bytes(sha256(name.encode()).digest()[:4], "big") / 2**32
    return share * precision_seconds


def _table(backend: Any, name_or_arn: str) -> Any:
    table = backend.tables.get(name_or_arn.split("/")[-1])
    if table is None:
        raise table_missing(name_or_arn)
    return table


def _check_target(backend: Any, name: str, now: float, settings: Settings) -> None:
    tables.check_name(name, "targetTableName")
    if name in backend.tables:
        if (status := backend.tables[name].life.status(now)) in ("CREATING", "DELETING"):
            raise Refusal("TableInUseException", f"Table is {status}: {name}")
        raise Refusal("TableAlreadyExistsException", f"Table already exists: {name}")
    running = sum(1 for table in backend.tables.values() if table.life.restore_summary and now < table.life.creating_until)
    if running >= settings.max_concurrent_restores:
        raise Refusal(
            "LimitExceededException",
            f"{running} restores are running and the account may run {settings.max_concurrent_restores} at once",
        )


def _restore_time(body: dict[str, Any], window: tuple[int, int], lagged_now: float) -> int:
    """Seconds since the epoch. AWS restores to whole seconds, so a fraction is cut off."""
    earliest, latest = window
    if body.get("UseLatestRestorableTime") and "RestoreDateTime" in body:
        raise validation("RestoreDateTime and UseLatestRestorableTime cannot both be given")
    if body.get("UseLatestRestorableTime"):
        at = latest
    elif "RestoreDateTime" in body:
        at = int((body["RestoreDateTime"] - backups.utc(0)).total_seconds())
    else:
        raise validation("One of RestoreDateTime and UseLatestRestorableTime must be given")
    if not earliest <= at <= latest or at > lagged_now:
        raise Refusal(
            "InvalidRestoreTimeException",
            f"{backups.utc(at)} is not between EarliestRestorableDateTime {backups.utc(earliest)} and "
            f"LatestRestorableDateTime {backups.utc(latest)}, or that time has not been reached yet",
        )
    return at


def _restored(backend: Any, body: dict[str, Any], source: Any, items: dict[Key, Any], summary: dict[str, Any]) -> Any:
    """Kept: keys, indexes, capacity, encryption. Lost: tags, TTL, stream, recovery, deletion protection, policies."""
    throughput = body.get("ProvisionedThroughputOverride", source.throughput)
    table = Table(
        body["TargetTableName"],
        account_id=backend.account_id,
        region=backend.region_name,
        schema=copy.deepcopy(source.schema),
        attr=copy.deepcopy(source.attr),
        throughput=copy.deepcopy(throughput),
        billing_mode=body.get("BillingModeOverride", source.billing_mode),
    )
    if table.billing_mode == "PAY_PER_REQUEST":
        table.throughput = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0, "NumberOfDecreasesToday": 0}
    table.global_indexes = _indexes(source.global_indexes, body.get("GlobalSecondaryIndexOverride"))
    table.indexes = _indexes(source.indexes, body.get("LocalSecondaryIndexOverride"))
    tables.encrypt(table, body.get("SSESpecificationOverride", source.sse_specification))
    table.life = Life(journal=Journal(items), restore_summary=summary)
    table.items = _as_moto_keeps_them(items)
    backend.tables[table.name] = table
    return table


def _indexes(of_source: list[Any], override: list[dict[str, Any]] | None) -> list[Any]:
    """An override may leave indexes out, not add any."""
    if override is None:
        return copy.deepcopy(of_source)
    wanted = {index["IndexName"] for index in override}
    if unknown := wanted - {index.name for index in of_source}:
        raise validation(f"The source has no index {', '.join(sorted(unknown))}: a restore can only leave indexes out")
    return [copy.deepcopy(index) for index in of_source if index.name in wanted]


def _as_moto_keeps_them(items: dict[Key, Any]) -> Any:
    kept: Any = defaultdict(dict)
    for (hash_key, range_key), item in items.items():
        if range_key is None:
            kept[hash_key] = item
        else:
            kept[hash_key][range_key] = item
    return kept
