"""The entry for people: a restore is asked for, answered with a plan, and confirmed; and what else can be asked about one.

This step changes nothing by itself: it looks, remembers what it saw, and starts an execution.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from shared.model.checks import failures, summary
from shared.model.errors import Conflict, InvalidRequest, NotReady, UnknownRun
from shared.model.naming import listed
from shared.model.plan import Plan
from shared.model.records import replace
from shared.model.restore import RestorePlan, RestoreRequest
from shared.model.run import Run, RunKind, RunStatus
from shared.steps import evidence
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, text
from shared.steps.restore.payload import ASKED, action_of, flag, read_keep_old, read_request
from shared.steps.restore.plan import differences, make_plan, restore_run_id
from shared.steps.restore.plan_text import all_checks, confirm_payload, describe
from shared.steps.restore.points import Source, find_again, find_source, require_undoable
from shared.steps.restore.record import RestoreScope, load_plan, load_record, plan_document
from shared.steps.restore.status import restore_status
from shared.steps.restore.unfinished import require_continuable, require_no_holder

NAMES_TRIED = 9
"""Step Functions takes 80 characters; a run's id has up to 66."""


async def restore_request(request: Request, rooms: Rooms) -> Answer:
    """Answers a payload from a console or the command line; `action` says what is asked.

    `restore` and `undo` without `confirm`, or with `dry_run`, answer with the plan and `confirm_with`, the payload that carries
    it out. Confirmed, they answer as `continue` and `abandon` do: `execution`, its `console` link, `run` and `next`. `status`
    answers as `restore_status`.

    Raises:
        InvalidRequest, UnknownPlan, UnknownRun, UnknownPoint: the payload; the message names what is wrong with it.
        Conflict: the world is not the one that was planned for; the message has the differences. Or the run is over already.
        NotReady: a check of the plan failed.
    """
    action, confirms = action_of(request), not flag(request, "dry_run") and "confirm" in request
    match action:
        case "restore" if confirms:
            return await _confirm(request, text(request, "plan"), rooms)
        case "restore":
            plan = rooms.catalog.plan(text(request, "plan")).plan
            asked = read_request(request, plan)
            return await _plan(asked, find_source(asked, plan, rooms.catalog, rooms.clock.now()), rooms)
        case "undo" if confirms:
            return await _confirm(request, _plan_of_run(request, rooms), rooms)
        case "undo":
            return await _plan_undo(request, rooms)
        case "status":
            return await restore_status(request, rooms)
        case _:
            return _go_on(action, request, rooms)


async def _plan_undo(request: Request, rooms: Rooms) -> Answer:
    run = rooms.catalog.run(text(request, "run"))
    _plan_of_run(request, rooms)
    record = require_undoable(run.id, rooms.catalog, rooms.clock.now())
    asked = RestoreRequest(
        plan=run.plan,
        restore_point=record.plan.request.restore_point,
        databases=record.plan.request.databases,
        keep_old_seconds=read_keep_old(request),
        unsafe=record.plan.request.unsafe,
    )
    return await _plan(asked, Source(undo_of=run.id), rooms)


async def _plan(asked: RestoreRequest, source: Source, rooms: Rooms) -> Answer:
    now, stopped = rooms.clock.now().replace(microsecond=0), _stopped_by(source.undo_of, rooms)
    made = await make_plan(asked, source, now, rooms, stopped)
    made_at = _time_of(made, rooms)
    if made_at != now:  # the names of what it makes and keeps carry the time
        made = await make_plan(asked, source, made_at, rooms, stopped)
    await asyncio.to_thread(evidence.save, rooms.catalog, asked.plan, plan_document(made.restore.id), made)
    return describe(made.restore)


def _time_of(made: RestoreScope, rooms: Rooms) -> datetime:
    """The same plan asked for again keeps its time, and with it its run: two confirmations start one execution. Unless that
    run is over: then this is a new restore, with a time of its own."""
    known = load_plan(rooms.catalog, made.restore.request.plan, made.restore.id)
    if known is None:
        return made.restore.made_at
    if not _is_over(restore_run_id(known.restore), rooms):
        return known.restore.made_at
    return max(made.restore.made_at, known.restore.made_at + timedelta(seconds=1))


def _is_over(run_id: str, rooms: Rooms) -> bool:
    try:
        return rooms.catalog.run(run_id).status is not RunStatus.RUNNING
    except UnknownRun:
        return False


def _stopped_by(undo_of: str, rooms: Rooms) -> Any:
    """What a restore that did not end has left stopped is started by its undo."""
    record = load_record(rooms.catalog, undo_of) if undo_of else None
    return record.stopped if record else {}


async def _confirm(request: Request, plan_name: str, rooms: Rooms) -> Answer:
    if "plan_id" not in request:
        raise InvalidRequest(
            "A confirmation needs the 'plan_id' of what it confirms.",
            hint="Send the request without 'confirm' first; the answer's `confirm_with` is the payload to send then.",
        )
    plan = rooms.catalog.plan(plan_name).plan
    known = load_plan(rooms.catalog, plan.name, text(request, "plan_id"))
    if known is None:
        raise InvalidRequest(
            f"Plan {plan.name} has no restore plan {request['plan_id']!r}.",
            hint="Send the request without 'confirm'; the answer names the plan's id.",
        )
    confirmed = known.restore
    _require_same_request(request, confirmed, plan)
    if request["confirm"] != confirmed.confirm:
        raise InvalidRequest(
            f"'confirm' is {request['confirm']!r}; to confirm this plan it must be {confirmed.confirm!r}.",
            hint="Nothing was changed.",
        )
    if started := _started_already(confirmed, rooms):
        return started
    now = await make_plan(
        confirmed.request,
        find_again(confirmed.request, confirmed.point, confirmed.at, confirmed.undo_of, rooms.catalog),
        confirmed.made_at,
        rooms,
        _stopped_by(confirmed.undo_of, rooms),
    )
    require_fit(confirmed, now.restore)
    if confirmed.undo_of:
        require_undoable(confirmed.undo_of, rooms.catalog, rooms.clock.now())
    return _start(restore_run_id(confirmed), restore_run_id(confirmed), confirm_payload(confirmed), rooms)


def require_fit(confirmed: RestorePlan, now: RestorePlan) -> None:
    """Raises Conflict when the plan as made `now` is not the confirmed one, NotReady when one of its checks failed."""
    if confirmed.id != now.id:
        raise Conflict(
            f"The world has drifted since plan {confirmed.id} was made: {listed(differences(confirmed, now), '; ')}.",
            hint="Nothing was changed. Ask for a new plan and read it before you confirm it.",
        )
    if failures(all_checks(now)):
        raise NotReady(f"The restore cannot be carried out. {summary(all_checks(now))}", hint="Nothing was changed.")


def _require_same_request(request: Request, confirmed: RestorePlan, plan: Plan) -> None:
    """A confirmation may repeat what was asked for; it cannot ask for something else."""
    if bool(confirmed.undo_of) != (request["action"] == "undo"):
        raise InvalidRequest(f"Plan {confirmed.id} is one for {'an undo' if confirmed.undo_of else 'a restore'}.")
    if confirmed.undo_of:
        asked: RestoreRequest | None = replace(confirmed.request, keep_old_seconds=read_keep_old(request))
        differing = ["keep_old"] if "keep_old" in request and asked != confirmed.request else []
        differing += ["run"] if request["run"] != confirmed.undo_of else []
    else:
        given = {key: request[key] for key in ASKED if key in request}
        read = read_request({"unsafe": list(confirmed.request.unsafe)} | given, plan)
        fields = {"keep_old": "keep_old_seconds"}
        differing = [
            key for key in given if getattr(read, fields.get(key, key)) != getattr(confirmed.request, fields.get(key, key))
        ]
    if differing:
        raise InvalidRequest(
            f"{', '.join(repr(key) for key in differing)} is not as in plan {confirmed.id}, which is to be confirmed.",
            hint="Ask for a plan with the new values, or send the answer's `confirm_with` as it stands.",
        )


def _started_already(confirmed: RestorePlan, rooms: Rooms) -> Answer | None:
    """A confirmation that is sent twice finds the run of the first one; the world has changed since, and rightly so."""
    try:
        run = rooms.catalog.run(restore_run_id(confirmed))
    except UnknownRun:
        return None
    if run.status is RunStatus.RUNNING:
        return _start(run.id, run.id, confirm_payload(confirmed), rooms)
    raise Conflict(
        f"Plan {confirmed.id} was carried out already: run {run.id} is {run.status.value}.",
        hint=f'Look at it with {{"action": "status", "run": "{run.id}"}}, or ask for a new plan.',
    )


def _go_on(action: str, request: Request, rooms: Rooms) -> Answer:
    _plan_of_run(request, rooms)
    run = rooms.catalog.run(text(request, "run"))
    require_continuable(run, action, rooms.catalog)
    if run.status is RunStatus.RUNNING:  # as far as its record knows; whoever works on it holds the plan
        require_no_holder(run, "request", rooms)
    if flag(request, "dry_run"):
        return {"run": run.id, "next": f"Nothing was changed. Without dry_run this would {action} run {run.id}."}
    # The token grows with every holder of the plan, so each continuation has a name of its own, and the same one keeps it. An
    # execution that was stopped before it took hold of the plan has used its name up: the next try has the next one.
    name, given = f"{run.id}-{action[0]}{run.token}", {"action": action, "plan": run.plan}
    for suffix in ("", *(f"-{number}" for number in range(2, NAMES_TRIED))):
        try:
            return _start(name + suffix, run.id, given, rooms)
        except Conflict:
            continue
    return _start(f"{name}-{NAMES_TRIED}", run.id, given, rooms)


def _start(name: str, run: str, given: dict[str, str], rooms: Rooms) -> Answer:
    started = rooms.executions.start_restore(name, _input(given, run))
    return {
        "run": run,
        "execution": started.id,
        "console": started.console,
        "next": f'Follow it in the console, or ask with {{"action": "status", "run": "{run}"}}.',
    }


def _input(given: dict[str, str], run: str) -> dict[str, str]:
    return {key: value for key, value in given.items() if key not in ("confirm", "run")} | {"run": run}


def _plan_of_run(request: Request, rooms: Rooms) -> str:
    """The plan of the run that is named. Raises InvalidRequest when the run is a backup, or of another plan than is said."""
    run: Run = rooms.catalog.run(text(request, "run"))
    if run.kind is not RunKind.RESTORE:
        raise InvalidRequest(f"Run {run.id} is a backup, not a restore.")
    if text(request, "plan", run.plan) != run.plan:
        raise InvalidRequest(f"Run {run.id} is one of plan {run.plan}, not of {request['plan']}.")
    return run.plan
