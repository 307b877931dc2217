"""The two halves of a restore in one database, one small advance per call, and the proof at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from shared.model.checks import CheckResult, failures, summary
from shared.model.errors import BackupError, FencedOff, InvalidRequest, NotReady, Temporary
from shared.model.plan import Database
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, RestorePhase, RestoreStage
from shared.model.run import Cause
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, text
from shared.steps.restore.fence import Restoring, hold, waiting
from shared.steps.restore.plan import order_for
from shared.steps.restore.record import DatabaseProgress, load_progress
from shared.steps.restore.unfinished import ways_on

PREPARE, CUT_OVER = "prepare", "cut-over"
WAIT_SHARE = 1 / 30
"""Of the time that a half has taken so far. Waiting this much longer between two looks keeps an engine's history of many hours
short, and makes no restore more than a thirtieth longer."""
LONGEST_GROWN_WAIT_SECONDS = 300.0
LOOK_EVERY = timedelta(minutes=3)
"""A cut-over may take hours, and whatever writes in between is lost with what is replaced. Rarer than the calls, because every
look is a part of the engine's history."""
_PREPARED = (RestoreStage.PREPARED, RestoreStage.CUTTING_OVER, RestoreStage.DONE)


async def restore_prepare(request: Request, rooms: Rooms) -> Answer:
    """Advances `database` until what will replace it is complete. Nothing live is touched.

    Answer: `done`, `wait_seconds`, `message`, `stage`, `items_done` and `items`.

    Raises:
        NotReady: it cannot be restored (any more).
        Conflict: somebody else is at work on it.
    """
    restoring = hold(request, rooms)
    database, progress = _open(restoring, request, PREPARE, rooms)
    reached = progress.restored
    if reached is not None and reached.stage in _PREPARED:
        return _answer(progress, done=True, rooms=rooms)
    if restoring.record.phase not in (RestorePhase.RESTORING, RestorePhase.CUTTING_OVER):
        # In the second half one that is not cut over yet is prepared once more when the application has run in between.
        raise FencedOff(f"Run {restoring.run.id} is {restoring.record.phase.value}: no database is prepared now.")
    order = order_for(database, restoring.scope, restoring.run.id, rooms.catalog, restoring.record.stopped_at)
    access = rooms.database(database)
    return await _advance(restoring, progress, lambda: access.restore(order, reached), rooms)


async def restore_cut_over(request: Request, rooms: Rooms) -> Answer:
    """Advances `database` until the application's names lead to the restored data. Answer and errors as `restore_prepare`, and
    `look`: whether `restore_look` is to be called before the next call of this."""
    restoring = hold(request, rooms)
    database, progress = _open(restoring, request, CUT_OVER, rooms)
    reached = progress.restored
    if reached is None or reached.stage not in _PREPARED:
        raise InvalidRequest(f"{database.key} is not prepared yet.", hint="The step restore_prepare comes first.")
    if reached.stage is RestoreStage.DONE:
        return _answer(progress, done=True, rooms=rooms)
    if restoring.record.phase is not RestorePhase.CUTTING_OVER:
        raise FencedOff(f"Run {restoring.run.id} is {restoring.record.phase.value}: no database is cut over now.")
    order = order_for(database, restoring.scope, restoring.run.id, rooms.catalog, restoring.record.stopped_at)
    access = rooms.database(database)
    return await _advance(restoring, progress, lambda: access.cut_over(order, reached), rooms)


async def restore_verify(request: Request, rooms: Rooms) -> Answer:
    """Is what is live now what was promised? Answer: `ok` and the number of `checks`, which are kept in the record.

    Raises:
        NotReady: a check failed, or a database is not restored yet.
    """
    restoring = hold(request, rooms)
    if restoring.is_past(RestorePhase.VERIFYING):
        return {"ok": True, "checks": len(restoring.record.verified)}
    reached = {key: item.restored for key, item in restoring.progress().items() if item and item.restored}
    missing = [key for key, item in reached.items() if item.stage is not RestoreStage.DONE]
    missing += [item.key for item in restoring.scope.plan.databases if item.key not in reached]
    if missing:
        raise NotReady(f"{', '.join(missing)} is not restored yet.", hint="The steps before this one come first.")
    restoring.enter(RestorePhase.VERIFYING, "restore_verify")

    def verify(database: Database) -> tuple[CheckResult, ...]:
        order = order_for(database, restoring.scope, restoring.run.id, rooms.catalog, restoring.record.stopped_at)
        return rooms.database(database).verify(order, reached[database.key])

    found = await asyncio.gather(*(asyncio.to_thread(verify, item) for item in restoring.scope.plan.databases))
    results = tuple(result for checked in found for result in checked)
    way_out = ways_on(restoring.run, rooms.catalog) if restoring.in_place else ""
    restoring.save(verified=tuple(_with_way_out(result, way_out) for result in results))
    if failures(results):
        raise NotReady(f"What was restored is not what was promised. {summary(results)}", hint=way_out)
    return {"ok": True, "checks": len(results)}


def _with_way_out(result: CheckResult, way_out: str) -> CheckResult:
    """Whoever reads a failed check needs to know what can be done about the restore, too."""
    return replace(result, hint=f"{result.hint} {way_out}".strip()) if failures([result]) else result


def _open(restoring: Restoring, request: Request, half: str, rooms: Rooms) -> tuple[Database, DatabaseProgress]:
    key = text(request, "database")
    database = next((item for item in restoring.scope.plan.databases if item.key == key), None)
    if database is None:
        raise InvalidRequest(f"Run {restoring.run.id} restores no database {key!r}.")
    known = load_progress(rooms.catalog, restoring.run.id, key)
    if known is not None and known.half == half:
        return database, known
    began = DatabaseProgress(database=key, half=half, half_began_at=rooms.clock.now())
    return database, replace(began, restored=known.restored) if known else began


async def _advance(
    restoring: Restoring, progress: DatabaseProgress, call: Callable[[], DatabaseRestore], rooms: Rooms
) -> Answer:
    """One call, and what it reached is stored. That live data was touched is never forgotten again; and a database that is cut
    over by its endpoint, untouched itself, counts as such: from now on the properties lead away from the old data."""
    try:
        reached = await asyncio.to_thread(call)
    except Temporary:
        raise
    except BackupError as error:
        problem = Cause(code=error.code, message=error.message, hint=error.hint)
        restoring.save_progress(replace(progress, problem=problem))
        raise
    before = progress.restored
    is_cut_over = progress.half == CUT_OVER and reached.done
    reached = replace(
        reached,
        changed_live=reached.changed_live or is_cut_over or bool(before and before.changed_live),
        began_at=reached.began_at or (before.began_at if before else None) or progress.half_began_at,
    )
    now, last_look = rooms.clock.now(), progress.looked_at or progress.half_began_at
    is_look_due = progress.half == CUT_OVER and not reached.done and now - last_look >= LOOK_EVERY
    progress = replace(progress, restored=reached, problem=None, looked_at=now if is_look_due else progress.looked_at)
    restoring.save_progress(progress)
    return _answer(progress, done=reached.done, rooms=rooms) | {"look": is_look_due}


def _answer(progress: DatabaseProgress, *, done: bool, rooms: Rooms) -> Answer:
    reached = progress.restored
    elapsed = (rooms.clock.now() - progress.half_began_at).total_seconds()
    grown = min(LONGEST_GROWN_WAIT_SECONDS, elapsed * WAIT_SHARE)
    wait_seconds = max(reached.wait_seconds if reached else 0.0, grown)
    return {
        "database": progress.database,
        **waiting(done, wait_seconds, reached.message if reached else ""),
        "look": False,
        "stage": reached.stage.value if reached else "",
        "items_done": reached.count_done if reached else 0,
        "items": len(reached.items) if reached else 0,
    }
