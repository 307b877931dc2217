"""On-demand and SYSTEM backups: CREATING before AVAILABLE, and exact only for a table that nobody writes to."""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.aws.dynamodb import tables
from infra.sandbox.aws.dynamodb.life import SECONDS_PER_DAY, Clock
from infra.sandbox.aws.dynamodb.refusals import Refusal, table_missing, validation
from infra.sandbox.aws.moto_names import DynamoHandler, DynamoResult
from infra.sandbox.aws.settings import Settings
from infra.sandbox.journal import Key

_SYSTEM_BACKUP_DAYS = 35
_LARGEST_PAGE = 100


@dataclass
class Backup:
    """`items` is None while the backup is CREATING. `source` is a copy of the table without its items."""

    name: str
    kind: str
    source: Any
    requested_at: float
    available_at: float
    seen_around: tuple[float, float]
    items: dict[Key, Any] | None = None
    expires_at: float | None = None
    restores_until: float = 0.0
    deleted: bool = False
    identifier: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    moto_description: dict[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return f"{self.source.table_arn}/backup/{int(self.requested_at * 1000):014d}-{self.identifier}"

    @property
    def status(self) -> str:
        if self.deleted:
            return "DELETED"
        return "CREATING" if self.items is None else "AVAILABLE"

    def details(self) -> dict[str, Any]:
        """BackupDetails of the API."""
        details = {
            "BackupArn": self.arn,
            "BackupName": self.name,
            "BackupSizeBytes": sum(item.size() for item in (self.items or {}).values()),
            "BackupStatus": self.status,
            "BackupType": self.kind,
            "BackupCreationDateTime": utc(self.requested_at),
        }
        if self.expires_at is not None:
            details["BackupExpiryDateTime"] = utc(self.expires_at)
        return details

    def summary(self) -> dict[str, Any]:
        """BackupSummary of the API."""
        source = {"TableName": self.source.name, "TableId": self.source.life.table_id}
        return {**source, "TableArn": self.source.table_arn, **self.details()}

    def description(self) -> dict[str, Any]:
        """BackupDescription of the API."""
        table = self.moto_description
        details = {
            "TableName": table["TableName"],
            "TableId": table["TableId"],
            "TableArn": table["TableArn"],
            "TableSizeBytes": table["TableSizeBytes"],
            "KeySchema": table["KeySchema"],
            "TableCreationDateTime": table["CreationDateTime"],
            "ProvisionedThroughput": table["ProvisionedThroughput"],
            "ItemCount": len(self.items or ()),
            "BillingMode": self.source.billing_mode,
        }
        features = {
            "GlobalSecondaryIndexes": table.get("GlobalSecondaryIndexes"),
            "LocalSecondaryIndexes": table.get("LocalSecondaryIndexes"),
            "StreamDescription": table.get("StreamSpecification"),
            "TimeToLiveDescription": self.source.ttl,
            "SSEDescription": table.get("SSEDescription"),
        }
        given = {name: value for name, value in features.items() if value}
        return {"BackupDetails": self.details(), "SourceTableDetails": details, "SourceTableFeatureDetails": given}


def utc(at: float) -> dt.datetime:
    """moto writes naive datetimes as UTC."""
    return dt.datetime.fromtimestamp(at, dt.UTC).replace(tzinfo=None)


def settle(backend: Any, now: float) -> None:
    """Complete the backups that have become available by `now`; forget the SYSTEM backups that have expired."""
    for arn, backup in list(backend.backups.items()):
        if backup.items is None and backup.available_at <= now:
            backup.items = backup.source.life.journal.items_around(*backup.seen_around)
            backup.source.life.running_backups -= 1
        if backup.expires_at is not None and backup.expires_at <= now:
            del backend.backups[arn]


def keep_deleted_table(backend: Any, table: Any, now: float) -> None:
    """The SYSTEM backup that DynamoDB makes of a table deleted with point-in-time recovery on; kept 35 days."""
    backup = _backup_of(table, f"{table.name}$DeletedTableBackup", "SYSTEM", now)
    backup.items = table.life.journal.items_at(now)
    backup.expires_at = now + _SYSTEM_BACKUP_DAYS * SECONDS_PER_DAY
    backend.backups[backup.arn] = backup


def find(backend: Any, arn: str) -> Backup:
    """BackupNotFoundException when there is none."""
    backup: Backup | None = backend.backups.get(arn)
    if backup is None:
        raise Refusal("BackupNotFoundException", f"Backup not found: {arn}")
    return backup


def install(settings: Settings, clock: Clock) -> None:
    """Replace create, describe, delete and list."""
    _create(settings, clock)
    _describe_and_delete(clock)
    _list()


def _backup_of(table: Any, name: str, kind: str, now: float) -> Backup:
    life = table.life
    source = copy.copy(table)
    source.items = {}
    for setting in ("schema", "attr", "throughput", "indexes", "global_indexes", "sse_specification", "ttl"):
        setattr(source, setting, copy.deepcopy(getattr(table, setting)))
    backup = Backup(name, kind, source, now, now, (now, now))
    backup.moto_description = copy.deepcopy(table.describe()["TableDescription"])
    backup.source.life = life
    return backup


def _create(settings: Settings, clock: Clock) -> None:
    def create_backup(handler: Any) -> Any:
        backend, now = handler.dynamodb_backend, clock.now()
        name, given = handler.body["BackupName"], handler.body["TableName"]
        tables.check_name(name, "backupName")
        table = backend.tables.get(given.split("/")[-1])
        if table is None:
            raise table_missing(given)
        status = table.life.status(now)
        if status in ("CREATING", "DELETING"):
            raise Refusal("TableInUseException", f"Table {table.name} is {status} and cannot be backed up")
        backup = _backup_of(table, name, "USER", now)
        backup.available_at = now + settings.backup_seconds
        # It cannot hold what is written after it became available, however large the skew is set.
        ahead = min(settings.backup_skew_seconds, settings.backup_seconds)
        backup.seen_around = (now - settings.backup_skew_seconds, now + ahead)
        table.life.running_backups += 1
        backend.backups[backup.arn] = backup
        return DynamoResult({"BackupDetails": backup.details()})

    DynamoHandler.create_backup = create_backup


def _describe_and_delete(clock: Clock) -> None:
    def describe_backup(handler: Any) -> Any:
        return DynamoResult({"BackupDescription": find(handler.dynamodb_backend, handler.body["BackupArn"]).description()})

    def delete_backup(handler: Any) -> Any:
        backup = find(handler.dynamodb_backend, handler.body["BackupArn"])
        if backup.items is None or clock.now() < backup.restores_until:
            raise Refusal("BackupInUseException", f"Backup is being created or restored: {backup.arn}")
        if backup.kind == "SYSTEM":
            raise validation(f"Backup {backup.arn} was made by DynamoDB and cannot be deleted; it expires by itself")
        backup.deleted = True
        del handler.dynamodb_backend.backups[backup.arn]
        return DynamoResult({"BackupDescription": backup.description()})

    DynamoHandler.describe_backup = describe_backup
    DynamoHandler.delete_backup = delete_backup


def _list() -> None:
    def list_backups(handler: Any) -> Any:
        body = handler.body
        kinds = {"ALL": {"USER", "SYSTEM"}}.get(body.get("BackupType", "USER"), {body.get("BackupType", "USER")})
        table = body.get("TableName", "").split("/")[-1]
        found = [
            backup
            for backup in handler.dynamodb_backend.backups.values()
            if backup.kind in kinds and (not table or backup.source.name == table)
        ]
        found = [backup for backup in found if _within(backup.requested_at, body)]
        if (start := body.get("ExclusiveStartBackupArn")) is not None:
            arns = [backup.arn for backup in found]
            found = found[arns.index(start) + 1 :] if start in arns else []
        page = found[: min(body.get("Limit", _LARGEST_PAGE), _LARGEST_PAGE)]
        answer: dict[str, Any] = {"BackupSummaries": [backup.summary() for backup in page]}
        if len(found) > len(page):
            answer["LastEvaluatedBackupArn"] = page[-1].arn
        return DynamoResult(answer)

    DynamoHandler.list_backups = list_backups


def _within(requested_at: float, body: dict[str, Any]) -> bool:
    at = utc(requested_at)
    return body.get("TimeRangeLowerBound", at) <= at and at <= body.get("TimeRangeUpperBound", at)
