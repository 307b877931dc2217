"""The next step of one table of a restore, decided from what there is: plain functions of the live table and the backups.

What must never happen is decided here: a live table is deleted only while the backup to restore from, if it is to be restored,
and a safety backup of that very table are AVAILABLE and its settings are stored; a table that this restore has made is never
deleted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from shared.databases.dynamodb.inventory import Backup
from shared.databases.dynamodb.live_table import USABLE, LiveTable

UNREADABLE = ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "ARCHIVING", "ARCHIVED")
"""A table whose KMS key cannot be used, which may be so right after its restore, and what becomes of it a week later."""


class Act(Enum):
    BACK_UP = auto()
    """Ask for the safety backup of the live table."""
    PREPARED = auto()
    REPLACE = auto()
    """The live table is the one to be replaced: look at both backups, then `replace_step`."""
    UNPROTECT = auto()
    DELETE = auto()
    RESTORE = auto()
    SETTLE = auto()
    """The table is the restored one and ACTIVE: see to its settings."""
    REMOVED = auto()
    """The table, which is only to be removed, is gone."""
    WAIT = auto()
    CONFLICT = auto()
    """Somebody else is at work on the table, or has replaced it; `reason` says it."""
    REFUSE = auto()


@dataclass(frozen=True)
class Step:
    act: Act
    reason: str = ""
    kept: Backup | None = None


def safety_step(
    live: LiveTable | None,
    backups: Sequence[Backup],
    stopped_at: datetime,
    quiet_at: datetime,
    now: datetime,
    awaited_source: str = "",
) -> Step:
    """Towards the safety backup of `live`. `backups` bear its name, oldest first. `awaited_source`: the backup from which an
    earlier restore, which is taken back, may still be restoring the table. Of a table that is gone the newest is the best."""
    if live is None:
        available = [backup for backup in backups if backup.status == "AVAILABLE"]
        return Step(Act.PREPARED, kept=available[-1] if available else None)
    if live.status == "DELETING":
        return Step(Act.CONFLICT, "it is being deleted by somebody else.")
    if live.is_restoring:
        if awaited_source and live.from_backup == awaited_source:
            return Step(Act.WAIT, "The restore that is taken back has to finish making it first.")
        return Step(Act.CONFLICT, "it is being created or restored by somebody else.")
    if live.status not in USABLE:
        return Step(Act.REFUSE, f"it is {live.status} and cannot be backed up.")
    ours = [backup for backup in backups if is_exact(backup, live, stopped_at)]
    if available := [backup for backup in ours if backup.status == "AVAILABLE"]:
        return Step(Act.PREPARED, kept=available[0])
    if any(backup.status == "CREATING" for backup in ours):
        return Step(Act.WAIT, "Its safety backup is being made.")
    if now < quiet_at:
        return Step(Act.WAIT, "It has to be without writers for a while before a backup of it is exact.")
    return Step(Act.BACK_UP)


def is_exact(backup: Backup, live: LiveTable, stopped_at: datetime) -> bool:
    """Is the backup one of this very table, asked for after the last writer was gone? When the application has run again and
    was stopped again, what was exact before is not any more."""
    return backup.table_id == live.table_id and backup.created_at >= stopped_at


def cut_over_step(live: LiveTable | None, source: str, replaced_id: str, kept_id: str) -> Step:
    """`source` is the ARN to restore from, empty when the table was never replaced and only its settings are seen to.
    `replaced_id` is the id of the table that the safety backup is of, `kept_id` that of the table which the source is of."""
    if live and live.status in UNREADABLE:
        return _unreadable(live)
    if live is None:
        if source:
            return Step(Act.RESTORE)
        return Step(Act.CONFLICT, "it was deleted by somebody else after it was found as it shall be.")
    if not source:
        if live.table_id != kept_id:
            return Step(Act.CONFLICT, "somebody else has replaced it after it was found as it shall be.")
        return Step(Act.WAIT if live.status != "ACTIVE" else Act.SETTLE)
    if replaced_id and live.table_id == replaced_id:
        return Step(Act.REPLACE if live.status == "ACTIVE" else Act.WAIT)
    if live.from_backup != source:
        return Step(
            Act.CONFLICT, "a table of its name has appeared that this restore has not made and has no safety backup of."
        )
    return Step(Act.WAIT if live.is_restoring or live.status != "ACTIVE" else Act.SETTLE)


def removal_step(live: LiveTable | None, made_from: str, kept_id: str) -> Step:
    """Of a table that an undo removes. `made_from` is the backup from which the restore that is taken back has made it,
    `kept_id` the id of the table that the safety backup is of."""
    if live is None:
        return Step(Act.REMOVED)
    if live.status in UNREADABLE:
        return _unreadable(live)
    if not kept_id or live.table_id != kept_id or live.from_backup != made_from:
        reason = "a table of its name has appeared that the restore which is taken back has not made: it is not removed."
        return Step(Act.CONFLICT, reason)
    return Step(Act.REPLACE if live.status == "ACTIVE" else Act.WAIT)


def _unreadable(live: LiveTable) -> Step:
    return Step(Act.CONFLICT, f"it is {live.status}: nothing can be done with it before somebody puts that right.")


def replace_step(
    live: LiveTable, source: Backup | None, safety: Backup | None, stopped_at: datetime | None, are_settings_stored: bool
) -> Step:
    """May this live table be deleted to be restored, and if not, why."""
    if source is None or source.status != "AVAILABLE":
        return Step(Act.REFUSE, f"the backup to restore it from is {source.status if source else 'gone'}.")
    return delete_step(live, safety, stopped_at, are_settings_stored)


def delete_step(live: LiveTable, safety: Backup | None, stopped_at: datetime | None, are_settings_stored: bool) -> Step:
    """May this live table be deleted, as far as what is kept of it goes; and if not, why."""
    if stopped_at is None:
        return Step(Act.REFUSE, "nobody has noted when the application was stopped.")
    if safety is None or safety.status != "AVAILABLE":
        return Step(Act.REFUSE, f"its safety backup is {safety.status if safety else 'gone'}.")
    if safety.table_id != live.table_id:
        return Step(Act.REFUSE, "its safety backup is of another table of the same name.")
    if not is_exact(safety, live, stopped_at):
        return Step(Act.BACK_UP, "Its safety backup is from before the application was last stopped: another one is made.")
    if not are_settings_stored:
        return Step(Act.REFUSE, "its settings are not stored.")
    return Step(Act.UNPROTECT if live.is_protected else Act.DELETE)


def quiet_at(stopped_at: datetime, quiet_seconds: float) -> datetime:
    """From when on a backup is exact: a request holds everything committed until a minute before it (API reference of
    CreateBackup)."""
    return stopped_at + timedelta(seconds=quiet_seconds)
