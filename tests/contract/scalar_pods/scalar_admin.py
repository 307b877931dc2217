"""A bare Scalar Admin client for these tests: raw bytes on the wire, so that it shares no code with either side."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import grpc.aio

TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Answer:
    """reason and domain are those of the ErrorInfo, None without one."""

    code: grpc.StatusCode
    text: str = ""
    reason: str | None = None
    domain: str | None = None


OK = Answer(grpc.StatusCode.OK)


def pause_request(limit_ms: int | None = None, wait_outstanding: bool = True) -> bytes:
    message = b"\x08\x01" if wait_outstanding else b""
    if limit_ms is not None:
        message += b"\x10" + varint(limit_ms & (1 << 64) - 1)
    return message


def varint(number: int) -> bytes:
    digits = []
    while True:
        number, digit = number >> 7, number & 0x7F
        digits.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(digits)


class AdminClient:
    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def pause(self, limit_ms: int | None = None, *, wait_outstanding: bool = True) -> Answer:
        return await self.call("Pause", pause_request(limit_ms, wait_outstanding))

    async def unpause(self) -> Answer:
        return await self.call("Unpause")

    async def check_paused(self) -> bool:
        message = await self._method("CheckPaused")(b"", timeout=TIMEOUT_SECONDS)
        assert message in (b"", b"\x08\x01")
        return message != b""

    async def call(self, method: str, message: bytes = b"", timeout_seconds: float = TIMEOUT_SECONDS) -> Answer:
        try:
            assert await self._method(method)(message, timeout=timeout_seconds) == b""
        except grpc.aio.AioRpcError as error:
            return _failure(error)
        return OK

    def start_pause(self, limit_ms: int | None = None) -> asyncio.Task[Answer]:
        return asyncio.create_task(self.pause(limit_ms))

    def _method(self, name: str) -> grpc.aio.UnaryUnaryMultiCallable:
        return self._channel.unary_unary(f"/rpc.Admin/{name}")


class Clients:
    """Opens a channel per target; closes them all at the end."""

    def __init__(self) -> None:
        self._open = AsyncExitStack()

    async def to(self, target: str, ca: bytes | None = None) -> AdminClient:
        # No proxy from the environment, and no backoff of earlier failures shared between tests.
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        if ca is None:
            channel = grpc.aio.insecure_channel(target, options)
        else:
            options.append(("grpc.ssl_target_name_override", "localhost"))
            channel = grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(ca), options)
        return AdminClient(await self._open.enter_async_context(channel))

    async def close(self) -> None:
        await self._open.aclose()


def _failure(error: grpc.aio.AioRpcError) -> Answer:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if details is None:
        return Answer(error.code(), error.details() or "")
    status = _fields(details)
    assert status[1] == error.code().value[0]
    assert status[2].decode() == error.details()
    packed = _fields(status[3])
    assert packed[1] == b"type.googleapis.com/google.rpc.ErrorInfo"
    info = _fields(packed[2])
    return Answer(error.code(), error.details() or "", info[1].decode(), info[2].decode())


def _fields(message: bytes) -> dict[int, int | bytes]:
    """Only what these messages contain: one-byte tags, numbers below 128, lengths below 16,384."""
    fields: dict[int, int | bytes] = {}
    position = 0
    while position < len(message):
        field, wire_type = message[position] >> 3, message[position] & 7
        value, position = message[position + 1], position + 2
        if value & 0x80:
            value, position = (value & 0x7F) | message[position] << 7, position + 1
        if wire_type == 2:
            fields[field], position = message[position : position + value], position + value
        else:
            fields[field] = value
    return fields
