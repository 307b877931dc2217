"""All releases of a restore at once: advancing them, how long that may take, and whether they are still stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from shared.model.durations import format_duration
from shared.model.errors import BackupError, Conflict, NotReady, Temporary
from shared.model.naming import listed
from shared.model.plan import Release
from shared.model.records import replace
from shared.model.restore import PodsWait, RestorePhase
from shared.model.run import Cause
from shared.model.stop_start import StartProgress, StopProgress
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, text
from shared.steps.restore.fence import Restoring, hold
from shared.steps.restore.record import load_progress

LONGEST = timedelta(minutes=15)
"""How long pods may take to end, and to serve again. What takes longer needs a person: a node that is gone, an image that
cannot be pulled, a password that has changed."""
Progress = TypeVar("Progress", StopProgress, StartProgress)


async def restore_look(request: Request, rooms: Rooms) -> Answer:
    """While `database` is being cut over: are the pods still gone? For a cut-over of hours, between two of its calls.

    Raises:
        Conflict: somebody has started or changed a release; also kept as the database's problem.
    """
    restoring = hold(request, rooms)
    if restoring.record.phase is RestorePhase.CUTTING_OVER:
        try:
            await require_still_stopped(restoring, rooms)
        except Temporary:
            raise
        except BackupError as error:
            progress = load_progress(rooms.catalog, restoring.run.id, text(request, "database"))
            if progress is not None:
                problem = Cause(code=error.code, message=error.message, hint=error.hint)
                restoring.save_progress(replace(progress, problem=problem))
            raise
    return {}


async def require_still_stopped(restoring: Restoring, rooms: Rooms) -> None:
    """Raises Conflict when a release has pods, or was changed since its last one was gone."""
    stopped = restoring.record.stopped

    async def look(release: Release) -> StopProgress:
        return await asyncio.to_thread(rooms.applications.stop, release, stopped[release.key])

    releases = [release for release in restoring.scope.plan.releases if release.key in stopped]
    reached, errors = await advance_all(releases, look)
    if errors:
        raise errors[0]
    if there := [item.message for item in reached.values() if not item.done]:
        raise Conflict(listed(there, " "), hint="End these pods, then continue: they may write into what is being restored.")


async def advance_all(
    releases: Sequence[Release], advance: Callable[[Release], Awaitable[Progress]]
) -> tuple[dict[str, Progress], list[Exception]]:
    """Every release advances, whatever becomes of the others; what was reached is not lost with an error beside it."""
    results = await asyncio.gather(*(advance(release) for release in releases), return_exceptions=True)
    reached, errors = {}, []
    for release, result in zip(releases, results, strict=True):
        if isinstance(result, Exception):
            errors.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            reached[release.key] = result
    return reached, errors


def wait_of(restoring: Restoring, what: str, now: datetime) -> PodsWait:
    """The wait that goes on, or one that begins now: with every execution, and with every other `what`."""
    known, token = restoring.record.pods_wait, restoring.run.token
    return known if known and (known.what, known.token) == (what, token) else PodsWait(what=what, token=token, began_at=now)


def require_in_time(wait: PodsWait, reached: Sequence[StopProgress] | Sequence[StartProgress], now: datetime) -> None:
    """Raises NotReady when pods have taken too long; the message says of each why, and how to see more."""
    if now - wait.began_at < LONGEST:
        return
    left = [item for item in reached if not item.done]
    looks = [f"`kubectl -n {item.namespace} get pods` and `kubectl -n {item.namespace} get events`" for item in left]
    raise NotReady(
        f"Not {wait.what} after {format_duration(LONGEST.total_seconds())}: {listed([item.message for item in left], ' ')} "
        f"Look with {listed(sorted(set(looks)))}."
    )
