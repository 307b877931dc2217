"""Times in the interpreter: waits that end when they should and when the execution is stopped; timestamps as on AWS."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.utils import encoding
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

_LONGEST_WAIT_BETWEEN_CHECKS_SECONDS = 0.25
"""moto sets and clears its stop signal at once, so a waiter can miss it: look again this often."""


def text(moment: dt.datetime) -> str:
    """As AWS writes times into inputs and outputs: 2026-01-31T03:00:00.123Z."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def install() -> None:
    """Replace moto's waits, retry intervals and time formats."""
    Timestamp._get_wait_seconds = _seconds_until_timestamp
    WaitFunction._wait_interval = lambda _wait, env, wait_seconds: _wait_while_running(env, wait_seconds)
    RetrierDecl._eval_body = _retry
    encoding._DateTimeEncoder.default = lambda _encoder, value: text(value) if isinstance(value, dt.datetime) else str(value)
    environment = ExecutionWorker._get_evaluation_environment

    def with_start_time_as_text(worker: Any) -> Any:
        env = environment(worker)
        execution = env.states.context_object.context_object_data["Execution"]
        execution["StartTime"] = text(execution["StartTime"])
        return env

    ExecutionWorker._get_evaluation_environment = with_start_time_as_text


def _wait_while_running(env: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while env.is_running() and (left := until - time.monotonic()) > 0:
        env.program_state_event.wait(min(left, _LONGEST_WAIT_BETWEEN_CHECKS_SECONDS))


def _seconds_until_timestamp(wait: Any, env: Any) -> float:
    """moto takes the local clock, ignores fractions of a second and refuses offsets."""
    wait.string.eval(env=env)
    given = env.stack.pop()
    try:
        moment = dt.datetime.fromisoformat(given)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise FailureEventException(wait._create_failure_event(env, given))
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


def _retry(retrier: Any, env: Any) -> None:
    """As moto's, but a stopped execution does not sleep through its retry interval."""
    retrier.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(RetrierOutcome.Skipped)
        return
    retrier.max_attempts.eval(env=env)
    if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(RetrierOutcome.Failed)
        return
    for part in (retrier.interval_seconds, retrier.backoff_rate, retrier.max_delay_seconds, retrier.jitter_strategy):
        part.eval(env=env)
    _wait_while_running(env, env.stack.pop())
    env.stack.append(RetrierOutcome.Executed)
