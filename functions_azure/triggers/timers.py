"""Time: plans whose schedule is due, pauses and runs that something has left behind, old copies, old instances.

Each looks at the whole state, not at its own last time, so a host that was down makes up for what it missed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from functions_azure.activities import watchdog_id
from functions_azure.client import Binding, binding_of
from functions_azure.runtime import log, workers
from functions_azure.triggers import instances
from shared.executions.durable import BACKUP
from shared.model.errors import BackupError
from shared.model.journal import PauseJournal
from shared.model.occurrences import last_due
from shared.model.run import Run, RunStatus
from shared.model.times import iso
from shared.steps.ports import Rooms

blueprint = df.Blueprint()

LONGEST_DELAY = timedelta(days=7)
"""A schedule that was due longer ago than this is not made up for."""
KEPT = timedelta(days=30)
"""How long an instance can be looked at, counted from its start. By their ids, instances keep a cause that is told again from
starting a second run: it has to be longer than `LONGEST_DELAY`, and than the day for which Event Grid repeats an event."""
SETTLED_AFTER = timedelta(minutes=2)
"""How long a run may have no live orchestration before its end is recorded for it: it may just be coming to it. One that was
terminated is not waited for."""
RUNS_LOOKED_AT = 10
_ENDED_AS = {"Failed": "FAILED", "Completed": "FAILED"}
"""The words of the step `ended`; any other end came from outside."""


@blueprint.timer_trigger(arg_name="timer", schedule="0 * * * * *")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def start_due_plans(timer: func.TimerRequest, client: str) -> None:
    """Every minute: each plan whose schedule has been due since it was last started. Several missed times are made up for by
    one run. One plan that cannot be started does not keep the others."""

    async def look(rooms: Rooms) -> list[tuple[str, datetime]]:
        return due_plans(rooms)

    errors: list[BackupError] = []
    for plan, due in await workers().run("", look):
        given = {"action": "backup", "plan": plan, "reason": "schedule"}
        try:
            if await binding_of(client).start_once(BACKUP, instances.scheduled(plan, due), given):
                log("backup is due", plan=plan, due=iso(due))
        except BackupError as error:
            errors.append(error)
    if errors:
        raise errors[0]


@blueprint.timer_trigger(arg_name="timer", schedule="30 * * * * *")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def look_after_runs(timer: func.TimerRequest, client: str) -> None:
    """Every minute: a pause past its time without a live watchdog gets a new one; a run whose orchestration was terminated, or
    is gone, has its end recorded and told."""
    left = await workers().run("", _left_behind)
    engine = binding_of(client)
    for journal in left.pauses:
        await _watch(engine, journal)
    for run in left.runs:
        await _record_end(engine, run, is_settled=run.id in left.settled)


@blueprint.timer_trigger(arg_name="timer", schedule="0 41 * * * *")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def discard_old_copies(timer: func.TimerRequest, client: str) -> None:
    """Every hour: what restores have kept for an undo is deleted when its time is over."""
    engine, name = binding_of(client), "restore-clean-up"
    known = await engine.status(name)
    if known is None or not known.is_live:
        await engine.start("clean_up", name, {})


@blueprint.timer_trigger(arg_name="timer", schedule="0 17 3 * * *")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def purge_old_instances(timer: func.TimerRequest, client: str) -> None:
    """Once a day: the histories of instances that have ended are deleted when their time is over. What happened in a run is
    in the catalog."""
    before = datetime.now(UTC) - KEPT
    if deleted := await binding_of(client).purge(before):
        log("old instances are purged", instances=deleted, created_before=iso(before))


@blueprint.timer_trigger(arg_name="timer", schedule="0 11 * * * *")
@blueprint.generic_input_binding(arg_name="client", type="durableClient")
async def sweep_runs(timer: func.TimerRequest, client: str) -> None:
    """Every hour: what nobody holds any more, and what nobody was told of, however it came to that."""
    engine, name = binding_of(client), "sweep"
    known = await engine.status(name)
    if known is None or not known.is_live:
        await engine.start("sweep", name, {})


def due_plans(rooms: Rooms) -> list[tuple[str, datetime]]:
    """Plans and when they were due last, unless a scheduled run has begun since."""
    now, found = rooms.clock.now(), []
    for stored in rooms.catalog.plans():
        plan = stored.plan
        if plan.schedule is None:
            continue
        due = last_due(plan.schedule, now, max(stored.applied_at, now - LONGEST_DELAY))
        if due is None:
            continue
        runs = rooms.catalog.runs(plan.name, RUNS_LOOKED_AT)
        if not any(run.reason == "schedule" and run.started_at >= due for run in runs):
            found.append((plan.name, due))
    return found


class LeftBehind:
    """Open pauses whose time is over, and runs that are recorded as running."""

    def __init__(self, rooms: Rooms) -> None:
        now = rooms.clock.now()
        self.pauses = [journal for journal in rooms.catalog.open_pauses() if journal.resume_by <= now]
        self.runs = [
            run
            for stored in rooms.catalog.plans()
            for run in rooms.catalog.runs(stored.plan.name, RUNS_LOOKED_AT)
            if run.status is RunStatus.RUNNING
        ]
        self.settled = {run.id for run in self.runs if now - run.started_at > SETTLED_AFTER}


async def _left_behind(rooms: Rooms) -> LeftBehind:
    return LeftBehind(rooms)


async def _watch(engine: Binding, journal: PauseJournal) -> None:
    """A live watchdog is at it. One that somebody suspended is live too, and gets another beside it."""
    name = watchdog_id(journal.run, journal.attempt)
    known = await engine.status(name)
    if known is not None and known.is_live and known.runtime != "Suspended":
        return
    if known is not None and known.is_live:
        name = f"{name}-2"
        second = await engine.status(name)
        if second is not None and second.is_live:
            return
    given = {"run": journal.run, "plan": journal.plan, "attempt": journal.attempt, "wake_at": iso(journal.resume_by)}
    await engine.start("watchdog", name, given)
    log("watchdog started for a pause past its time", plan=journal.plan, run=journal.run, instance=name)


async def _record_end(engine: Binding, run: Run, *, is_settled: bool) -> None:
    """What was terminated comes to nothing any more, however short ago that was."""
    known = await engine.status(run.execution)
    if known is not None and known.is_live:
        return
    if not is_settled and (known is None or known.runtime != "Terminated"):
        return
    given: Any = known.given if known else {"action": run.reason, "plan": run.plan, "run": run.id}
    detail = {
        "executionArn": run.execution,
        "startDate": round(run.started_at.timestamp() * 1000),
        "status": _ENDED_AS.get(known.runtime, "ABORTED") if known else "ABORTED",
        "input": json.dumps(given),
    }
    name = f"{run.execution}-ended"
    if (ending := await engine.status(name)) is None or not ending.is_live:
        await engine.start("record_end", name, {"detail": detail})
        log("the end of a run is recorded for it", plan=run.plan, run=run.id, status=detail["status"])
