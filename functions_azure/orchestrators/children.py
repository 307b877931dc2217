"""Many databases at once: one orchestration for each, so that hours of waiting never fill the history of the run.

A child answers with its failure instead of failing: `task_all` would not wait for the others once one has failed, and whatever
follows would happen while they are still at work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from azure.durable_functions import DurableOrchestrationContext

from functions_azure.calling import Answer, StepFailed, Steps, call_step, show, wait_seconds
from functions_azure.retries import Retry
from shared.model.times import iso, parse_instant

ADVANCES_PER_HISTORY = 10
"""Then the history starts anew: every event makes the worker replay all that came before it."""


def run_children(
    context: DurableOrchestrationContext, orchestrator: str, given: Sequence[Answer], ids: Sequence[str]
) -> Steps[list[Answer]]:
    """The answers of all, when the last has ended; see `advance_until_done`."""
    if not given:
        return []
    children = [
        context.call_sub_orchestrator(orchestrator, item, instance_id) for item, instance_id in zip(given, ids, strict=True)
    ]
    return list((yield context.task_all(children)))


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
    context: DurableOrchestrationContext, activity: str, step: str, retry: Retry, longest: timedelta
) -> Steps[Answer | None]:
    """Calls a step of `activity` until it says `done`, as far apart as it says. Answers as an activity does: with `answer`, or
    with `error` and `cause`. None means that the orchestration goes on with a new history.

    `longest` is how long all of it may take.
    """
    given: Answer = context.get_input()
    until = given.get("until") or iso(context.current_utc_datetime + longest)
    request = {key: value for key, value in given.items() if key != "until"} | {"step": step}
    try:
        for _ in range(ADVANCES_PER_HISTORY):
            answer = yield from call_step(context, activity, request, retry)
            if answer["done"]:
                return {"ok": True, "answer": answer}
            show(context, step, message=answer.get("message", ""), database=given.get("database", ""))
            if context.current_utc_datetime >= parse_instant(until):
                cause = f"{step} was not done after {longest}. Its last word: {answer.get('message', '')}"
                return {"ok": False, "error": "TimedOut", "cause": cause}
            yield from wait_seconds(context, answer["wait_seconds"])
    except StepFailed as failed:
        return {"ok": False, "error": failed.error, "cause": failed.cause}
    context.continue_as_new(given | {"until": until})
    return None
