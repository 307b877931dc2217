"""Pauses and resumes many pods at once through their Scalar Admin interface, and keeps track of what may still be paused.

What an answer means is in `pause_answers`, why a pod does not answer in `reachability`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import grpc
import grpc.aio

from shared.model.checks import CheckResult
from shared.model.pods import AdminTarget
from shared.model.run import Acknowledgement, PausedSample, Resumed
from shared.scalar import wire
from shared.scalar.channels import Channels, PodChannel
from shared.scalar.clock import Clock
from shared.scalar.pause_answers import PauseOutcome, describe, error_info_of, outcome_of
from shared.scalar.reachability import check_admin_port

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 3.0
LOOK_EVERY_SECONDS = 1.0
SHORTEST_CALL_SECONDS = 1.0


def random_part(longest_seconds: float) -> float:
    """Full jitter: hundreds of pods that failed together do not come back together."""
    return random.SystemRandom().uniform(0.0, longest_seconds)


class AdminClient:
    """The Scalar Admin interface of many pods. One instance per process, used from one event loop that lives as long.

    `slack_seconds` is how much longer than the server's own wait a
    Pause may take, for the way there and back. `jitter` shortens a backoff.
    """

    def __init__(
        self,
        clock: Clock,
        call_timeout_seconds: float = 5.0,
        *,
        slack_seconds: float = 5.0,
        jitter: Callable[[float], float] = random_part,
    ) -> None:
        self._clock = clock
        self._channels = Channels(clock)
        self._call_timeout_seconds = call_timeout_seconds
        self._slack_seconds = slack_seconds
        self._jitter = jitter
        # Until when (monotonic) a Pause without an answer may still close the gate of the pod at this address.
        self._unanswered: dict[str, float] = {}

    async def close(self) -> None:
        """Closes all connections."""
        await self._channels.close()

    async def check_paused(self, targets: Sequence[AdminTarget]) -> PausedSample:
        """CheckPaused of all pods at once; opens the connections that are missing. A pod that cannot be asked is `unknown`,
        also one whose server is too old to have CheckPaused."""
        asked_at = self._clock.now()
        channels = await self._channels.to(targets)
        answers = await asyncio.gather(*(self._look(channel) for channel in channels))
        pods = [(target.pod, answer) for target, answer in zip(targets, answers, strict=True)]
        return PausedSample(
            asked_at=asked_at,
            paused=answers.count(True),
            not_paused=tuple(pod for pod, answer in pods if answer is False),
            unknown=tuple(pod for pod, answer in pods if answer is None),
        )

    async def check_reachable(self, targets: Sequence[AdminTarget]) -> tuple[CheckResult, ...]:
        """One check per pod: `admin-port`, or `not-paused` for a pod whose port answers but that somebody has paused."""
        channels = await self._channels.to(targets)
        return tuple(await asyncio.gather(*(check_admin_port(channel, self._call_timeout_seconds) for channel in channels)))

    async def pause(self, targets: Sequence[AdminTarget], drain_seconds: float) -> tuple[Acknowledgement, ...]:
        """Pause to all pods at once; each server waits up to `drain_seconds` for its outstanding requests.

        What came of each pod is its acknowledgement, in the order of `targets`. A lost answer is never followed by a second
        Pause: that one could be refused because of our own first one, and look like somebody else's pause.
        """
        # Newer servers refuse a wait of 0, older ones take it for 30 seconds.
        request = wire.encode_pause(max(1, round(drain_seconds * 1000)))
        channels = await self._channels.to(targets)
        begun = self._clock.monotonic()
        # Noted before anything is sent, so that a cancellation at any moment leaves the note behind. The first slack is for the
        # way to the server, the second for a server that begins late.
        settled_at = begun + drain_seconds + 2 * self._slack_seconds
        self._unanswered |= {target.address: settled_at for target in targets}
        timeout_seconds = drain_seconds + self._slack_seconds
        return tuple(await asyncio.gather(*(self._pause_one(channel, request, timeout_seconds, begun) for channel in channels)))

    async def resume(self, targets: Sequence[AdminTarget], budget_seconds: float) -> tuple[Resumed, ...]:
        """Unpause to each of `targets` until CheckPaused says false, for at most `budget_seconds` (but at least one try).

        A pod whose Pause was never answered is watched until that Pause can no longer take effect: a server does not notice
        that the caller gave up. If the budget ends before that, the pod has a problem although it runs: call again.
        """
        begun = self._clock.monotonic()
        channels = await self._channels.to(targets)
        resuming = [_Resuming(channel, begun, begun + budget_seconds) for channel in channels]
        return tuple(await asyncio.gather(*(self._resume_one(pod) for pod in resuming)))

    async def _look(self, channel: PodChannel) -> bool | None:
        """CheckPaused, or None. Asked a second time where the connection had died, as while a function's process was frozen."""
        deadline = self._clock.monotonic() + self._call_timeout_seconds
        try:
            return await channel.check_paused(self._call_timeout_seconds, wait_for_ready=True)
        except ValueError:
            return None
        except grpc.aio.AioRpcError as error:
            left_seconds = deadline - self._clock.monotonic()
            if error.code() is not grpc.StatusCode.UNAVAILABLE or left_seconds <= 0:
                return None
        try:
            return await channel.check_paused(left_seconds, wait_for_ready=True)
        except (ValueError, grpc.aio.AioRpcError):
            return None

    async def _pause_one(self, channel: PodChannel, request: bytes, timeout_seconds: float, begun: float) -> Acknowledgement:
        outcome, reason, detail = PauseOutcome.PAUSED, "", ""
        try:
            await channel.call(wire.PAUSE, request, timeout_seconds)
        except grpc.aio.AioRpcError as error:
            info = error_info_of(error)
            outcome = outcome_of(error.code().name, info.reason)
            reason, detail = info.reason or error.code().name, describe(error)
        if outcome is not PauseOutcome.UNKNOWN:
            self._unanswered.pop(channel.target.address, None)
        answered_ms = (self._clock.monotonic() - begun) * 1000
        return Acknowledgement(
            pod=channel.target.pod, outcome=outcome.value, reason=reason, detail=detail, answered_ms=answered_ms
        )

    async def _resume_one(self, pod: _Resuming) -> Resumed:
        await self._open_gate(pod)
        address = pod.channel.target.address
        settled_at = self._unanswered.get(address)
        if settled_at is not None and not pod.problem:
            await self._outlast_late_pause(pod, settled_at)
            if not pod.problem:
                del self._unanswered[address]
        answered_ms = (self._clock.monotonic() - pod.begun) * 1000
        return Resumed(pod=pod.channel.target.pod, tries=pod.tries, answered_ms=answered_ms, problem=pod.problem)

    async def _open_gate(self, pod: _Resuming) -> None:
        backoff_seconds = FIRST_BACKOFF_SECONDS
        while await self._unpause_and_look(pod):
            left_seconds = pod.deadline - self._clock.monotonic()
            if left_seconds <= 0:
                return
            await self._clock.sleep(min(self._jitter(backoff_seconds), left_seconds))
            backoff_seconds = min(2 * backoff_seconds, LONGEST_BACKOFF_SECONDS)

    async def _unpause_and_look(self, pod: _Resuming) -> bool:
        """One try. Whether another one may help; what is wrong stands in the pod's `problem`."""
        pod.tries += 1
        left_seconds = pod.deadline - self._clock.monotonic()
        timeout_seconds = max(SHORTEST_CALL_SECONDS, min(self._call_timeout_seconds, left_seconds))
        call = "Unpause"
        try:
            await pod.channel.call(wire.UNPAUSE, wire.EMPTY, timeout_seconds, wait_for_ready=True)
            call = "CheckPaused after Unpause"
            is_paused = await pod.channel.check_paused(timeout_seconds)
        except grpc.aio.AioRpcError as error:
            pod.problem = f"{call} at {pod.channel.target.address} failed: {describe(error)}"
            return error.code() is not grpc.StatusCode.UNIMPLEMENTED
        except ValueError as error:
            pod.problem = f"{call} at {pod.channel.target.address} was answered with something else: {error}"
            return True
        pod.problem = "Unpause was accepted, but CheckPaused still says paused" if is_paused else ""
        return is_paused

    async def _outlast_late_pause(self, pod: _Resuming, settled_at: float) -> None:
        """Looks every second, and a last time when the lost Pause must have ended; opens the gate again when it was closed."""
        while True:
            now = self._clock.monotonic()
            if await self._look(pod.channel) is not False:
                await self._open_gate(pod)
            if pod.problem or now >= settled_at:
                return
            if now >= pod.deadline:
                pod.problem = (
                    f"runs, but a Pause that it never answered may still take effect for {settled_at - now:.0f} s; "
                    "resume it again then"
                )
                return
            await self._clock.sleep(min(LOOK_EVERY_SECONDS, settled_at - now, pod.deadline - now))


class _Resuming:
    """One pod on its way back. Times are monotonic seconds."""

    def __init__(self, channel: PodChannel, begun: float, deadline: float) -> None:
        self.channel = channel
        self.begun = begun
        self.deadline = deadline
        self.tries = 0
        self.problem = ""
