"""One consistent restore point: check, pause every Scalar pod, hold, resume on every path, judge, protect each database."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from functions_azure.calling import (
    Answer,
    Cancel,
    RunFailed,
    StepFailed,
    Steps,
    call_step,
    caught,
    execution_of,
    input_of,
    nothing_caught,
    show,
    wait_seconds,
)
from functions_azure.orchestrators.children import require_all, run_children
from functions_azure.retries import ARMING, BEGINNING, CONCLUDING, JUDGING, NEVER, PUBLISHING, RESUMING, Retry

blueprint = df.Blueprint()


class NotProven(Exception):
    """No attempt has led to a point; why is in the run's record, and in `error` what the engine caught last."""

    def __init__(self, error: Answer) -> None:
        super().__init__(error["Cause"])
        self.error = error


@blueprint.orchestration_trigger(context_name="context", orchestration="backup")
def backup(context: df.DurableOrchestrationContext) -> Steps[Any]:
    given, execution = input_of(context), execution_of(context)
    try:
        return (yield from _Backup(context, given, execution).take())
    except NotProven as ended:
        error = ended.error
    except Exception as failed:  # noqa: BLE001 - every failure ends below, told and recorded
        error = caught(failed)
    request = {"step": "conclude", "execution": execution, "input": given, "error": error}
    concluded = yield from call_step(context, "run", request, CONCLUDING)
    show(context, "failed", run=concluded["run"], plan=concluded["plan"], cause=concluded["cause"])
    raise RunFailed(concluded)


class _Backup:
    """One run, from its checks to its point. Made anew at every replay."""

    def __init__(self, context: df.DurableOrchestrationContext, given: Any, execution: Answer) -> None:
        self._context, self._given, self._execution = context, given, execution
        self._cancel = Cancel(context, leaves_calls=True)
        self._of_run: Answer = {}

    def take(self) -> Steps[Answer]:
        """Raises NotProven or StepFailed."""
        show(self._context, "check")
        request = {"step": "check", "input": self._given, "execution": self._execution}
        checked = yield from call_step(self._context, "check", request, BEGINNING, self._cancel)
        if not checked["ok"]:
            raise NotProven(nothing_caught())
        self._of_run = {"run": checked["run"], "plan": checked["plan"]}
        databases = yield from self._prove_a_window()
        show(self._context, "protect", databases=databases, **self._of_run)
        children = [self._of_run | {"database": database} for database in databases]
        ids = [f"{checked['run']}-{index}" for index in range(len(databases))]
        require_all((yield from run_children(self._context, "protect_database", children, ids)))
        return (yield from self._step("run", "publish", PUBLISHING))

    def _prove_a_window(self) -> Steps[list[str]]:
        """Attempt after attempt; answers with the databases to protect."""
        number = 1
        while True:
            begun = yield from self._step("run", "begin", BEGINNING, self._cancel, attempt=number)
            error = nothing_caught()
            if begun["pause_needed"]:
                error = yield from self._window(number, begun["wake_at"])
            if self._cancel.asked:
                raise StepFailed("Cancelled", "Somebody cancelled the run; whatever it had paused was resumed first.")
            judged = yield from self._step("run", "judge", JUDGING, attempt=number, error=error)
            if judged["verdict"] == "valid":
                return list(judged["databases"])
            if judged["verdict"] != "retry":
                raise NotProven(error)
            show(self._context, "wait", attempt=number, seconds=judged["wait_seconds"], **self._of_run)
            yield from wait_seconds(self._context, judged["wait_seconds"], self._cancel)
            number = judged["next_attempt"]

    def _window(self, number: int, wake_at: str) -> Steps[Answer]:
        """Arms the watchdog, pauses, holds, and resumes whatever came of it. Answers with what went wrong, if anything.

        No watchdog, no pause. A cancelled run does not wait for a pause that is under way: its resume closes the journal's
        entry, and the pause, when it finds that, resumes what it has paused meanwhile.
        """
        yield from self._step("arm", "arm", ARMING, self._cancel, attempt=number, wake_at=wake_at)
        error, captured = nothing_caught(), False
        try:
            paused = yield from self._step("window", "pause", NEVER, self._cancel, attempt=number)
            if paused["paused"]:
                taken = yield from self._step("window", "capture", NEVER, self._cancel, attempt=number)
                captured = taken["captured"]
        except Exception as failed:  # noqa: BLE001 - whatever it was: pods may be paused
            error = caught(failed)
        yield from self._step("window", "resume", RESUMING, attempt=number, captured=captured)
        return error

    def _step(self, activity: str, step: str, retry: Retry, cancel: Cancel | None = None, **request: Any) -> Steps[Answer]:
        attempt = {"attempt": request["attempt"]} if "attempt" in request else {}
        show(self._context, step, **self._of_run, **attempt)
        return (yield from call_step(self._context, activity, {"step": step} | self._of_run | request, retry, cancel))
