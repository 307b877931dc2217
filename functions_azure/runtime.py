"""What every activity shares: a step carried out, its log lines and metrics, and its error as a part of the answer.

An error that left an activity as an exception would reach the orchestrator as a text. Answered, it keeps its name, on which
retries and compensation depend.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

from functions_azure.settings import Settings
from functions_azure.workers import Workers
from shared.model.errors import BackupError, InvalidRequest, Temporary
from shared.steps.ports import Executions, Rooms
from shared.steps.request import Answer, Request, mapping, text
from shared.wiring.azure import AzureRooms

Step = Callable[[Request, Rooms], Awaitable[Answer]]
Result = dict[str, Any]
"""`{"ok": true, "answer": …}`, or `{"ok": false, "error": name, "cause": text, "hint": text, "retry_after_seconds": …}`."""

_log = logging.getLogger("scalar_backup")
_log.setLevel(logging.INFO)
# The SDKs write several lines about every request, which would bury ours.
logging.getLogger("azure").setLevel(logging.WARNING)


@cache
def workers() -> Workers[AzureRooms]:
    """Those of this process. Raises Misconfigured."""
    settings = Settings.from_environment(os.environ)
    return Workers(
        lambda: AzureRooms(
            settings.catalog_endpoint,
            settings.catalog_table,
            settings.event_topic,
            identity=settings.identity,
            resource_manager=settings.resource_manager,
            servers_log_delay_seconds=settings.servers_log_delay_seconds,
        )
    )


class StepHandler:
    """The steps of one privilege class. The request names its `step`; the rest is the step's request."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self.steps = dict(steps)

    async def __call__(self, request: Any, executions: Executions | None = None) -> Result:
        """`executions` is given where a step may start one. Never raises, so that every error keeps its name."""
        keys: dict[str, Any] = {}
        try:
            asked = mapping(request, "The activity's input")
            name = text(asked, "step")
            keys = _log_keys(asked, name)
            step = self._step(name)
            log("step begins", **keys)

            async def carry_out(rooms: AzureRooms) -> Answer:
                return await step(asked, rooms.started_by(executions))

            answer = await workers().run(keys.get("run", ""), carry_out)
            _measure(answer.pop("metrics", {}), asked, answer)
            for subject, problem in _problems(answer).items():
                log(problem, logging.ERROR, **keys, subject=subject)
            log("step ended", **keys, answer=_short(answer))
        except BackupError as error:
            # Expected and explained: one line, with the traceback of what lies behind it, if anything.
            log(error.message, logging.ERROR, error.__cause__, **keys, error=error.code, hint=error.hint)
            after = error.retry_after_seconds if isinstance(error, Temporary) else 0.0
            return failure(error.code, str(error), error.hint, after)
        except Exception as error:  # noqa: BLE001 - the orchestrator decides what follows
            log("unexpected error", logging.ERROR, error, **keys, error=type(error).__name__)
            return failure(type(error).__name__, str(error))
        return {"ok": True, "answer": answer}

    def _step(self, name: str) -> Step:
        if name not in self.steps:
            raise InvalidRequest(f"This activity has no step {name!r}; it has {', '.join(self.steps)}.")
        return self.steps[name]


def failure(error: str, cause: str, hint: str = "", retry_after_seconds: float = 0.0) -> Result:
    return {"ok": False, "error": error, "cause": cause, "hint": hint, "retry_after_seconds": retry_after_seconds}


def log(message: str, level: int = logging.INFO, behind: BaseException | None = None, **fields: Any) -> None:
    """One line of JSON: Application Insights takes nothing but a text from a Python worker, and `parse_json` reads this one."""
    _log.log(level, "%s", json.dumps({"message": message} | fields, default=str), exc_info=behind)


def _measure(metrics: Mapping[str, float], request: Request, answer: Answer) -> None:
    """One line for each: the alerts and the workbook read `metric`, `value` and `plan`."""
    plan = str(request.get("plan") or answer.get("plan") or "unknown")
    for name, value in metrics.items():
        log("metric", metric=name, value=value, plan=plan)


def _log_keys(request: Request, name: str) -> dict[str, Any]:
    keys = {key: str(request[key]) for key in ("plan", "run", "attempt", "database") if request.get(key) is not None}
    return keys | {"step": name}


def _problems(answer: Answer) -> Mapping[str, str]:
    """What a step could not do and went on, by subject: nothing else would ever say so."""
    problems = answer.get("problems")
    return problems if isinstance(problems, Mapping) else {}


def _short(answer: Answer) -> Answer:
    """An answer in the log without its lists: they are in the catalog, and a thousand checks would drown the rest."""
    return {key: value for key, value in answer.items() if not isinstance(value, list | dict)}
