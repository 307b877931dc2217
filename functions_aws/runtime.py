"""What every handler shares: settings and rooms made once per process, one event loop, logs, metrics, and errors by name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from functions_aws.settings import Settings
from shared.model.errors import BackupError, InvalidRequest
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, mapping, text
from shared.wiring import AwsRooms

Step = Callable[[Request, Rooms], Awaitable[Answer]]
Handler = Callable[[Any, Any], Answer]


class StepHandler:
    """A Lambda handler for the steps of one privilege class.

    The event names its `step`; the rest is the step's request. An error of the product leaves the function under its class
    name, which is what the state machines match on. `entry` is the step of an event that names none, for a function that
    people invoke from the console.
    """

    def __init__(self, steps: Mapping[str, Step], *, entry: str = "") -> None:
        self._steps, self._entry = steps, entry
        self._logger = Logger()
        self._metrics = Metrics(namespace="ScalarBackup")
        settings = Settings.from_environment(os.environ)
        self._rooms: Rooms = AwsRooms(
            settings.catalog_table,
            settings.event_bus,
            settings.region,
            restore_machine=settings.restore_machine,
            safety_quiet_seconds=settings.safety_quiet_seconds,
        )

    def __call__(self, event: Any, context: Any) -> Answer:
        self._logger.clear_state()
        try:
            request = mapping(event, "The event")
            name = text(request, "step", self._entry) if self._entry else text(request, "step")
            self._logger.append_keys(**_log_keys(request, name, context))
            return self._run(name, request)
        except BackupError as error:
            # Expected and explained: one line, with the traceback of what lies behind it, if anything.
            self._logger.error(error.message, extra={"error": error.code, "hint": error.hint}, exc_info=error.__cause__)  # noqa: TRY400
            raise
        except Exception:
            self._logger.exception("unexpected error")
            raise

    def close(self) -> None:
        """For a process that outlives its handler; Lambda's never does."""
        self._loop.close()

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """One for the life of the process, from its first step on: gRPC channels belong to a loop, and the pause, capture and
        resume of one window meet the same warm channels here."""
        return asyncio.new_event_loop()

    def _run(self, name: str, request: Request) -> Answer:
        step = self._steps.get(name)
        if step is None:
            raise InvalidRequest(f"This function has no step {name!r}; it has {', '.join(self._steps)}.")
        self._logger.info("step begins")
        answer = self._loop.run_until_complete(step(request, self._rooms))
        self._measure(answer.pop("metrics", {}), request, answer)
        for subject, problem in _problems(answer).items():
            self._logger.error(problem, extra={"subject": subject})
        self._logger.info("step ended", extra={"answer": _short(answer)})
        return answer

    def _measure(self, metrics: Mapping[str, float], request: Request, answer: Answer) -> None:
        if not metrics:
            return
        self._metrics.add_dimension("plan", str(request.get("plan") or answer.get("plan") or "unknown"))
        for name, value in metrics.items():
            unit = MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count
            self._metrics.add_metric(name, unit, value)
        self._metrics.flush_metrics()


def _log_keys(request: Request, name: str, context: Any) -> dict[str, str]:
    keys = {key: str(request[key]) for key in ("plan", "run", "attempt", "database") if request.get(key) is not None}
    return keys | {"step": name, "request_id": getattr(context, "aws_request_id", "")}


def _problems(answer: Answer) -> Mapping[str, str]:
    """What a step could not do and went on, by subject: nothing else would ever say so."""
    problems = answer.get("problems")
    return problems if isinstance(problems, Mapping) else {}


def _short(answer: Answer) -> Answer:
    """An answer in the log without its lists: they are in the catalog, and a thousand checks would drown the rest."""
    return {key: value for key, value in answer.items() if not isinstance(value, list | dict)}
