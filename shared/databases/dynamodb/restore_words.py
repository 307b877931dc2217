"""What a restore of tables does, loses and keeps, in sentences for the person who has to confirm it."""

from __future__ import annotations

from collections.abc import Sequence

from shared.databases.dynamodb.discovery import LONGEST_LIST
from shared.databases.dynamodb.names import old_name, restored_prefix
from shared.databases.dynamodb.restore_items import Restoring, settings_of
from shared.model.restore import ItemRestore
from shared.model.table_settings import TableSettings

RECOVERY, KEPT_COPY, OLD_COPY = "point-in-time recovery", "kept copy", "old copy"


def steps(restoring: Restoring, tables: int, by_recovery: int, live: int, removed: int) -> tuple[str, ...]:
    """`live` are the live tables that are replaced, `removed` those that an undo removes besides."""
    first = (
        (f"{by_recovery} tables are recovered to the point beside the live ones and backed up; the side tables are removed.",)
        if by_recovery
        else ()
    )
    if restoring.is_aside:
        where = f"{restored_prefix(restoring.order.stamp)}<table>"
        return (*first, f"{tables} tables are restored beside the live ones, as {where}. No live table is touched.")
    removal = (
        f"{removed} tables that did not exist before the restore that is taken back are removed, after all others, each only "
        "while its safety backup is AVAILABLE."
    )
    quiet = f"When nobody has written for {restoring.quiet_seconds:g} s"
    return (
        *first,
        f"{quiet}, {live + removed} live tables are backed up, their settings noted.",
        f"{live} live tables are deleted, each only while both its backups are AVAILABLE.",
        f"{tables} tables are restored under their own names, at most {restoring.max_concurrent_restores} at a time.",
        "Settings are put back and compared, deletion protection last.",
        *((removal,) if removed else ()),
    )


def loses(restoring: Restoring, items: Sequence[ItemRestore]) -> tuple[str, ...]:
    """What the managed restore does not carry over (API reference of RestoreTableFromBackup)."""
    lost = (
        "DynamoDB restores without time to live, streams, tags, auto scaling, point-in-time recovery, deletion protection, "
        "resource policy, contributor insights and Kinesis destinations."
    )
    if restoring.is_aside:
        return (lost,)
    has_stream = any(settings.stream_view_type for settings in _known(items))
    stream = "A DynamoDB stream gets another ARN: lead its consumers, such as Lambda event source mappings, to the new one."
    return (lost, stream) if has_stream else (lost,)


def puts_back(restoring: Restoring, items: Sequence[ItemRestore]) -> tuple[str, ...]:
    """Per setting, of how many tables; nothing side by side."""
    if restoring.is_aside:
        return ()
    known = _known(items)
    counts = {
        "point-in-time recovery": sum(each.point_in_time_recovery for each in known),
        "time to live": sum(bool(each.time_to_live_attribute) for each in known),
        "streams": sum(bool(each.stream_view_type) for each in known),
        "tags": sum(bool(each.tags) for each in known),
        "auto scaling": sum(bool(each.scaling_targets) for each in known),
        "resource policy": sum(bool(each.resource_policy) for each in known),
        "contributor insights": sum(bool(each.contributor_insights) for each in known),
        "Kinesis destinations": sum(bool(each.kinesis_destinations) for each in known),
        "table class": sum(each.table_class != "STANDARD" for each in known),
        "customer or AWS managed key": sum(bool(each.sse_type) for each in known),
        "deletion protection": sum(each.deletion_protection for each in known),
    }
    texts = [f"{what} of {count} tables" for what, count in counts.items() if count]
    return (*texts, f"capacity mode and capacity of {len(items)} tables, with all their indexes")


def gone_for_good(restoring: Restoring, live: int) -> tuple[str, ...]:
    if restoring.is_aside or not live:
        return ()
    windows = f"The recovery windows of {live} live tables: they begin anew with the restored tables."
    return (f"{windows} Restore points without a kept copy cannot be restored any more.",)


def keeps(stamp: str, tables: Sequence[str]) -> tuple[str, ...]:
    """Up to ten names of safety backups, and how many more there are."""
    names = [old_name(stamp, table) for table in sorted(tables)]
    more = len(names) - LONGEST_LIST
    return (*names[:LONGEST_LIST], *([f"and {more} more safety backups"] if more > 0 else []))


def _known(items: Sequence[ItemRestore]) -> list[TableSettings]:
    return [settings for item in items if (settings := settings_of(item.settings)) is not None]
