"""What a test needs of a host and Azure does not have: virtual time, kills, logs. Loopback only, without keys."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from infra.sandbox.azure.durable.clock import VirtualClock
from infra.sandbox.azure.durable.engine import Engine
from infra.sandbox.azure.durable.kills import Kill
from infra.sandbox.azure.durable.workers import Workers

SETTLE_SECONDS = 60
_POLL_SECONDS = 0.01


class SandboxApi:
    def __init__(self, engine: Engine, workers: Workers) -> None:
        self._engine, self._workers = engine, workers

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/clock", _answered(self._clock)),
            web.post("/sandbox/clock", _answered(self._advance)),
            web.get("/sandbox/kill", _answered(self._killed)),
            web.post("/sandbox/kill", _answered(self._kill)),
            web.post("/sandbox/kill-now", _answered(self._kill_now)),
            web.get("/sandbox/running", _answered(self._running)),
            web.get("/sandbox/logs", _answered(self._logs)),
        ]

    async def _clock(self, _request: web.Request) -> Any:
        return {"now": self._engine.clock.now().isoformat()}

    async def _advance(self, request: web.Request) -> Any:
        """Let virtual time pass; answers when it has, and everything that it caused has been done."""
        clock = self._engine.clock
        if not isinstance(clock, VirtualClock) or clock.limit is None:
            raise ValueError("Only a host that was started with clock='manual' can be told to let time pass.")
        seconds = float((await request.json())["advance_seconds"])
        with self._engine.changed:
            clock.limit = clock.limit + dt.timedelta(seconds=seconds)
            self._engine.changed.notify_all()
        deadline = time.monotonic() + SETTLE_SECONDS
        while not self._engine.settled():
            if time.monotonic() > deadline:
                raise ValueError(f"After {SETTLE_SECONDS} s something still runs: {await self._running(request)}")
            await asyncio.sleep(_POLL_SECONDS)
        return await self._clock(request)

    async def _killed(self, _request: web.Request) -> Any:
        return self._workers.kills.done

    async def _kill(self, request: web.Request) -> Any:
        """Arm a kill for invocations that begin from now on."""
        self._workers.kills.add(Kill.parse(await request.json()))
        return {}

    async def _kill_now(self, _request: web.Request) -> Any:
        return {"pid": self._workers.kill()}

    async def _running(self, _request: web.Request) -> Any:
        return [{"function": each.function.called, "payload": each.payload} for each in self._workers.running()]

    async def _logs(self, _request: web.Request) -> Any:
        return list(self._workers.log)


def _answered(handler: Callable[[web.Request], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(await handler(request))
        except (ValueError, KeyError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    return handle
