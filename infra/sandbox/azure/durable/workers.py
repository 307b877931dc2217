"""The host's side of the language worker: starts the process, hands it invocations, starts it again when it died."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from infra.sandbox.azure.durable.functions import Function, Functions
from infra.sandbox.azure.durable.invocation import Answer
from infra.sandbox.azure.durable.invokers import TimedOut, WorkerLost
from infra.sandbox.azure.durable.kills import Kills

START_SECONDS = 60
_LOG_LINES_KEPT = 5_000


class AppFailed(Exception):
    """The app could not be imported, or its worker ended before it said what it contains."""


@dataclass(frozen=True)
class Running:
    function: Function
    payload: Any
    future: Future[Answer]


class Worker:
    """One process with the app in it. `hello` is what it said about the app; AppFailed if it said nothing in time."""

    def __init__(self, app: str, code_dir: str, environment: dict[str, str], log: Callable[[str], None], kills: Kills) -> None:
        self._kills = kills
        self._ids = itertools.count()
        self._lock = threading.Lock()
        self._running: dict[int, Running] = {}
        self._ended = False
        answers, child_end = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.worker_child", app, str(child_end)],
            cwd=code_dir,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(child_end,),
            env=environment,
        )
        os.close(child_end)
        self._answers = os.fdopen(answers, "rb")
        self._hello: Future[dict[str, Any]] = Future()
        self._readers = [
            threading.Thread(target=self._read_log, args=(log,), daemon=True),
            threading.Thread(target=self._read_answers, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.hello = self._hello.result(START_SECONDS)
        except TimeoutError:
            self.kill()
            raise AppFailed(f"The worker did not load {app} within {START_SECONDS} s.") from None
        if "failed" in self.hello:
            raise AppFailed(f"The worker could not load {app} from {code_dir}:\n{self.hello['failed']}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._ended and self._process.poll() is None

    def running(self) -> list[Running]:
        with self._lock:
            return list(self._running.values())

    def kill(self) -> None:
        """SIGKILL; what runs in it is lost."""
        self._ended = True
        self._process.kill()

    def close(self) -> None:
        """Waits until the process is gone, and all that it wrote is read."""
        self._process.kill()
        for reader in self._readers:
            reader.join()

    def invoke(self, function: Function, payload: Any, client: str | None, timeout_seconds: float) -> Future[Answer]:
        number = next(self._ids)
        future: Future[Answer] = Future()
        with self._lock:
            self._running[number] = Running(function, payload, future)
            ended = self._ended
        if ended or self._kills.at_start(function.called, payload, self.pid):
            self.kill()
            self._lose(number)
            return future
        message = {"id": number, "function": function.name, "payload": payload, "client": client}
        try:
            assert self._process.stdin is not None
            with self._lock:
                self._process.stdin.write(json.dumps(message).encode() + b"\n")
                self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            self._lose(number)
            return future
        self._kills.in_between(function.called, payload, self.pid, lambda: not future.done(), self.kill)
        timer = threading.Timer(timeout_seconds, self._time_out, (number, function, timeout_seconds))
        timer.daemon = True
        timer.start()
        future.add_done_callback(lambda _: timer.cancel())
        return future

    def _time_out(self, number: int, function: Function, timeout_seconds: float) -> None:
        with self._lock:
            running = self._running.pop(number, None)
        if running is not None:
            self.kill()
            running.future.set_exception(
                TimedOut(f"Timeout value of {timeout_seconds:g} s exceeded by function {function.name}")
            )

    def _lose(self, number: int) -> None:
        with self._lock:
            running = self._running.pop(number, None)
        if running is not None:
            running.future.set_exception(WorkerLost(f"The worker {self.pid} ended while it ran {running.function.name}."))

    def _read_answers(self) -> None:
        with self._answers:
            for line in self._answers:
                message = json.loads(line)
                if not self._hello.done():
                    self._hello.set_result(message)
                    continue
                self._answered(message.pop("id"), Answer(**message))
        self._process.kill()  # the pipe is closed only by its end, which may still be under way
        self._process.wait()
        assert self._process.stdin is not None
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if not self._hello.done():
            self._hello.set_result({"failed": "The process ended before it had loaded the app; its log says why."})
        with self._lock:
            self._ended = True
            lost = list(self._running)
        for number in lost:
            self._lose(number)

    def _answered(self, number: int, answer: Answer) -> None:
        with self._lock:
            running = self._running.get(number)
        if running is not None and self._kills.at_end(running.function.called, running.payload, self.pid):
            self.kill()
            self._lose(number)
            return
        with self._lock:
            running = self._running.pop(number, None)
        if running is not None:
            running.future.set_result(answer)

    def _read_log(self, log: Callable[[str], None]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout:
            for line in self._process.stdout:
                log(line.decode(errors="replace").rstrip("\n"))


class Workers:
    """The one language worker of a host (FUNCTIONS_WORKER_PROCESS_COUNT 1), started again when it died.

    `client_binding` and `timeout_seconds` are set by the host before the first invocation.
    """

    def __init__(self, app: str, code_dir: str, environment: dict[str, str]) -> None:
        self._start = (app, code_dir, environment)
        self._lock = threading.Lock()
        self._closed = False
        self.kills = Kills()
        self.log: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
        self.client_binding = ""
        self.timeout_seconds = 1800.0
        self._worker = self._new()
        self.host_json: dict[str, Any] = self._worker.hello["host"]
        self.functions = Functions(Function(**described) for described in self._worker.hello["functions"])

    def invoke(self, function: Function, payload: Any) -> Future[Answer]:
        with self._lock:
            if self._closed:
                lost: Future[Answer] = Future()
                lost.set_exception(WorkerLost("The host stops."))
                return lost
            if not self._worker.alive:
                self._worker = self._new()
            worker = self._worker
        client = self.client_binding if function.client else None
        return worker.invoke(function, payload, client, self.timeout_seconds)

    def running(self) -> list[Running]:
        return self._worker.running()

    def kill(self) -> int:
        """SIGKILL the worker now; returns its pid."""
        worker = self._worker
        worker.kill()
        return worker.pid

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._worker.close()

    def _new(self) -> Worker:
        app, code_dir, environment = self._start
        worker = Worker(app, code_dir, environment, self._write_log, self.kills)
        logging.info("language worker %d started", worker.pid)
        return worker

    def _write_log(self, line: str) -> None:
        self.log.append(line)
        print(line, file=sys.stderr, flush=True)
