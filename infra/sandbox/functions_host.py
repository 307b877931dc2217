"""The function app on Microsoft's own Functions host: Core Tools (`func`) with Azurite as its storage, beside the sandbox.

Neither comes with this repository, and a host downloads its extension bundle when it first starts. Names of Cosmos DB accounts
lead nowhere there, so that their clocks are not measured and pauses last some seconds longer.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.sandbox.azure.durable.keys import DURABLE_TASK, Keys
from infra.sandbox.azure.durable.process import HttpAnswer
from infra.sandbox.azure_world import AzureWorld
from infra.sandbox.releases_world import ROOT

TOOLS = {
    "func": "Azure Functions Core Tools v4: https://learn.microsoft.com/azure/azure-functions/functions-run-local",
    "azurite": "Azurite: https://learn.microsoft.com/azure/storage/common/storage-use-azurite",
}
START_SECONDS = 180.0
"""The first start downloads the extension bundle."""
_CALL_SECONDS = 120
_POLL_SECONDS = 0.5
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_KEY = "none-is-asked-for"
"""A host that is started by hand checks no keys."""


def missing_tools() -> list[str]:
    """What is not on PATH, each with where it comes from."""
    return [f"{name} ({where})" for name, where in TOOLS.items() if shutil.which(name) is None]


class FunctionsHost:
    """What the demo asks of a host, as `infra.sandbox.azure.durable.process.RunningHost` has it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.keys = Keys(master=_KEY, default=_KEY, systems={DURABLE_TASK: _KEY})

    def call(self, method: str, route: str, body: Any = None) -> HttpAnswer:
        """An HTTP function."""
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + route, data, headers, method=method)
        try:
            with _LOOPBACK.open(request, timeout=_CALL_SECONDS) as response:
                return HttpAnswer(response.status, dict(response.headers), response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return HttpAnswer(error.code, dict(error.headers), error.read().decode())

    @property
    def is_up(self) -> bool:
        try:
            with _LOOPBACK.open(f"{self.url}/admin/host/status", timeout=2) as response:
                return bool(json.load(response).get("state") == "Running")
        except (OSError, ValueError):
            return False


class WorldOnFunctionsHost(AzureWorld):
    """The same world with Microsoft's host in the place of the sandbox's."""

    def _start_host(self) -> Any:
        return self._exit.enter_context(_running(self.state_dir, self.app_settings))


@contextmanager
def _running(directory: Path, settings: Mapping[str, str]) -> Iterator[FunctionsHost]:
    blob, queue, table, port = (_free_port() for _ in range(4))
    azurite = ["azurite", "--silent", "--location", str(directory / "azurite"), "--skipApiVersionCheck"]
    for name, number in (("blob", blob), ("queue", queue), ("table", table)):
        azurite += [f"--{name}Port", str(number)]
    app = _app(directory / "app", {**settings, "AzureWebJobsStorage": _connection(blob, queue, table)})
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
    with (directory / "azurite.log").open("wb") as azurite_log, (directory / "host.log").open("wb") as log:
        storage = subprocess.Popen(azurite, stdout=azurite_log, stderr=azurite_log)
        process = subprocess.Popen(["func", "start", "--port", str(port)], cwd=app, env=environment, stdout=log, stderr=log)
        try:
            host = FunctionsHost(port)
            _await(host, process, directory / "host.log")
            yield host
        finally:
            for running in (process, storage):
                running.terminate()
                running.wait(30)


def _app(directory: Path, settings: Mapping[str, str]) -> Path:
    """A folder as `func` wants it, which leads to this repository's app."""
    directory.mkdir()
    (directory / "function_app.py").write_text("from functions_azure.function_app import app\n\n__all__ = ['app']\n")
    shutil.copy(ROOT / "functions_azure" / "host.json", directory)
    values = {**settings, "FUNCTIONS_WORKER_RUNTIME": "python", "PYTHONPATH": str(ROOT)}
    (directory / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    return directory


def _connection(blob: int, queue: int, table: int) -> str:
    account = "devstoreaccount1"
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # well known
    places = {"Blob": blob, "Queue": queue, "Table": table}
    endpoints = [f"{name}Endpoint=http://127.0.0.1:{port}/{account}" for name, port in places.items()]
    return ";".join(["DefaultEndpointsProtocol=http", f"AccountName={account}", f"AccountKey={key}", *endpoints])


def _await(host: FunctionsHost, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    while not host.is_up:
        if process.poll() is not None or time.monotonic() > ends:
            raise RuntimeError(f"func did not get ready. Its log ends: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(_POLL_SECONDS)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
