"""Pauses and resumes many pods at once through their Scalar Admin interface, and keeps track of what may still be paused.

What an answer means is in `pause_answers`, why a pod does not answer in `reachability`, which way leads to it in `transport`,
and how one is brought back in `pod_resume`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import grpc.aio

from shared.model.checks import CheckResult
from shared.model.pods import AdminTarget
from shared.model.run import Acknowledgement, PausedSample, Resumed
from shared.scalar import wire
from shared.scalar.channels import Channels, PodChannel, place_of
from shared.scalar.clock import Clock
from shared.scalar.pause_answers import PauseOutcome, error_info_of, outcome_of
from shared.scalar.pod_resume import Pace, PodResume
from shared.scalar.port_forward import OpenForward
from shared.scalar.reachability import check_admin_port
from shared.scalar.transport import choose_transport


def random_part(longest_seconds: float) -> float:
    """Full jitter: hundreds of pods that failed together do not come back together."""
    return random.SystemRandom().uniform(0.0, longest_seconds)


class AdminClient:
    """The Scalar Admin interface of many pods. One instance per process, used from one event loop that lives as long.

    `slack_seconds` is how much longer than the server's own wait a Pause may take, for the way there and back. `jitter`
    shortens a backoff. Without `open_forward` pods are reached at their own addresses only.
    """

    def __init__(
        self,
        clock: Clock,
        call_timeout_seconds: float = 5.0,
        *,
        slack_seconds: float = 5.0,
        jitter: Callable[[float], float] = random_part,
        open_forward: OpenForward | None = None,
    ) -> None:
        self._clock = clock
        self._channels = Channels(clock, open_forward)
        self._call_timeout_seconds = call_timeout_seconds
        self._slack_seconds = slack_seconds
        self._jitter = jitter
        # Until when (monotonic) a Pause without an answer may still close the gate of the pod at this place.
        self._unanswered: dict[tuple[str, str], float] = {}

    async def close(self) -> None:
        """Closes all connections."""
        await self._channels.close()

    async def check_paused(self, targets: Sequence[AdminTarget]) -> PausedSample:
        """CheckPaused of all pods at once; opens the connections that are missing. A pod that cannot be asked is `unknown`,
        also one whose server is too old to have CheckPaused."""
        asked_at = self._clock.now()
        channels = await self._channels.to(targets)
        answers = await asyncio.gather(*(channel.look(self._call_timeout_seconds) for channel in channels))
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

    async def choose_transport(
        self, release: str, targets: Sequence[AdminTarget], wanted: str
    ) -> tuple[tuple[AdminTarget, ...], CheckResult]:
        """See `shared.scalar.transport`."""
        return await choose_transport(release, targets, wanted, self._channels, self._clock)

    async def pause(
        self,
        targets: Sequence[AdminTarget],
        drain_seconds: float,
        answered: Callable[[AdminTarget, Acknowledgement], None] = lambda target, acknowledgement: None,
    ) -> tuple[Acknowledgement, ...]:
        """Pause to all pods at once; each server waits up to `drain_seconds` for its outstanding requests.

        What came of each pod is its acknowledgement, in the order of `targets`. A lost answer is never followed by a second
        Pause: that one could be refused because of our own first one, and look like somebody else's pause. `answered` is called
        with each acknowledgement as it comes.
        """
        # Newer servers refuse a wait of 0, older ones take it for 30 seconds.
        request = wire.encode_pause(max(1, round(drain_seconds * 1000)))
        channels = await self._channels.to(targets)
        begun = self._clock.monotonic()
        # Noted before anything is sent, so that a cancellation at any moment leaves the note behind. The first slack is for the
        # way to the server, the second for a server that begins late.
        settled_at = begun + drain_seconds + 2 * self._slack_seconds
        self._unanswered |= {place_of(target): settled_at for target in targets}
        timeout_seconds = drain_seconds + self._slack_seconds

        async def pause_one(channel: PodChannel) -> Acknowledgement:
            acknowledgement = await self._pause_one(channel, request, timeout_seconds, begun)
            answered(channel.target, acknowledgement)
            return acknowledgement

        return tuple(await asyncio.gather(*map(pause_one, channels)))

    async def resume(self, targets: Sequence[AdminTarget], budget_seconds: float) -> tuple[Resumed, ...]:
        """Unpause to each of `targets` until CheckPaused says false, for at most `budget_seconds` (but at least one try).

        A pod whose Pause was never answered is watched until that Pause can no longer take effect: a server does not notice
        that the caller gave up. If the budget ends before that, the pod has a problem although it runs: call again.

        A pod that does not answer by its own way is tried by the other one; `transport` and `note` of the result say so.
        """
        begun = self._clock.monotonic()
        await self._channels.give_up_idle(targets)
        pace = Pace(self._clock, self._call_timeout_seconds, self._jitter)
        return tuple(await asyncio.gather(*(self._resume_one(target, pace, begun, budget_seconds) for target in targets)))

    async def _pause_one(self, channel: PodChannel, request: bytes, timeout_seconds: float, begun: float) -> Acknowledgement:
        outcome, reason, detail = PauseOutcome.PAUSED, "", ""
        try:
            await channel.call(wire.PAUSE, request, timeout_seconds)
        except grpc.aio.AioRpcError as error:
            info = error_info_of(error)
            outcome = outcome_of(error.code().name, info.reason)
            reason, detail = info.reason or error.code().name, channel.explain(error)
        if outcome is not PauseOutcome.UNKNOWN:
            self._unanswered.pop(place_of(channel.target), None)
        answered_ms = (self._clock.monotonic() - begun) * 1000
        return Acknowledgement(
            pod=channel.target.pod, outcome=outcome.value, reason=reason, detail=detail, answered_ms=answered_ms
        )

    async def _resume_one(self, target: AdminTarget, pace: Pace, begun: float, budget_seconds: float) -> Resumed:
        settled_at = self._unanswered.get(place_of(target))
        resumed = await PodResume(target, self._channels, pace, begun, budget_seconds).run(settled_at)
        if not resumed.problem:
            self._unanswered.pop(place_of(target), None)
        return resumed
