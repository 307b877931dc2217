"""Restores that did not come to an end: what they forbid to others, what becomes of one whose execution has died, and who may
go on with one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.model.errors import InvalidRequest, LeaseHeld, NotReady, UnknownRun
from shared.model.records import replace
from shared.model.restore import RestorePhase, RestoreRecord, Target
from shared.model.run import Cause, Run, RunKind, RunStatus
from shared.steps import evidence
from shared.steps.ports import Catalog, Rooms
from shared.steps.request import Execution
from shared.steps.restore.record import RECORD, all_progress, load_record, load_scope, restores_of

PROBE_SECONDS = 60
ABANDONED = "Abandoned"
"""The code of the cause of a restore that somebody gave up before anything live was touched."""
_UNTOUCHED = (RestorePhase.BEGUN, RestorePhase.LED_BACK)


def has_touched_live(catalog: Catalog, run: str) -> bool:
    """Whether anything live of any database was changed, or is about to be: that is stored before the first change."""
    scope = load_scope(catalog, run)
    reached = all_progress(catalog, run, scope).values() if scope else ()
    return any(item is not None and item.restored is not None and item.restored.changed_live for item in reached)


def needs_nobody(record: RestoreRecord | None) -> bool:
    """A restore that can simply end: neither pods nor live data were touched."""
    return record is None or record.phase in _UNTOUCHED or record.plan.request.target is Target.SIDE_BY_SIDE


def left_unfinished(undo: RestoreRecord | None, catalog: Catalog) -> Run | None:
    """The restore that `undo` takes back, if that came to no end: then its databases are at different points in time and its
    pods are gone, and a failed undo changes nothing of that. None when there is sound data for the pods to go back to."""
    taken_back = load_record(catalog, undo.plan.undo_of) if undo is not None and undo.plan.undo_of else None
    if taken_back is None or taken_back.phase is RestorePhase.FINISHED:
        return None
    return catalog.run(taken_back.run)


def halted_beside(run: str, plan: str, catalog: Catalog) -> Run | None:
    """The newest other restore of the plan that is halted: whatever becomes of `run`, somebody has to go on with that one."""
    return next((item for item in _restores(catalog, plan) if item.id != run and item.status is RunStatus.HALTED), None)


def refuse_beside_unfinished(run: Run, rooms: Rooms, undo_of: str = "") -> None:
    """For whoever holds the plan: no other restore of it may be half way. One whose execution has died is settled first.

    Raises:
        NotReady: one is halted, other than the one that `undo_of` takes back (and what that one takes back).
    """
    catalog, now = rooms.catalog, rooms.clock.now()
    taken_back = _chain(undo_of, catalog)
    for other in _restores(catalog, run.plan):
        if other.id == run.id:
            continue
        settled = settle_deserted(other, rooms, now) if other.status is RunStatus.RUNNING and other.token else other
        if settled.status is RunStatus.HALTED and settled.id not in taken_back:
            raise NotReady(
                f"Restore {settled.id} of plan {settled.plan} is halted half way, so its databases may be at different "
                "points in time.",
                hint=f"First continue it or take it back: {ways_on(settled, catalog)}",
            )


def settle_deserted(run: Run, rooms: Rooms, now: datetime, cause: Cause | None = None) -> Run:
    """A restore whose execution ended without a word: interrupted when it had touched nothing, else halted. An undo of a halted
    restore that had touched nothing leaves that one as it was, to be continued or undone."""
    catalog, record = rooms.catalog, load_record(rooms.catalog, run.id)
    cause = cause or Cause(
        code="Interrupted",
        message=f"The execution ended during {run.step or 'its start'} without a word, and its lease ran out.",
        hint="Look at the execution in the console: it was stopped, timed out, or its engine failed.",
    )
    below = left_unfinished(record, catalog)
    if below is not None and not has_touched_live(catalog, run.id):
        cause = replace(cause, hint=ways_on(below, catalog))
        return catalog.save_run(replace(run, status=RunStatus.INTERRUPTED, ended_at=now, cause=cause))
    if needs_nobody(record):
        if record is not None:
            evidence.save(catalog, run.id, RECORD, replace(record, phase=RestorePhase.LED_BACK))
        return catalog.save_run(replace(run, status=RunStatus.INTERRUPTED, ended_at=now, cause=cause))
    halted = replace(run, status=RunStatus.HALTED, ended_at=now)
    return catalog.save_run(replace(halted, cause=replace(cause, hint=ways_on(halted, catalog))))


def record_unbegun(given: object, within: Execution, status: RunStatus, cause: Cause, rooms: Rooms) -> Run | None:
    """A restore whose execution ended before it had a record gets one: it was tried, and the next plan is a new restore.
    None when the input names none that it could be."""
    if not isinstance(given, Mapping) or given.get("action") not in ("restore", "undo"):
        return None
    plan, run = given.get("plan"), given.get("run")
    if not isinstance(plan, str) or not isinstance(run, str) or not run.startswith(f"{plan}-"):
        return None
    return rooms.catalog.create_run(
        Run(
            id=run,
            kind=RunKind.RESTORE,
            plan=plan,
            plan_revision=0,
            reason=str(given["action"]),
            execution=within.id,
            started_at=within.started_at,
            status=status,
            ended_at=rooms.clock.now(),
            cause=cause,
        )
    )


def ways_on(run: Run, catalog: Catalog) -> str:
    """The payloads that go on with a halted restore, as a person can paste them."""
    record = load_record(catalog, run.id)
    back = "undo" if has_touched_live(catalog, run.id) else "abandon"
    if record is not None and record.phase is RestorePhase.LEADING_BACK:
        return f"{payload('continue', run.id)} goes on starting the releases on the old data."
    does = "takes back what was restored" if back == "undo" else "starts the releases again on the old data"
    return f"{payload('continue', run.id)} goes on; {payload(back, run.id)} {does}."


def payload(action: str, run: str) -> str:
    return f'{{"action": "{action}", "run": "{run}"}}'


def require_continuable(run: Run, action: str, catalog: Catalog) -> None:
    """Raises InvalidRequest when `run` cannot be continued or abandoned; the message says why, and what can be done."""
    if run.status not in (RunStatus.HALTED, RunStatus.RUNNING):
        hint = "Ask for a new restore." if run.status is not RunStatus.SUCCEEDED else "To take it back, undo it."
        raise InvalidRequest(f"Run {run.id} is {run.status.value}: there is nothing to {action}.", hint=hint)
    if action == "abandon" and has_touched_live(catalog, run.id):
        raise InvalidRequest(
            f"Run {run.id} has begun to replace live data, so it cannot be abandoned.",
            hint=f"Take it back with {payload('undo', run.id)}, or go on with {payload('continue', run.id)}.",
        )
    below = left_unfinished(load_record(catalog, run.id), catalog)
    if action == "abandon" and below is not None:
        raise InvalidRequest(
            f"Run {run.id} takes back restore {below.id}, which is half way: there is no sound data to start the releases on.",
            hint=f"Go on with {payload('continue', run.id)}.",
        )


def prober(run: Run, execution: str) -> str:
    """Under this name an execution takes the plan for a moment, before it takes over the run."""
    return f"{run.id}+{execution}"


def require_no_holder(run: Run, execution: str, rooms: Rooms) -> int:
    """Shows that nobody holds the plan, the run's own last execution included, whose functions may be working still.

    `execution` is the one that asks. Answers with the token that this took, which fences all of an earlier one.

    Raises:
        LeaseHeld: somebody does; the message says until when.
    """
    now, name = rooms.clock.now(), prober(run, execution)
    lease = rooms.catalog.acquire_lease(run.plan, name, now + timedelta(seconds=PROBE_SECONDS), now)
    rooms.catalog.release_lease(run.plan, name, lease.token)
    return lease.token


def give_back(plan: str, holder: str, rooms: Rooms) -> None:
    """Whatever lease `holder` still has, also one that its record does not know of: its step died in between."""
    now = rooms.clock.now()
    try:
        lease = rooms.catalog.acquire_lease(plan, holder, now + timedelta(seconds=PROBE_SECONDS), now)
    except LeaseHeld:
        return  # somebody else's
    rooms.catalog.release_lease(plan, holder, lease.token)


def _chain(run: str, catalog: Catalog) -> frozenset[str]:
    """The restore that is taken back, and what it takes back itself if it is an undo, and so on."""
    found: set[str] = set()
    while run and run not in found:
        found.add(run)
        record = load_record(catalog, run)
        run = record.plan.undo_of if record else ""
    return frozenset(found)


def _restores(catalog: Catalog, plan: str) -> list[Run]:
    """The list may name one whose record was never made: its execution died in between."""
    runs = []
    for run in restores_of(catalog, plan):
        try:
            runs.append(catalog.run(run))
        except UnknownRun:
            continue
    return runs
