"""The metrics port of a pod: plain HTTP in Prometheus' text format, whatever the path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

_REQUEST_SECONDS = 5.0

Samples = Callable[[], Mapping[str, float]]


async def serve(address: str, port: int, samples: Samples) -> asyncio.Server:
    """Serves what `samples` returns, by metric name."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                await reader.readuntil(b"\r\n\r\n")
            body = "".join(f"{name} {value}\n" for name, value in samples().items()).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # no complete request: a port probe connects and leaves without a word
        finally:
            writer.close()

    return await asyncio.start_server(answer, address, port)
