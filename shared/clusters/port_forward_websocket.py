"""One port-forward of the Kubernetes API: a websocket to the API server, which leads on to the pod's node and into the pod.

Source: the kubelet's streaming server in kubernetes/kubernetes, protocol `v4.channel.k8s.io`: binary messages whose first byte
is a channel. For the one port asked for, channel 0 carries data and channel 1 errors; each begins with the port, in two bytes.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from shared.clusters.access import Access
from shared.clusters.refusals import cut, error_for, refusal_of
from shared.clusters.resources import object_path
from shared.model.errors import BackupError, Forbidden, Misconfigured, NotReady, Unreachable

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.http11 import Response

OPEN_SECONDS = 5.0
"""For the connection, TLS and the answer to the upgrade, which comes only when the node has been reached, too."""
CLOSE_SECONDS = 1.0
SUBPROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_PORT_BYTES = 2

RIGHTS_HINT = (
    "Grant get and create on pods/portforward with infra/kubernetes/port-forward.yaml: the request is a GET, which every "
    "cluster checks as get, and clusters from 1.35 on check create as well."
)
_DEAD_PORT_HINT = (
    "The node reached the pod, but nothing listens on that port inside it: the server is still starting or has stopped (look "
    "at the pod's log), or the admin port is another one: set admin_port of the release in the plan."
)
_CUT_HINT = "The API server, the kubelet or a load balancer between them restarted or gave up; a new connection may succeed."

# The library logs headers, and so the token, at level DEBUG.
_library_log = logging.getLogger("shared.clusters.websockets")
_library_log.setLevel(logging.WARNING)


class PodStream:
    """Bytes to one port of one pod and back. Made by `open_stream`."""

    def __init__(self, websocket: ClientConnection, port: int, where: str) -> None:
        self._websocket = websocket
        self._announcement = port.to_bytes(_PORT_BYTES, "little")
        self._where = where

    async def send(self, data: bytes) -> None:
        """Raises Unreachable when the connection is gone."""
        from websockets.exceptions import ConnectionClosed

        try:
            await self._websocket.send(bytes((_DATA,)) + data)
        except ConnectionClosed as error:
            raise self._cut(error) from error

    async def received(self) -> AsyncIterator[bytes]:
        """What the pod sends, until it closes the connection.

        Raises:
            NotReady: the node could not connect to the port; the message has its words.
            Unreachable: the connection was cut on the way.
            Misconfigured: what answers does not speak the protocol.
        """
        from websockets.exceptions import ConnectionClosedError

        announced: set[int] = set()
        try:
            async for message in self._websocket:
                channel, data = self._read(message)
                if channel not in announced:
                    if data != self._announcement:
                        raise self._not_the_protocol(f"channel {channel} begins with {data[:8].hex() or 'nothing'}")
                    announced.add(channel)
                elif channel == _ERROR:
                    raise NotReady(f"{self._where}: {cut(data.decode(errors='replace'))}.", hint=_DEAD_PORT_HINT)
                else:
                    yield data
        except ConnectionClosedError as error:
            raise self._cut(error) from error

    async def close(self) -> None:
        await _hang_up(self._websocket)

    def _read(self, message: str | bytes) -> tuple[int, bytes]:
        if isinstance(message, str) or not message or message[0] not in (_DATA, _ERROR):
            raise self._not_the_protocol(f"a message begins with {message[:8]!r}")
        return message[0], message[1:]

    def _cut(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self._where}: the connection was cut: {cut(str(error))}.", hint=_CUT_HINT)

    def _not_the_protocol(self, seen: str) -> Misconfigured:
        return Misconfigured(
            f"{self._where}: the answer is not of the protocol {SUBPROTOCOL}: {seen}.",
            hint="Something between the function and the pod changes what is sent: a proxy, or an unusual container runtime.",
        )


async def open_stream(access: Access, tls: ssl.SSLContext, namespace: str, pod: str, port: int) -> PodStream:
    """Connects to the port. That nobody listens there is only told when the stream is read.

    Raises:
        NotReady: there is no such pod, or it is on no node yet.
        Forbidden: not signed in, or the rights of `RIGHTS_HINT` are missing.
        Unreachable, Throttled, Misconfigured: the API server.
    """
    where = f"{access.name}: port-forward to port {port} of pod {namespace}/{pod}"
    token = await asyncio.to_thread(access.tokens.token)
    try:
        websocket = await _connect(access, tls, namespace, pod, port, token)
    except _Refused as refused:
        if refused.response.status_code != HTTPStatus.UNAUTHORIZED:
            raise _error_for(refused.response, access, namespace, pod, port) from refused
        renewed = await asyncio.to_thread(access.tokens.renewed, token)
        try:
            websocket = await _connect(access, tls, namespace, pod, port, renewed)
        except _Refused as again:
            raise _error_for(again.response, access, namespace, pod, port) from again
    if websocket.subprotocol != SUBPROTOCOL:
        await _hang_up(websocket)
        raise Misconfigured(
            f"{where}: the API server agreed to {websocket.subprotocol or 'no protocol'}, not to {SUBPROTOCOL}.",
            hint="Something between the function and the API server takes part in the conversation: a proxy or a gateway.",
        )
    return PodStream(websocket, port, where)


async def _hang_up(websocket: ClientConnection) -> None:
    """Says good-bye and waits for the answer. Whoever is cancelled meanwhile, or whose good-bye stays unanswered, leaves no
    connection behind: the library's `close` does when it is cancelled."""
    try:
        await websocket.close()
    finally:
        websocket.transport.abort()


class _Refused(Exception):
    """The upgrade was answered like a plain request."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


async def _connect(access: Access, tls: ssl.SSLContext, namespace: str, pod: str, port: int, token: str) -> ClientConnection:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, WebSocketException
    from websockets.typing import Subprotocol

    url = f"{access.endpoint}{object_path('pods', namespace, pod)}/portforward?{urlencode({'ports': port})}"
    try:
        return await connect(
            url.replace("https:", "wss:", 1),
            ssl=tls,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {token}"},
            user_agent_header="scalar-backup",
            compression=None,  # Kubernetes offers none
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=None,  # gRPC's keepalive goes all the way to the pod; a ping would end at the API server
            logger=_library_log,
        )
    except InvalidStatus as error:
        raise _Refused(error.response) from error
    except (OSError, TimeoutError, EOFError, WebSocketException) as error:
        raise _unreachable(access, namespace, pod, error) from error


def _error_for(response: Response, access: Access, namespace: str, pod: str, port: int) -> BackupError:
    refusal = refusal_of(response.status_code, response.headers, bytes(response.body or b""))
    what = f"forward to port {port} of pod {namespace}/{pod}"
    match refusal.status:
        case HTTPStatus.FORBIDDEN:
            return Forbidden(f"{access.name}: cannot {what}: {refusal.sentence} (HTTP 403).", hint=RIGHTS_HINT)
        case HTTPStatus.NOT_FOUND | HTTPStatus.BAD_REQUEST:
            return NotReady(
                f"{access.name}: cannot {what}: {refusal.sentence} (HTTP {refusal.status}).",
                hint="The pod is gone, or not on a node yet; look at it with `kubectl get pods`.",
            )
    return error_for(refusal, access.name, what, access.sign_in_hint)


def _unreachable(access: Access, namespace: str, pod: str, error: Exception) -> Unreachable:
    said = cut(str(error)) or type(error).__name__
    hint = "The function must reach the cluster's endpoint on port 443, and the API server the pod's node."
    if isinstance(error, TimeoutError):
        said = f"no answer within {OPEN_SECONDS:g} s"
    elif isinstance(error, ssl.SSLError):
        hint = "The certificate is not from the cluster's CA: a proxy opens TLS in between, or the cluster was created anew."
    return Unreachable(f"{access.name}: cannot forward to pod {namespace}/{pod}: {said}.", hint=hint)
