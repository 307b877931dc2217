"""The end of a restore that succeeded: how long the old copies are kept, what it has undone, and the world is told."""

from __future__ import annotations

from datetime import timedelta

from shared.model.errors import InvalidRequest
from shared.model.records import replace
from shared.model.restore import RestorePhase, RestoreRecord
from shared.model.run import Cause, Run, RunStatus
from shared.model.times import iso
from shared.steps import evidence
from shared.steps.ports import Catalog, Rooms
from shared.steps.request import Answer, Request, text
from shared.steps.restore.fence import hold
from shared.steps.restore.record import RECORD, load_record
from shared.steps.restore.unfinished import give_back, payload

SUCCEEDED = "Restore Succeeded"


async def restore_publish(request: Request, rooms: Rooms) -> Answer:
    """Ends the run and gives the lease back. A repeated call tells the world again, no more.

    Answer: `run`, `plan`, `restore_point`, `at`, `kept_until`, `undo`, the payload that takes it back until then, and
    `values_changes`, what has to be committed to the releases' Helm values.

    Raises:
        InvalidRequest: it is not verified yet.
    """
    catalog, now = rooms.catalog, rooms.clock.now()
    run, record = catalog.run(text(request, "run")), load_record(catalog, text(request, "run"))
    if run.status is not RunStatus.SUCCEEDED or record is None:
        restoring = hold(request, rooms)
        record = restoring.record
        if record.phase not in (RestorePhase.VERIFYING, RestorePhase.FINISHED):
            raise InvalidRequest(f"Run {run.id} is {record.phase.value} and not verified yet.")
        kept_until = record.kept_until or now + timedelta(seconds=record.plan.request.keep_old_seconds)
        restoring.enter(RestorePhase.FINISHED, "restore_publish", kept_until=kept_until)
        record = restoring.record
        if record.plan.undo_of:
            _mark_undone(record.plan.undo_of, run, catalog)
        run = catalog.save_run(replace(restoring.run, status=RunStatus.SUCCEEDED, ended_at=now, cause=None))
    return tell_success(run, record, rooms)


def tell_success(run: Run, record: RestoreRecord, rooms: Rooms) -> Answer:
    """The world hears of a restore that has succeeded, and its lease is given back."""
    told = _told(run, record)
    rooms.signals.publish(SUCCEEDED, told)
    give_back(run.plan, run.id, rooms)
    seconds = ((run.ended_at or run.started_at) - run.started_at).total_seconds()
    return told | {"metrics": {"RestoresSucceeded": 1, "RestoreSeconds": seconds}}


def _mark_undone(undone: str, by: Run, catalog: Catalog) -> None:
    """A restore that was halted has now found its end, too."""
    record, run = load_record(catalog, undone), catalog.run(undone)
    if record is not None and record.undone_by != by.id:
        evidence.save(catalog, undone, RECORD, replace(record, undone_by=by.id))
    if run.status is RunStatus.HALTED:
        cause = Cause(code="Undone", message=f"It was halted, and taken back by run {by.id}.")
        catalog.save_run(replace(run, status=RunStatus.FAILED, cause=cause))


def _told(run: Run, record: RestoreRecord) -> Answer:
    in_place = record.plan.request.target.value == "in-place"
    return {
        "plan": run.plan,
        "run": run.id,
        "restore_point": record.plan.point,
        "at": iso(record.plan.at) if record.plan.at else None,
        "undo_of": record.plan.undo_of,
        "kept_until": iso(record.kept_until) if record.kept_until else None,
        "undo": payload("undo", run.id) if in_place else "",
        "values_changes": dict(record.values_changes),
        "execution": run.execution,
    }
