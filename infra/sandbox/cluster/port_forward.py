"""The far end of a port-forward: a websocket on one side, a connection into a pod on the other.

Protocol `v4.channel.k8s.io` of the kubelet's streaming server, for one port: channel 0 carries data, channel 1 errors, and each
begins with the port. SPDY, which kubectl speaks by default, is not served.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import WSMsgType, web

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.errors import ApiError

PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = b"\x00", b"\x01"
_CHUNK_BYTES = 32 * 1024
_log = logging.getLogger(__name__)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[str, str, int], Awaitable[Streams]]
"""Connects to a port inside a pod, given namespace, name and port. Raises OSError when nobody listens, LookupError when no such
pod runs."""


class ForwardingNodes(Protocol):
    """Whoever runs the pods."""

    async def dial(self, namespace: str, pod: str, port: int) -> Streams:
        """As `Dial`."""

    def cut(self) -> None:
        """Resets every connection."""


class PortForwarding:
    """`dial` is set by whoever runs the pods."""

    def __init__(self, dial: Dial) -> None:
        self.dial = dial
        self._open: set[asyncio.Transport] = set()

    async def serve(self, http: web.Request, namespace: str, pod: str, port_parameter: str) -> web.StreamResponse:
        """Answers the upgrade and forwards until either end closes. Raises 400 for a request that is none."""
        websocket = web.WebSocketResponse(protocols=(PROTOCOL,), compress=False)
        port = http.query.get(port_parameter, "")
        if not websocket.can_prepare(http).ok or websocket.can_prepare(http).protocol != PROTOCOL:
            raise ApiError(400, "BadRequest", "Upgrade request required")
        if not port.isdecimal() or not 0 < int(port) < 65_536:
            raise errors.bad_request(f"unable to upgrade: query parameter {port_parameter!r} must be one port, not {port!r}")
        await websocket.prepare(http)
        assert http.transport is not None
        self._open.add(http.transport)
        try:
            await self._forward(websocket, namespace, pod, int(port))
        except ConnectionError:
            _log.info("port-forward to %s/%s: the client has gone", namespace, pod)
        finally:
            self._open.discard(http.transport)
        return websocket

    def cut(self) -> None:
        """Resets every connection, as a restarting API server or kubelet does."""
        for transport in tuple(self._open):
            transport.abort()

    async def _forward(self, websocket: web.WebSocketResponse, namespace: str, pod: str, port: int) -> None:
        for channel in (_DATA, _ERROR):
            await websocket.send_bytes(channel + port.to_bytes(2, "little"))
        try:
            reader, writer = await self.dial(namespace, pod, port)
        except (OSError, LookupError) as error:
            text = f"error forwarding port {port} to pod {namespace}/{pod}: failed to connect to localhost:{port}: {error}"
            await websocket.send_bytes(_ERROR + text.encode())
            await websocket.close()
            return
        downward = asyncio.create_task(_downward(reader, websocket))
        try:
            async for message in websocket:
                if message.type == WSMsgType.BINARY and message.data[:1] == _DATA:
                    writer.write(message.data[1:])
                    await writer.drain()
        finally:
            downward.cancel()
            writer.close()


async def _downward(reader: asyncio.StreamReader, websocket: web.WebSocketResponse) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            await websocket.send_bytes(_DATA + data)
    except ConnectionError:
        _log.info("port-forward: the connection to the pod or to the client broke")
    await websocket.close()
