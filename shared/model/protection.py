"""What protects a restore point in one database: how far each part has come, where the kept copy is, what a restore would lose.

`DatabaseProtection` is both the progress of the step `protect` and, once done, part of the restore point.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.model.records import Value, replace
from shared.model.times import Instant


class WindowSnapshot(Value):
    """A snapshot that was asked for inside the pause window. `arn` is empty when it was refused, and `problem` says why: the
    point then rests on the recovery window alone."""

    database: str
    arn: str = ""
    asked_at: Instant | None = None
    problem: str = ""


class ItemPhase(StrEnum):
    """The life of one item's kept copy, in order. Relational databases know WAITING, COPYING, KEPT and COVERED only."""

    WAITING = "waiting"
    """The point is not restorable yet, or it is not known yet whether it is."""
    QUEUED = "queued"
    """The point is restorable and the settings are noted; a restore slot, or another table, is being waited for."""
    RESTORING = "restoring"
    """PITR to the side table is under way."""
    COPYING = "copying"
    """The side table is being backed up."""
    CLEANING = "cleaning"
    """The kept copy exists; the side table is being removed."""
    KEPT = "kept"
    """The kept copy exists and nothing is left over."""
    COVERED = "covered"
    """No kept copy was asked for: the point lives as long as the PITR window."""
    ABSENT = "absent"
    """The table was created after the point: there is nothing of it to keep."""


_DONE = (ItemPhase.KEPT, ItemPhase.COVERED, ItemPhase.ABSENT)


class ItemProtection(Value):
    """One table, instance or cluster. `backup_arn` names the kept copy: an on-demand backup or a snapshot. `settings` is the
    manifest of what a restore of it loses: the record of a `TableSettings`, `InstanceSettings` or `ClusterSettings` of the
    model. `since` is when it entered its phase."""

    name: str
    phase: ItemPhase
    since: Instant | None = None
    side_table: str = ""
    backup_arn: str = ""
    size_bytes: int | None = None
    restorable_until: Instant | None = None
    """When the PITR window lets go of the point; None when a kept copy outlives it."""
    settings: Mapping[str, Any] = {}
    note: str = ""

    @property
    def is_done(self) -> bool:
        return self.phase in _DONE

    def entered(self, phase: ItemPhase, at: datetime) -> ItemProtection:
        """The item in `phase`, since `at` unless it was there already."""
        return self if self.phase is phase else replace(self, phase=phase, since=at)


class DatabaseProtection(Value):
    """`wait_seconds` is when to look again while `done` is false; `message` says in a sentence what is being waited for."""

    database: str
    point: Instant
    items: tuple[ItemProtection, ...] = ()
    done: bool = False
    wait_seconds: float = 0.0
    message: str = ""

    @property
    def count_done(self) -> int:
        return sum(item.is_done for item in self.items)
