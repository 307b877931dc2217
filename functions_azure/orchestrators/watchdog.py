"""Resumes the pods of one attempt if its run has not, when the run's time is over. Its own orchestration: nothing that ends the
run can end it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import azure.durable_functions as df

from functions_azure.calling import StepFailed, Steps, call_step, show, wait_seconds
from functions_azure.retries import WATCHING
from shared.model.times import parse_instant

blueprint = df.Blueprint()
TRIES_PER_HISTORY = 50


@blueprint.orchestration_trigger(context_name="context", orchestration="watchdog")
def watchdog(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: `run`, `plan`, `attempt` and `wake_at`; `tried` when it goes on with a new history."""
    given = context.get_input()
    wake_at = parse_instant(given["wake_at"], "wake_at")
    if wake_at > context.current_utc_datetime:
        show(context, "wait", until=given["wake_at"])
        yield context.create_timer(wake_at)
    show(context, "watchdog")
    request = {"step": "watchdog"} | {key: given[key] for key in ("run", "plan", "attempt")}
    tried = Counter({0: given.get("tried", 0)})
    for _ in range(TRIES_PER_HISTORY):
        try:
            return (yield from call_step(context, "watchdog", request))
        except StepFailed as failed:
            wait = WATCHING.wait_seconds(failed.error, 0.0, tried)
            if wait is None:
                raise
            show(context, "watchdog", tried=tried[0], error=failed.error, cause=failed.cause)
        yield from wait_seconds(context, wait)
    context.continue_as_new(given | {"tried": tried[0]})
    return None
