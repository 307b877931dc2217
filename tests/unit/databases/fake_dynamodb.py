"""A DynamoDB and an Application Auto Scaling that keep state: tables, recovery windows, restores and backups that take their
time, refusals as AWS's, listings that lag, faults on demand, a kill after the n-th call. Time is a FakeClock's."""

# ruff: noqa: N803 - the parameters are named as the API names them

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from botocore.exceptions import EndpointConnectionError

from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.fake_settings import SettingsOfTables, kept_by_restores, overridden, refusal

REGION = "ap-northeast-1"
ARN = f"arn:aws:dynamodb:{REGION}:123456789012:table/"


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Killed(BaseException):
    """The process that made the call is gone."""


@dataclass
class Table:
    name: str
    created: datetime
    recovery_since: datetime | None
    period_days: int = 35
    rows: list[dict[str, Any]] = field(default_factory=list)
    active_at: datetime | None = None
    gone_at: datetime | None = None
    restore: dict[str, Any] | None = None
    protected: bool = False
    status: str = ""
    described: dict[str, Any] = field(default_factory=dict)
    time_to_live: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    policy: str = ""
    insights: dict[str, str] = field(default_factory=dict)
    streams: dict[str, str] = field(default_factory=dict)
    updating_until: datetime | None = None
    time_to_live_changed: datetime | None = None
    id: str = field(default_factory=lambda: str(uuid4()))
    history: list[tuple[datetime, str]] = field(default_factory=list)
    """What its data was, since when."""

    def data_at(self, at: datetime) -> str:
        return next((data for since, data in reversed(self.history) if since <= at), "")


@dataclass
class Backup:
    arn: str
    table: str
    name: str
    requested: datetime
    available_at: datetime
    restored_to: datetime | None
    kind: str = "USER"
    table_id: str = ""
    data: str = ""
    described: dict[str, Any] = field(default_factory=dict)
    """What the backup keeps of the table's settings."""


class FakeDynamoDb(SettingsOfTables):
    """The account's state; `session()` gives clients of it."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.tables: dict[str, Table] = {}
        self.backups: dict[str, Backup] = {}
        self.lag, self.restore_seconds, self.backup_seconds, self.delete_seconds = 300.0, 1200.0, 60.0, 20.0
        self.listing_lag = 0.0
        """A backup is missing from ListBackups for this long."""
        self.restored_are_protected = False
        self.max_restores = 50
        self.most_restores = 0
        self.call_seconds = 0.01
        self.page = 7
        """Small, so that every listing has several pages; AWS has up to 100."""
        self.faults: dict[str, list[str]] = {}
        self.before: Callable[[str, dict[str, Any]], None] = lambda operation, parameters: None
        self.kill_at: int | None = None
        self.kill_after_effect = False
        """The last call before the kill is carried out or not; its answer is lost in both cases."""
        self.calls: Counter[str] = Counter()
        self.call_times: list[tuple[str, float]] = []
        self.targets: list[dict[str, Any]] = []
        self.policies: list[dict[str, Any]] = []
        self.update_seconds = 0.0
        self.deletions: list[tuple[str, str, list[str]]] = []
        """Of live tables: name, id, and the names of the AVAILABLE backups of that very table."""
        self.restores: list[tuple[str, str]] = []
        """Target and backup of every restore from a backup."""
        self.after_restore: Callable[[Table], None] = lambda table: None
        self._backup_number = 0
        self.lock = RLock()

    def session(self) -> Any:
        return SimpleNamespace(client=lambda service, region_name, config: _Client(self, service))

    def add(self, name: str, *, age: float = 86_400, recovery: bool = True, **more: Any) -> Table:
        created = self.clock.now() - timedelta(seconds=age)
        self.tables[name] = Table(name, created, created if recovery else None, **more)
        return self.tables[name]

    def write(self, name: str, data: str) -> None:
        self.tables[name].history.append((self.clock.now(), data))

    def data(self) -> dict[str, str]:
        """Of every live table, as it is now."""
        return {name: self.tables[name].data_at(self.clock.now()) for name in sorted(self.live())}

    def live(self) -> set[str]:
        self._settle()
        return {name for name in self.tables if not name.startswith("scalar-backup.")}

    def side_tables(self) -> set[str]:
        self._settle()
        return {name for name in self.tables if name.startswith("scalar-backup.")}

    def delete(self, name: str) -> None:
        """Somebody deletes a live table: DynamoDB keeps a system backup of it."""
        table = self.tables.pop(name)
        if table.recovery_since:
            self._new_backup(table, f"{name}$DeletedTableBackup", "SYSTEM")

    def call(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            self.clock.advance(self.call_seconds)
            self.calls[operation] += 1
            self.call_times.append((operation, self.clock.monotonic()))
            self.before(operation, parameters)
            is_last = self.kill_at is not None and self.calls.total() >= self.kill_at
            if is_last and not (self.kill_after_effect and self.calls.total() == self.kill_at):
                raise Killed
            if self.faults.get(operation):
                raise _fault(self.faults[operation].pop(0), operation)
            self._settle()
            answer: dict[str, Any] = getattr(self, "_" + operation)(**parameters)
            if is_last:
                raise Killed
            return answer

    def _settle(self) -> None:
        now = self.clock.now()
        for name in [name for name, table in self.tables.items() if table.gone_at and table.gone_at <= now]:
            del self.tables[name]

    def _status(self, table: Table) -> str:
        if table.gone_at:
            return "DELETING"
        if table.active_at and self.clock.now() < table.active_at:
            return "CREATING"
        if table.updating_until and self.clock.now() < table.updating_until:
            return "UPDATING"
        return table.status or "ACTIVE"

    def _table(self, name: str, code: str = "ResourceNotFoundException") -> Table:
        name = name.removeprefix(ARN)
        if name not in self.tables:
            raise refusal(code, f"Table not found: {name}")
        return self.tables[name]

    def _list_tables(self, ExclusiveStartTableName: str = "") -> dict[str, Any]:
        names = [name for name in sorted(self.tables) if name > ExclusiveStartTableName]
        last = {"LastEvaluatedTableName": names[self.page - 1]} if len(names) > self.page else {}
        return {"TableNames": names[: self.page], **last}

    def _describe_table(self, TableName: str) -> dict[str, Any]:
        table = self._table(TableName)
        restore = {}
        if table.restore:
            restore = {"RestoreSummary": {**table.restore, "RestoreInProgress": self._status(table) == "CREATING"}}
        return {
            "Table": {
                "TableName": table.name,
                "TableId": table.id,
                "TableArn": ARN + table.name,
                "TableStatus": self._status(table),
                "CreationDateTime": table.created,
                "DeletionProtectionEnabled": table.protected,
                **restore,
                **table.described,
            }
        }

    def _window(self, table: Table) -> tuple[datetime, datetime] | None:
        if table.recovery_since is None:
            return None
        now = self.clock.now()
        earliest = max(table.recovery_since, now - timedelta(days=table.period_days))
        return earliest, max(earliest, now - timedelta(seconds=self.lag))

    def _describe_continuous_backups(self, TableName: str) -> dict[str, Any]:
        table = self._table(TableName, "TableNotFoundException")
        window = self._window(table)
        found: dict[str, Any] = {"PointInTimeRecoveryStatus": "DISABLED"}
        if window:
            found = {
                "PointInTimeRecoveryStatus": "ENABLED",
                "RecoveryPeriodInDays": table.period_days,
                "EarliestRestorableDateTime": window[0],
                "LatestRestorableDateTime": window[1],
            }
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": found}}

    def _restore_table_to_point_in_time(
        self, SourceTableName: str, TargetTableName: str, RestoreDateTime: datetime
    ) -> dict[str, Any]:
        source = self._table(SourceTableName, "TableNotFoundException")
        window = self._window(source)
        if window is None:
            raise refusal("PointInTimeRecoveryUnavailableException")
        if TargetTableName in self.tables:
            in_use = self._status(self.tables[TargetTableName]) in ("CREATING", "DELETING")
            raise refusal("TableInUseException" if in_use else "TableAlreadyExistsException")
        if not window[0] <= RestoreDateTime <= window[1]:
            raise refusal("InvalidRestoreTimeException")
        if sum(self._status(table) == "CREATING" for table in self.tables.values()) >= self.max_restores:
            raise refusal("LimitExceededException")
        now = self.clock.now()
        self.tables[TargetTableName] = Table(
            TargetTableName,
            now,
            None,
            active_at=now + timedelta(seconds=self.restore_seconds),
            restore={"SourceTableArn": ARN + SourceTableName, "RestoreDateTime": RestoreDateTime},
            protected=self.restored_are_protected,
            history=[(now, source.data_at(RestoreDateTime))],
            described=kept_by_restores(source),
        )
        running = sum(self._status(table) == "CREATING" for table in self.tables.values())
        self.most_restores = max(self.most_restores, running)
        return self._describe_table(TargetTableName)

    def _restore_table_from_backup(self, TargetTableName: str, BackupArn: str, **overrides: Any) -> dict[str, Any]:
        backup, now = self.backups.get(BackupArn), self.clock.now()
        if backup is None:
            raise refusal("BackupNotFoundException")
        if now < backup.available_at:
            raise refusal("BackupInUseException")
        if TargetTableName in self.tables:
            in_use = self._status(self.tables[TargetTableName]) in ("CREATING", "DELETING")
            raise refusal("TableInUseException" if in_use else "TableAlreadyExistsException")
        if sum(self._status(table) == "CREATING" for table in self.tables.values()) >= self.max_restores:
            raise refusal("LimitExceededException")
        table = Table(
            TargetTableName,
            now,
            None,
            active_at=now + timedelta(seconds=self.restore_seconds),
            restore={"SourceBackupArn": BackupArn, "SourceTableArn": ARN + backup.table, "RestoreDateTime": backup.requested},
            history=[(now, backup.data)],
            described=overridden(backup.described, overrides),
        )
        self.tables[TargetTableName] = table
        self.restores.append((TargetTableName, BackupArn))
        running = sum(self._status(table) == "CREATING" for table in self.tables.values())
        self.most_restores = max(self.most_restores, running)
        self.after_restore(table)
        return self._describe_table(TargetTableName)

    def _new_backup(self, table: Table, name: str, kind: str) -> Backup:
        self._backup_number += 1
        now = self.clock.now()
        arn = f"{ARN}{table.name}/backup/{self._backup_number:08}"
        available = now + timedelta(seconds=self.backup_seconds)
        restored_to = table.restore.get("RestoreDateTime") if table.restore else None
        backup = Backup(arn, table.name, name, now, available, restored_to, kind, table.id, table.data_at(now))
        self.backups[arn] = replace(backup, described=kept_by_restores(table))
        return self.backups[arn]

    def _create_backup(self, TableName: str, BackupName: str) -> dict[str, Any]:
        table = self._table(TableName, "TableNotFoundException")
        if self._status(table) != "ACTIVE":
            raise refusal("TableInUseException")
        if any(backup.table == TableName and self.clock.now() < backup.available_at for backup in self.backups.values()):
            raise refusal("BackupInUseException")
        return {"BackupDetails": self._details(self._new_backup(table, BackupName, "USER"))}

    def _details(self, backup: Backup) -> dict[str, Any]:
        return {
            "BackupArn": backup.arn,
            "BackupName": backup.name,
            "TableName": backup.table,
            "TableId": backup.table_id,
            "BackupType": backup.kind,
            "BackupStatus": "CREATING" if self.clock.now() < backup.available_at else "AVAILABLE",
            "BackupCreationDateTime": backup.requested,
            "BackupSizeBytes": 1000,
        }

    def _list_backups(
        self,
        BackupType: str,
        TimeRangeLowerBound: datetime = FIRST,
        TimeRangeUpperBound: datetime = LAST,
        TableName: str = "",
        ExclusiveStartBackupArn: str = "",
    ) -> dict[str, Any]:
        visible = self.clock.now() - timedelta(seconds=self.listing_lag)
        found = [
            backup
            for arn, backup in sorted(self.backups.items())
            if backup.kind == BackupType
            and TimeRangeLowerBound <= backup.requested <= min(visible, TimeRangeUpperBound)
            and TableName in ("", backup.table)
            and arn > ExclusiveStartBackupArn
        ]
        last = {"LastEvaluatedBackupArn": found[self.page - 1].arn} if len(found) > self.page else {}
        return {"BackupSummaries": [self._details(backup) for backup in found[: self.page]], **last}

    def _describe_backup(self, BackupArn: str) -> dict[str, Any]:
        if BackupArn not in self.backups:
            raise refusal("BackupNotFoundException")
        backup = self.backups[BackupArn]
        given = backup.described
        mode = given.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        source = {"TableName": backup.table, "TableId": backup.table_id, "BillingMode": mode}
        source |= {name: given[name] for name in ("ProvisionedThroughput",) if name in given}
        features = {name: given[name] for name in ("GlobalSecondaryIndexes", "SSEDescription") if name in given}
        details = {name: value for name, value in self._details(backup).items() if not name.startswith("Table")}
        return {
            "BackupDescription": {
                "BackupDetails": details,
                "SourceTableDetails": source,
                "SourceTableFeatureDetails": features,
            }
        }

    def _delete_backup(self, BackupArn: str) -> dict[str, Any]:
        if BackupArn not in self.backups:
            raise refusal("BackupNotFoundException")
        if self.clock.now() < self.backups[BackupArn].available_at:
            raise refusal("BackupInUseException")
        del self.backups[BackupArn]
        return {}

    def _delete_table(self, TableName: str) -> dict[str, Any]:
        table = self._table(TableName)
        if self._status(table) == "CREATING":
            raise refusal("ResourceInUseException")
        if table.protected:
            raise refusal("ValidationException", "protected against deletion")
        if self._status(table) == "UPDATING":
            raise refusal("ResourceInUseException")
        if not table.gone_at and not TableName.startswith("scalar-backup."):
            held = [
                each for each in self.backups.values() if each.table_id == table.id and each.available_at <= self.clock.now()
            ]
            self.deletions.append((TableName, table.id, [each.name for each in held]))
        table.gone_at = table.gone_at or self.clock.now() + timedelta(seconds=self.delete_seconds)
        return {}

    def _scan(self, TableName: str, ExclusiveStartKey: dict[str, Any] | None = None, **_: Any) -> dict[str, Any]:
        start = int(ExclusiveStartKey["row"]["N"]) if ExclusiveStartKey else 0
        rows = self._table(TableName).rows
        last = {"LastEvaluatedKey": {"row": {"N": str(start + self.page)}}} if len(rows) > start + self.page else {}
        return {"Items": rows[start : start + self.page], **last}


class _Client:
    def __init__(self, account: FakeDynamoDb, service: str) -> None:
        self._account = account
        self._service = service
        self.meta = SimpleNamespace(endpoint_url=f"https://{service}.{REGION}.amazonaws.com")

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        return lambda **parameters: self._account.call(self._service, operation, parameters)


def _fault(code: str, operation: str) -> Exception:
    if code == "no answer":
        return EndpointConnectionError(endpoint_url="https://example.invalid")
    return refusal(code, "injected", operation)
