"""How far another machine's clock can be from ours, from the `Date` headers of its answers.

RFC 9110 section 6.6.1: `Date` has whole seconds. A server that writes `Date: D` has, at that moment, a clock in
[D, D + 1 s). The moment lies between sending the request (`sent`) and receiving the answer (`received`) on our clock, so

    D - received  <=  server clock - our clock  <  D + 1 s - sent

Samples around the server's second tick shrink these bounds to about one round trip.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.model.records import Value, replace
from shared.model.times import Instant

ONE_SECOND = timedelta(seconds=1)
DRIFT = 200e-6
"""How much two free-running clocks may drift apart, seconds per second. Quartz is below 100 parts per million; doubled, because
both sides may be off in opposite directions."""


class DateSample(Value):
    """One answer: our clock when the request was sent and when the answer was there, and the server's `Date`."""

    sent: Instant
    received: Instant
    date: Instant


class ClockBounds(Value):
    """The server's clock minus ours lies in [`lower_seconds`, `upper_seconds`], as of `measured_at`.

    `samples` counts the answers behind the bounds. `problem` says why there are none: an unmeasured clock has bounds of zero
    width that mean nothing, and the rule for it is in `window`.
    """

    lower_seconds: float = 0.0
    upper_seconds: float = 0.0
    measured_at: Instant
    samples: int = 0
    problem: str = ""

    @property
    def is_measured(self) -> bool:
        return not self.problem

    @property
    def width_seconds(self) -> float:
        return self.upper_seconds - self.lower_seconds

    def widened(self, seconds: float) -> ClockBounds:
        """The same bounds, wider by `seconds` at both ends."""
        return replace(self, lower_seconds=self.lower_seconds - seconds, upper_seconds=self.upper_seconds + seconds)

    def earliest(self, ours: datetime) -> datetime:
        """The earliest the server's clock can have shown at our time `ours`."""
        return ours + timedelta(seconds=self.lower_seconds - self._drift_seconds(ours))

    def latest(self, ours: datetime) -> datetime:
        """The latest the server's clock can have shown at our time `ours`."""
        return ours + timedelta(seconds=self.upper_seconds + self._drift_seconds(ours))

    def _drift_seconds(self, ours: datetime) -> float:
        return abs((ours - self.measured_at).total_seconds()) * DRIFT


def unmeasured(measured_at: datetime, problem: str) -> ClockBounds:
    return ClockBounds(measured_at=measured_at, problem=problem)


def bound_clock(samples: Iterable[DateSample]) -> ClockBounds:
    """The tightest bounds that all samples agree on, as of the last answer.

    What an earlier sample says has aged since: the clocks may have drifted apart by more than a short round trip is wide.

    Samples that contradict each other mean that one of the clocks was set in between, or that several servers with different
    clocks answered. Then the true offset may be any of them, and the bounds are widened to hold every sample's.

    Raises:
        ValueError: there is no sample.
    """
    ordered = sorted(samples, key=lambda sample: sample.received)
    if not ordered:
        raise ValueError("no samples")
    measured_at = ordered[-1].received
    aged = [(measured_at - sample.sent).total_seconds() * DRIFT for sample in ordered]
    lows = [(sample.date - sample.received).total_seconds() - drift for sample, drift in zip(ordered, aged, strict=True)]
    highs = [
        (sample.date + ONE_SECOND - sample.sent).total_seconds() + drift for sample, drift in zip(ordered, aged, strict=True)
    ]
    lower, upper = max(lows), min(highs)
    if lower > upper:
        lower, upper = min(lows), max(highs)
    return ClockBounds(lower_seconds=lower, upper_seconds=upper, measured_at=measured_at, samples=len(ordered))
