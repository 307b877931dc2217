"""An address in front of a pod that can be closed while connections are open, as a security group is changed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.transports import Transport

_addresses = (f"127.36.0.{number}" for number in itertools.count(1))


class Firewall:
    """`swallow` lets packets vanish, `refuse` resets; both also for new connections."""

    def __init__(self, target: AdminTarget) -> None:
        self._behind = target
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> AdminTarget:
        """The pod as it is reached directly."""
        host = next(_addresses)
        self._server = await asyncio.start_server(self._accept, host, self._behind.port)
        return replace(self._behind, host=host, transport=Transport.DIRECT.value)

    def swallow(self) -> None:
        self._open.clear()

    def refuse(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        await self._open.wait()
        from_pod, to_pod = await asyncio.open_connection(self._behind.host, self._behind.port)
        self._writers.add(to_pod)
        for source, sink in ((reader, to_pod), (from_pod, writer)):
            self._tasks.add(asyncio.create_task(self._copy(source, sink)))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65_536):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            return
        finally:
            sink.close()


@asynccontextmanager
async def behind_firewall(target: AdminTarget) -> AsyncIterator[tuple[Firewall, AdminTarget]]:
    firewall = Firewall(target)
    try:
        yield firewall, await firewall.start()
    finally:
        await firewall.stop()
