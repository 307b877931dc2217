"""Starts a host in a process of its own, and talks to it: HTTP with the right keys, virtual time, kills."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import selectors
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from infra.sandbox.azure.durable.addresses import WEBHOOK
from infra.sandbox.azure.durable.keys import DURABLE_TASK, EVENT_GRID, Keys

START_SECONDS = 90
_CALL_SECONDS = 120
_STOP_SECONDS = 15
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class HostError(Exception):
    """The host did not start, or refused a call of the sandbox's own API; the message says why."""


@dataclass(frozen=True)
class HttpAnswer:
    """Header names in lower case. `json` is None when the body is empty."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text) if self.text else None


class RunningHost:
    """Close it, or use it as a context manager: the host and its worker end; they do as well when this process ends."""

    def __init__(self, configuration: dict[str, Any], log_file: Path | None) -> None:
        self._configuration, self._log_file = configuration, log_file
        self._start()

    def __enter__(self) -> RunningHost:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def state(self) -> Path:
        return Path(self._configuration["state"])

    def kill(self) -> None:
        """SIGKILL the host; its worker ends with it. The state file is as it was at that moment."""
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def close(self) -> None:
        """Stop it in order; safe to call twice. What runs is cut off and handed out again after `restart`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def restart(
        self, *, app: str | None = None, settings: dict[str, str] | None = None, clock_start: dt.datetime | None = None
    ) -> None:
        """On the same state file and address, after `kill` or `close` or instead of them; as a deployment, with another
        app or other settings. A virtual clock goes on from where it was, or from `clock_start` if that is later."""
        self.close()
        moment = clock_start.isoformat() if clock_start else None
        changes = {"app": app, "settings": settings, "clock_start": moment}
        self._configuration |= {name: value for name, value in changes.items() if value is not None}
        self._start()

    def request(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, headers: dict[str, str] | None = None
    ) -> HttpAnswer:
        """One HTTP call to this host; `path` may be a whole address of it. `body` is sent as JSON, bytes as they are."""
        url = path if path.startswith("http") else self.url + path
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **({"x-functions-key": key} if key else {}), **(headers or {})}
        request = urllib.request.Request(url, data, given, method=method)
        try:
            with _LOOPBACK.open(request, timeout=_CALL_SECONDS) as response:
                return _answer(response.status, response)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error)

    def call(self, method: str, route: str, body: Any = None) -> HttpAnswer:
        """An HTTP function, with the host key."""
        return self.request(method, route, body, key=self.keys.default)

    def start(self, orchestrator: str, value: Any = None, instance_id: str = "") -> str:
        """Start an instance through the management API; HostError if it is refused. Returns its id."""
        path = f"/orchestrators/{orchestrator}" + (f"/{urllib.parse.quote(instance_id)}" if instance_id else "")
        answer = self.manage("POST", path, None if value is None else json.dumps(value))
        if answer.status != 202:
            raise HostError(f"{orchestrator} was not started: {answer.status} {answer.text}")
        return str(answer.json["id"])

    def manage(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> HttpAnswer:
        """The management API, with the system key; `path` as /instances/<id>."""
        return self.request(method, WEBHOOK + path, body, key=self.keys.systems[DURABLE_TASK], headers=headers)

    def status(self, instance_id: str) -> dict[str, Any]:
        """As the management API shows it; HostError if there is no such instance."""
        answer = self.manage("GET", f"/instances/{urllib.parse.quote(instance_id)}")
        if answer.status not in (200, 202):
            raise HostError(f"{instance_id} has no status: {answer.status} {answer.text}")
        return dict(answer.json)

    def fire(self, function: str, value: Any = "") -> HttpAnswer:
        """Run a timer, Event Grid or activity function by hand, with the master key."""
        return self.request("POST", f"/admin/functions/{function}", {"input": value}, key=self.keys.master)

    def send_events(self, function: str, events: Any, kind: str = "Notification") -> HttpAnswer:
        """As Event Grid delivers them: a list in its own schema, or one CloudEvent."""
        path = f"/runtime/webhooks/EventGrid?functionName={function}"
        return self.request("POST", path, events, key=self.keys.systems[EVENT_GRID], headers={"aeg-event-type": kind})

    def event_grid_address(self, function: str) -> str:
        """The webhook that an Event Grid subscription of this function names."""
        return f"{self.url}/runtime/webhooks/EventGrid?functionName={function}&code={self.keys.systems[EVENT_GRID]}"

    def now(self) -> dt.datetime:
        """The host's clock."""
        return dt.datetime.fromisoformat(self._sandbox("GET", "clock")["now"])

    def advance(self, seconds: float) -> dt.datetime:
        """With clock="manual": let time pass and wait until all that it causes is done."""
        return dt.datetime.fromisoformat(self._sandbox("POST", "clock", {"advance_seconds": seconds})["now"])

    def kill_worker(
        self,
        function: str | None = None,
        payload_contains: Any = None,
        *,
        after_seconds: float = 0,
        at_end: bool = False,
        times: int = 1,
    ) -> None:
        """SIGKILL the worker in the next matching invocations, with all that runs in it.

        When: `after_seconds` from their start (0: before the function has done anything; an invocation that ends earlier
        does not count), or `at_end`: when it has done everything, and its answer is lost. `function` is the name it is
        called by; `payload_contains`: fields that the payload must have, at any depth.
        """
        wish = {"function": function, "payload_contains": payload_contains, "times": times}
        self._sandbox("POST", "kill", {**wish, "after_seconds": after_seconds, "at_end": at_end})

    def kill_worker_now(self) -> int:
        """SIGKILL the worker; returns its pid. The host starts a new one for the next invocation."""
        return int(self._sandbox("POST", "kill-now", {})["pid"])

    def killed(self) -> list[dict[str, Any]]:
        """The kills asked for with kill_worker that were carried out: function, payload, pid."""
        return list(self._sandbox("GET", "kill"))

    def running(self) -> list[dict[str, Any]]:
        """What runs in the worker: function, payload."""
        return list(self._sandbox("GET", "running"))

    def logs(self) -> list[str]:
        """The last lines that the app wrote or logged."""
        return list(self._sandbox("GET", "logs"))

    def _sandbox(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.request(method, f"/sandbox/{path}", body)
        if answer.status != 200:
            raise HostError(f"The host refused {method} {path}: {answer.text}")
        return answer.json

    def _start(self) -> None:
        root = Path(__file__).resolve().parents[4]
        paths = [str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        with self._log_file.open("ab") if self._log_file else contextlib.nullcontext() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __package__],
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)},
            )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._configuration).encode() + b"\n")
        self._process.stdin.flush()
        line = _first_line(self._process)
        answer: dict[str, Any] = (
            json.loads(line) if line else {"failed": f"it did not answer within {START_SECONDS} s, or ended."}
        )
        if "failed" in answer:
            self.kill()
            hint = f" See {self._log_file}." if self._log_file else " Give a log_file to see what the app wrote."
            raise HostError(f"The host of {self._configuration['app']} did not start: {answer['failed']}{hint}")
        self.url: str = answer["url"]
        self.keys = Keys(**answer["keys"])
        self._configuration["port"] = urllib.parse.urlsplit(self.url).port

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def start(
    app: str,
    state: Path,
    *,
    code_dir: Path | None = None,
    settings: dict[str, str] | None = None,
    clock: Literal["real", "virtual", "manual"] = "real",
    clock_start: dt.datetime | None = None,
    port: int = 0,
    log_file: Path | None = None,
) -> RunningHost:
    """Start a host and wait until it answers; HostError says why it does not.

    `app`: import path of the package that holds function_app.py (and host.json), found below `code_dir` (default: the root
    of this repository). `state`: the SQLite file, made if missing. `settings`: app settings, the worker's environment.
    `clock` "virtual" jumps whenever nothing runs, "manual" stands still between calls of `advance`; both begin at
    `clock_start`, default now.
    """
    return RunningHost(
        {
            "app": app,
            "code_dir": str(code_dir or Path(__file__).resolve().parents[4]),
            "state": str(state),
            "settings": settings or {},
            "clock": clock,
            "clock_start": clock_start.isoformat() if clock_start else None,
            "port": port,
        },
        log_file,
    )


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(START_SECONDS) else b""


def _answer(status: int, response: Any) -> HttpAnswer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpAnswer(status, headers, response.read().decode())
