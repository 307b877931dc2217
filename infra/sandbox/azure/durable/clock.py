"""The clock of a host: the real one, or a virtual one that jumps over the time in which nothing happens."""

from __future__ import annotations

import datetime as dt
from typing import Protocol


class Clock(Protocol):
    def now(self) -> dt.datetime: ...


class RealClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)


class VirtualClock:
    """The engine moves it to the next due message when nothing runs, but never beyond `limit` (None: no limit)."""

    def __init__(self, start: dt.datetime = dt.datetime(2030, 1, 1, tzinfo=dt.UTC), limit: dt.datetime | None = None) -> None:
        self._now = start
        self.limit = limit

    def now(self) -> dt.datetime:
        return self._now

    def jump_to(self, moment: dt.datetime) -> None:
        """Never backwards; a limit that lies before it moves along."""
        self._now = max(self._now, moment)
        if self.limit is not None:
            self.limit = max(self.limit, self._now)
