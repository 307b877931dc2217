"""The end of a run that did not succeed: its record says why, whatever stopped it, and the world is told."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from shared.model.checks import failures, summary
from shared.model.errors import NotReady, UnknownPoint, UnknownRun
from shared.model.records import replace, to_record
from shared.model.restore_point import PointPhase
from shared.model.run import Attempt, AttemptStatus, Cause, Run, RunStatus, run_id
from shared.steps.engine_errors import LONGEST_MESSAGE, cause_from_engine
from shared.steps.ports import Catalog, Rooms
from shared.steps.request import Answer, Execution, Request, execution

FAILED = "Backup Failed"
_UNKNOWN = Cause(
    code="Unknown", message="The execution failed without saying why.", hint="Its history in the console shows the state."
)


async def conclude(request: Request, rooms: Rooms) -> Answer:
    """Records the failure of the run that `execution` is. `input` is what started it, `error` what the engine caught.

    `only_running` asks to leave alone what has ended already. A run whose point is published has succeeded, whatever came
    after: only telling the world can have failed.

    Works on whatever input there is: a malformed event has no plan, and still must not fail in silence. Answer: `cause`,
    and `pods_may_be_paused`, true while a pause journal of the run is open.
    """
    within = execution(request)
    given = request.get("input")
    plan = given.get("plan") if isinstance(given, Mapping) else None
    run = _find_or_create(within, plan, str(given.get("reason", "") if isinstance(given, Mapping) else ""), rooms)
    cause = cause_from_engine(request.get("error")) or (_known_cause(run) if run else None) or _UNKNOWN
    paused = False
    is_over = run is not None and run.status is not RunStatus.RUNNING
    if run is not None and (run.status is RunStatus.SUCCEEDED or (is_over and request.get("only_running") is True)):
        return {"plan": plan, "run": run.id, "cause": to_record(cause), "pods_may_be_paused": False, "metrics": {}}
    if run is not None:
        paused = _has_open_pause(rooms.catalog, run)
        run = _record_failure(run, cause, rooms)
        if not paused:
            rooms.catalog.release_lease(run.plan, run.id, run.token)
    detail: Answer = {
        "plan": plan,
        "run": run.id if run else None,
        "execution": within.id if within else None,
        "cause": to_record(cause),
        "pods_may_be_paused": paused,
    }
    rooms.signals.publish(FAILED, detail)
    return detail | {"metrics": {"BackupsFailed": 1}}


def _find_or_create(within: Execution | None, plan: object, reason: str, rooms: Rooms) -> Run | None:
    """The run's record; made now when the run failed before it had one. None when there is no plan to file it under."""
    if within is None or not isinstance(plan, str) or not plan:
        return None
    run = run_id(plan, within.id, within.started_at)
    try:
        return rooms.catalog.run(run)
    except UnknownRun:
        return rooms.catalog.create_run(
            Run(id=run, plan=plan, plan_revision=0, reason=reason, execution=within.id, started_at=within.started_at)
        )


def _known_cause(run: Run) -> Cause | None:
    """What the run's own record says: its last attempt's cause, or the checks that stopped it before it began."""
    if run.attempt and run.attempt.cause:
        return run.attempt.cause
    if not failures(run.checks):
        return None
    return Cause(
        code=NotReady.__name__,
        message=f"The checks before the backup failed; nothing was paused. {summary(run.checks)}"[:LONGEST_MESSAGE],
        hint=f"`scalar-backup check {run.plan}` shows each with what to do.",
    )


def _has_open_pause(catalog: Catalog, run: Run) -> bool:
    journals = (catalog.pause_journal(run.id, attempt.number) for attempt in run.attempts)
    return any(journal is not None and journal.is_open for journal in journals)


def _record_failure(run: Run, cause: Cause, rooms: Rooms) -> Run:
    if run.status is not RunStatus.RUNNING:
        return run
    attempts = tuple(_ended(attempt, cause) for attempt in run.attempts)
    _note_on_point(run, cause, rooms.catalog)
    return rooms.catalog.save_run(
        replace(run, attempts=attempts, status=RunStatus.FAILED, ended_at=rooms.clock.now(), cause=cause)
    )


def _note_on_point(run: Run, cause: Cause, catalog: Catalog) -> None:
    """A point whose protection failed stays what it is, captured, but says why it will not become available."""
    with contextlib.suppress(UnknownPoint):
        point = catalog.point(run.plan, run.id)
        if point.phase is PointPhase.CAPTURED:
            catalog.put_point(replace(point, cause=cause))


def _ended(attempt: Attempt, cause: Cause) -> Attempt:
    is_open = attempt.status is AttemptStatus.OPEN
    return replace(attempt, status=AttemptStatus.INVALID, cause=cause) if is_open else attempt
