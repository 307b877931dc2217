"""From a pause to a restore point: the safe interval on every database's clock, and the whole second inside it.

The pause window runs on the clocks of our own processes, from the moment the last pod confirmed to the moment before the
first resume was sent. A restore names a second on a database's clock. The safe interval is the part of the window that
certainly lies inside it on that clock, wherever the true clock error is within its bounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from shared.model.clock import ClockBounds
from shared.model.records import Value
from shared.model.times import Instant

GUIDE_HOLD = timedelta(seconds=10)
"""The vendor's guides: hold the pause about ten seconds and take its middle, which absorbs clock errors of a few seconds."""
PRECISION = timedelta(seconds=1)
"""Of a restore: DynamoDB and Cosmos DB name seconds, and so does every other service."""


class NotedTime(Value):
    """A moment as one process saw it, with what that process knows about its clock against each database's.

    `clocks` maps a database's key to bounds. `process` names the process, for the evidence.
    """

    at: Instant
    process: str
    clocks: Mapping[str, ClockBounds]


class SafeInterval(Value):
    """On one clock, both ends included. `is_assumed`: the clock could not be measured and the guide's rule was used."""

    start: Instant
    end: Instant
    is_assumed: bool = False


class SafeWindow(Value):
    """The safe interval of each database, by key, and what they have in common (None: nothing)."""

    by_database: Mapping[str, SafeInterval | None]
    common: SafeInterval | None

    @property
    def point(self) -> datetime | None:
        """The second nearest the middle of the common interval; None when no whole second fits in."""
        return whole_second_nearest_middle(self.common) if self.common else None


def safe_window(paused: NotedTime, resuming: NotedTime, databases: Iterable[str], margin: timedelta) -> SafeWindow:
    """The safe intervals between `paused` (the last pod confirmed) and `resuming` (before the first resume was sent).

    The two may come from different processes: each end uses the bounds of the process that noted it.
    """
    by_database = {key: _safe_on(key, paused, resuming, margin) for key in databases}
    return SafeWindow(by_database=by_database, common=_intersection(by_database.values()))


def _safe_on(key: str, paused: NotedTime, resuming: NotedTime, margin: timedelta) -> SafeInterval | None:
    at_pause, at_resume = paused.clocks.get(key), resuming.clocks.get(key)
    if at_pause is None or at_resume is None or not at_pause.is_measured or not at_resume.is_measured:
        return _guides_rule(paused.at, resuming.at)
    start, end = at_pause.latest(paused.at) + margin, at_resume.earliest(resuming.at) - margin
    return SafeInterval(start=start, end=end) if start <= end else None


def _guides_rule(paused_at: datetime, resuming_at: datetime) -> SafeInterval | None:
    """Without a measurement only the middle of a long enough hold is trusted, as the vendor's guides do."""
    if resuming_at - paused_at < GUIDE_HOLD:
        return None
    middle = paused_at + (resuming_at - paused_at) / 2
    return SafeInterval(start=middle - PRECISION, end=middle + PRECISION, is_assumed=True)


def _intersection(intervals: Iterable[SafeInterval | None]) -> SafeInterval | None:
    found = list(intervals)
    known = [interval for interval in found if interval is not None]
    if not known or len(known) < len(found):
        return None
    start, end = max(interval.start for interval in known), min(interval.end for interval in known)
    if start > end:
        return None
    return SafeInterval(start=start, end=end, is_assumed=any(interval.is_assumed for interval in known))


def whole_second_nearest_middle(interval: SafeInterval) -> datetime | None:
    """Of the seconds t with [t, t + 1 s] inside the interval the one nearest its middle; of two equally near ones the earlier.

    Managed databases restore to whole seconds, and nothing says where inside the second they cut, or that they cut every table
    at the same instant: so the whole second has to be safe (docs/adr/0005).
    """
    middle = interval.start + (interval.end - interval.start) / 2
    floor = middle.astimezone(UTC).replace(microsecond=0)
    candidates = [floor - PRECISION, floor, floor + PRECISION]
    inside = [second for second in candidates if interval.start <= second and second + PRECISION <= interval.end]
    return min(inside, key=lambda second: abs(second - middle), default=None)
