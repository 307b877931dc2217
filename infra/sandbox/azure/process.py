"""Starts the sandbox's Azure in a process of its own, and talks to its admin API."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Any

START_SECONDS = 60
_ADMIN_SECONDS = 30
RESOURCE_MANAGER = "https://management.azure.com"
_STOP_SECONDS = 15
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SandboxError(Exception):
    """The sandbox did not start, or refused an admin call; the message says why."""


class AzureProcess:
    """`url` is Resource Manager's, `data_url` that of the data planes, `tables_url` the Table service, `topic_url` the endpoint
    of the Event Grid topic, `object_id` that of the function app's identity; `issuer` and `jwks` are the tenant's.

    Close it, or use it as a context manager. It ends as well when this process ends in whatever way.
    """

    def __init__(self, process: subprocess.Popen[bytes], said: dict[str, Any]) -> None:
        self._process = process
        self.url, self.data_url = str(said["url"]), str(said["data_url"])
        self.ca_file = Path(said["ca_file"])
        self.subscription, self.object_id = str(said["subscription"]), str(said["object_id"])
        self.tables_url, self.topic_url = str(said["tables_url"]), str(said["topic_url"])
        self.issuer, self.jwks = str(said["issuer"]), dict(said["jwks"])
        self._environment: dict[str, str] = said["environment"]

    def __enter__(self) -> AzureProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Safe to call twice."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def environment(self) -> dict[str, str]:
        """What a function app finds in its environment, and what leads the Azure SDK to this CA."""
        return {**self._environment, "NO_PROXY": "127.0.0.1,localhost"}

    def settings(self, **changes: float) -> dict[str, Any]:
        """Change any of settings.Settings; returns all of them."""
        return dict(self.admin("POST", "settings", changes) if changes else self.admin("GET", "settings"))

    def fault(self, kind: str, path_contains: str = "", **more: Any) -> None:
        """See arm.faults.Fault."""
        self.admin("POST", "faults", {"kind": kind, "path_contains": path_contains, **more})

    def add_resource_group(self, name: str) -> None:
        self.admin("POST", "resource-groups", {"name": name})

    def assign_identity(self, *groups: str) -> str:
        """Gives the function app another identity, a member of these Entra groups and without any role on databases and
        clusters; its object id."""
        identity = self.admin("POST", "identities", {"groups": groups, "assigned": True})
        self.object_id = str(identity["object_id"])
        return self.object_id

    def owner(self) -> Owner:
        """Somebody who may do everything in the subscription: who makes what a test needs."""
        identity = self.admin("POST", "identities", {})
        self.grant(f"/subscriptions/{self.subscription}", "*", object_id=identity["object_id"])
        return Owner(self, identity["client_id"])

    def add_cluster(self, name: str, resource_group: str, server: str, ca_pem: str) -> None:
        """An AKS cluster of which the function app may have the user credential."""
        cluster = {"name": name, "resource_group": resource_group, "server": server, "ca_pem": ca_pem}
        self.admin("POST", "clusters", cluster | {"users": [self.object_id]})

    def create_table(self, name: str) -> None:
        self.admin("POST", "storage/tables", {"name": name})

    def subscribe(self, name: str, url: str) -> None:
        """Delivers what the topic takes to an Azure function's webhook."""
        self.admin("POST", "event-grid/subscriptions", {"name": name, "url": url})

    def events(self) -> list[dict[str, Any]]:
        """What was published to the topic, oldest first."""
        return list(self.admin("GET", "event-grid/events"))

    def grant(self, scope: str, *actions: str, object_id: str = "", not_actions: tuple[str, ...] = ()) -> None:
        """To the function app's identity unless another one is named."""
        who = {"object_id": object_id or self.object_id, "scope": scope}
        self.admin("POST", "roles", {**who, "actions": actions, "not_actions": not_actions})

    def reset(self) -> None:
        """Databases, settings and faults back to empty."""
        self.admin("POST", "reset", {})

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the admin API; SandboxError says what it refused."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.data_url}/sandbox/{path}", data, method=method)
        try:
            with _LOOPBACK.open(request, timeout=_ADMIN_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise SandboxError(f"The sandbox refused {method} {path}: {text}") from None
        except OSError as error:
            raise SandboxError(f"The sandbox at {self.data_url} does not answer {method} {path}: {error}") from error


class Owner:
    """A TokenCredential of the Azure SDK for Resource Manager."""

    def __init__(self, azure: AzureProcess, client_id: str) -> None:
        self._azure, self._client_id = azure, client_id

    def get_token(self, *scopes: str, **options: Any) -> Any:
        from azure.core.credentials import AccessToken

        asked = {"client_id": self._client_id, "audience": RESOURCE_MANAGER}
        return AccessToken(**self._azure.admin("POST", "tokens", asked))


def start(log_file: Path | None = None) -> AzureProcess:
    """Start and wait until it answers. SandboxError when it does not come up within START_SECONDS."""
    root = Path(__file__).resolve().parents[3]
    paths = [str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    with contextlib.ExitStack() as stack:
        errors: IO[bytes] | int = subprocess.DEVNULL if log_file is None else stack.enter_context(log_file.open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.sandbox.azure"],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
        )
    line = _first_line(process)
    if not line:
        process.kill()
        process.communicate()
        said = f" Its log ends: {log_file.read_text()[-2000:]}" if log_file else " Give a log_file to see why."
        raise SandboxError(f"The sandbox's Azure ended, or took more than {START_SECONDS} s, before it answered.{said}")
    return AzureProcess(process, json.loads(line))


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(START_SECONDS) else b""
