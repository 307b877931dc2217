"""Puts copies of the bank beside the live tables and counts their money: what a restore would have given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from infra.sandbox.bank.audit import Audit, audit, scan_with
from infra.sandbox.bank.schema import Opening
from infra.sandbox.bank.tables import ALL_TABLES
from shared.model.restore_point import RestorePoint

RESTORE_SECONDS = 60.0
_POLL_SECONDS = 0.1


def audit_kept_copies(dynamodb: Any, point: RestorePoint, opening: Opening, label: str) -> Audit:
    """Restores the kept copy of each table of the point as `<label>.<table>` and audits those."""
    with kept_copies(dynamodb, point, label) as prefix:
        return audit_copies(dynamodb, opening, prefix)


def audit_copies(dynamodb: Any, opening: Opening, prefix: str) -> Audit:
    """Of copies whose names begin with `prefix`; what ScalarDB's own tables say in them is about the originals."""
    return audit(scan_with(dynamodb), opening, _names(prefix))


@contextmanager
def kept_copies(dynamodb: Any, point: RestorePoint, label: str) -> Iterator[str]:
    """The kept copy of each table of the point beside the live one, until the context ends; what their names begin with."""
    backups = {item.name: item.backup_arn for reached in point.databases.values() for item in reached.items}

    def restore(table: str, target: str) -> None:
        dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=backups[table])

    with _copies(dynamodb, restore, label) as prefix:
        yield prefix


def audit_second(dynamodb: Any, at: datetime, opening: Opening, label: str) -> Audit:
    """Restores each table by PITR to the second `at`, as a person without a restore point would, and audits those."""
    with copies_of_second(dynamodb, at, label) as prefix:
        return audit_copies(dynamodb, opening, prefix)


@contextmanager
def copies_of_second(dynamodb: Any, at: datetime, label: str) -> Iterator[str]:
    """Each table as of the second `at` beside the live one, until the context ends; what their names begin with."""

    def restore(table: str, target: str) -> None:
        dynamodb.restore_table_to_point_in_time(SourceTableName=table, TargetTableName=target, RestoreDateTime=at)

    with _copies(dynamodb, restore, label) as prefix:
        yield prefix


@contextmanager
def _copies(dynamodb: Any, restore: Callable[[str, str], None], label: str) -> Iterator[str]:
    copies = _names(prefix := f"{label}.")
    for table, copy in copies.items():
        restore(table, copy)
    _await_active(dynamodb, copies)
    yield prefix
    for copy in copies.values():
        dynamodb.delete_table(TableName=copy)


def _names(prefix: str) -> dict[str, str]:
    return {table: prefix + table for table in ALL_TABLES}


def _await_active(dynamodb: Any, copies: Mapping[str, str]) -> None:
    ends = time.monotonic() + RESTORE_SECONDS
    waiting = set(copies.values())
    while waiting:
        waiting = {name for name in waiting if dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE"}
        if waiting and time.monotonic() > ends:
            raise TimeoutError(f"Not restored after {RESTORE_SECONDS:.0f} s: {', '.join(sorted(waiting))}.")
        time.sleep(_POLL_SECONDS)
