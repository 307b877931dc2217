"""The way out of a restore that did not succeed. Before anything live was touched the releases are started on the old data;
after that the run stays halted, and people are told what continues it and what takes it back."""

from __future__ import annotations

from collections.abc import Mapping

from shared.model.errors import FencedOff, UnknownRun
from shared.model.records import replace, to_record
from shared.model.restore import RestorePhase, RestoreRecord
from shared.model.run import Cause, Run, RunKind, RunStatus
from shared.steps import evidence
from shared.steps.engine_errors import LONGEST_MESSAGE, cause_from_engine
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, execution
from shared.steps.restore.fence import LEASE_SLACK
from shared.steps.restore.record import RECORD, all_progress, load_record, load_scope
from shared.steps.restore.told import note_told
from shared.steps.restore.unfinished import (
    ABANDONED,
    give_back,
    halted_beside,
    has_touched_live,
    left_unfinished,
    needs_nobody,
    record_unbegun,
    ways_on,
)

FAILED, HALTED = "Restore Failed", "Restore Halted"
_UNKNOWN = Cause(
    code="Unknown", message="The execution failed without saying why.", hint="Its history in the console shows the state."
)
UNTOUCHED = "Nothing live was changed; the application runs on the old data."


async def restore_conclude(request: Request, rooms: Rooms) -> Answer:
    """Records why the run that `input` names did not succeed. `error` is what the engine caught; `leading_back` is true when
    the releases have been started again since.

    Answer: `lead_back`, true when the releases are to be started again and this step is to be called once more after that;
    `abandoned`, true when that way back was what somebody had asked for; `cause` with `code` and `message`; `run`, `plan` and
    `token`, for the steps that lead back: the step that begins may have failed after it had taken hold of the run.

    A run that belongs to another execution, or that has ended, is left as it is.
    """
    given = request.get("input")
    within = execution(request)
    caught = cause_from_engine(request.get("error"))
    run = _find(given, rooms)
    if run is None or within is None or run.execution != within.id:
        unbegun = None
        if run is None and within is not None:
            unbegun = record_unbegun(given, within, RunStatus.FAILED, caught or _UNKNOWN, rooms)
        return _tell_of_stranger(given, run, unbegun, caught or _UNKNOWN, rooms)
    if run.status is RunStatus.SUCCEEDED:
        return _answer(run, caught or _UNKNOWN, lead_back=False)
    if run.status is RunStatus.RUNNING:
        record = load_record(rooms.catalog, run.id)
        cause = caught or run.cause or _UNKNOWN
        if _has_to_lead_back(run, record, request.get("leading_back") is True, rooms):
            _begin_to_lead_back(run, record, cause, rooms)
            return _answer(run, cause, lead_back=True)
        run = _ended(run, record, caught, rooms)
    return tell(run, rooms)


def tell(run: Run, rooms: Rooms) -> Answer:
    """The world hears of a restore that has failed or is halted, and its lease is given back."""
    cause = run.cause or _UNKNOWN
    halted = run.status is RunStatus.HALTED
    detail: Answer = {
        "plan": run.plan,
        "run": run.id,
        "execution": run.execution,
        "status": run.status.value,
        "cause": to_record(cause),
        "databases": _stages(run, rooms),
        "next": way_out(run, rooms),
    }
    rooms.signals.publish(HALTED if halted else FAILED, detail)
    note_told(run, rooms.catalog)
    give_back(run.plan, run.id, rooms)
    return _answer(run, cause, lead_back=False) | {"metrics": {"RestoresHalted" if halted else "RestoresFailed": 1}}


def way_out(run: Run, rooms: Rooms) -> str:
    """The payloads that go on with a halted restore: `run` itself, or the one that it has left as it was."""
    halted = run if run.status is RunStatus.HALTED else halted_beside(run.id, run.plan, rooms.catalog)
    return ways_on(halted, rooms.catalog) if halted else ""


def _find(given: object, rooms: Rooms) -> Run | None:
    """None when the input names no run, or its record was never made."""
    named = given.get("run") if isinstance(given, Mapping) else None
    if not isinstance(named, str):
        return None
    try:
        run = rooms.catalog.run(named)
    except UnknownRun:
        return None
    return run if run.kind is RunKind.RESTORE else None


def _tell_of_stranger(given: object, run: Run | None, unbegun: Run | None, cause: Cause, rooms: Rooms) -> Answer:
    """An execution that never got hold of a run: its input is wrong, or somebody else has the run or the plan. A restore that
    was halted before is halted still, and what goes on with it is said once more."""
    named = given if isinstance(given, Mapping) else {}
    detail = {"plan": named.get("plan"), "run": named.get("run"), "status": run.status.value if run else None}
    known = run or unbegun
    rooms.signals.publish(FAILED, detail | {"cause": to_record(cause), "next": way_out(known, rooms) if known else ""})
    told = {"code": cause.code, "message": cause.message}
    return {"run": named.get("run"), "lead_back": False, "abandoned": False, "cause": told, "metrics": {"RestoresFailed": 1}}


def _has_to_lead_back(run: Run, record: RestoreRecord | None, is_done: bool, rooms: Rooms) -> bool:
    if record is None or needs_nobody(record) or is_done or not record.stopped:
        return False
    if left_unfinished(record, rooms.catalog) is not None:
        return False
    return not has_touched_live(rooms.catalog, run.id) and _renewed(run, rooms)


def _begin_to_lead_back(run: Run, record: RestoreRecord | None, cause: Cause, rooms: Rooms) -> None:
    rooms.catalog.save_run(replace(run, cause=cause, step="restore_conclude"))
    if record is not None and record.phase is not RestorePhase.LEADING_BACK:
        evidence.save(rooms.catalog, run.id, RECORD, replace(record, phase=RestorePhase.LEADING_BACK, started={}))


def _renewed(run: Run, rooms: Rooms) -> bool:
    """Whether the run still holds its plan. Without it nothing is started: somebody else is at work."""
    now = rooms.clock.now()
    try:
        rooms.catalog.renew_lease(run.plan, run.id, run.token, now + LEASE_SLACK, now)
    except FencedOff:
        return False
    return True


def _ended(run: Run, record: RestoreRecord | None, caught: Cause | None, rooms: Rooms) -> Run:
    is_led_back = record is not None and record.phase is RestorePhase.LEADING_BACK and caught is None
    has_touched = has_touched_live(rooms.catalog, run.id)
    has_stopped_nothing = record is not None and not record.stopped and not has_touched
    if left_unfinished(record, rooms.catalog) is not None and not has_touched:
        return _saved(run, RunStatus.FAILED, caught or run.cause or _UNKNOWN, rooms)
    if record is None or needs_nobody(record) or is_led_back or has_stopped_nothing:
        if record is not None:
            evidence.save(rooms.catalog, run.id, RECORD, replace(record, phase=RestorePhase.LED_BACK))
        return _saved(run, RunStatus.FAILED, caught or run.cause or _UNKNOWN, rooms)
    return _saved(run, RunStatus.HALTED, caught or run.cause or _UNKNOWN, rooms)


def _saved(run: Run, status: RunStatus, cause: Cause, rooms: Rooms) -> Run:
    """The hint says what a person can do: it is the first thing that is looked for at night."""
    known = replace(run, status=status)
    hint = way_out(known, rooms) or UNTOUCHED
    return rooms.catalog.save_run(replace(known, ended_at=rooms.clock.now(), cause=replace(cause, hint=hint)))


def _stages(run: Run, rooms: Rooms) -> dict[str, str]:
    scope = load_scope(rooms.catalog, run.id)
    reached = all_progress(rooms.catalog, run.id, scope) if scope else {}
    return {key: item.restored.stage.value if item and item.restored else "" for key, item in reached.items()}


def _answer(run: Run, cause: Cause, *, lead_back: bool) -> Answer:
    """The message carries the hint, because an engine's console shows nothing else."""
    message = f"{cause.message} {cause.hint}".strip()[:LONGEST_MESSAGE]
    return {
        "run": run.id,
        "plan": run.plan,
        "token": run.token,
        "lead_back": lead_back,
        "abandoned": run.status is RunStatus.FAILED and cause.code == ABANDONED,
        "cause": {"code": cause.code, "message": message},
        "metrics": {},
    }
