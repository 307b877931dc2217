"""Names of what the product makes: a function of the point, or of the restore's stamp, and of the table, so that a later call
finds what an earlier one made, and recognisable, so that nothing else is ever deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from shared.model.errors import InvalidRequest

PREFIX = "scalar-backup."
LONGEST_NAME = 255
"""Of tables and of backups: 3 to 255 characters of `[a-zA-Z0-9_.-]` (API reference of CreateTable and CreateBackup)."""
_STAMP = "%Y%m%dT%H%M%SZ"
_HASH_DIGITS = 16


def copy_prefix(point: datetime) -> str:
    """What the names of all copies of one point begin with.

    Raises:
        InvalidRequest: the point is naive or not a whole second. DynamoDB restores to whole seconds.
    """
    if point.tzinfo is None or point.microsecond:
        raise InvalidRequest(
            f"{point.isoformat()} cannot be restored to exactly.", hint="A restore point is a whole second with an offset."
        )
    return f"{PREFIX}{point.astimezone(UTC).strftime(_STAMP)}."


def copy_name(point: datetime, table: str) -> str:
    """The name of the side table and of the backup: `scalar-backup.<YYYYMMDDTHHMMSSZ>.<table>`."""
    return _named(copy_prefix(point), table)


def old_prefix(stamp: str) -> str:
    """What the names of all safety backups of one restore begin with."""
    return f"{PREFIX}old.{stamp}."


def old_name(stamp: str, table: str) -> str:
    """The name of the safety backup of a live table that a restore replaces: `scalar-backup.old.<stamp>.<table>`."""
    return _named(old_prefix(stamp), table)


def restored_prefix(stamp: str) -> str:
    """What the names of all tables that one restore has made beside the live ones begin with."""
    return f"{PREFIX}restored.{stamp}."


def restored_name(stamp: str, table: str) -> str:
    """The name of the table that is restored beside a live one: `scalar-backup.restored.<stamp>.<table>`."""
    return _named(restored_prefix(stamp), table)


def _named(prefix: str, table: str) -> str:
    """A name that would be too long ends in a hash of the whole table name instead, so that two tables never share one."""
    whole = prefix + table
    if len(whole) <= LONGEST_NAME:
        return whole
    digest = sha256(table.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{whole[: LONGEST_NAME - _HASH_DIGITS - 1]}.{digest}"


def is_copy(table: str) -> bool:
    """Is this a table that the product has made beside the live ones, of whatever point or restore?"""
    return table.startswith(PREFIX)


def point_of_copy(table: str) -> datetime | None:
    """The point a side table was made for; None when the name is not one of a side table. What a restore makes or keeps is for
    no point: nobody but that restore removes it."""
    if not is_copy(table):
        return None
    stamp = table.removeprefix(PREFIX).partition(".")[0]
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
