"""One gRPC channel per pod, kept between calls: Pause and Unpause of a pod share a TCP stream, which keeps their order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import grpc
import grpc.aio

from shared.model.pods import AdminTarget
from shared.scalar import wire
from shared.scalar.clock import Clock

KEPT_UNUSED_SECONDS = 600.0
"""Longer than any pause: a channel unused for so long belongs to a pod that is gone, or to another plan."""

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.enable_retries", 0),  # a Pause must not be sent twice behind our back
    ("grpc.enable_http_proxy", 0),  # a proxy in the environment is for the outside, not for pods
    ("grpc.use_local_subchannel_pool", 1),  # never a connection of somebody else's channel to the same address
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class PodChannel:
    """The connection to one pod. The calls raise grpc.aio.AioRpcError."""

    def __init__(self, target: AdminTarget, clock: Clock) -> None:
        self.target = target
        self.used_at = clock.monotonic()
        self._calls_under_way = 0
        self._clock = clock
        self._channel = _open(target)
        self._methods = {
            path: self._channel.unary_unary(path, request_serializer=None, response_deserializer=None)
            for path in (wire.PAUSE, wire.UNPAUSE, wire.CHECK_PAUSED)
        }

    def fits(self, target: AdminTarget) -> bool:
        """Another pod may have got the address of one that is gone."""
        return (self.target.uid, self.target.tls, self.target.transport) == (target.uid, target.tls, target.transport)

    @property
    def is_unused(self) -> bool:
        return self._calls_under_way == 0

    async def call(self, path: str, request: bytes, timeout_seconds: float, *, wait_for_ready: bool = False) -> bytes:
        """`wait_for_ready` waits for a connection, up to the time-out, instead of failing when there is none."""
        self._calls_under_way += 1
        try:
            answer = await self._methods[path](request, timeout=timeout_seconds, wait_for_ready=wait_for_ready)
            return cast("bytes", answer)
        finally:
            self._calls_under_way -= 1
            self.used_at = self._clock.monotonic()

    async def check_paused(self, timeout_seconds: float, *, wait_for_ready: bool = False) -> bool:
        """Raises ValueError when the answer is not a CheckPausedResponse."""
        return wire.decode_check_paused(
            await self.call(wire.CHECK_PAUSED, wire.EMPTY, timeout_seconds, wait_for_ready=wait_for_ready)
        )

    async def close(self) -> None:
        await self._channel.close(None)


def _open(target: AdminTarget) -> grpc.aio.Channel:
    if target.tls is None:
        return grpc.aio.insecure_channel(target.address, _OPTIONS)
    name = (("grpc.ssl_target_name_override", target.tls.server_name),) if target.tls.server_name else ()
    credentials = grpc.ssl_channel_credentials(target.tls.ca_pem.encode())
    return grpc.aio.secure_channel(target.address, credentials, (*_OPTIONS, *name))


class Channels:
    """The channels of one process, by address. They live on one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_address: dict[str, PodChannel] = {}

    async def to(self, targets: Sequence[AdminTarget]) -> list[PodChannel]:
        """A channel for each target, in the same order; opened now where there is none yet."""
        found = [self._by_address.get(target.address) for target in targets]
        if all(channel and channel.fits(target) for channel, target in zip(found, targets, strict=True)):
            return [channel for channel in found if channel]
        await self._close_stale()
        return [await self._to(target) for target in targets]

    async def close(self) -> None:
        channels = list(self._by_address.values())
        self._by_address.clear()
        await asyncio.gather(*(channel.close() for channel in channels))

    async def _to(self, target: AdminTarget) -> PodChannel:
        kept = self._by_address.get(target.address)
        if kept and kept.fits(target):
            return kept
        self._by_address[target.address] = PodChannel(target, self._clock)
        if kept:
            await kept.close()
        return self._by_address[target.address]

    async def _close_stale(self) -> None:
        """Targets changed: pods came, so others may be gone."""
        oldest = self._clock.monotonic() - KEPT_UNUSED_SECONDS
        stale = [channel for channel in self._by_address.values() if channel.is_unused and channel.used_at < oldest]
        for channel in stale:
            del self._by_address[channel.target.address]
        await asyncio.gather(*(channel.close() for channel in stale))
