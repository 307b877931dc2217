"""Resumes one pod and proves it, by the other way when its own has died."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import grpc
import grpc.aio

from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.run import Resumed
from shared.model.transports import Transport
from shared.scalar import wire
from shared.scalar.channels import Channels, PodChannel
from shared.scalar.clock import Clock

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 3.0
LOOK_EVERY_SECONDS = 1.0
SHORTEST_CALL_SECONDS = 1.0
TRIES_PER_WAY = 2
"""After so many tries in a row without an answer the other way is tried, and so on back and forth."""
TRY_SECONDS = 2.0
"""How long such a try waits: with two ways, a short wait on a dead one comes before a long one on the living. A pod that only
answers late is asked again, which harms nobody."""


class Pace(NamedTuple):
    """`jitter` shortens a backoff. Times in seconds."""

    clock: Clock
    call_timeout_seconds: float
    jitter: Callable[[float], float]


class PodResume:
    """One pod on its way back, for at most `budget_seconds`, but at least one try. Times inside are monotonic."""

    def __init__(self, target: AdminTarget, channels: Channels, pace: Pace, begun: float, budget_seconds: float) -> None:
        self._target = target
        self._channels = channels
        self._clock, self._call_timeout_seconds, self._jitter = pace
        self._begun = begun
        self._deadline = begun + budget_seconds
        self._has_two_ways = channels.can_forward(target)
        self._tries = 0
        self._unreached = 0
        self._problem = ""
        self._dead_ways: dict[str, str] = {}

    async def run(self, settled_at: float | None) -> Resumed:
        """`settled_at`: until when a Pause that the pod never answered may still take effect; None when there is none.

        Never raises for the pod; what is wrong in the end is the `problem` of the result.
        """
        await self._open_gate()
        if settled_at is not None and not self._problem:
            await self._outlast_late_pause(settled_at)
        return Resumed(
            pod=self._target.pod,
            tries=self._tries,
            answered_ms=(self._clock.monotonic() - self._begun) * 1000,
            problem=self._whole_problem(),
            note=self._note(),
            transport=self._target.transport,
        )

    async def _open_gate(self) -> None:
        backoff_seconds = FIRST_BACKOFF_SECONDS
        while await self._unpause_and_look():
            left_seconds = self._deadline - self._clock.monotonic()
            if left_seconds <= 0:
                return
            if self._unreached >= TRIES_PER_WAY and self._has_two_ways:
                self._change_way()
                continue
            await self._clock.sleep(min(self._jitter(backoff_seconds), left_seconds))
            backoff_seconds = min(2 * backoff_seconds, LONGEST_BACKOFF_SECONDS)

    async def _unpause_and_look(self) -> bool:
        """One try. Whether another one may help; what is wrong stands in `_problem`."""
        self._tries += 1
        channel = await self._channel()
        left_seconds = self._deadline - self._clock.monotonic()
        longest_seconds = min(self._call_timeout_seconds, TRY_SECONDS) if self._has_two_ways else self._call_timeout_seconds
        timeout_seconds = max(SHORTEST_CALL_SECONDS, min(longest_seconds, left_seconds))
        call = "Unpause"
        try:
            await channel.call(wire.UNPAUSE, wire.EMPTY, timeout_seconds, wait_for_ready=True)
            call = "CheckPaused after Unpause"
            is_paused = await channel.check_paused(timeout_seconds)
        except grpc.aio.AioRpcError as error:
            self._problem = f"{call} at {channel.where} failed: {channel.explain(error)}"
            is_unreached = error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
            self._unreached = self._unreached + 1 if is_unreached else 0
            return error.code() is not grpc.StatusCode.UNIMPLEMENTED
        except ValueError as error:
            self._problem = f"{call} at {channel.where} was answered with something else: {error}"
            self._unreached = 0
            return True
        self._unreached = 0
        self._problem = "Unpause was accepted, but CheckPaused still says paused" if is_paused else ""
        return is_paused

    def _change_way(self) -> None:
        self._dead_ways[self._target.transport] = self._problem
        self._unreached = 0
        self._target = replace(self._target, transport=Transport(self._target.transport).other.value)

    async def _outlast_late_pause(self, settled_at: float) -> None:
        """Looks every second, and a last time when the lost Pause must have ended; opens the gate again when it was closed."""
        while True:
            now = self._clock.monotonic()
            if await (await self._channel()).look(self._call_timeout_seconds) is not False:
                await self._open_gate()
            if self._problem or now >= settled_at:
                return
            if now >= self._deadline:
                self._problem = (
                    f"runs, but a Pause that it never answered may still take effect for {settled_at - now:.0f} s; "
                    "resume it again then"
                )
                return
            await self._clock.sleep(min(LOOK_EVERY_SECONDS, settled_at - now, self._deadline - now))

    async def _channel(self) -> PodChannel:
        (channel,) = await self._channels.to([self._target])
        return channel

    def _whole_problem(self) -> str:
        """Both ways, when neither reaches the pod."""
        others = [problem for way, problem in self._dead_ways.items() if way != self._target.transport]
        return "; ".join([self._problem, *others]) if self._problem else ""

    def _note(self) -> str:
        if self._problem or not self._dead_ways:
            return ""
        dead = "; ".join(problem for way, problem in self._dead_ways.items() if way != self._target.transport)
        return f"reached by {self._target.transport}, because {dead}" if dead else ""
