"""The releases of a restore: stopped before anything is replaced, led to another endpoint where there is one, started again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.model.endpoint_change import EndpointChange
from shared.model.errors import Conflict, NotReady
from shared.model.naming import listed
from shared.model.plan import Release
from shared.model.records import replace
from shared.model.restore import EndpointMove, RestorePhase, RestoreStage
from shared.model.stop_start import StartProgress, StopProgress
from shared.steps import evidence
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request
from shared.steps.restore.fence import Restoring, hold, waiting
from shared.steps.restore.pods import advance_all, require_in_time, require_still_stopped, wait_of
from shared.steps.restore.schema_repairs import advance_repairs

BEFORE_CUT_OVER = "cut-over"
"""The word in `before` for the second look at the pods."""
TRIES = 5
RETRY_SECONDS = 2.0
_PREPARED = (RestoreStage.PREPARED, RestoreStage.CUTTING_OVER, RestoreStage.DONE)


async def restore_stop(request: Request, rooms: Rooms) -> Answer:
    """Stops every release, one small advance per call. The numbers of replicas are stored before anything is stopped.

    `before` is `restore`, or `cut-over` for the second look: are the pods still gone, now that live data is about to be
    replaced? With that the restore enters its second half.

    What was changed between two executions, while nobody looked, is answered for by whoever continued the restore: it counts
    as stopped from now on, and what is kept of the last state is made anew.

    Raises:
        Conflict: somebody else has scaled a release up again, or has changed it before the cut-over; the message says who, as
            far as the cluster knows.
        NotReady: the pods have not ended in time.
    """
    restoring = hold(request, rooms)
    if restoring.is_past(RestorePhase.CUTTING_OVER):
        return waiting(True, 0, "")
    restoring.enter(RestorePhase.STOPPING, "restore_stop")
    is_second = request.get("before") == BEFORE_CUT_OVER
    releases, known = restoring.scope.plan.releases, dict(restoring.record.stopped)
    before = known if is_second else {key: replace(item, done=False) for key, item in known.items()}

    async def stop(release: Release) -> StopProgress:
        return await asyncio.to_thread(rooms.applications.stop, release, before.get(release.key))

    reached, errors = await advance_all(releases, stop)
    has_changed = any(known[key].generation not in (None, item.generation) for key, item in reached.items() if key in known)
    stopped_at = None if has_changed else restoring.record.stopped_at
    wait = wait_of(restoring, "stopped", rooms.clock.now())
    restoring.save(stopped=known | reached, stopped_at=stopped_at, pods_wait=wait)
    if errors:
        raise errors[0]
    if len(reached) < len(releases) or not all(item.done for item in reached.values()):
        require_in_time(wait, list(reached.values()), rooms.clock.now())
        return _still(list(reached.values()))
    if not is_second:
        if stopped_at is None:
            _prepare_anew(restoring)
            stopped_at = rooms.clock.now()
        restoring.enter(RestorePhase.RESTORING, "restore_stop", stopped_at=stopped_at)
        return waiting(True, 0, "")
    if unprepared := _in_other_stages(restoring, _PREPARED):
        raise NotReady(f"{listed(unprepared)} is not prepared, so no database is cut over.")
    restoring.enter(RestorePhase.CUTTING_OVER, "restore_stop")
    return waiting(True, 0, "")


async def restore_lead(request: Request, rooms: Rooms) -> Answer:
    """Leads the properties of the releases to the endpoints that have changed. Nothing to do where the names were swapped.

    Raises:
        NotReady: a database is not cut over; the message names which are and which are not. Or an endpoint is in a place that
            cannot be rewritten.
        Conflict: somebody has started or changed a release during the cut-over.
    """
    restoring = hold(request, rooms)
    if restoring.is_past(RestorePhase.LEADING):
        return waiting(True, 0, "")
    _require_all_cut_over(restoring)
    if not restoring.is_past(RestorePhase.CUTTING_OVER):
        await require_still_stopped(restoring, rooms)
    restoring.enter(RestorePhase.LEADING, "restore_lead")
    reached = [item.restored for item in restoring.progress().values() if item and item.restored]
    moves = [move for item in reached for move in item.endpoints]
    releases = [item for item in restoring.scope.plan.releases if not item.is_participant] if moves else []
    for release in releases:
        if release.key not in restoring.record.led:
            await _lead(restoring, release, moves, rooms)
    restoring.enter(RestorePhase.STARTING, "restore_lead")
    return waiting(True, 0, "")


async def restore_start(request: Request, rooms: Rooms) -> Answer:
    """Starts every release that was stopped, one small advance per call; on the way forward and on the way back. Forward, what
    a restored database lacks of its schema is brought back before that.

    Raises:
        Conflict: somebody else has scaled a release down again; or, on the way forward, has started one before its time.
        NotReady: a repair of the schema has failed, or cannot be run; or pods do not serve in time.
    """
    restoring = hold(request, rooms, back=True)
    is_back = restoring.record.phase is RestorePhase.LEADING_BACK
    if not is_back and restoring.is_past(RestorePhase.STARTING):
        return waiting(True, 0, "")
    if not is_back:
        _require_all_cut_over(restoring)
        restoring.enter(RestorePhase.STARTING, "restore_start")
        if (repair := await advance_repairs(restoring, rooms)) is not None:
            return waiting(False, repair.wait_seconds, repair.message)
    stopped, known = restoring.record.stopped, dict(restoring.record.started)
    waited_for = [
        item
        for item in restoring.scope.plan.releases
        if item.key in stopped and not (item.key in known and known[item.key].done)
    ]

    async def start(release: Release) -> StartProgress:
        since = stopped[release.key]
        # On the way back everything is as it was, so whoever has started it meanwhile has done no harm.
        since = replace(since, generation=None) if is_back else since
        return await rooms.applications.start(release, since, known.get(release.key))

    reached, errors = await advance_all(waited_for, start)
    wait = wait_of(restoring, "started on the old data" if is_back else "started", rooms.clock.now())
    restoring.save(started=known | reached, pods_wait=wait)
    if errors:
        raise errors[0]
    if not all(item.done for item in reached.values()):
        require_in_time(wait, list(reached.values()), rooms.clock.now())
        return _still(list(reached.values()))
    if not is_back:
        await _require_led(restoring, rooms)
    return waiting(True, 0, "")


async def _require_led(restoring: Restoring, rooms: Rooms) -> None:
    """Do the properties still name the restored endpoints, now that pods have read them? A `helm upgrade` with the old values
    since they were led would have brought the pods up on the old database, and everything else would look well."""
    reached = [item.restored for item in restoring.progress().values() if item and item.restored]
    old = {move.old: move.new for restored in reached for move in restored.endpoints if move.old != move.new}
    releases = [item for item in restoring.scope.plan.releases if item.key in restoring.record.led]
    if not old or not releases:
        return
    for storages in await asyncio.to_thread(rooms.releases.storage, releases):
        for storage in storages.storages:
            if back := sorted(host for host in old if storage.leads_to(host)):
                raise NotReady(
                    f"{storages.source} of {storages.release} leads to {back[0]} again, not to the restored {old[back[0]]}.",
                    hint="Give its Helm values the restored endpoint, bring it to 0 replicas, then continue the restore.",
                )


def _prepare_anew(restoring: Restoring) -> None:
    """What was prepared before the pods were gone for good keeps a state that is not the last one. Nothing that is made is made
    again, except what is to be kept of the live data."""
    for progress in restoring.progress().values():
        reached = progress.restored if progress else None
        if progress and reached and reached.stage is RestoreStage.PREPARED and not reached.changed_live:
            preparing = replace(reached, stage=RestoreStage.PREPARING, done=False)
            restoring.save_progress(replace(progress, restored=preparing))


def _still(reached: Sequence[StopProgress] | Sequence[StartProgress]) -> Answer:
    left = [item for item in reached if not item.done]
    return waiting(False, min(item.wait_seconds for item in left), listed([item.message for item in left], " "))


def _in_other_stages(restoring: Restoring, stages: Sequence[RestoreStage]) -> list[str]:
    reached = restoring.progress()
    return [key for key, item in reached.items() if not (item and item.restored and item.restored.stage in stages)]


def _require_all_cut_over(restoring: Restoring) -> None:
    missing = _in_other_stages(restoring, (RestoreStage.DONE,))
    if not missing:
        return
    reached = restoring.progress()
    done = [key for key in reached if key not in missing]
    why = [_why(key, item.problem.message if (item := reached[key]) and item.problem else "") for key in missing]
    so_far = f" Cut over: {listed(done)}." if done else " No database is cut over."
    raise NotReady(f"Not cut over: {listed(why, '; ')}.{so_far}", hint="Mend what is named, then continue, or undo.")


def _why(key: str, problem: str) -> str:
    return f"{key} ({problem or 'its execution ended before it could say why'})"


async def _lead(restoring: Restoring, release: Release, moves: Sequence[EndpointMove], rooms: Rooms) -> None:
    changes, values = await _lead_patiently(release, moves, rooms)
    _remember(restoring, changes, rooms)
    values_changes = dict(restoring.record.values_changes) | ({release.key: values} if values else {})
    restoring.save(led=(*restoring.record.led, release.key), values_changes=values_changes)


async def _lead_patiently(
    release: Release, moves: Sequence[EndpointMove], rooms: Rooms
) -> tuple[tuple[EndpointChange, ...], str]:
    """A write that met another one is made again on what that one has left."""
    for _ in range(TRIES - 1):
        try:
            return await asyncio.to_thread(rooms.endpoints.lead, release, moves)
        except Conflict:
            await rooms.clock.sleep(RETRY_SECONDS)
    return await asyncio.to_thread(rooms.endpoints.lead, release, moves)


def _remember(restoring: Restoring, changes: Sequence[EndpointChange], rooms: Rooms) -> None:
    """For the check that finds an endpoint led back by a `helm upgrade` with the old values. A repeated call adds nothing."""
    run, plan, now = restoring.run.id, restoring.run.plan, rooms.clock.now()
    known = evidence.endpoint_changes(rooms.catalog, plan)
    mine = {(item.release, item.storage) for item in known if item.run == run}
    new = [replace(item, run=run, changed_at=now) for item in changes if (item.release, item.storage) not in mine]
    if new:
        restoring.renew()
        evidence.save(rooms.catalog, plan, evidence.ENDPOINT_CHANGES, (*known, *new))
