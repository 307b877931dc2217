"""Begins a restore, or goes on with a halted one: the plan's lease, the run, its record."""

from __future__ import annotations

from typing import Any

from shared.model.errors import BackupError, Conflict, FencedOff, InvalidRequest
from shared.model.records import replace
from shared.model.restore import RestorePhase, RestoreRecord, Target
from shared.model.run import Cause, Run, RunKind, RunStatus
from shared.model.stop_start import StopProgress
from shared.steps import evidence
from shared.steps.ports import Catalog, Rooms
from shared.steps.request import Answer, Execution, Request, execution, mapping, text
from shared.steps.restore.fence import LEASE_SLACK
from shared.steps.restore.plan import restore_run_id, stamp_of
from shared.steps.restore.points import require_undoable
from shared.steps.restore.record import (
    RECORD,
    RESTORES,
    SCOPE,
    RestoreScope,
    load_plan,
    load_record,
    load_scope,
    restores_of,
)
from shared.steps.restore.unfinished import ABANDONED, refuse_beside_unfinished, require_continuable, require_no_holder

LEAD_BACK = "lead-back"


async def restore_begin(request: Request, rooms: Rooms) -> Answer:
    """Request: `execution`, and `input` as `restore_request` made it: `action`, `run`, and `plan` with `plan_id` for a new one.

    Answer: `run`, `plan`, `token`, `in_place`, `mode` (`restore`, or `lead-back` when only the releases are started again on
    the old data) and `databases`, the keys.

    Raises:
        LeaseHeld: another run of the plan is at work; the message names it.
        NotReady: another restore of the plan is halted.
        FencedOff, Conflict: the run is over, or belongs to another execution.
    """
    given = mapping(request.get("input"), "The input")
    within = execution(request)
    if within is None:
        raise InvalidRequest("A restore begins inside an execution; the request has none.")
    action = text(given, "action")
    if action in ("restore", "undo"):
        run, scope = _begin(given, within, rooms)
    elif action in ("continue", "abandon"):
        run, scope = _go_on(given, action, within, rooms)
    else:
        raise InvalidRequest(f"No restore begins with the action {action!r}.")
    record = load_record(rooms.catalog, run.id)
    is_back = record is not None and record.phase is RestorePhase.LEADING_BACK
    return {
        "run": run.id,
        "plan": run.plan,
        "token": run.token,
        "in_place": scope.restore.request.target is Target.IN_PLACE,
        "mode": LEAD_BACK if is_back else "restore",
        "databases": [database.key for database in scope.plan.databases],
    }


def _begin(given: Request, within: Execution, rooms: Rooms) -> tuple[Run, RestoreScope]:
    catalog = rooms.catalog
    scope = load_plan(catalog, text(given, "plan"), text(given, "plan_id"))
    if scope is None or restore_run_id(scope.restore) != text(given, "run"):
        raise InvalidRequest(
            f"There is no restore plan {given['plan_id']!r} for run {given['run']!r}.",
            hint="Restores are started by the restore function, with the payload in its answer.",
        )
    run = catalog.create_run(_new_run(scope, given, within))
    if run.execution != within.id:
        raise Conflict(f"Run {run.id} belongs to execution {run.execution}.", hint="Ask for a new plan.")
    if run.status is not RunStatus.RUNNING:
        raise FencedOff(f"Run {run.id} is {run.status.value} already.", hint="Ask for a new plan.")
    run = _with_lease(run, rooms)
    try:
        refuse_beside_unfinished(run, rooms, scope.restore.undo_of)
        if scope.restore.undo_of:
            require_undoable(scope.restore.undo_of, catalog, rooms.clock.now())
    except BackupError:
        catalog.release_lease(run.plan, run.id, run.token)
        raise
    _put_documents(run, scope, catalog)
    return run, scope


def _new_run(scope: RestoreScope, given: Request, within: Execution) -> Run:
    return Run(
        id=restore_run_id(scope.restore),
        kind=RunKind.RESTORE,
        plan=scope.restore.request.plan,
        plan_revision=scope.plan_revision,
        reason=text(given, "action"),
        execution=within.id,
        started_at=within.started_at,
        step="restore_begin",
        point=scope.restore.point or None,
    )


def _with_lease(run: Run, rooms: Rooms, **changes: Any) -> Run:
    now = rooms.clock.now()
    lease = rooms.catalog.acquire_lease(run.plan, run.id, now + LEASE_SLACK, now)
    return rooms.catalog.save_run(replace(run, token=lease.token, step="restore_begin", **changes))


def _put_documents(run: Run, scope: RestoreScope, catalog: Catalog) -> None:
    """The record comes last: with it, everything is there. The list of restores comes first: nobody may miss one."""
    listed = restores_of(catalog, run.plan)
    if run.id not in listed:
        last = max((place for place, item in enumerate(listed) if _is_kept(item, catalog)), default=-1)
        evidence.save(catalog, run.plan, RESTORES, (run.id, *listed[: last + 1]))
    evidence.save(catalog, run.id, SCOPE, scope)
    evidence.save(catalog, run.id, evidence.PLAN, scope.plan)
    evidence.save(catalog, run.id, evidence.STORAGE, scope.storages)
    if load_record(catalog, run.id) is None:
        record = RestoreRecord(
            run=run.id,
            plan=scope.restore,
            stamp=stamp_of(scope.restore),
            phase=RestorePhase.BEGUN,
            stopped=_left_stopped(scope.restore.undo_of, catalog),
        )
        evidence.save(catalog, run.id, RECORD, record)


def _is_kept(run: str, catalog: Catalog) -> bool:
    record = load_record(catalog, run)
    return record is not None and not record.discarded


def _left_stopped(undo_of: str, catalog: Catalog) -> dict[str, StopProgress]:
    """What a restore that came to no end has stopped is at 0 now, and still has to be started with the number from before."""
    record = load_record(catalog, undo_of) if undo_of else None
    if record is None or record.phase is RestorePhase.FINISHED:
        return {}
    return {key: replace(item, asked=False, done=False) for key, item in record.stopped.items()}


def _go_on(given: Request, action: str, within: Execution, rooms: Rooms) -> tuple[Run, RestoreScope]:
    """A new execution for the same run. It gets a token of its own, so nothing that is left of the old one writes any more."""
    catalog, run = rooms.catalog, rooms.catalog.run(text(given, "run"))
    scope, record = load_scope(catalog, run.id), load_record(catalog, run.id)
    if scope is None or record is None:
        raise InvalidRequest(f"Run {run.id} is no restore that has begun.", hint="Ask for a new restore.")
    if run.execution != within.id or run.status is not RunStatus.RUNNING:
        require_continuable(run, action, catalog)
        token = require_no_holder(run, within.id, rooms)
        run = catalog.save_run(replace(run, token=token, execution=within.id, status=RunStatus.RUNNING, ended_at=None))
    run = _with_lease(run, rooms)
    try:
        refuse_beside_unfinished(run, rooms, record.plan.undo_of)
    except BackupError:
        catalog.save_run(replace(run, status=RunStatus.HALTED, ended_at=rooms.clock.now()))
        catalog.release_lease(run.plan, run.id, run.token)
        raise
    # Whoever scaled a release while the restore was halted is not held against the start that comes now.
    changes: dict[str, Any] = {"started": {}}
    if action == "abandon":
        changes["phase"] = RestorePhase.LEADING_BACK
        run = catalog.save_run(replace(run, cause=_given_up(run)))
    evidence.save(catalog, run.id, RECORD, replace(record, **changes))
    return run, scope


def _given_up(run: Run) -> Cause:
    before = f" Before that: {run.cause.message}" if run.cause and run.cause.code != ABANDONED else ""
    return Cause(code=ABANDONED, message=f"It was given up by hand.{before}")
