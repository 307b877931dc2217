"""The language worker: a process that imports the function app and runs what the host asks for, many at a time.

Run as `python -m infra.sandbox.azure.durable.worker_child APP FD`. The host writes one JSON text a line to stdin:
{"id", "function", "payload", "client"}; the answers go to the file descriptor. What the app prints is log. It ends when
stdin ends, that is when the host is gone, in whatever way.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra.sandbox.azure.durable.functions import Functions
from infra.sandbox.azure.durable.invocation import LoadedApp, load
from infra.sandbox.azure.durable.name_resolution import resolve_as_told

_THREADS = 64


class Worker:
    """Plain functions run in threads, coroutines all in one event loop, as in the Python worker."""

    def __init__(self, app: LoadedApp, answers: int) -> None:
        self._app = app
        self._functions = Functions(app.functions)
        self._answers = answers
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="function")
        self._running: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), daemon=True).start()
        await asyncio.Event().wait()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        for line in sys.stdin.buffer:
            loop.call_soon_threadsafe(self._begin, json.loads(line))
        os._exit(1)  # the host is gone: nobody would hear an answer

    def _begin(self, request: dict[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._run(request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, request: dict[str, Any]) -> None:
        function = self._functions.named(request["function"])
        assert function is not None, "the host knows the functions from this process"
        arguments = (function, request["payload"], request["client"])
        if self._app.is_coroutine(function.name):
            answer = await self._app.run_async(*arguments)
        else:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._app.run, *arguments)
        if answer.error and function.trigger != "orchestrationTrigger":
            logging.error("%s failed: %s", function.name, answer.stack)
        say(self._answers, {"id": request["id"], **answer.as_json()})


def say(descriptor: int, message: dict[str, Any]) -> None:
    """Called from the event loop's thread only, so lines do not mix."""
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[os.write(descriptor, data) :]


def main(app_name: str, answers: int) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    resolve_as_told()
    try:
        app, directory = load(app_name)
    except Exception:  # noqa: BLE001 - told to the host, which refuses to start
        say(answers, {"failed": traceback.format_exc()})
        return
    host_json = directory / "host.json"
    settings = json.loads(host_json.read_text()) if host_json.exists() else {}
    say(answers, {"functions": [function.as_json() for function in app.functions], "host": settings})
    asyncio.run(Worker(app, answers).serve())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
