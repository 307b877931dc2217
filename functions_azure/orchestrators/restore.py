"""Back to a restore point: stop, restore aside, cut over, start, verify. A failure is led back to the old data, or halted."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from functions_azure.calling import (
    Answer,
    RunFailed,
    Steps,
    call_step,
    caught,
    execution_of,
    input_of,
    nothing_caught,
    show,
)
from functions_azure.orchestrators.children import require_all, run_children
from functions_azure.retries import CONCLUDING, PUBLISHING_RESTORE, RESTORING, Retry
from shared.steps.restore.begin import LEAD_BACK

blueprint = df.Blueprint()


@blueprint.orchestration_trigger(context_name="context", orchestration="restore")
def restore(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: as `shared.steps.restore.request` made it."""
    given, execution = input_of(context), execution_of(context)
    steps, leading_back, error = None, False, nothing_caught()
    try:
        show(context, "restore_begin")
        request = {"step": "restore_begin", "input": given, "execution": execution}
        begun = yield from call_step(context, "run", request, RESTORING)
        steps = _Restore(context, begun)
        leading_back = begun["mode"] == LEAD_BACK
        if not leading_back:
            return (yield from steps.go_forward())
    except Exception as failed:  # noqa: BLE001 - every failure ends below, told and recorded
        error = caught(failed)
    while True:
        if leading_back and steps:
            error = yield from steps.start_on_old_data()
        request = {"step": "restore_conclude", "execution": execution, "input": given}
        request |= {"leading_back": leading_back, "error": error}
        concluded = yield from call_step(context, "run", request, CONCLUDING)
        leading_back = concluded.get("lead_back") is True and steps is not None
        if leading_back:
            continue
        if concluded.get("abandoned") is True:
            # Somebody wanted this way back: it is no failure of this orchestration.
            return concluded
        show(context, "failed", run=concluded.get("run"), cause=concluded["cause"])
        raise RunFailed(concluded)


class _Restore:
    """The steps of one restore that has begun. Made anew at every replay."""

    def __init__(self, context: df.DurableOrchestrationContext, begun: Answer) -> None:
        self._context = context
        self._of_run: Answer = {key: begun[key] for key in ("run", "plan", "token")}
        self._databases: list[str] = begun["databases"]
        self._in_place: bool = begun["in_place"]
        self._starts = 0

    def go_forward(self) -> Steps[Answer]:
        """Raises StepFailed, when all that runs side by side has ended."""
        yield from self._step("restore", "restore_check", RESTORING)
        if self._in_place:
            yield from self._move_pods("restore_stop", "stop", before="restore")
        require_all((yield from self._in_each_database("restore_prepare", "p")))
        if self._in_place:
            yield from self._move_pods("restore_stop", "look", before="cut-over")
            # What became of each is in the run's record: the next step reads it, and names all that failed.
            yield from self._in_each_database("restore_cut_over", "c")
            yield from self._step("applications", "restore_lead", RESTORING)
            yield from self._move_pods("restore_start", "start")
        yield from self._step("databases", "restore_verify", RESTORING)
        return (yield from self._step("run", "restore_publish", PUBLISHING_RESTORE))

    def start_on_old_data(self) -> Steps[Answer]:
        """Answers with what went wrong, if anything."""
        self._starts += 1
        try:
            yield from self._move_pods("restore_start", f"back{self._starts}")
        except Exception as failed:  # noqa: BLE001 - the step that concludes decides what follows
            return caught(failed)
        return nothing_caught()

    def _step(self, activity: str, step: str, retry: Retry) -> Steps[Answer]:
        show(self._context, step, **self._of_run)
        return (yield from call_step(self._context, activity, {"step": step} | self._of_run, retry))

    def _move_pods(self, step: str, mark: str, **request: Any) -> Steps[None]:
        show(self._context, step, **self._of_run)
        given, name = {"step": step} | self._of_run | request, f"{self._of_run['run']}-{mark}{self._of_run['token']}"
        require_all((yield from run_children(self._context, "restore_pods", [given], [name])))

    def _in_each_database(self, step: str, mark: str) -> Steps[list[Answer]]:
        show(self._context, step, databases=self._databases, **self._of_run)
        given = [{"step": step} | self._of_run | {"database": database} for database in self._databases]
        names = [f"{self._of_run['run']}-{mark}{self._of_run['token']}-{index}" for index in range(len(given))]
        return (yield from run_children(self._context, "restore_database", given, names))
