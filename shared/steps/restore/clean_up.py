"""What restores have kept for an undo, or left beside the live databases, is deleted when its time is over."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from shared.model.errors import BackupError, UnknownRun
from shared.model.plan import Database
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, RestorePhase, RestoreRecord, RestoreStage
from shared.model.run import Run, RunKind, RunStatus
from shared.model.storage import ReleaseStorage
from shared.steps import evidence
from shared.steps.ports import Catalog, Rooms
from shared.steps.request import Answer, Request
from shared.steps.restore.plan import order_for
from shared.steps.restore.record import (
    RECORD,
    DatabaseProgress,
    RestoreScope,
    load_progress,
    load_record,
    load_scope,
    progress_document,
    restores_of,
)

DISCARD = "discard"
GRACE = timedelta(minutes=30)
"""An undo that began in the last moment has its record by then, and a step that was cut off has ended."""


async def restore_clean_up(request: Request, rooms: Rooms) -> Answer:
    """Advances every restore whose copies are due by one small step. Call it now and then, for ever.

    Answer: `discarded`, the runs whose copies are all gone; `waiting`, those that need further calls; `problems`, by run and
    database. A problem of one keeps no other from going on.
    """
    discarded: list[str] = []
    waiting: list[str] = []
    problems: dict[str, str] = {}
    for plan in rooms.catalog.plans():
        for run, record in _due(rooms.catalog, plan.plan.name, rooms.clock.now()):
            scope = load_scope(rooms.catalog, run.id)
            found = await _discard(run, scope, rooms) if scope else {}
            problems |= {f"{run.id} {key}": problem for key, problem in found.items() if problem}
            if any(problem is not None for problem in found.values()):
                waiting.append(run.id)
                continue
            evidence.save(rooms.catalog, run.id, RECORD, replace(record, discarded=True))
            discarded.append(run.id)
    reached: Answer = {"discarded": discarded, "waiting": waiting, "problems": problems}
    return reached | {"metrics": {"CleanUpProblems": len(problems)}}


def _due(catalog: Catalog, plan: str, now: datetime) -> list[tuple[Run, RestoreRecord]]:
    found = []
    for run_id in restores_of(catalog, plan):
        try:
            run, record = catalog.run(run_id), load_record(catalog, run_id)
        except UnknownRun:
            continue
        if record is not None:
            found.append((run, record))
    in_use = {record.plan.undo_of for run, record in found if run.status in (RunStatus.RUNNING, RunStatus.HALTED)}
    return [
        (run, record)
        for run, record in found
        if run.id not in in_use and _is_due(run, record, now) and not _may_come_back(record, catalog)
    ]


def _is_due(run: Run, record: RestoreRecord, now: datetime) -> bool:
    """Never of a restore that runs or is halted. One that came to nothing has side copies only, which nobody waits for."""
    if record.discarded or run.status in (RunStatus.RUNNING, RunStatus.HALTED) or run.ended_at is None:
        return False
    if record.phase is RestorePhase.LED_BACK:
        return run.ended_at + GRACE <= now
    kept_until = record.kept_until or run.ended_at + timedelta(seconds=record.plan.request.keep_old_seconds)
    return kept_until + GRACE <= now


def _may_come_back(record: RestoreRecord, catalog: Catalog) -> bool:
    """A restore that was halted and undone has made copies that are nowhere said to be live. Should its undo be undone, they
    are: so they stay until nobody can do that any more, and for good when somebody has."""
    if not record.undone_by or record.phase is RestorePhase.FINISHED:
        return False
    undo = load_record(catalog, record.undone_by)
    return undo is None or bool(undo.undone_by) or not undo.discarded


async def _discard(run: Run, scope: RestoreScope, rooms: Rooms) -> dict[str, str | None]:
    """By database: None when nothing is left, empty while it goes on, else what keeps it."""
    found = await asyncio.gather(*(_discard_one(run, item, scope, rooms) for item in scope.plan.databases))
    return {item.key: result for item, result in zip(scope.plan.databases, found, strict=True)}


async def _discard_one(run: Run, database: Database, scope: RestoreScope, rooms: Rooms) -> str | None:
    """What was made before the first progress was stored is found by its names."""
    known = load_progress(rooms.catalog, run.id, database.key)
    order = order_for(database, scope, run.id, rooms.catalog)
    order = replace(order, storages=_newest_storages(rooms.catalog, run) or order.storages)
    restored = (known.restored if known else None) or DatabaseRestore(
        database=database.key, stage=RestoreStage.PREPARING, stamp=order.stamp, at=order.at, began_at=run.started_at
    )
    if restored.stage is RestoreStage.DISCARDED:
        return None
    try:
        reached = await asyncio.to_thread(rooms.database(database).discard, order, restored)
    except BackupError as error:
        return f"{error.message} {error.hint}".strip()
    began = known.half_began_at if known and known.half == DISCARD else rooms.clock.now()
    progress = DatabaseProgress(database=database.key, half=DISCARD, half_began_at=began, restored=reached)
    evidence.save(rooms.catalog, run.id, progress_document(database.key), progress)
    return None if reached.done else ""


def _newest_storages(catalog: Catalog, restore: Run) -> tuple[ReleaseStorage, ...]:
    """What the properties of the releases said last, as a backup since the restore has read them: a person may have led a
    release to a copy meanwhile, and what one leads to is never deleted. This class of function cannot ask the clusters."""
    since = (run for run in catalog.runs(restore.plan) if run.kind is RunKind.BACKUP and run.started_at > restore.started_at)
    return next((found for run in since if (found := evidence.storage_of(catalog, run.id))), ())
