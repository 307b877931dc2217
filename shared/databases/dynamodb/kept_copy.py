"""The next step towards one table's kept copy, decided from what there is: a plain function of the side table and the backups.

    nothing ──► side table CREATING ──► ACTIVE ──► backup CREATING ──► AVAILABLE ──► side table gone
    (restore)                          (back up)                      (delete it)       KEPT

The order in which it looks makes every crash harmless: a finished backup decides first, then a backup under way, then the
side table. So nothing is restored or backed up twice, and a side table never outlives its backup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from shared.databases.dynamodb.inventory import Backup, SideTable
from shared.model.protection import ItemPhase


class Act(Enum):
    RESTORE = auto()
    """There is nothing yet: restore the point to the side table, as soon as that is possible."""
    BACK_UP = auto()
    DROP_DUPLICATES = auto()
    UNPROTECT = auto()
    """The side table has deletion protection: switch it off."""
    DELETE_SIDE = auto()
    WAIT = auto()
    FINISH = auto()
    REFUSE = auto()
    """`reason` says why nobody may go on here."""


@dataclass(frozen=True)
class Next:
    """What to do, and in which phase the table is meanwhile. `kept` is the backup to keep, once there is one."""

    act: Act
    phase: ItemPhase
    kept: Backup | None = None
    duplicates: tuple[Backup, ...] = ()
    reason: str = ""


def next_step(table: str, point: datetime, side: SideTable | None, backups: Sequence[Backup]) -> Next:
    """`side` and `backups` are those of this point and table; `backups` oldest first."""
    if side and (reason := _not_ours(table, point, side)):
        return Next(Act.REFUSE, ItemPhase.WAITING, reason=reason)
    available = [backup for backup in backups if backup.status == "AVAILABLE"]
    if available:
        return _clean_up(side, available, pending=any(backup.status == "CREATING" for backup in backups))
    if any(backup.status == "CREATING" for backup in backups):
        return Next(Act.WAIT, ItemPhase.COPYING)
    if side is None:
        return Next(Act.RESTORE, ItemPhase.WAITING)
    if side.is_restoring or side.status in ("UPDATING", "DELETING"):
        return Next(Act.WAIT, ItemPhase.RESTORING)
    if side.status != "ACTIVE":
        return Next(Act.REFUSE, ItemPhase.RESTORING, reason=f"its side table {side.name} is {side.status}.")
    return Next(Act.BACK_UP, ItemPhase.COPYING)


def _clean_up(side: SideTable | None, available: Sequence[Backup], pending: bool) -> Next:
    """Keeps the oldest finished backup. Younger ones come from calls that crashed between a request and its note."""
    kept, *duplicates = available
    if duplicates:
        return Next(Act.DROP_DUPLICATES, ItemPhase.CLEANING, kept, tuple(duplicates))
    if side is None:
        return Next(Act.WAIT, ItemPhase.CLEANING, kept) if pending else Next(Act.FINISH, ItemPhase.KEPT, kept)
    if side.is_restoring or side.status != "ACTIVE":
        return Next(Act.WAIT, ItemPhase.CLEANING, kept)
    return Next(Act.UNPROTECT if side.is_protected else Act.DELETE_SIDE, ItemPhase.CLEANING, kept)


def _not_ours(table: str, point: datetime, side: SideTable) -> str:
    """A table that only has our name is never touched: what is in it would be kept as if it were the point's data."""
    if side.source == table and side.restored_to == point:
        return ""
    if side.source is None or side.restored_to is None:
        return f"a table {side.name} exists that is not a point-in-time restore."
    return f"a table {side.name} exists that was restored from {side.source} to {side.restored_to.isoformat()}."
