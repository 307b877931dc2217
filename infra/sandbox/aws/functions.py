"""Runs the deployed functions: warm processes per function, asynchronous invocations with retries, kills, logs.

What a state machine sees, as on AWS (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html):
an exception of the handler under its class name; a time-out as Sandbox.Timedout; a process that died, also by
SIGKILL, as Runtime.ExitError; older runtimes report both of these as Lambda.Unknown, so a definition names all three.
Handler code comes from one directory for all functions, not from the uploaded package; versions and aliases all run
that code; reserved concurrency is not enforced.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.sandbox.aws.runtime_process import Outcome, RuntimeProcess, failed
from infra.sandbox.aws.settings import Settings

DEFAULT_TIMEOUT_SECONDS = 3
_LOG_LINES_KEPT = 5_000
_DEFAULT_ASYNCHRONOUS_RETRIES = 2

Clients = Callable[[str], Any]
"""Gives a boto3 client of a service of this sandbox."""


@dataclass
class Kill:
    """A wish to SIGKILL the process of matching invocations, `after_seconds` from their start. `at_end`: when the handler has
    answered, so that its work is done and nobody hears of it; that is exact, whatever the machine is doing."""

    function_suffix: str | None
    payload_contains: Any
    after_seconds: float
    times: int
    at_end: bool = False

    def matches(self, function_name: str, payload: bytes) -> bool:
        if self.function_suffix is not None and not function_name.endswith(self.function_suffix):
            return False
        try:
            return _contains(json.loads(payload or b"{}"), self.payload_contains)
        except ValueError:
            return False


class Functions:
    """`url` is this sandbox's own address; `clients` reaches it. Close it to stop every process."""

    def __init__(self, url: str, region: str, code_dir: str, settings: Settings, clients: Clients) -> None:
        self._url, self._region, self._code_dir = url, region, code_dir
        self._settings, self._clients = settings, clients
        self._lock = threading.Lock()
        self._idle: dict[str, list[tuple[str, RuntimeProcess]]] = defaultdict(list)
        self._all: set[RuntimeProcess] = set()
        self._kills: list[Kill] = []
        self._killed: list[dict[str, Any]] = []
        self._logs: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_LOG_LINES_KEPT))
        self._generation = 0

    def invoke(self, function: dict[str, Any], payload: bytes) -> Outcome:
        """Run the handler and wait. `function` is its configuration as GetFunctionConfiguration gives it."""
        version = _fingerprint(function)
        process = self._take(function, version)
        timeout_seconds = function.get("Timeout") or DEFAULT_TIMEOUT_SECONDS
        timers: list[threading.Timer] = []

        def begun() -> None:
            timers.extend(self._arm_kills(process, function["FunctionName"], payload))

        outcome = process.run(function["FunctionArn"], payload, timeout_seconds, begun)
        for timer in timers:
            timer.cancel()
        if outcome.function_error is None and self._dies_at_end(process, function["FunctionName"], payload):
            process.close()
            outcome = failed("Runtime.ExitError", "Error: Runtime exited with error: signal: killed")
        self._give_back(process, function["FunctionName"], version)
        return outcome

    def invoke_asynchronously(self, function: dict[str, Any], payload: bytes, request_id: str, retries: int | None) -> None:
        """InvocationType Event: returns at once; a failed invocation is retried, then goes to the dead-letter queue.

        `retries` is MaximumRetryAttempts of the function's EventInvokeConfig, None when it has none.
        """
        attempts = 1 + (_DEFAULT_ASYNCHRONOUS_RETRIES if retries is None else retries)
        threading.Thread(target=self._attempt, args=(function, payload, request_id, attempts), daemon=True).start()

    def kill(self, wish: Kill) -> None:
        """Arm a kill; invocations that run already count from now."""
        with self._lock:
            self._kills.append(wish)
            running = [(process, process.current) for process in self._all]
        for process, invocation in running:
            if invocation is not None and not wish.at_end and wish.matches(process.function_name, invocation.payload):
                self._kill_later(wish, process, invocation.payload)

    def running(self) -> list[dict[str, Any]]:
        """The processes, busy or warm, for the admin API."""
        with self._lock:
            processes = [process for process in self._all if process.alive]
        described = []
        for process in processes:
            invocation = process.current
            described.append(
                {
                    "function": process.function_name,
                    "pid": process.pid,
                    "busy": invocation is not None,
                    "payload": None if invocation is None else invocation.payload.decode(errors="replace"),
                }
            )
        return described

    def killed(self) -> list[dict[str, Any]]:
        """Every kill that was carried out, oldest first."""
        return list(self._killed)

    def log(self, function_name: str) -> list[str]:
        """The last lines that processes of the function wrote, those of the platform included."""
        return list(self._logs[function_name])

    def close(self) -> None:
        """Stop every process and forget kills and logs; usable again afterwards."""
        with self._lock:
            processes, self._all = self._all, set()
            self._idle.clear()
            self._kills.clear()
            self._killed.clear()
            self._logs.clear()
            self._generation += 1
        for process in processes:
            process.close()

    def _take(self, function: dict[str, Any], version: str) -> RuntimeProcess:
        name = function["FunctionName"]
        with self._lock:
            outdated = []
            while self._idle[name]:
                its_version, process = self._idle[name].pop()
                if its_version == version and process.alive:
                    return process
                outdated.append(process)
                self._all.discard(process)
        for process in outdated:
            process.close()
        process = RuntimeProcess(function, self._code_dir, self._environment(function), self._logs[name].append)
        with self._lock:
            self._all.add(process)
        return process

    def _give_back(self, process: RuntimeProcess, name: str, version: str) -> None:
        with self._lock:
            if process in self._all and process.alive:
                self._idle[name].append((version, process))
                return
            self._all.discard(process)
        process.close()

    def _environment(self, function: dict[str, Any]) -> dict[str, str]:
        name = function["FunctionName"]
        role = self._clients("sts").assume_role(RoleArn=function["Role"], RoleSessionName=name)["Credentials"]
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join([self._code_dir, *(path for path in sys.path if path)]),
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": "*",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            **function.get("Environment", {}).get("Variables", {}),
            "AWS_ENDPOINT_URL": self._url,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
            "AWS_ACCESS_KEY_ID": role["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": role["SecretAccessKey"],
            "AWS_SESSION_TOKEN": role["SessionToken"],
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.get("MemorySize", 128)),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "sandbox",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "LAMBDA_TASK_ROOT": self._code_dir,
            "_HANDLER": function["Handler"],
        }

    def _attempt(self, function: dict[str, Any], payload: bytes, request_id: str, attempts: int) -> None:
        generation, wait = self._generation, self._settings.lambda_retry_seconds
        for attempt in range(1, attempts + 1):
            if self._generation != generation:
                return  # a reset came in between
            outcome = self.invoke(function, payload)
            if outcome.function_error is None:
                return
            if attempt < attempts:
                time.sleep(wait)
                wait *= 2
        queue = function.get("DeadLetterConfig", {}).get("TargetArn")
        if queue and self._generation == generation:
            self._to_dead_letter_queue(queue, payload, request_id, outcome)

    def _to_dead_letter_queue(self, arn: str, payload: bytes, request_id: str, outcome: Outcome) -> None:
        """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": request_id},
            "ErrorCode": {"DataType": "Number", "StringValue": "200"},
            "ErrorMessage": {"DataType": "String", "StringValue": outcome.payload.decode(errors="replace")[:1024]},
        }
        body = payload.decode(errors="replace")
        if arn.split(":")[2] == "sns":
            self._clients("sns").publish(TopicArn=arn, Message=body, MessageAttributes=attributes)
            return
        sqs = self._clients("sqs")
        url = sqs.get_queue_url(QueueName=arn.split(":")[-1])["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)

    def _arm_kills(self, process: RuntimeProcess, name: str, payload: bytes) -> list[threading.Timer]:
        with self._lock:
            wishes = [wish for wish in self._kills if not wish.at_end and wish.matches(name, payload)]
        return [self._kill_later(wish, process, payload) for wish in wishes]

    def _dies_at_end(self, process: RuntimeProcess, name: str, payload: bytes) -> bool:
        with self._lock:
            wish = next((wish for wish in self._kills if wish.at_end and wish.matches(name, payload)), None)
            if wish is None:
                return False
            self._carry_out(wish, process, payload)
        return True

    def _carry_out(self, wish: Kill, process: RuntimeProcess, payload: bytes) -> None:
        """Notes it; with the lock held."""
        wish.times -= 1
        if wish.times <= 0:
            self._kills.remove(wish)
        self._killed.append(
            {"function": process.function_name, "pid": process.pid, "payload": payload.decode(errors="replace")}
        )

    def _kill_later(self, wish: Kill, process: RuntimeProcess, payload: bytes) -> threading.Timer:
        def kill() -> None:
            with self._lock:
                if wish not in self._kills or process.current is None or process.current.payload != payload:
                    return  # the invocation ended first: the wish stays
                self._carry_out(wish, process, payload)
            process.kill()

        timer = threading.Timer(wish.after_seconds, kill)
        timer.daemon = True
        timer.start()
        return timer


def _fingerprint(function: dict[str, Any]) -> str:
    """Changes when a warm process would no longer be what a new one is."""
    parts = ("Handler", "Role", "Environment", "MemorySize", "CodeSha256", "LastModified")
    return json.dumps([function.get(part) for part in parts], sort_keys=True)


def _contains(payload: Any, wanted: Any) -> bool:
    """Whether `wanted` is in `payload`: for objects, every wanted field, at any depth."""
    if isinstance(wanted, dict):
        return isinstance(payload, dict) and all(
            key in payload and _contains(payload[key], value) for key, value in wanted.items()
        )
    return wanted is None or bool(payload == wanted)
