"""Many databases at once: one orchestration for each, so that hours of waiting never fill the history of the run.

A child answers with its failure instead of failing: `task_all` would not wait for the others once one has failed, and whatever
follows would happen while they are still at work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from azure.durable_functions import DurableOrchestrationContext

from functions_azure.calling import Answer, Cancel, StepFailed, Steps, call_step, show, wait_seconds
from functions_azure.retries import NEVER, Retry
from shared.model.times import iso, parse_instant

ADVANCES_PER_HISTORY = 10
"""Then the history starts anew: every event makes the worker replay all that came before it."""
TELL_AGAIN_SECONDS = 60.0
"""A child loses an event that comes in the moment in which its history starts anew."""


def run_children(
    context: DurableOrchestrationContext,
    orchestrator: str,
    given: Sequence[Answer],
    ids: Sequence[str],
    cancel: Cancel | None = None,
    too_late: Callable[[], None] | None = None,
) -> Steps[list[Answer]]:
    """The answers of all, when the last has ended; see `advance_until_done`.

    When `cancel` is asked for, children that listen to it are told to end; with `too_late`, only that is called.

    Raises:
        StepFailed: cancelled; no child was started, or the last has ended.
    """
    if not given:
        return []
    if cancel and not too_late:
        cancel.require_none()
    children = [
        context.call_sub_orchestrator(orchestrator, item, instance_id) for item, instance_id in zip(given, ids, strict=True)
    ]
    every = context.task_all(children)
    if cancel and not cancel.asked:
        yield context.task_any([every, cancel.event])
    if cancel and cancel.asked:
        if too_late:
            too_late()
        else:
            yield from _end_children(context, every, ids)
            cancel.require_none()
    return list(every.result if every.is_completed else (yield every))


def _end_children(context: DurableOrchestrationContext, every: Any, ids: Sequence[str]) -> Steps[None]:
    """Tells the children until all have ended, each after the call that it has under way. A failure to tell them is mended by
    the next time; and a child that is never told ends when its step next refuses to lead forward."""
    while not every.is_completed:
        with suppress(StepFailed):
            yield from call_step(context, "cancel_children", {"step": "cancel_children", "instances": list(ids)}, NEVER)
        if every.is_completed:
            return
        again = context.create_timer(context.current_utc_datetime + timedelta(seconds=TELL_AGAIN_SECONDS))
        yield context.task_any([every, again])
        if not again.is_completed:
            again.cancel()


def require_all(results: Sequence[Mapping[str, Any]]) -> list[Answer]:
    """The children's answers.

    Raises:
        StepFailed: the first failure, when all have ended.
    """
    for result in results:
        if not result["ok"]:
            raise StepFailed(result["error"], result["cause"])
    return [result["answer"] for result in results]


def advance_until_done(
    context: DurableOrchestrationContext,
    activity: str,
    step: str,
    retry: Retry,
    longest: timedelta,
    cancel: Cancel | None = None,
) -> Steps[Answer | None]:
    """Calls a step of `activity` until it says `done`, as far apart as it says. Answers as an activity does: with `answer`, or
    with `error` and `cause`. None means that the orchestration goes on with a new history.

    An answer with `look` asks for a look at the pods before the next call. `longest` is how long all of it may take; `cancel`
    ends it between two calls.
    """
    given: Answer = context.get_input()
    until = given.get("until") or iso(context.current_utc_datetime + longest)
    request = {key: value for key, value in given.items() if key != "until"} | {"step": step}
    try:
        for _ in range(ADVANCES_PER_HISTORY):
            answer = yield from call_step(context, activity, request, retry, cancel)
            if answer["done"]:
                return {"ok": True, "answer": answer}
            show(context, step, message=answer.get("message", ""), database=given.get("database", ""))
            if context.current_utc_datetime >= parse_instant(until):
                cause = f"{step} was not done after {longest}. Its last word: {answer.get('message', '')}"
                return {"ok": False, "error": "TimedOut", "cause": cause}
            yield from wait_seconds(context, answer["wait_seconds"], cancel)
            if answer.get("look"):
                yield from call_step(context, "applications", request | {"step": "restore_look"}, retry, cancel)
    except StepFailed as failed:
        return {"ok": False, "error": failed.error, "cause": failed.cause}
    context.continue_as_new(given | {"until": until})
    return None
