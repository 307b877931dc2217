"""The clock of this process and machine."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import UTC, datetime


class SystemClock:
    """Implements the port `Clock`. Make one per process: `process` tells whose clock a noted time belongs to."""

    def __init__(self) -> None:
        self.process = uuid.uuid4().hex[:12]

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
