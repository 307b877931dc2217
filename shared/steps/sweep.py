"""The last net: runs that nobody holds any more and whose end nobody has recorded, and ends that nobody was told of.

Whatever else looks after them needs something to arrive: the engine's event about an execution, or the next backup or restore
of the plan. This needs the clock only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from shared.model.errors import BackupError, LeaseHeld, UnknownRun
from shared.model.run import Run, RunKind, RunStatus
from shared.model.times import iso
from shared.steps.conclude import conclude
from shared.steps.ports import Catalog, Rooms
from shared.steps.request import Answer, Request
from shared.steps.restore.conclude import tell
from shared.steps.restore.record import restores_of
from shared.steps.restore.told import is_told
from shared.steps.restore.unfinished import settle_deserted

LEASE_SECONDS = 300
QUIET = timedelta(hours=1)
"""A run that has begun no attempt for so long and is held by nobody is dead: its check is over long before, and while it does
anything else it holds its plan."""
TOLD_BY_THEN = timedelta(minutes=10)
"""Whoever has recorded an end tells it in the same step, so until then it may just be doing so."""
OLDEST = timedelta(days=7)
RUNS_LOOKED_AT = 25


async def sweep(request: Request, rooms: Rooms) -> Answer:
    """Settles and tells. Call it every hour, for ever; a run that lives is left alone.

    Answer: `settled` and `told`, runs.

    Raises:
        BackupError: the first problem with one of them, when all the others are seen to.
    """
    settled: list[str] = []
    told: list[str] = []
    metrics: Counter[str] = Counter()
    problems: list[BackupError] = []
    for run in _looked_at(rooms.catalog):
        try:
            if run.status is RunStatus.RUNNING:
                answer, ended = await _settle(run, rooms), settled
            else:
                answer, ended = _tell(run, rooms), told
        except BackupError as error:
            problems.append(error)
            continue
        if answer is not None:
            metrics.update(answer["metrics"])
            ended.append(run.id)
    if problems:
        raise problems[0]
    return {"settled": settled, "told": told, "metrics": dict(metrics)}


def _looked_at(catalog: Catalog) -> Iterator[Run]:
    """The newest runs of every plan, and the restores that it remembers: one may be halted for longer."""
    for stored in catalog.plans():
        name = stored.plan.name
        known = {run.id: run for run in catalog.runs(name, RUNS_LOOKED_AT)}
        yield from known.values()
        for run in restores_of(catalog, name):
            if run not in known:
                try:
                    yield catalog.run(run)
                except UnknownRun:
                    continue


async def _settle(run: Run, rooms: Rooms) -> Answer | None:
    """None when it lives, or somebody else has the plan."""
    if rooms.clock.now() - _last_sign(run) < QUIET:
        return None
    try:
        with _holding(run, rooms):
            run = rooms.catalog.run(run.id)
            if run.status is not RunStatus.RUNNING:
                return None
            if run.kind is RunKind.RESTORE:
                return tell(settle_deserted(run, rooms, rooms.clock.now()), rooms)
            cause = "The execution ended without a word, and the run's lease ran out."
            return await conclude(
                {
                    "execution": {"id": run.execution, "started_at": iso(run.started_at)},
                    "input": {"plan": run.plan, "reason": run.reason},
                    "error": {"Error": "Interrupted", "Cause": cause},
                    "only_running": True,
                },
                rooms,
            )
    except LeaseHeld:
        return None


def _last_sign(run: Run) -> datetime:
    return max([run.started_at, *(attempt.resume_by for attempt in run.attempts if attempt.resume_by)])


@contextmanager
def _holding(run: Run, rooms: Rooms) -> Iterator[None]:
    """The plan in nobody else's hands, and the run's last functions fenced. Raises LeaseHeld."""
    holder, now = f"{run.id}+sweep", rooms.clock.now()
    lease = rooms.catalog.acquire_lease(run.plan, holder, now + timedelta(seconds=LEASE_SECONDS), now)
    try:
        yield
    finally:
        rooms.catalog.release_lease(run.plan, holder, lease.token)


def _tell(run: Run, rooms: Rooms) -> Answer | None:
    """A restore that was settled by the next backup, say, which tells of its own end only."""
    if run.kind is not RunKind.RESTORE or run.status not in (RunStatus.HALTED, RunStatus.INTERRUPTED) or run.ended_at is None:
        return None
    if not TOLD_BY_THEN <= rooms.clock.now() - run.ended_at <= OLDEST or is_told(run, rooms.catalog):
        return None
    return tell(run, rooms)
