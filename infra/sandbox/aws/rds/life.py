"""States over time: what an instance, a cluster, a snapshot or an endpoint is going through, and what comes after."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

LOCK = threading.RLock()
"""Held during every RDS request and every statement: so each of them sees and leaves a world that fits together."""

SECONDS_PER_DAY = 86_400


@dataclass
class Phase:
    """`then` runs once, when the phase has ended, and is given that moment."""

    status: str
    until: float
    then: Callable[[float], None] | None = None


@dataclass
class Life:
    """Phases follow one another; after the last one the status is `rest`."""

    rest: str = "available"
    phases: list[Phase] = field(default_factory=list)

    def goes_through(self, status: str, seconds: float, now: float, then: Callable[[float], None] | None = None) -> None:
        """Append a phase that begins when those before it have ended."""
        begins = max([now, *(phase.until for phase in self.phases)])
        self.phases.append(Phase(status, begins + seconds, then))

    def drop(self) -> None:
        """Forget the phases still ahead: something stronger, a deletion, has begun."""
        self.phases.clear()

    def status(self) -> str:
        return self.phases[0].status if self.phases else self.rest

    def settle(self, now: float) -> None:
        """End the phases whose time has come."""
        while self.phases and self.phases[0].until <= now:
            phase = self.phases.pop(0)
            if phase.then is not None:
                phase.then(phase.until)
