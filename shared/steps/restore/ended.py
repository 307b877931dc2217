"""An execution of the restore machine that ended where no Catch could see it: stopped from the console, or out of time."""

from __future__ import annotations

from shared.model.errors import UnknownRun
from shared.model.run import Cause, Run, RunKind, RunStatus
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Execution, Request, text
from shared.steps.restore.conclude import tell, way_out
from shared.steps.restore.payload import STARTED_BY
from shared.steps.restore.publish import tell_success
from shared.steps.restore.record import load_record
from shared.steps.restore.unfinished import give_back, prober, record_unbegun, settle_deserted


def is_restore(given: object) -> bool:
    """Whether an execution's input is one of the restore machine."""
    return isinstance(given, dict) and given.get("action") in STARTED_BY


async def restore_ended(given: Request, execution: Execution, status: str, rooms: Rooms) -> Answer:
    """The run of `given` is halted, or interrupted when it had touched nothing, and its lease given back. Left alone when it
    has concluded by itself, or belongs to another execution by now."""
    message = f"The execution ended as {status} without concluding its run."
    cause = Cause(code=f"Execution.{status}", message=message, hint="Its history in the console shows where it stood.")
    try:
        run = rooms.catalog.run(text(given, "run"))
    except UnknownRun:
        unbegun = record_unbegun(given, execution, RunStatus.INTERRUPTED, cause, rooms)
        return tell(unbegun, rooms) if unbegun else {"run": given["run"], "metrics": {}}
    if run.kind is not RunKind.RESTORE or run.execution != execution.id:
        give_back(run.plan, prober(run, execution.id), rooms)
        return {"run": run.id, "metrics": {}}
    if run.status is not RunStatus.RUNNING:
        return _told_already(run, status, rooms)
    run = settle_deserted(run, rooms, rooms.clock.now(), cause)
    return tell(run, rooms) | {"next": way_out(run, rooms)}


def _told_already(run: Run, status: str, rooms: Rooms) -> Answer:
    """A run that had ended when its execution was cut off may not have been told of. One that failed by itself was."""
    record = load_record(rooms.catalog, run.id)
    if run.status is RunStatus.SUCCEEDED and record is not None:
        return tell_success(run, record, rooms)
    if status != "FAILED":
        return tell(run, rooms)
    give_back(run.plan, run.id, rooms)
    return {"run": run.id, "metrics": {}}
