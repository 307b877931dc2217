"""The host as a process: reads its configuration as one JSON line from stdin, answers with one line, ends when stdin ends."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from infra.sandbox.azure.durable.clock import Clock, RealClock, VirtualClock
from infra.sandbox.azure.durable.host import Configuration, Host
from infra.sandbox.azure.durable.workers import AppFailed


def clock_of(given: dict[str, Any]) -> Clock:
    """real: the system's. virtual: jumps whenever nothing runs. manual: moves only when told to."""
    kind = given["clock"]
    if kind == "real":
        return RealClock()
    start = dt.datetime.fromisoformat(given["clock_start"]) if given.get("clock_start") else dt.datetime.now(dt.UTC)
    return VirtualClock(start, limit=start if kind == "manual" else None)


async def run(given: dict[str, Any]) -> None:
    configuration = Configuration(
        app=given["app"],
        code_dir=given["code_dir"],
        state=Path(given["state"]),
        clock=clock_of(given),
        port=given["port"],
        settings=given["settings"],
    )
    host = Host(configuration)
    await host.start()
    print(json.dumps({"url": host.url, "keys": host.keys.as_json()}), flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await ended.wait()
    await host.close()


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s host %(message)s", stream=sys.stderr)
    try:
        asyncio.run(run(json.loads(sys.stdin.buffer.readline())))
    except (AppFailed, LookupError, ValueError, OSError) as error:
        print(json.dumps({"failed": f"{type(error).__name__}: {error}"}), flush=True)
        os._exit(1)


if __name__ == "__main__":
    main()
