"""The gate of one server: requests enter through it while it is open, a Pause closes it and waits for those inside.

How the generations differ is in `generations`. Everything runs on one event loop, so no code here needs a lock:
whatever happens between two awaits happens at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum

from infra.sandbox.pods.generations import Drain, Generation, WhilePaused

DEFAULT_PAUSE_WAIT_SECONDS = 30.0


class Refused(Exception):
    """A request met a closed gate on a server that refuses requests while paused (the client sees UNAVAILABLE)."""


class PauseOutcome(Enum):
    """How a Pause ended. The names of the failures are the reasons that newer servers send."""

    PAUSED = "paused"
    TIMED_OUT = "Requests were still outstanding when the wait was over; the gate is open again."
    TIMED_OUT_STILL_PAUSED = "Requests were still outstanding when the wait was over; an earlier pause stays in effect."
    GATE_OPEN = "The server was unpaused while the pause was waiting."
    PAUSE_IN_PROGRESS = "Another pause is in progress."


class Gate:
    """Open or closed, and how many requests are inside."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.is_open = True
        self.outstanding = 0
        self._pause_in_progress = False
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """One client request, from entry to end. Raises Refused, or waits, while the gate is closed."""
        if not self.is_open and self.generation.while_paused is WhilePaused.REFUSED:
            raise Refused("The server is paused.")
        await self._wait_for(lambda: self.is_open)
        self.outstanding += 1
        try:
            yield
        finally:
            self.outstanding -= 1
            self._tell_those_waiting()

    def unpause(self) -> None:
        """Opens the gate, whoever closed it. A Pause that is draining may notice, by its generation."""
        self.is_open = True
        self._tell_those_waiting()

    async def pause(self, wait_outstanding: bool, wait_seconds: float) -> PauseOutcome:
        """Closes the gate; `wait_outstanding` also waits up to `wait_seconds` for the requests inside to end."""
        if self.generation.drain is Drain.IN_TURN:
            return await (self._pause_in_turn(wait_seconds) if wait_outstanding else self._close_in_turn())
        self.is_open = False
        return await self._drain_alone(wait_seconds) if wait_outstanding else PauseOutcome.PAUSED

    async def _drain_alone(self, wait_seconds: float) -> PauseOutcome:
        """Knows nothing of other Admin requests: hence "paused" with an open gate, and the end of an earlier pause."""
        ends_when_open = self.generation.drain is Drain.UNTIL_OPEN
        await self._wait_for(lambda: self.outstanding == 0 or (ends_when_open and self.is_open), wait_seconds)
        if self.outstanding == 0:
            return PauseOutcome.PAUSED
        self.unpause()
        return PauseOutcome.TIMED_OUT

    async def _pause_in_turn(self, wait_seconds: float) -> PauseOutcome:
        ends_at = time.monotonic() + wait_seconds
        if not await self._wait_for(lambda: not self._pause_in_progress, wait_seconds):
            return PauseOutcome.PAUSE_IN_PROGRESS
        self._pause_in_progress = True
        closed_here, self.is_open = self.is_open, False
        try:
            await self._wait_for(lambda: self.is_open or self.outstanding == 0, ends_at - time.monotonic())
            if self.is_open:
                return PauseOutcome.GATE_OPEN
            if self.outstanding == 0:
                return PauseOutcome.PAUSED
            # Only the pause that closed the gate may open it again.
            self.is_open = closed_here
            return PauseOutcome.TIMED_OUT if closed_here else PauseOutcome.TIMED_OUT_STILL_PAUSED
        finally:
            self._pause_in_progress = False
            self._tell_those_waiting()

    async def _close_in_turn(self) -> PauseOutcome:
        if self._pause_in_progress:
            return PauseOutcome.PAUSE_IN_PROGRESS
        self.is_open = False
        return PauseOutcome.PAUSED

    async def _wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Whether the condition came true within `seconds` (None: however long it takes)."""
        try:
            async with asyncio.timeout(None if seconds is None else max(0.0, seconds)):
                while not condition():
                    change = asyncio.get_running_loop().create_future()
                    self._waiting.append(change)
                    await change
        except TimeoutError:
            return condition()
        return True

    def _tell_those_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():
                change.set_result(None)
