"""The clock as this room needs it; the port `Clock` of the steps fits."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary moment on; never set back."""

    async def sleep(self, seconds: float) -> None: ...
