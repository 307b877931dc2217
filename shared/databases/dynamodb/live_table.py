"""A live table as a restore sees it: which table bears the name, what it was restored from, what may be done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.inventory import describe_table

USABLE = ("ACTIVE", "UPDATING")
"""Auto scaling puts a table into UPDATING at any time."""


@dataclass(frozen=True)
class LiveTable:
    """`table_id` tells it from an earlier or later table of the same name. `from_backup` is the ARN of the backup that it was
    restored from, empty when it was not."""

    name: str
    table_id: str
    status: str
    from_backup: str
    is_restoring: bool
    is_protected: bool
    size_bytes: int
    replica_regions: tuple[str, ...]
    described: Mapping[str, Any]


def read_live(name: str, calls: Calls) -> LiveTable | None:
    """DescribeTable in our words; None when there is no such table."""
    table = describe_table(name, calls)
    if table is None:
        return None
    restore = table.get("RestoreSummary", {})
    return LiveTable(
        name=name,
        table_id=table.get("TableId", ""),
        status=table["TableStatus"],
        from_backup=restore.get("SourceBackupArn", ""),
        is_restoring=table["TableStatus"] == "CREATING" or bool(restore.get("RestoreInProgress")),
        is_protected=bool(table.get("DeletionProtectionEnabled")),
        size_bytes=table.get("TableSizeBytes", 0),
        replica_regions=tuple(sorted(replica["RegionName"] for replica in table.get("Replicas", []))),
        described=table,
    )
