"""What a restore goes back to: a restore point, a plain time where that is consistent, or what an earlier restore set aside."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from shared.model.errors import InvalidRequest
from shared.model.naming import listed
from shared.model.plan import Plan
from shared.model.restore import INCONSISTENT_TIME, LATEST, RestorePhase, RestoreRecord, RestoreRequest, Target
from shared.model.restore_point import PointPhase, RestorePoint
from shared.model.run import Run, RunKind, RunStatus
from shared.model.times import iso, parse_instant
from shared.steps.ports import Catalog
from shared.steps.restore.record import load_record, restores_of
from shared.steps.restore.unfinished import has_touched_live, payload

_BEGINS_LIKE_A_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]|$)")


class Source(NamedTuple):
    """`point` is None for a plain time and for an undo, `at` for an undo only."""

    point: RestorePoint | None = None
    at: datetime | None = None
    undo_of: str = ""


def find_source(asked: RestoreRequest, plan: Plan, catalog: Catalog, now: datetime) -> Source:
    """The source that `restore_point` names.

    Raises:
        UnknownPoint: no such point; the message names those that exist.
        InvalidRequest: the point is expired or invalid, or the time cannot be restored consistently.
    """
    if asked.restore_point != LATEST and _BEGINS_LIKE_A_TIME.match(asked.restore_point):
        return _at_time(asked, plan, catalog, now)
    return _at_point(catalog.point(plan.name, asked.restore_point))


def find_again(asked: RestoreRequest, point: str, at: datetime | None, undo_of: str, catalog: Catalog) -> Source:
    """The source of a plan that was made already: `latest` stays what it was then."""
    if undo_of:
        return Source(undo_of=undo_of)
    return _at_point(catalog.point(asked.plan, point)) if point else Source(at=at)


def _at_point(point: RestorePoint) -> Source:
    if point.phase in (PointPhase.EXPIRED, PointPhase.INVALID) or point.at is None:
        cause = f" {point.cause.message}" if point.cause else ""
        raise InvalidRequest(
            f"Restore point {point.id} is {point.phase.value} and cannot be restored.{cause}",
            hint=f"`scalar-backup points list {point.plan}` shows those that can.",
        )
    return Source(point=point, at=point.at)


def _at_time(asked: RestoreRequest, plan: Plan, catalog: Catalog, now: datetime) -> Source:
    at = parse_instant(asked.restore_point, "restore_point")
    if at.microsecond:
        raise InvalidRequest(
            f"restore_point: {asked.restore_point!r} has a fraction of a second.",
            hint="The services restore to whole seconds: leave the fraction out.",
        )
    if at > now:
        raise InvalidRequest(f"restore_point: {iso(at)} lies in the future; it is {iso(now)} now.")
    points = [point for point in catalog.points(plan.name) if point.at is not None]
    restorable = (PointPhase.CAPTURED, PointPhase.AVAILABLE, PointPhase.VERIFIED)
    if known := next((point for point in points if point.at == at and point.phase in restorable), None):
        return Source(point=known, at=at)
    is_consistent = len(plan.databases) == 1 and plan.databases[0].is_relational
    if not is_consistent and INCONSISTENT_TIME not in asked.unsafe:
        near = sorted((point for point in points if point.phase in restorable), key=lambda point: _distance(point, at))[:2]
        raise InvalidRequest(
            f"{iso(at)} is no restore point of plan {plan.name}, and {_why_inconsistent(plan)}: a restore to it may bring back "
            "halves of transactions.",
            hint=f"{_nearest(near)}If you accept halves of transactions, add "
            f'"unsafe": ["{INCONSISTENT_TIME}"] and repair the data by hand afterwards.',
        )
    return Source(at=at)


def _distance(point: RestorePoint, at: datetime) -> float:
    return abs((point.at - at).total_seconds()) if point.at else float("inf")


def _nearest(points: list[RestorePoint]) -> str:
    if not points:
        return "The plan has no restore point that can be restored. "
    return f"Nearest restore points: {listed([f'{point.id} ({iso(point.at)})' for point in points if point.at])}. "


def _why_inconsistent(plan: Plan) -> str:
    if len(plan.databases) > 1:
        return f"its {len(plan.databases)} databases have no common moment then, because the pods were not paused"
    return f"{plan.databases[0].key} knows no transactions of its own"


def require_undoable(run_id: str, catalog: Catalog, now: datetime) -> RestoreRecord:
    """The record of the restore that shall be taken back.

    Raises:
        UnknownRun: no such run.
        InvalidRequest: there is nothing to take back, or not any more, or a later restore would go with it; the message says
            why.
    """
    run, record = catalog.run(run_id), load_record(catalog, run_id)
    if run.kind is not RunKind.RESTORE or record is None:
        raise InvalidRequest(f"Run {run_id} is no restore, so there is nothing to undo.")
    if record.undone_by:
        raise InvalidRequest(
            f"Run {run_id} was undone already, by {record.undone_by}.",
            hint=f'To undo that again: {{"action": "undo", "run": "{record.undone_by}"}}.',
        )
    if run.status is RunStatus.RUNNING:
        raise InvalidRequest(f"Run {run_id} is running; only a restore that is finished or halted can be undone.")
    if record.plan.request.target is Target.SIDE_BY_SIDE or record.phase is RestorePhase.LED_BACK:
        raise InvalidRequest(f"Run {run_id} changed nothing that is live, so there is nothing to undo.")
    if run.status not in (RunStatus.SUCCEEDED, RunStatus.HALTED):
        raise InvalidRequest(f"Run {run_id} is {run.status.value}; only a restore that is finished or halted can be undone.")
    if record.discarded or (record.kept_until is not None and record.kept_until <= now):
        until = f" until {iso(record.kept_until)}" if record.kept_until else ""
        raise InvalidRequest(
            f"What run {run_id} had replaced was kept{until} and cannot be brought back any more.",
            hint="keep_old of the next restore says how long it is kept.",
        )
    if run.status is RunStatus.HALTED and not has_touched_live(catalog, run_id):
        raise InvalidRequest(
            f"Run {run_id} has replaced nothing that is live yet, so there is nothing to undo.",
            hint=f"Go on with {payload('continue', run_id)}, or give it up with {payload('abandon', run_id)}.",
        )
    if later := _in_effect_after(run, record, catalog):
        raise InvalidRequest(
            f"After run {run_id} the plan was restored by {listed(later)}: to undo {run_id} alone would take that back without "
            "a word.",
            hint=f"Undo the newest first: {payload('undo', later[-1])}.",
        )
    return record


def _in_effect_after(run: Run, record: RestoreRecord, catalog: Catalog) -> list[str]:
    """Later restores in place of the same databases, oldest first. One and its undo cancel each other out."""
    listed_runs = restores_of(catalog, run.plan)
    later = listed_runs[: listed_runs.index(run.id)] if run.id in listed_runs else ()
    databases: dict[str, set[str]] = {}
    for other in reversed(later):
        made = load_record(catalog, other)
        if made is None or made.plan.request.target is not Target.IN_PLACE:
            continue
        if made.phase is not RestorePhase.FINISHED and not made.undone_by:
            continue
        if databases.pop(made.plan.undo_of, None) is None:
            databases[other] = {item.database for item in made.plan.databases}
    mine = {item.database for item in record.plan.databases}
    return [other for other, its in databases.items() if its & mine]
