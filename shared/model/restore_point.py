"""A restore point: a claim with evidence, and the phases of its life.

captured ──► available ──► verified ──► expired
    │            └────────────────────────▲
    └──► expired
invalid       kept, with the reason; never becomes anything else
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from shared.model.errors import InvalidRequest
from shared.model.pause_decision import PauseDecision
from shared.model.protection import DatabaseProtection
from shared.model.records import Value, replace
from shared.model.run import Cause
from shared.model.times import Instant
from shared.model.window import SafeInterval


class PointPhase(StrEnum):
    CAPTURED = "captured"
    """The window is proven; not every database can be restored to it yet."""
    AVAILABLE = "available"
    """Every database can be restored to it."""
    VERIFIED = "verified"
    """A drill has restored it."""
    EXPIRED = "expired"
    """At least one database can no longer be restored to it."""
    INVALID = "invalid"
    """No window could be proven; kept with the reason."""


_NEXT = {
    PointPhase.CAPTURED: {PointPhase.AVAILABLE, PointPhase.EXPIRED},
    PointPhase.AVAILABLE: {PointPhase.VERIFIED, PointPhase.EXPIRED},
    PointPhase.VERIFIED: {PointPhase.EXPIRED},
    PointPhase.EXPIRED: set(),
    PointPhase.INVALID: set(),
}


class PauseWindow(Value):
    """The proven window behind a point. Times are our own clock's; intervals are each database's."""

    attempt: int
    confirmed_at: Instant
    resume_began_at: Instant
    pods: int
    stagger_seconds: float
    """From the first Pause sent to the last pod confirmed."""
    safe_by_database: Mapping[str, SafeInterval]
    safe: SafeInterval


class RestorePoint(Value):
    """`id` is that of its run. `at` is a whole second in UTC, None only for an invalid point.

    The evidence behind it is kept beside the run's record; `points show -o json` puts it in. `notes` are sentences about
    what was seen during the window and does not speak against the point.
    """

    id: str
    plan: str
    plan_revision: int
    at: Instant | None
    phase: PointPhase
    reason: str
    created_at: Instant
    pause: PauseDecision | None = None
    window: PauseWindow | None = None
    databases: Mapping[str, DatabaseProtection] = {}
    available_at: Instant | None = None
    cause: Cause | None = None
    notes: tuple[str, ...] = ()

    def advanced_to(self, phase: PointPhase, at: Instant) -> RestorePoint:
        """The point in its next phase; the same point if it is there already.

        Raises:
            InvalidRequest: that step does not exist in the life of a point.
        """
        if phase is self.phase:
            return self
        if phase not in _NEXT[self.phase]:
            raise InvalidRequest(f"Restore point {self.id} is {self.phase.value} and cannot become {phase.value}.")
        return replace(self, phase=phase, available_at=at if phase is PointPhase.AVAILABLE else self.available_at)
