"""One step as an orchestration: for answers that may take longer than an HTTP function may, and for what people and timers
ask for. Each ends as Completed; its output is the activity's result, with `ok`."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from functions_azure.calling import StepFailed, Steps, call_step, input_of
from functions_azure.retries import BEGINNING, CONCLUDING, NEVER, Retry

blueprint = df.Blueprint()


@blueprint.orchestration_trigger(context_name="context", orchestration="restore_request")
def restore_request(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: the payload of a person, as on every cloud."""
    return (yield from _ask(context, "restore", "restore", BEGINNING))


@blueprint.orchestration_trigger(context_name="context", orchestration="check_plan")
def check_plan(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: `plan`."""
    return (yield from _ask(context, "check", "check", BEGINNING))


@blueprint.orchestration_trigger(context_name="context", orchestration="unpause")
def unpause(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: `run` or `plan`."""
    return (yield from _ask(context, "watchdog", "unpause", NEVER))


@blueprint.orchestration_trigger(context_name="context", orchestration="describe")
def describe(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: none. For the command line, which knows nothing of the app but its address."""
    return (yield from _ask(context, "describe", "describe", BEGINNING))


@blueprint.orchestration_trigger(context_name="context", orchestration="record_end")
def record_end(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: `detail`, as the step `ended` takes it."""
    return (yield from _ask(context, "run", "ended", CONCLUDING))


@blueprint.orchestration_trigger(context_name="context", orchestration="sweep")
def sweep(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: none."""
    return (yield from _ask(context, "run", "sweep", BEGINNING))


@blueprint.orchestration_trigger(context_name="context", orchestration="clean_up")
def clean_up(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: none."""
    return (yield from _ask(context, "databases", "restore_clean_up", BEGINNING))


def _ask(context: df.DurableOrchestrationContext, activity: str, step: str, retry: Retry) -> Steps[Any]:
    given = input_of(context)
    if not isinstance(given, dict):
        given = {}
    try:
        answer = yield from call_step(context, activity, given | {"step": step}, retry)
    except StepFailed as failed:
        return {"ok": False, "error": failed.error, "cause": failed.cause}
    return {"ok": True, "answer": answer}
