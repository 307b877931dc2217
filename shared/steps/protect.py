"""Protects the restore point in one database: one small advance per call, until done."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from shared.model.errors import BackupError, InvalidRequest
from shared.model.plan import Database, FlexibleServer, RelationalDatabase
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection, WindowSnapshot
from shared.model.run import AttemptStatus, Run, RunKind, RunStatus
from shared.steps import evidence
from shared.steps.ports import Catalog, DatabaseAccess, Rooms
from shared.steps.request import Answer, Request, text
from shared.steps.restore.record import load_record

LEASE_SLACK = timedelta(minutes=15)
"""A call may take minutes and may be retried; the lease must outlast that."""


async def protect(request: Request, rooms: Rooms) -> Answer:
    """Advances `database` (its key) of `run`. Answer: `done`, and while it is false `wait_seconds` until the next call.

    Raises:
        FencedOff: the run has lost its lease.
    """
    catalog = rooms.catalog
    run, key = catalog.run(text(request, "run")), text(request, "database")
    plan = evidence.plan_of(catalog, run.id)
    database = next((item for item in plan.databases if item.key == key), None)
    if database is None:
        raise InvalidRequest(f"Plan {plan.name} has no database {key!r}.")
    point = catalog.point(run.plan, run.id)
    if point.at is None:
        raise InvalidRequest(f"Run {run.id} has no valid restore point to protect.")
    previous = evidence.load_protection(catalog, run.id, key) or _from_snapshot(catalog, run, database, point.at)
    lasting = timedelta(seconds=previous.wait_seconds if previous else 0)
    now = rooms.clock.now()
    catalog.renew_lease(run.plan, run.id, run.token, now + lasting + LEASE_SLACK, now)
    storages = evidence.storage_of(catalog, run.id)
    access, kept_copy = rooms.database(database), plan.backup.kept_copy
    reached = await asyncio.to_thread(access.protect, database, storages, point.at, kept_copy, previous)
    evidence.save(catalog, run.id, evidence.protection(key), reached)
    removed = await asyncio.to_thread(_clean_up, access, database, rooms) if reached.done else ()
    return {
        "database": key,
        "done": reached.done,
        "wait_seconds": max(1, round(reached.wait_seconds)),
        "message": reached.message,
        "items_done": reached.count_done,
        "items": len(reached.items),
        "left_over_removed": len(removed),
    }


def _from_snapshot(catalog: Catalog, run: Run, database: Database, point: datetime) -> DatabaseProtection | None:
    """What was asked for inside the pause window of the point; None when there was nothing, or it was refused."""
    valid = next((attempt for attempt in run.attempts if attempt.status is AttemptStatus.VALID), None)
    name = evidence.snapshots(valid.number) if valid else ""
    taken = (evidence.load(catalog, run.id, name, tuple[WindowSnapshot, ...]) or ()) if name else ()
    snapshot = next((item for item in taken if item.database == database.key), None)
    if snapshot is None:
        return None
    item = ItemProtection(name=_name(database), phase=ItemPhase.WAITING, backup_arn=snapshot.arn, note=snapshot.problem)
    return DatabaseProtection(database=database.key, point=point, items=(item,))


def _name(database: Database) -> str:
    """Of the one item that a database with a window snapshot has."""
    if isinstance(database, RelationalDatabase):
        return database.identifier
    return database.server if isinstance(database, FlexibleServer) else database.key


def _clean_up(access: DatabaseAccess, database: Database, rooms: Rooms) -> tuple[str, ...]:
    """What failed runs have left behind goes with the next success. Only a convenience: its failure fails nothing."""
    try:
        return access.clean_up(database, _points_in_use(rooms.catalog))
    except BackupError:
        return ()


def _points_in_use(catalog: Catalog) -> frozenset[datetime]:
    """The points that runs of any plan are still protecting, or restoring: a restore, too, may copy one aside first."""
    runs = (run for stored in catalog.plans() for run in catalog.runs(stored.plan.name))
    running = [run for run in runs if run.status in (RunStatus.RUNNING, RunStatus.HALTED)]
    protected = {run.attempt.point for run in running if run.attempt}
    return frozenset(point for point in protected | {_restored(run, catalog) for run in running} if point)


def _restored(run: Run, catalog: Catalog) -> datetime | None:
    record = load_record(catalog, run.id) if run.kind is RunKind.RESTORE else None
    return record.plan.at if record else None
