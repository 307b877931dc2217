"""How far a restore is, for people: phase, every database, and what can be done next."""

from __future__ import annotations

from typing import Any

from shared.model.errors import InvalidRequest
from shared.model.records import to_record
from shared.model.restore import RestoreRecord
from shared.model.run import Run, RunStatus
from shared.model.times import iso
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, text
from shared.steps.restore.conclude import way_out
from shared.steps.restore.plan_text import duration
from shared.steps.restore.record import DatabaseProgress, all_progress, load_record, load_scope, restores_of
from shared.steps.restore.unfinished import payload


async def restore_status(request: Request, rooms: Rooms) -> Answer:
    """Of `run`, or of the newest restore of `plan`. Only reads.

    Raises:
        InvalidRequest, UnknownRun, UnknownPlan: there is no such restore.
    """
    run = rooms.catalog.run(text(request, "run", "") or _newest(text(request, "plan"), rooms))
    record, scope = load_record(rooms.catalog, run.id), load_scope(rooms.catalog, run.id)
    reached = all_progress(rooms.catalog, run.id, scope) if scope else {}
    if record is None:
        return {"run": run.id, "status": run.status.value, "cause": to_record(run.cause), "next": ""}
    estimates = {item.database: item.estimate_seconds for item in record.plan.databases}
    return {
        "run": run.id,
        "plan": run.plan,
        "status": run.status.value,
        "phase": record.phase.value,
        "restore_point": record.plan.point,
        "undo_of": record.plan.undo_of,
        "since": iso(run.started_at),
        "databases": {key: _database(item, estimates.get(key, 0.0), rooms) for key, item in reached.items()},
        "releases": _releases(record),
        "checks": to_record(record.verified),
        "values_changes": dict(record.values_changes),
        "kept_until": iso(record.kept_until) if record.kept_until else None,
        "undone_by": record.undone_by,
        "cause": to_record(run.cause),
        "execution": run.execution,
        "next": _next(run, record, rooms),
    }


def _newest(plan: str, rooms: Rooms) -> str:
    rooms.catalog.plan(plan)
    restores = restores_of(rooms.catalog, plan)
    if not restores:
        raise InvalidRequest(f"Plan {plan} was never restored.", hint='Ask with {"action": "restore", "plan": "…"}.')
    return restores[0]


def _database(progress: DatabaseProgress | None, estimate_seconds: float, rooms: Rooms) -> dict[str, Any]:
    if progress is None or progress.restored is None:
        problem = progress.problem.message if progress and progress.problem else ""
        return {"stage": "", "message": problem or "It has not begun."}
    reached = progress.restored
    began = reached.began_at or progress.half_began_at
    percents = [item.percent for item in reached.items if item.percent is not None]
    described: dict[str, Any] = {
        "stage": reached.stage.value,
        "message": progress.problem.message if progress.problem else reached.message,
        "items_done": reached.count_done,
        "items": len(reached.items),
        "percent": round(sum(percents) / len(percents)) if percents else None,
        "elapsed": duration((rooms.clock.now() - began).total_seconds()) if not reached.done else "",
        "estimate": f"about {duration(estimate_seconds)}" if estimate_seconds else "",
    }
    return {key: value for key, value in described.items() if value not in (None, "")}


def _releases(record: RestoreRecord) -> dict[str, str]:
    said = {key: "stopped" if item.done else item.message for key, item in record.stopped.items()}
    return said | {key: "started" if item.done else item.message for key, item in record.started.items()}


def _next(run: Run, record: RestoreRecord, rooms: Rooms) -> str:
    if run.status in (RunStatus.HALTED, RunStatus.FAILED, RunStatus.INTERRUPTED):
        return way_out(run, rooms)
    is_kept = record.kept_until is not None and record.kept_until > rooms.clock.now() and not record.discarded
    if run.status is RunStatus.SUCCEEDED and is_kept and not record.undone_by and record.stopped:
        return f"{payload('undo', run.id)} takes it back."
    return ""
