"""Which way the pods of a release are reached, found out by trying before anything is paused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import grpc.aio

from shared.model.checks import CheckResult
from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.transports import AUTO, Reach, Transport, as_the_plan_says, choose
from shared.scalar.channels import Channels, PodChannel
from shared.scalar.clock import Clock

DIRECT_TRY_SECONDS = 2.0
"""How long a pod's own address has to answer. A packet that nobody answers is sent again after one second; a healthy pod
answers in milliseconds, also from another region."""
FORWARD_TRY_SECONDS = 10.0
"""A forward takes two TLS handshakes, and hundreds of pods share the API server and this process's CPU."""
AGAIN_AFTER_SECONDS = 1.2
"""A refusal is believed when it is repeated: a kept connection may have died, and gRPC waits up to a second to reconnect."""

DIRECT_HINT = (
    "Allow TCP to the Admin port from the functions' security group or subnet to the pods. Where pods have addresses of an "
    "overlay network, only a port-forward reaches them."
)


async def choose_transport(
    release: str, targets: Sequence[AdminTarget], wanted: str, channels: Channels, clock: Clock
) -> tuple[tuple[AdminTarget, ...], CheckResult]:
    """`targets` with the way that reaches them, and the check `transport` that says which it is and why.

    With `auto` the pods are asked whether they are paused, first at their own addresses and, when one of them does not answer,
    through the API server. The connections that were chosen stay open for the pause. Never raises for a pod.
    """
    await channels.give_up_idle([target for way in Transport for target in by(way, targets)])
    if wanted != AUTO:
        return by(Transport(wanted), targets), as_the_plan_says(release, Transport(wanted))
    direct = by(Transport.DIRECT, targets)
    seen = await _try(await channels.to(direct), DIRECT_TRY_SECONDS, clock)
    if not seen.silent:
        return direct, choose(release, seen, None)[1]
    seen = replace(seen, hint=DIRECT_HINT)
    if not all(map(channels.can_forward, targets)):
        return direct, choose(release, seen, None)[1]
    forwarded = by(Transport.PORT_FORWARD, targets)
    seen_forwarded = await _try(await channels.to(forwarded), FORWARD_TRY_SECONDS, clock)
    transport, result = choose(release, seen, seen_forwarded)
    await channels.give_up(by(transport.other, targets))
    return by(transport, targets), result


def by(transport: Transport, targets: Sequence[AdminTarget]) -> tuple[AdminTarget, ...]:
    """The same pods, reached this way."""
    return tuple(replace(target, transport=transport.value) for target in targets)


async def _try(channels: Sequence[PodChannel], timeout_seconds: float, clock: Clock) -> Reach:
    problems = await asyncio.gather(*(_problem(channel, timeout_seconds, clock) for channel in channels))
    silent = {channel.target.pod: why for channel, why in zip(channels, problems, strict=True) if why}
    hints = (channel.problem.hint for channel in channels if channel.problem)
    return Reach(answered=len(channels) - len(silent), silent=silent, hint=next(hints, ""))


async def _problem(channel: PodChannel, timeout_seconds: float, clock: Clock) -> str:
    """Empty when something answered, whatever it said: what is wrong with an answer is for the check of the Admin port."""
    silence = await _silence(channel, timeout_seconds)
    if silence is None:
        return ""
    if silence.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return channel.problem.message if channel.problem else f"no answer within {timeout_seconds:g} s"
    await clock.sleep(AGAIN_AFTER_SECONDS)
    return channel.explain(silence) if await _silence(channel, timeout_seconds) else ""


async def _silence(channel: PodChannel, timeout_seconds: float) -> grpc.aio.AioRpcError | None:
    """Fails as soon as connecting has failed, which a call that waits for the connection would not notice."""
    try:
        await channel.check_paused(timeout_seconds)
    except ValueError:
        return None
    except grpc.aio.AioRpcError as error:
        return error if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED) else None
    return None
