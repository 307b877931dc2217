"""Until when a restore point can still be restored: per database, and as a whole."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from shared.cli.output import second, span
from shared.model.protection import DatabaseProtection, ItemPhase
from shared.model.restore_point import PointPhase, RestorePoint

NO_END = "no end"
_OVER = (PointPhase.EXPIRED, PointPhase.INVALID)


class Horizon(NamedTuple):
    """`until` is None when nothing ends it, or when it is not known; `said` is that for people."""

    until: datetime | None
    said: str
    because: str = ""


def horizon_of(protection: DatabaseProtection, now: datetime) -> Horizon:
    """Of one database: the point is gone with the first item whose recovery window lets go of it."""
    there = [item for item in protection.items if item.phase is not ItemPhase.ABSENT]
    kept = sum(item.phase is ItemPhase.KEPT for item in there)
    copies = f"{kept} kept" if kept else ""
    if not protection.done:
        return Horizon(None, "not yet", protection.message or "it is being protected")
    if not there:
        return Horizon(None, "", "nothing of it existed at the point")
    if kept == len(there):
        return Horizon(None, NO_END, f"{copies}: a kept copy does not age")
    ends = [item.restorable_until for item in there if item.phase is ItemPhase.COVERED and item.restorable_until]
    if not ends:
        return Horizon(None, "unknown", "its recovery window is not known")
    until = min(ends)
    left = (until - now).total_seconds()
    because = ", ".join(part for part in (copies, f"{len(there) - kept} by point-in-time recovery") if part)
    return Horizon(until, second(until), f"{because}, {f'{span(left)} left' if left > 0 else 'over'}")


def earliest_end(point: RestorePoint, now: datetime) -> str:
    """Of the whole point, for a list; empty when it cannot be restored."""
    if point.phase in _OVER:
        return ""
    horizons = [horizon_of(item, now) for item in point.databases.values()]
    if point.phase is PointPhase.CAPTURED or not horizons:
        return "not yet"
    if ends := [item.until for item in horizons if item.until]:
        return second(min(ends))
    return "unknown" if any(item.said == "unknown" for item in horizons) else NO_END
