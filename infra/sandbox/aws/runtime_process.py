"""One process that runs a function, and the Lambda Runtime API that feeds it: one invocation at a time.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INIT_SECONDS = 10
"""AWS gives an on-demand function ten seconds for its init phase; it is not charged to the function's timeout."""
_NOTHING_SAMPLED = "Root=1-00000000-000000000000000000000000;Sampled=0"


@dataclass(frozen=True)
class Outcome:
    """`function_error` is the value of X-Amz-Function-Error, None after a success."""

    payload: bytes
    function_error: str | None = None

    @property
    def error_type(self) -> str:
        """What a state machine matches in ErrorEquals."""
        try:
            return str(json.loads(self.payload)["errorType"])
        except (ValueError, KeyError, TypeError):
            return "Exception"


def failed(error_type: str, message: str) -> Outcome:
    """An invocation that ended without an answer of the handler."""
    return Outcome(json.dumps({"errorType": error_type, "errorMessage": message}).encode(), "Unhandled")


@dataclass(frozen=True)
class Invocation:
    request_id: str
    payload: bytes
    deadline: float
    function_arn: str


class RuntimeProcess:
    """Starts at once; `run` waits for its init phase. `alive` turns False when it died, timed out or was closed."""

    def __init__(
        self, function: dict[str, Any], code_dir: str, environment: dict[str, str], log: Callable[[str], None]
    ) -> None:
        self.function_name: str = function["FunctionName"]
        self.current: Invocation | None = None
        self._log = log
        self._invocations: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._ready = threading.Event()
        self._usable = True
        self._api = _RuntimeApi(("127.0.0.1", 0), _RuntimeApiHandler)
        self._api.runtime = self
        threading.Thread(target=self._api.serve_forever, args=(0.1,), daemon=True).start()
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.runtime_child", function["Handler"]],
            cwd=code_dir,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_address[1]}"},
        )
        threading.Thread(target=self._read_log, daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._usable and self._process.poll() is None

    def run(self, function_arn: str, payload: bytes, timeout_seconds: float, begun: Callable[[], None]) -> Outcome:
        """One invocation; `begun` is called when the init phase is over and the handler starts.

        Afterwards `alive` says whether the process can take the next one.
        """
        request_id = str(uuid.uuid4())
        if not self._ready.wait(INIT_SECONDS):
            self.close()
            return failed("Sandbox.Timedout", f"RequestId: {request_id} Error: init took more than {INIT_SECONDS} s")
        deadline = time.time() + timeout_seconds
        self.current = Invocation(request_id, payload or b"{}", deadline, function_arn)
        self._log(f"START RequestId: {request_id} Version: $LATEST")
        begun()
        self._invocations.put(self.current)
        try:
            outcome = self._outcomes.get(timeout=timeout_seconds)
        except queue.Empty:
            self.close()
            self._log(f"REPORT RequestId: {request_id} Status: timeout")
            message = f"RequestId: {request_id} Error: Task timed out after {timeout_seconds:.2f} seconds"
            return failed("Sandbox.Timedout", message)
        finally:
            self.current = None
        if outcome is None:
            how = _how_it_ended(self._process.wait())
            self._log(f"REPORT RequestId: {request_id} Status: error Error Type: Runtime.ExitError ({how})")
            return failed("Runtime.ExitError", f"RequestId: {request_id} Error: Runtime exited with error: {how}")
        self._log(f"END RequestId: {request_id}")
        return outcome

    def kill(self) -> None:
        """SIGKILL, as the platform does when a sandbox is lost; the running invocation answers Runtime.ExitError."""
        self._process.kill()

    def close(self) -> None:
        """End the process and its Runtime API; safe to call twice."""
        self._usable = False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._invocations.put(None)
        threading.Thread(target=self._close_api, daemon=True).start()  # up to one poll interval: not on the request path

    def next_invocation(self) -> Invocation | None:
        """Called by the runtime client; blocks. None: the process is being closed."""
        self._ready.set()
        return self._invocations.get()

    def answer(self, outcome: Outcome) -> None:
        """Called by the runtime client with the handler's answer or error."""
        self._outcomes.put(outcome)

    def init_failed(self, outcome: Outcome) -> None:
        """Called by the runtime client when the handler could not be imported; the process is useless."""
        self._usable = False
        self._outcomes.put(outcome)
        self._ready.set()

    def _read_log(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._log(line.decode(errors="replace").rstrip("\n"))
        self._process.wait()
        self._usable = False
        self._outcomes.put(None)
        self._ready.set()

    def _close_api(self) -> None:
        self._api.shutdown()
        self._api.server_close()


class _RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True
    runtime: RuntimeProcess


class _RuntimeApiHandler(BaseHTTPRequestHandler):
    server: _RuntimeApi
    protocol_version = "HTTP/1.1"
    # Nagle's algorithm and delayed acknowledgement together cost 40 ms on each warm invocation.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        invocation = self.server.runtime.next_invocation()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": _NOTHING_SAMPLED,
        }
        self._send(200, invocation.payload, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/init/error"):
            self.server.runtime.init_failed(Outcome(body, "Unhandled"))
        else:
            self.server.runtime.answer(Outcome(body, None if self.path.endswith("/response") else "Unhandled"))
        self._send(202, b'{"status":"OK"}', {"Content-Type": "application/json"})

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the process was killed in the middle of a request
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Requests of the runtime client are not worth a line."""

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def _how_it_ended(code: int) -> str:
    """In the words of the Lambda service."""
    if code == -signal.SIGKILL:
        return "signal: killed"
    return f"signal: {-code}" if code < 0 else f"exit status {code}"
