"""What there is of one point's copies: side tables and backups, seen in a few listings instead of a call per table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.errors import GONE, aws_code
from shared.databases.dynamodb.names import copy_prefix, old_prefix
from shared.model.errors import NotReady

CLOCKS_DIFFER = timedelta(hours=1)
"""More than any two clocks do; what is listed too much is told apart by its name."""


@dataclass(frozen=True)
class SideTable:
    """One of our side tables as DescribeTable shows it. `source` and `restored_to` are None when it is not a restored table."""

    name: str
    status: str
    source: str | None
    restored_to: datetime | None
    is_restoring: bool
    is_protected: bool


@dataclass(frozen=True)
class Backup:
    """An on-demand backup. `table_id` is the id of the table that it is of: one that is deleted and made again under its name
    has another. `name` of a kept copy is also the side table's."""

    arn: str
    name: str
    status: str
    created_at: datetime
    size_bytes: int | None
    table: str = ""
    table_id: str = ""


@dataclass(frozen=True)
class Inventory:
    """Side tables by name (of every point: they share the account's restore slots), backups of this point by name."""

    side_tables: Mapping[str, SideTable]
    backups: Mapping[str, tuple[Backup, ...]]

    @property
    def restores_under_way(self) -> int:
        return sum(table.is_restoring for table in self.side_tables.values())


def list_tables(calls: Calls) -> frozenset[str]:
    """Every table of the region and account."""
    return frozenset(name for page in calls.dynamodb_pages("list_tables", calls.region) for name in page["TableNames"])


def describe_table(name: str, calls: Calls) -> dict[str, Any] | None:
    """DescribeTable; None when there is no such table."""
    try:
        table: dict[str, Any] = calls.dynamodb("describe_table", name, TableName=name)["Table"]
    except NotReady as error:
        if aws_code(error) in GONE:
            return None
        raise
    return table


def look(point: datetime, side_tables: Iterable[str], remembered_backups: Iterable[str], calls: Calls) -> Inventory:
    """Describes the named side tables and lists the point's backups.

    `remembered_backups` are ARNs that an earlier call got: a backup of a moment ago may be missing from the listing.
    """
    described = calls.in_parallel(lambda name: _side_table(name, calls), sorted(side_tables))
    found = {backup.arn: backup for backup in _list_backups(point, calls)}
    unlisted = [arn for arn in remembered_backups if arn not in found]
    found |= {backup.arn: backup for backup in calls.in_parallel(lambda arn: read_backup(arn, calls), unlisted) if backup}
    by_name: dict[str, list[Backup]] = {}
    for backup in sorted(found.values(), key=lambda backup: (backup.created_at, backup.arn)):
        by_name.setdefault(backup.name, []).append(backup)
    return Inventory(
        side_tables={table.name: table for table in described if table},
        backups={name: tuple(backups) for name, backups in by_name.items()},
    )


def _side_table(name: str, calls: Calls) -> SideTable | None:
    table = describe_table(name, calls)
    if table is None:
        return None
    restore = table.get("RestoreSummary", {})
    source = restore.get("SourceTableArn")
    return SideTable(
        name=name,
        status=table["TableStatus"],
        source=source.partition(":table/")[2] if source else None,
        restored_to=restore.get("RestoreDateTime"),
        is_restoring=table["TableStatus"] == "CREATING" or bool(restore.get("RestoreInProgress")),
        is_protected=bool(table.get("DeletionProtectionEnabled")),
    )


def _list_backups(point: datetime, calls: Calls) -> list[Backup]:
    """A copy is always younger than its point. A backup that only bears our name but is of another table is not ours.

    Assumed: a backup is listed by the time it is AVAILABLE. Until then a second request for it is refused as in use.
    """
    found = list_backups(copy_prefix(point), point, None, calls).values()
    return [backup for backup in found if backup.table == backup.name]


def list_backups(prefix: str, since: datetime | None, until: datetime | None, calls: Calls) -> dict[str, Backup]:
    """By ARN, the on-demand backups whose names begin with `prefix`, requested between two moments (None: at any time)."""
    times = {"TimeRangeLowerBound": since, "TimeRangeUpperBound": until}
    given = {name: value for name, value in times.items() if value is not None}
    pages = calls.dynamodb_pages("list_backups", calls.region, BackupType="USER", **given)
    found = [backup for page in pages for backup in page["BackupSummaries"] if backup["BackupName"].startswith(prefix)]
    return {backup["BackupArn"]: _summary(backup) for backup in found}


def list_safety_backups(stamp: str, began_at: datetime | None, calls: Calls) -> dict[str, Backup]:
    """By ARN, the safety backups of one restore. It began at `began_at` by our clock, and they have the service's times."""
    return list_backups(old_prefix(stamp), began_at and began_at - CLOCKS_DIFFER, None, calls)


def describe_backup(arn: str, calls: Calls) -> dict[str, Any] | None:
    """BackupDescription; None when there is no such backup (any more)."""
    try:
        answer = calls.dynamodb("describe_backup", arn, BackupArn=arn)
    except NotReady as error:
        if aws_code(error) in GONE:
            return None
        raise
    described: dict[str, Any] = answer["BackupDescription"]
    return described


def read_backup(arn: str, calls: Calls) -> Backup | None:
    """The backup as it is now; None when there is none (any more)."""
    described = describe_backup(arn, calls)
    if described is None:
        return None
    return _summary({**described.get("SourceTableDetails", {}), **described["BackupDetails"]})


def _summary(found: Mapping[str, Any]) -> Backup:
    return Backup(
        arn=found["BackupArn"],
        name=found["BackupName"],
        status=found["BackupStatus"],
        created_at=found["BackupCreationDateTime"],
        size_bytes=found.get("BackupSizeBytes"),
        table=found.get("TableName", ""),
        table_id=found.get("TableId", ""),
    )
