"""The end of a run that succeeded: the restore point becomes available, and the world is told."""

from __future__ import annotations

from shared.model.errors import InvalidRequest
from shared.model.records import replace
from shared.model.restore_point import PointPhase, RestorePoint
from shared.model.run import RunStatus
from shared.model.times import iso
from shared.steps import evidence
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, text

SUCCEEDED = "Backup Succeeded"


async def publish(request: Request, rooms: Rooms) -> Answer:
    """Publishes the restore point of `run` and gives the lease back. A repeated call tells the world again, no more.

    Raises:
        InvalidRequest: a database of the plan is not protected yet.
    """
    catalog, now = rooms.catalog, rooms.clock.now()
    run = catalog.run(text(request, "run"))
    point = catalog.point(run.plan, run.id)
    protections = {}
    for database in evidence.plan_of(catalog, run.id).databases:
        reached = evidence.load_protection(catalog, run.id, database.key)
        if reached is None or not reached.done:
            raise InvalidRequest(f"{database.key} is not protected for {run.id} yet.", hint="The step protect comes first.")
        protections[database.key] = reached
    if point.phase is PointPhase.CAPTURED:
        point = replace(point.advanced_to(PointPhase.AVAILABLE, now), databases=protections)
        catalog.put_point(point)
    if run.status is not RunStatus.SUCCEEDED:
        run = catalog.save_run(replace(run, step="publish", status=RunStatus.SUCCEEDED, ended_at=now, point=point.id))
    detail = _told(point, run.execution)
    rooms.signals.publish(SUCCEEDED, detail)
    catalog.release_lease(run.plan, run.id, run.token)
    seconds = (now - run.started_at).total_seconds()
    return detail | {"metrics": {"BackupsSucceeded": 1, "RunSeconds": seconds}}


def _told(point: RestorePoint, execution: str) -> Answer:
    return {
        "plan": point.plan,
        "run": point.id,
        "restore_point": point.id,
        "at": iso(point.at) if point.at else None,
        "reason": point.reason,
        "execution": execution,
    }
