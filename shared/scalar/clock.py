"""The clock that this room is given: times for evidence, monotonic seconds for deadlines, and a sleep that tests own."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds; never set back."""

    async def sleep(self, seconds: float) -> None: ...
