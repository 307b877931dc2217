"""How the orchestrators call steps: one activity at a time, tried again by durable timers, with errors by their names.

An activity always answers; an error of its step is part of the answer (see `functions_azure.runtime`), so nothing here reads
the text of an exception. Everything is a generator: `answer = yield from call_step(...)`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from azure.durable_functions import DurableOrchestrationContext

from functions_azure.retries import NEVER, Retry
from shared.model.times import iso

Answer = dict[str, Any]
T = TypeVar("T")
Steps = Generator[Any, Any, T]

ACTIVITY_FAILED = "ActivityFailed"
CANCELLED = "Cancelled"
CANCEL = "cancel"
"""The external event by which a person ends a backup; its data is not looked at."""


class StepFailed(Exception):
    """What a step reports: an error's name, and the text that says what happened and what to do."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error, self.cause = error, cause


def caught(error: Exception) -> Answer:
    """An error as the steps take it, in the form in which every engine hands it over."""
    if isinstance(error, StepFailed):
        return {"Error": error.error, "Cause": error.cause}
    return {"Error": type(error).__name__, "Cause": str(error)}


def nothing_caught() -> Answer:
    return {"Error": "", "Cause": ""}


class Cancel:
    """The wait for the event `cancel`, beside whatever else is waited for."""

    def __init__(self, context: DurableOrchestrationContext) -> None:
        self._context = context
        self._event = context.wait_for_external_event(CANCEL)

    @property
    def asked(self) -> bool:
        return bool(self._event.is_completed)

    def or_result(self, task: Any) -> Steps[Any]:
        """The task's result, or what it raises.

        Raises:
            StepFailed: cancelled. An activity under way goes on; a timer is taken back, or the instance would wait for it.
        """
        if not self.asked:
            yield self._context.task_any([task, self._event])
        if self.asked:
            if hasattr(task, "cancel") and not task.is_completed:
                task.cancel()
            raise StepFailed(CANCELLED, "Somebody cancelled the run. Its pods were resumed before anything else.")
        if isinstance(task.result, Exception):
            raise task.result
        return task.result


def call_step(
    context: DurableOrchestrationContext,
    activity: str,
    request: Mapping[str, Any],
    retry: Retry = NEVER,
    cancel: Cancel | None = None,
) -> Steps[Answer]:
    """Calls the step that `request` names in `activity`, again as `retry` says.

    Raises:
        StepFailed: the last failure; or at once when `cancel` was asked for.
    """
    tried: Counter[int] = Counter()
    while True:
        result = yield from _try(context, activity, request, cancel)
        if result["ok"]:
            answer: Answer = result["answer"]
            return answer
        wait = retry.wait_seconds(result["error"], result.get("retry_after_seconds", 0.0), tried)
        if wait is None:
            raise StepFailed(result["error"], result["cause"])
        yield from wait_seconds(context, wait, cancel)


def _try(
    context: DurableOrchestrationContext, activity: str, request: Mapping[str, Any], cancel: Cancel | None
) -> Steps[Answer]:
    if cancel and cancel.asked:
        raise StepFailed(CANCELLED, "Somebody cancelled the run.")
    task = context.call_activity(activity, dict(request))
    try:
        result: Answer = (yield from cancel.or_result(task)) if cancel else (yield task)
    except StepFailed:
        raise
    except Exception as error:  # noqa: BLE001 - of the host, which has no other type: out of time, out of memory, killed too often
        cause = f"The activity {activity} ended without an answer: {str(error).splitlines()[0]}"
        return {"ok": False, "error": ACTIVITY_FAILED, "cause": cause}
    return result


def wait_seconds(context: DurableOrchestrationContext, seconds: float, cancel: Cancel | None = None) -> Steps[None]:
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
    if cancel:
        yield from cancel.or_result(timer)
    else:
        yield timer


def input_of(context: DurableOrchestrationContext) -> Any:
    """Whatever started the orchestration. A text that is no JSON, as only a person can send it, is handed on as it is: the
    steps read it and say what is wrong with it."""
    try:
        return context.get_input()
    except (TypeError, ValueError):
        return context._input


def execution_of(context: DurableOrchestrationContext) -> Answer:
    """The engine's execution as the steps take it. Ask at the beginning: the time goes on with every event."""
    return {"id": context.instance_id, "started_at": iso(context.current_utc_datetime)}


def show(context: DurableOrchestrationContext, step: str, **more: Any) -> None:
    """What the portal and the command line show of an orchestration that runs."""
    context.set_custom_status({"step": step, "since": iso(context.current_utc_datetime)} | more)


class RunFailed(Exception):
    """Ends an orchestration as Failed, with the cause that its record has."""

    def __init__(self, concluded: Mapping[str, Any]) -> None:
        cause = concluded["cause"]
        super().__init__(f"{cause['code']}: {cause['message']}")
