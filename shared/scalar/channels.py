"""One gRPC channel per pod and way, kept between calls: Pause and Unpause share a TCP stream, which keeps their order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import grpc
import grpc.aio

from shared.model.errors import BackupError, Misconfigured
from shared.model.pods import AdminTarget
from shared.model.transports import Transport
from shared.scalar import wire
from shared.scalar.clock import Clock
from shared.scalar.pause_answers import describe
from shared.scalar.port_forward import OpenForward, PortForward
from shared.scalar.probe import Endpoint, Probe, probe

KEPT_UNUSED_SECONDS = 600.0
"""Longer than any pause: a channel unused for so long belongs to a pod that is gone, or to another plan."""
IDLE_SECONDS = 60.0
"""After this long without a call a connection is not trusted: firewalls and load balancers forget idle ones without a word (AWS
after 350 s), and a frozen process would not see it."""

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.enable_retries", 0),  # a Pause must not be sent twice behind our back
    ("grpc.enable_http_proxy", 0),  # a proxy in the environment is for the outside, not for pods
    ("grpc.use_local_subchannel_pool", 1),  # never a connection of somebody else's channel to the same address
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
_METHODS = (wire.PAUSE, wire.UNPAUSE, wire.CHECK_PAUSED)


class PodChannel:
    """The connection to one pod by the target's way. The calls raise grpc.aio.AioRpcError, also when a port-forward could not
    even be prepared: UNAVAILABLE, as for any server that cannot be reached."""

    def __init__(self, target: AdminTarget, clock: Clock, open_forward: OpenForward | None) -> None:
        self.target = target
        self.used_at = clock.monotonic()
        self._used_at_wall = clock.now()
        self._calls_under_way = 0
        self._clock = clock
        self._open_forward = open_forward
        self._opening = asyncio.Lock()
        self._is_closed = False
        self._forward: PortForward | None = None
        self._refusal: BackupError | None = None
        self._channel: grpc.aio.Channel | None = None
        self._methods: dict[str, Any] = {}

    def fits(self, target: AdminTarget) -> bool:
        """Another pod may have got the address of one that is gone."""
        return (self.target.uid, self.target.tls) == (target.uid, target.tls)

    @property
    def is_unused(self) -> bool:
        return self._calls_under_way == 0

    @property
    def is_idle(self) -> bool:
        """By the wall clock, because a monotonic one may stand still while a function is frozen."""
        idle_seconds = (self._clock.now() - self._used_at_wall).total_seconds()
        return self.is_unused and not 0 <= idle_seconds <= IDLE_SECONDS

    @property
    def where(self) -> str:
        """The address for messages, with the way when it is not the plain one."""
        if self.target.transport == Transport.DIRECT:
            return self.target.address
        return f"{self.target.address} (by {self.target.transport})"

    @property
    def problem(self) -> BackupError | None:
        """What the cluster says against the port-forward. gRPC knows only that its connection was closed."""
        return self._forward.problem if self._forward else self._refusal

    def explain(self, error: grpc.aio.AioRpcError) -> str:
        """A failed call on one line, with the cluster's reason where there is one."""
        return self.problem.message.rstrip(".") if self.problem else describe(error)

    async def call(self, path: str, request: bytes, timeout_seconds: float, *, wait_for_ready: bool = False) -> bytes:
        """`wait_for_ready` waits for a connection, up to the time-out, instead of failing when there is none."""
        self._calls_under_way += 1
        try:
            if not self._methods:
                await self._open(timeout_seconds)
            answer = await self._methods[path](request, timeout=timeout_seconds, wait_for_ready=wait_for_ready)
            return cast("bytes", answer)
        finally:
            self._calls_under_way -= 1
            self.used_at = self._clock.monotonic()
            self._used_at_wall = self._clock.now()

    async def check_paused(self, timeout_seconds: float, *, wait_for_ready: bool = False) -> bool:
        """Raises ValueError when the answer is not a CheckPausedResponse."""
        return wire.decode_check_paused(
            await self.call(wire.CHECK_PAUSED, wire.EMPTY, timeout_seconds, wait_for_ready=wait_for_ready)
        )

    async def look(self, timeout_seconds: float) -> bool | None:
        """CheckPaused, or None. Asked a second time where the connection had died, as while a function's process was frozen."""
        deadline = self._clock.monotonic() + timeout_seconds
        try:
            return await self.check_paused(timeout_seconds, wait_for_ready=True)
        except ValueError:
            return None
        except grpc.aio.AioRpcError as error:
            left_seconds = deadline - self._clock.monotonic()
            if error.code() is not grpc.StatusCode.UNAVAILABLE or left_seconds <= 0:
                return None
        try:
            return await self.check_paused(left_seconds, wait_for_ready=True)
        except (ValueError, grpc.aio.AioRpcError):
            return None

    async def probe(self, timeout_seconds: float) -> Probe:
        """What listens at the other end of this way. A forward of its own: the kept one serves gRPC's connection.

        Raises:
            BackupError: the forward could not be prepared.
        """
        endpoint = Endpoint(self.target.host, self.target.port)
        if self.target.transport == Transport.DIRECT:
            return await probe(endpoint, self.target.tls, timeout_seconds)
        forward = await self._forward_to_pod()
        try:
            return await probe(endpoint._replace(unix_path=forward.path), self.target.tls, timeout_seconds)
        finally:
            await forward.close()

    async def close(self) -> None:
        """For good; waits for an opening under way. Calls after it raise grpc.aio.UsageError."""
        async with self._opening:
            self._is_closed = True
            if self._channel:
                await self._channel.close(None)
            if self._forward:
                await self._forward.close()

    async def _open(self, timeout_seconds: float) -> None:
        """Once; again only after a failure. Raises grpc.aio.AioRpcError."""
        try:
            async with asyncio.timeout(timeout_seconds), self._opening:
                if self._is_closed:
                    raise grpc.aio.UsageError(f"The connection to {self.where} is closed.")
                if self._methods:
                    return
                address = self.target.address
                if self.target.transport == Transport.PORT_FORWARD:
                    self._forward = await self._forward_to_pod()
                    address = f"unix:{self._forward.path}"
                self._channel = _channel(self.target, address)
        except BackupError as error:
            self._refusal = error
            raise _failure(grpc.StatusCode.UNAVAILABLE, error.message) from error
        except TimeoutError as error:
            raise _failure(grpc.StatusCode.DEADLINE_EXCEEDED, "the cluster's API server was not found in time") from error
        self._methods = {
            path: self._channel.unary_unary(path, request_serializer=None, response_deserializer=None) for path in _METHODS
        }

    async def _forward_to_pod(self) -> PortForward:
        if self._open_forward is None or self.target.cluster is None:
            raise Misconfigured(
                f"Pod {self.target.pod} cannot be reached by port-forward: its cluster is not known.",
                hint="A pause journal of an older release of this product names no clusters; run the same command directly.",
            )
        return await self._open_forward(self.target.cluster, self.target.namespace, self.target.pod, self.target.port)


def _channel(target: AdminTarget, address: str) -> grpc.aio.Channel:
    """Whatever the way, the server sees the pod's own address as the name that was asked for."""
    options = (*_OPTIONS, ("grpc.default_authority", target.address))
    if target.tls is None:
        return grpc.aio.insecure_channel(address, options)
    credentials = grpc.ssl_channel_credentials(target.tls.ca_pem.encode())
    name = ("grpc.ssl_target_name_override", target.tls.server_name or target.host)
    return grpc.aio.secure_channel(address, credentials, (*_OPTIONS, name))


def _failure(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details, None)


class Channels:
    """The channels of one process, by cluster, address and way. They live on one event loop.

    Addresses alone would not do: pods of two overlay networks may have the same ones.
    """

    def __init__(self, clock: Clock, open_forward: OpenForward | None = None) -> None:
        self._clock = clock
        self._open_forward = open_forward
        self._kept: dict[tuple[str, ...], PodChannel] = {}

    def can_forward(self, target: AdminTarget) -> bool:
        """A target of which the cluster is not known can be reached at its address only."""
        return self._open_forward is not None and target.cluster is not None and bool(target.namespace)

    async def to(self, targets: Sequence[AdminTarget]) -> list[PodChannel]:
        """A channel for each target, in the same order; made now where there is none yet."""
        found = [self._kept.get(_key(target)) for target in targets]
        if all(channel and channel.fits(target) for channel, target in zip(found, targets, strict=True)):
            return [channel for channel in found if channel]
        await self._close_stale()
        return [await self._to(target) for target in targets]

    async def give_up_idle(self, targets: Sequence[AdminTarget]) -> None:
        """Closes what may be dead without knowing. For before a pause: between Pause and Unpause a stream is kept."""
        kept = [(target, self._kept.get(_key(target))) for target in targets]
        await self.give_up([target for target, channel in kept if channel and channel.is_idle])

    async def give_up(self, targets: Sequence[AdminTarget]) -> None:
        """Closes what is kept for these: it will not be used."""
        kept = [self._kept.pop(_key(target), None) for target in targets]
        await asyncio.gather(*(channel.close() for channel in kept if channel))

    async def close(self) -> None:
        channels = list(self._kept.values())
        self._kept.clear()
        await asyncio.gather(*(channel.close() for channel in channels))

    async def _to(self, target: AdminTarget) -> PodChannel:
        kept = self._kept.get(_key(target))
        if kept and kept.fits(target):
            return kept
        self._kept[_key(target)] = PodChannel(target, self._clock, self._open_forward)
        if kept:
            await kept.close()
        return self._kept[_key(target)]

    async def _close_stale(self) -> None:
        """Targets changed: pods came, so others may be gone."""
        oldest = self._clock.monotonic() - KEPT_UNUSED_SECONDS
        stale = {key: channel for key, channel in self._kept.items() if channel.is_unused and channel.used_at < oldest}
        for key in stale:
            del self._kept[key]
        await asyncio.gather(*(channel.close() for channel in stale.values()))


def place_of(target: AdminTarget) -> tuple[str, str]:
    """Where the pod is, whatever the way: its cluster and its address in it."""
    return target.cluster.key if target.cluster else "", target.address


def _key(target: AdminTarget) -> tuple[str, ...]:
    return (*place_of(target), target.transport)
