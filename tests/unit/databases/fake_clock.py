"""A clock that moves only when told to; a pause of any thread moves it for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Lock

START = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)


class FakeClock:
    process = "test"

    def __init__(self, at: datetime = START) -> None:
        self._at = at
        self._began = at
        self._lock = Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._at

    def monotonic(self) -> float:
        with self._lock:
            return (self._at - self._began).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._at += timedelta(seconds=seconds)
