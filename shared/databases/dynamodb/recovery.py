"""Whether a table's point-in-time recovery reaches a point: yes, not yet, there was no table then, or never."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.inventory import describe_table
from shared.model.errors import NotReady
from shared.model.times import iso

DEFAULT_PERIOD_DAYS = 35
"""RecoveryPeriodInDays when DescribeContinuousBackups does not say it."""
PITR_HINT = "Turn point-in-time recovery on (Schema Loader: leave --no-backup away) and take a new backup."


class Reach(Enum):
    RESTORABLE = auto()
    NOT_YET = auto()
    NO_TABLE_THEN = auto()


@dataclass(frozen=True)
class Recovery:
    """PointInTimeRecoveryDescription. The times are None while recovery is off."""

    is_on: bool
    earliest: datetime | None
    latest: datetime | None
    period_days: int
    described: Mapping[str, Any]

    def until(self, point: datetime) -> datetime:
        """When the window lets go of the point, if the period stays as it is."""
        return point + timedelta(days=self.period_days)


def describe_recovery(table: str, calls: Calls) -> Recovery:
    """Raises NotReady (`aws_code` in GONE) when there is no such table."""
    answer = calls.dynamodb("describe_continuous_backups", table, TableName=table)
    found = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    return Recovery(
        is_on=found.get("PointInTimeRecoveryStatus") == "ENABLED",
        earliest=found.get("EarliestRestorableDateTime"),
        latest=found.get("LatestRestorableDateTime"),
        period_days=found.get("RecoveryPeriodInDays", DEFAULT_PERIOD_DAYS),
        described=found,
    )


def reach(table: str, point: datetime, recovery: Recovery, calls: Calls) -> Reach:
    """How the point lies to the table's recovery window.

    Raises:
        NotReady: the table existed at the point and can no longer be restored to it; the message says which of the reasons.
    """
    if recovery.is_on and recovery.earliest is not None and recovery.earliest <= point:
        is_there = recovery.latest is not None and recovery.latest >= point
        return Reach.RESTORABLE if is_there else Reach.NOT_YET
    _require_younger(table, point, recovery, calls)
    return Reach.NO_TABLE_THEN


def _require_younger(table: str, point: datetime, recovery: Recovery, calls: Calls) -> None:
    """A table that the window does not reach back to must be younger than the point, and the first one of its name."""
    described = describe_table(table, calls)
    if described is None:
        raise deleted(table)
    created = described["CreationDateTime"]
    if created <= point:
        if not recovery.is_on:
            raise NotReady(f"{table}: point-in-time recovery is off, so {iso(point)} cannot be restored.", hint=PITR_HINT)
        earliest = iso(recovery.earliest) if recovery.earliest else "nowhere yet"
        raise NotReady(
            f"{table}: point-in-time recovery reaches back to {earliest} only, and the point is {iso(point)}.",
            hint=f"It was turned off and on again after the point, or the point is older than the recovery period of "
            f"{recovery.period_days} days. Take a new backup.",
        )
    if predecessor := _deleted_after(table, point, calls):
        raise NotReady(
            f"{table} was deleted after {iso(point)} and created again at {iso(created)}: its data of the point is only in "
            f"the system backup {predecessor}.",
            hint="Take a new backup; the system backup is kept 35 days.",
        )


def _deleted_after(table: str, point: datetime, calls: Calls) -> str:
    """Deleting a table that has point-in-time recovery makes a SYSTEM backup of it (API reference of BackupDetails)."""
    pages = calls.dynamodb_pages("list_backups", table, TableName=table, BackupType="SYSTEM", TimeRangeLowerBound=point)
    for page in pages:
        for backup in page["BackupSummaries"]:
            if backup.get("BackupType") == "SYSTEM" and backup["BackupCreationDateTime"] >= point:
                return str(backup["BackupArn"])
    return ""


def deleted(table: str) -> NotReady:
    return NotReady(
        f"{table} was deleted after the restore point and before its copy could be made.",
        hint="DynamoDB keeps a system backup of it for 35 days if point-in-time recovery was on. Take a new backup.",
    )
