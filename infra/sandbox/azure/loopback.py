"""Serves request handlers on loopback, on one event loop in a thread of its own, over TLS."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from aiohttp import web

from infra.sandbox.cluster.certificates import create_certificates

Answer = TypeVar("Answer")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LARGEST_BODY_BYTES = 16 * 1024 * 1024
"""More than any of the services accepts, so that they refuse in their own words."""
WAIT_SECONDS = 10


@dataclass(frozen=True)
class Loopback:
    """`urls` has one address for each handler, in their order; `ca_file` holds the CA of their certificate."""

    urls: tuple[str, ...]
    ca_file: Path
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """On the loop of the handlers, from another thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_SECONDS)


@contextmanager
def served_over_tls(*handlers: Handler) -> Iterator[Loopback]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="azure on loopback")
    thread.start()
    runners: list[web.AppRunner] = []
    transports: WeakSet[asyncio.Transport] = WeakSet()
    try:
        with tempfile.TemporaryDirectory(prefix="sandbox-azure-") as directory:
            tls = create_certificates("azure").server_context(Path(directory))

            async def start(handle: Handler) -> str:
                async def remembered(http: web.Request) -> web.StreamResponse:
                    if http.transport is not None:
                        transports.add(http.transport)
                    return await handle(http)

                application = web.Application(client_max_size=LARGEST_BODY_BYTES)
                application.router.add_route("*", "/{path:.*}", remembered)
                runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
                runners.append(runner)
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
                return f"https://127.0.0.1:{runner.addresses[0][1]}"

            urls = [asyncio.run_coroutine_threadsafe(start(each), loop).result(WAIT_SECONDS) for each in handlers]
            yield Loopback(tuple(urls), Path(directory) / "ca.crt", loop)
    finally:
        asyncio.run_coroutine_threadsafe(_end(runners, transports), loop).result(WAIT_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(runners: list[web.AppRunner], transports: WeakSet[asyncio.Transport]) -> None:
    """Not gracefully: a client that keeps its connection would hold the end of TLS up for half a minute."""
    for runner in runners:
        await runner.cleanup()
    for transport in transports:
        transport.abort()
