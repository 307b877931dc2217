"""The unix socket of one pod: what connects to it is forwarded into the pod, one connection at a time."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

from shared.clusters.access import Access
from shared.clusters.port_forward_websocket import PodStream, open_stream
from shared.model.errors import BackupError, Misconfigured

CHUNK_BYTES = 65_536
RETRY_SECONDS = 0.2
FILES_HINT = "Split the plan, let the functions reach the pods directly, or raise the limit (ulimit -n) where possible."
WAITING = 4
"""Connections that may wait for their turn; gRPC makes one, and the next when that has ended."""


class PodRelay:
    """Listens from the start until `close`. Use it on the event loop that it was made on.

    gRPC keeps one connection and makes a new one when it has ended, so one is served at a time, and while it is, the socket
    does not listen: with hundreds of pods that saves a fourth of the file descriptors. A try that comes too early is refused,
    and gRPC comes again.
    """

    def __init__(
        self,
        access: Access,
        tls: ssl.SSLContext,
        namespace: str,
        pod: str,
        port: int,
        handshakes: asyncio.Semaphore,
        on_close: Callable[[], None],
    ) -> None:
        self._access, self._tls, self._handshakes = access, tls, handshakes
        self._namespace, self._pod, self._port = namespace, pod, port
        self._on_close = on_close
        self.problem: BackupError | None = None
        folder = tempfile.mkdtemp(prefix="port-forward-")  # only its owner may enter
        self._remove_folder = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._socket_file = Path(folder) / "pod"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listen()
        self._serving = asyncio.create_task(self._serve(), name=f"port-forward to {namespace}/{pod}")

    @property
    def path(self) -> str:
        return str(self._socket_file)

    async def close(self) -> None:
        """Ends what is forwarded and removes the socket. May be called again."""
        if not self._remove_folder.alive:
            return
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        self._listener.close()
        self._remove_folder()
        self._on_close()

    def _listen(self) -> None:
        self._listener.setblocking(False)
        self._listener.bind(self.path)
        self._listener.listen(WAITING)

    def _listen_again(self) -> None:
        """Before the connection ends, so that whoever comes back at once is let in."""
        if self._listener.fileno() == -1:
            self._listener = socket.socket(socket.AF_UNIX)
            self._listen()

    def _stop_listening(self) -> None:
        self._listener.close()
        self._socket_file.unlink()

    async def _serve(self) -> None:
        while True:
            try:
                connection = await self._next_connection()
            except BlockingIOError:  # whoever it was has gone again
                continue
            except OSError as error:  # no file descriptor left
                self.problem = Misconfigured(f"The port-forward to {self._pod} cannot go on: {error}.", hint=FILES_HINT)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._stop_listening()
            reader, writer = await asyncio.open_unix_connection(sock=connection)
            try:
                await self._forward(reader, writer)
            finally:
                self._listen_again()
                writer.close()

    async def _next_connection(self) -> socket.socket:
        """Not by `sock_accept`: a caller that is cancelled after it accepted and before it returns loses an open connection."""
        loop, somebody = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._listener, somebody.set)
        try:
            await somebody.wait()
        finally:
            loop.remove_reader(self._listener)
        return self._listener.accept()[0]

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end. What goes wrong is the `problem`: this end has no words for it."""
        try:
            async with self._handshakes:
                stream = await open_stream(self._access, self._tls, self._namespace, self._pod, self._port)
            try:
                await self._copy(reader, writer, stream)
            finally:
                self._listen_again()
                await stream.close()
        except BackupError as error:
            self.problem = error

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stream: PodStream) -> None:
        """Both ways until one end has closed; then the rest has nobody to go to. Raises BackupError."""
        copies = [asyncio.create_task(_upward(reader, stream)), asyncio.create_task(self._downward(stream, writer))]
        try:
            await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for copy in copies:
                copy.cancel()
            results = await asyncio.gather(*copies, return_exceptions=True)
        for result in results:
            if isinstance(result, BackupError):
                raise result

    async def _downward(self, stream: PodStream, writer: asyncio.StreamWriter) -> None:
        async for data in stream.received():
            self.problem = None
            try:
                writer.write(data)
                await writer.drain()
            except ConnectionError:
                return


async def _upward(reader: asyncio.StreamReader, stream: PodStream) -> None:
    try:
        while data := await reader.read(CHUNK_BYTES):
            await stream.send(data)
    except ConnectionError:
        return
