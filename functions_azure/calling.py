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
"""The external event by which a person ends a run; its data is not looked at."""


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
    """The wait for the event `cancel`, beside whatever else is waited for.

    `leaves_calls` is for a run whose pods have to be resumed at once: it does not wait for a step that is under way. Any other
    does, so that what the step does does not happen beside what follows; only waits are cut short then.
    """

    def __init__(self, context: DurableOrchestrationContext, *, leaves_calls: bool = False) -> None:
        self._context, self.leaves_calls = context, leaves_calls
        self.event = context.wait_for_external_event(CANCEL)

    @property
    def asked(self) -> bool:
        return bool(self.event.is_completed)

    def require_none(self) -> None:
        """Raises StepFailed when it was asked for."""
        if self.asked:
            raise StepFailed(CANCELLED, "Somebody cancelled the run.")

    def or_result(self, task: Any) -> Steps[Any]:
        """The task's result, or what it raises.

        Raises:
            StepFailed: cancelled. An activity under way goes on; a timer is taken back, or the instance would wait for it.
        """
        if not self.asked:
            yield self._context.task_any([task, self.event])
        if self.asked:
            if hasattr(task, "cancel") and not task.is_completed:
                task.cancel()
            self.require_none()
        return _result(task)

    def result(self, task: Any) -> Steps[Any]:
        """As `or_result`, for a step under way: it is left to itself, or waited for.

        Either way the event is waited for from the first step on. One that came before that would be kept by the SDK, which
        never goes on when it hands such an event to a `task_any` later.
        """
        if self.leaves_calls:
            return (yield from self.or_result(task))
        if not self.asked:
            yield self._context.task_any([task, self.event])
        if not task.is_completed:
            yield task
        return _result(task)


def _result(task: Any) -> Any:
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
        StepFailed: the last failure; or that `cancel` was asked for, instead of another try.
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
    if cancel:
        cancel.require_none()
    task = context.call_activity(activity, dict(request))
    try:
        result: Answer = (yield from cancel.result(task)) if cancel else (yield task)
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
