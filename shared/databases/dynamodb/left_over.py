"""Side tables that no run needs any more: a run that failed while copying has left them, and nobody else removes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.errors import BUSY, GONE, NO_SLOT, aws_code
from shared.databases.dynamodb.inventory import list_tables
from shared.databases.dynamodb.names import point_of_copy
from shared.model.errors import BackupError

LEFT_OVER_AFTER = timedelta(hours=24)
"""Younger ones may belong to a run that is still copying, also one of another deployment in this account."""


def left_over(tables: Iterable[str], now: datetime, in_use: frozenset[datetime] = frozenset()) -> list[str]:
    """Our own side tables for points older than a day that are not `in_use`."""
    return sorted(
        table
        for table in tables
        if (point := point_of_copy(table)) is not None and now - point > LEFT_OVER_AFTER and point not in in_use
    )


def remove_left_over(now: datetime, in_use: frozenset[datetime], calls: Calls) -> tuple[str, ...]:
    """Deletes them and answers with their names. One that cannot be deleted now is left to a later call.

    Raises:
        Unreachable, Throttled, Forbidden: the tables cannot be listed, or may not be deleted.
    """
    removed = []
    for table in left_over(list_tables(calls), now, in_use):
        try:
            calls.dynamodb("delete_table", table, TableName=table)
        except BackupError as error:
            if aws_code(error) not in GONE | BUSY | NO_SLOT:
                raise
            continue
        removed.append(table)
    return tuple(removed)
