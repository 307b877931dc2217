"""Connections whose other side does not answer a good-bye: they end all the same."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
from pathlib import Path

import pytest

from infra.sandbox.cluster.certificates import create_certificates
from shared.clusters.api import KubernetesApi
from shared.clusters.port_forward import PortForwards
from shared.clusters.port_forward_websocket import SUBPROTOCOL
from shared.scalar.probe import Endpoint, Finding, probe
from tests.contract.clusters.conftest import FixedToken
from tests.contract.port_forward.clusters import CLUSTER

UNIQUE = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What an upgrade is answered with is a hash over the key and this (RFC 6455, section 1.3)."""
GOOD_BYE = 0x88
"""First byte of the frame that closes a websocket."""
FOR_OTHERS_SECONDS = 5.0


class MuteApiServer:
    """Takes the upgrade and says nothing more, not even good-bye, as one that is overloaded."""

    def __init__(self) -> None:
        self.told_good_bye, self.ended = asyncio.Event(), asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        key = next(line.partition(": ")[2] for line in request if line.startswith("Sec-WebSocket-Key"))
        accept = base64.b64encode(hashlib.sha1(key.encode() + UNIQUE).digest()).decode()
        headers = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}"
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{headers}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode())
        try:
            while data := await reader.read(65_536):
                if data[0] == GOOD_BYE:
                    self.told_good_bye.set()
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
            self.ended.set()


async def test_a_forward_that_is_closed_during_the_good_bye_leaves_no_connection_behind(tmp_path: Path) -> None:
    certificates, mute = create_certificates("mute"), MuteApiServer()
    server = await asyncio.start_server(mute.serve, "127.0.0.1", 0, ssl=certificates.server_context(tmp_path))
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    api = KubernetesApi(url, certificates.ca_pem, FixedToken("token"), name="EKS cluster mute", sign_in_hint="Sign in.")
    forward = await PortForwards(lambda _: api).open(CLUSTER, "scalar", "pod-0", 60053)
    _, writer = await asyncio.open_unix_connection(forward.path)
    writer.close()
    async with asyncio.timeout(FOR_OTHERS_SECONDS):
        await mute.told_good_bye.wait()
        assert not mute.ended.is_set(), "the answer to the good-bye is awaited"
        await forward.close()
        await mute.ended.wait()
    server.close()


def serve_without_good_bye(listener: socket.socket, tls: ssl.SSLContext) -> bytes:
    """Takes two connections, the second for TLS, whose end it does not answer; what comes after that end."""
    listener.accept()[0].close()
    accepted, _ = listener.accept()
    with socket.socket(fileno=tls.wrap_socket(accepted, server_side=True).detach()) as connection:
        connection.settimeout(FOR_OTHERS_SECONDS)
        assert connection.recv(1_024), "the client has said good-bye"
        return connection.recv(1_024)


async def test_a_probe_whose_good_bye_stays_unanswered_leaves_no_connection_behind(tmp_path: Path) -> None:
    tls = create_certificates("mute").server_context(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = asyncio.create_task(asyncio.to_thread(serve_without_good_bye, listener, tls))
        found = await probe(Endpoint("127.0.0.1", listener.getsockname()[1]), None, timeout_seconds=0.5)
        assert await served == b"", "the client has ended the connection"
    assert found.finding is Finding.EXPECTS_TLS


async def test_a_forward_that_is_closed_while_somebody_connects_leaves_no_connection_behind() -> None:
    ca_pem, tokens = create_certificates("mute").ca_pem, FixedToken("token")
    api = KubernetesApi("https://127.0.0.1:9", ca_pem, tokens, name="EKS cluster mute", sign_in_hint="Sign in.")
    forward = await PortForwards(lambda _: api).open(CLUSTER, "scalar", "pod-0", 60053)
    await asyncio.sleep(0)  # it listens, and waits for somebody
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(FOR_OTHERS_SECONDS)
        client.connect(forward.path)
        # In this turn of the loop the connection is there, in the next one the forward would go on with it.
        asyncio.get_running_loop().call_soon(asyncio.create_task, forward.close())
        async with asyncio.timeout(FOR_OTHERS_SECONDS):
            while Path(forward.path).parent.exists():
                await asyncio.sleep(0.01)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
