"""A TCP relay in front of a server, for cutting connections in the middle, as a load balancer does that is replaced."""

from __future__ import annotations

import asyncio

_CHUNK_BYTES = 65_536


class Relay:
    """Passes bytes on to `port` of 127.0.0.1; TLS stays between the two ends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        """Listens on a free port of 127.0.0.1, which is returned."""
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Resets every connection; new ones are accepted."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _pass_on(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:  # the server is away: so is this address
            to_client.transport.abort()
            return
        ends = {to_client, to_server}
        self._open |= ends
        pumps = [asyncio.create_task(_pump(from_client, to_server)), asyncio.create_task(_pump(from_server, to_client))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= ends
            for pump in pumps:
                pump.cancel()
            for end in ends:
                end.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until either end is closed. HTTP never leaves one direction open after it has closed the other."""
    try:
        while data := await source.read(_CHUNK_BYTES):
            target.write(data)
            await target.drain()
    except ConnectionError:
        return
