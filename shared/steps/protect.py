"""Protects the restore point in one database: one small advance per call, until done."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared.model.errors import InvalidRequest
from shared.steps import evidence
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, text

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
    previous = evidence.load_protection(catalog, run.id, key)
    lasting = timedelta(seconds=previous.wait_seconds if previous else 0)
    now = rooms.clock.now()
    catalog.renew_lease(run.plan, run.id, run.token, now + lasting + LEASE_SLACK, now)
    storages = evidence.storage_of(catalog, run.id)
    access, kept_copy = rooms.database(database), plan.backup.kept_copy
    reached = await asyncio.to_thread(access.protect, database, storages, point.at, kept_copy, previous)
    evidence.save(catalog, run.id, evidence.protection(key), reached)
    return {
        "database": key,
        "done": reached.done,
        "wait_seconds": max(1, round(reached.wait_seconds)),
        "message": reached.message,
        "items_done": reached.count_done,
        "items": len(reached.items),
    }
