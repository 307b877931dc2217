"""Back to a restore point: stop, restore aside, cut over, start, verify. A failure is led back to the old data, or halted.

The event `cancel` is such a failure until the first database is cut over. From then on it changes nothing, and is answered.
"""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from functions_azure.calling import (
    Answer,
    Cancel,
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

TOO_LATE = (
    "It is too late to cancel: live data is being replaced. Only two things are possible: to go on (`continue`, should it "
    "halt), and to take it back when it has ended (`undo`)."
)


@blueprint.orchestration_trigger(context_name="context", orchestration="restore")
def restore(context: df.DurableOrchestrationContext) -> Steps[Any]:
    """Input: as `shared.steps.restore.request` made it."""
    given, execution, cancel = input_of(context), execution_of(context), Cancel(context)
    steps, leading_back, error = None, False, nothing_caught()
    try:
        show(context, "restore_begin")
        request = {"step": "restore_begin", "input": given, "execution": execution}
        begun = yield from call_step(context, "run", request, RESTORING, cancel)
        steps = _Restore(context, begun, cancel)
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
        leading_back = concluded.get("lead_back") is True
        if leading_back:
            steps = steps or _Restore(context, concluded, cancel)
            continue
        if concluded.get("abandoned") is True:
            # Somebody wanted this way back: it is no failure of this orchestration.
            return concluded
        show(context, "failed", run=concluded.get("run"), cause=concluded["cause"])
        raise RunFailed(concluded)


class _Restore:
    """The steps of one restore that has begun. Made anew at every replay.

    `begun` is the answer of the step that begins; or, for the way back only, of the one that concludes: that one knows the run
    also when the first failed after it had taken hold of it.
    """

    def __init__(self, context: df.DurableOrchestrationContext, begun: Answer, cancel: Cancel) -> None:
        self._context, self._cancel = context, cancel
        self._of_run: Answer = {key: begun[key] for key in ("run", "plan", "token")}
        self._databases: list[str] = begun.get("databases", [])
        self._in_place: bool = begun.get("in_place", False)
        self._starts, self._replaces_live = 0, False

    def go_forward(self) -> Steps[Answer]:
        """Raises StepFailed, when all that runs side by side has ended."""
        yield from self._step("restore", "restore_check", RESTORING)
        if self._in_place:
            yield from self._move_pods("restore_stop", "stop", before="restore")
        require_all((yield from self._in_each_database("restore_prepare", "p")))
        if self._in_place:
            yield from self._move_pods("restore_stop", "look", before="cut-over")
            self._replaces_live = True
            # What became of each is in the run's record: the next step reads it, and names all that failed.
            yield from self._in_each_database("restore_cut_over", "c")
            yield from self._step("applications", "restore_lead", RESTORING)
            yield from self._move_pods("restore_start", "start")
        yield from self._step("databases", "restore_verify", RESTORING)
        return (yield from self._step("run", "restore_publish", PUBLISHING_RESTORE))

    def start_on_old_data(self) -> Steps[Answer]:
        """Answers with what went wrong, if anything."""
        self._starts += 1
        given, name = {"step": "restore_start"} | self._of_run, self._id(f"back{self._starts}")
        show(self._context, "restore_start", **self._of_run)
        try:
            require_all((yield from run_children(self._context, "restore_pods", [given], [name])))
        except Exception as failed:  # noqa: BLE001 - the step that concludes decides what follows
            return caught(failed)
        return nothing_caught()

    def _step(self, activity: str, step: str, retry: Retry) -> Steps[Answer]:
        self._show(step)
        cancel = None if self._replaces_live else self._cancel
        return (yield from call_step(self._context, activity, {"step": step} | self._of_run, retry, cancel))

    def _move_pods(self, step: str, mark: str, **request: Any) -> Steps[None]:
        given = {"step": step} | self._of_run | request
        require_all((yield from self._children("restore_pods", step, [given], [self._id(mark)])))

    def _in_each_database(self, step: str, mark: str) -> Steps[list[Answer]]:
        given = [{"step": step} | self._of_run | {"database": database} for database in self._databases]
        names = [f"{self._id(mark)}-{index}" for index in range(len(given))]
        return (yield from self._children("restore_database", step, given, names, databases=self._databases))

    def _children(
        self, orchestrator: str, step: str, given: list[Answer], names: list[str], **shown: Any
    ) -> Steps[list[Answer]]:
        def say_too_late() -> None:
            self._show(step, **shown)

        self._show(step, **shown)
        too_late = say_too_late if self._replaces_live else None
        return (yield from run_children(self._context, orchestrator, given, names, self._cancel, too_late))

    def _show(self, step: str, **more: Any) -> None:
        refused = {"cancel": TOO_LATE} if self._replaces_live and self._cancel.asked else {}
        show(self._context, step, **self._of_run, **more, **refused)

    def _id(self, mark: str) -> str:
        return f"{self._of_run['run']}-{mark}{self._of_run['token']}"
