"""One function app with its host: engine, triggers, management API and timers on two loopback ports."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from infra.sandbox.azure.durable.addresses import RPC, WEBHOOK, Addresses
from infra.sandbox.azure.durable.clock import Clock
from infra.sandbox.azure.durable.engine import Engine
from infra.sandbox.azure.durable.functions import TIMER, Function, Functions
from infra.sandbox.azure.durable.invocation import Answer
from infra.sandbox.azure.durable.invokers import TimedOut, WorkerLost
from infra.sandbox.azure.durable.keys import DURABLE_TASK, Keys
from infra.sandbox.azure.durable.management_api import ManagementApi
from infra.sandbox.azure.durable.sandbox_api import SandboxApi
from infra.sandbox.azure.durable.schedules import Schedules
from infra.sandbox.azure.durable.triggers import BACKGROUND, Triggers
from infra.sandbox.azure.durable.workers import Workers

MAXIMUM_REQUEST_BYTES = 210_000_000
_SETTING = re.compile(r"%([^%]+)%")
_DEFAULT_TIMEOUT = "00:30:00"
_STORED_KEYS = "function keys"


@dataclass(frozen=True)
class Configuration:
    """`settings` are the app settings: the worker's environment. Disabled functions are named there, as in Azure:
    AzureWebJobs.<function>.Disabled = true."""

    app: str
    code_dir: str
    state: Path
    clock: Clock
    port: int = 0
    settings: dict[str, str] = field(default_factory=dict)


class Host:
    """`keys` and `url` are known after `start`."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._workers = Workers(configuration.app, configuration.code_dir, _environment(configuration))
        self._workers.functions = Functions(
            function for function in self._workers.functions.all if not _disabled(function, configuration.settings)
        )
        self._host_json = self._workers.host_json
        self._workers.timeout_seconds = _seconds(self._host_json.get("functionTimeout", _DEFAULT_TIMEOUT))
        self._engine = Engine(self._workers, configuration.clock, configuration.state)
        self.keys = self._stored_keys()
        self._runners: list[web.AppRunner] = []
        self.url = ""

    async def start(self) -> None:
        triggers = Triggers(self._workers.functions, self.keys, self._route_prefix(), self.invoke)
        functions = self._workers.functions
        self._schedules = Schedules(self._engine, functions.triggered_by(TIMER), self._resolved, self.invoke)
        # The addresses are part of what the routes answer with, so both sockets are bound before the routes are made.
        sockets = [_bound(self._configuration.port), _bound(0)]
        urls = [f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets]
        self.url = urls[0]
        addresses = Addresses(urls[0], urls[1], self._task_hub(), self.keys.systems[DURABLE_TASK])
        self._workers.client_binding = addresses.client_binding()
        management = ManagementApi(self._engine.hub, addresses)
        sandbox = SandboxApi(self._engine, self._workers)
        public = [
            *sandbox.routes(),
            *management.routes(WEBHOOK, lambda request: self.keys.may_use(request, DURABLE_TASK)),
            *triggers.routes(),
        ]
        for each, routes in zip(sockets, (public, management.routes(RPC, lambda _: True)), strict=True):
            await self._serve(each, routes)
        self._engine.start_thread()
        self._schedules.start()

    async def close(self) -> None:
        """What runs is cut off, as when a host is stopped; the state file goes on from here."""
        await self._schedules.close()
        for runner in self._runners:
            await runner.cleanup()
        await asyncio.to_thread(self._engine.close)

    async def invoke(self, function: Function, payload: Any) -> Answer:
        """Of triggers other than the durable ones; a worker that is lost is an error that the trigger must deal with."""
        with self._engine.busy():
            try:
                return await asyncio.wrap_future(await asyncio.to_thread(self._workers.invoke, function, payload))
            except (WorkerLost, TimedOut) as error:
                return Answer(error=f"{type(error).__name__}: {error}")

    async def _serve(self, bound: socket.socket, routes: list[web.RouteDef]) -> None:
        app = web.Application(client_max_size=MAXIMUM_REQUEST_BYTES)
        app[BACKGROUND] = set()
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.SockSite(runner, bound).start()
        self._runners.append(runner)

    def _stored_keys(self) -> Keys:
        store = self._engine.store
        keys = Keys.generated((function.name for function in self._workers.functions.all), store.setting(_STORED_KEYS))
        with store.transaction():
            store.put_setting(_STORED_KEYS, keys.as_json())
        return keys

    def _route_prefix(self) -> str:
        return str(self._host_json.get("extensions", {}).get("http", {}).get("routePrefix", "api")).strip("/")

    def _task_hub(self) -> str:
        return self._resolved(self._host_json.get("extensions", {}).get("durableTask", {}).get("hubName", "TestHubName"))

    def _resolved(self, text: str) -> str:
        """%NAME% is an app setting. LookupError if there is none."""

        def value(match: re.Match[str]) -> str:
            try:
                return self._configuration.settings[match[1]]
            except KeyError:
                raise LookupError(f"'{text}' names the app setting {match[1]}, which the app does not have.") from None

        return _SETTING.sub(value, text)


def _disabled(function: Function, settings: dict[str, str]) -> bool:
    return settings.get(f"AzureWebJobs.{function.name}.Disabled", "").lower() in ("true", "1")


def _seconds(text: str) -> float:
    """Of a .NET TimeSpan (hours:minutes:seconds); -1 is unbounded, here a week."""
    if text == "-1":
        return 7 * 86_400.0
    hours, minutes, seconds = (float(part) for part in text.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the same port again right after a kill
    bound.bind(("127.0.0.1", port))
    return bound


def _environment(configuration: Configuration) -> dict[str, str]:
    """Of the worker: what Azure sets, and the app settings. Nothing of this process's own leaks in."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": os.pathsep.join([configuration.code_dir, *(path for path in sys.path if path)]),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "*",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "FUNCTIONS_EXTENSION_VERSION": "~4",
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "WEBSITE_SITE_NAME": "sandbox",
        **configuration.settings,
    }
