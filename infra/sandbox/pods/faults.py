"""What can be made to go wrong in a pod: environment variables of its container, all off by default.

SANDBOX_START_DELAY_SECONDS        the ports open only after this time, as with a slow JVM
SANDBOX_CRASH_AFTER_SECONDS        the process dies (exit code 137, as after SIGKILL) this long after it was started
SANDBOX_STUCK_TRANSACTION_SECONDS  one request stays outstanding for this long after the ports opened, so that every
                                   waiting Pause that gives up earlier fails
SANDBOX_PAUSE_LATENCY_SECONDS      time before a Pause takes effect, as behind a busy thread pool
SANDBOX_DECOMMISSIONING_SECONDS    how long the pod goes on after SIGTERM; not a fault, but set the same way
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class InvalidFault(ValueError):
    """A fault's environment variable is not a number of seconds."""


@dataclass(frozen=True)
class Faults:
    """None means off; all values are seconds."""

    start_delay: float | None = None
    crash_after: float | None = None
    stuck_transaction: float | None = None
    pause_latency: float | None = None
    decommissioning: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Faults:
        """Raises InvalidFault."""
        return cls(
            start_delay=_seconds(environment, "SANDBOX_START_DELAY_SECONDS"),
            crash_after=_seconds(environment, "SANDBOX_CRASH_AFTER_SECONDS"),
            stuck_transaction=_seconds(environment, "SANDBOX_STUCK_TRANSACTION_SECONDS"),
            pause_latency=_seconds(environment, "SANDBOX_PAUSE_LATENCY_SECONDS"),
            decommissioning=_seconds(environment, "SANDBOX_DECOMMISSIONING_SECONDS"),
        )


def _seconds(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name)
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InvalidFault(f"{name} is {text!r}; it must be a number of seconds, 0 or more.")
    return seconds
