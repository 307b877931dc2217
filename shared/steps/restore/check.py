"""Is the world still the one that was confirmed? Asked again under the plan's lease, before anything is stopped."""

from __future__ import annotations

from shared.model.restore import RestorePhase
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request
from shared.steps.restore.fence import hold
from shared.steps.restore.plan import make_plan
from shared.steps.restore.points import find_again
from shared.steps.restore.request import require_fit


async def restore_check(request: Request, rooms: Rooms) -> Answer:
    """Answer: `ok`. A restore that goes on is not checked again once databases are being restored: its own copies are part of
    the world by then, and each database looks for itself before it changes anything.

    Raises:
        Conflict: the world has drifted; the message has the differences.
        NotReady: a check failed.
    """
    restoring = hold(request, rooms)
    if restoring.is_past(RestorePhase.STOPPING):
        return {"ok": True}
    confirmed = restoring.scope.restore
    source = find_again(confirmed.request, confirmed.point, confirmed.at, confirmed.undo_of, rooms.catalog)
    now = await make_plan(confirmed.request, source, confirmed.made_at, rooms, restoring.record.stopped)
    require_fit(confirmed, now.restore)
    if not restoring.in_place:
        restoring.enter(RestorePhase.RESTORING, "restore_check")
    return {"ok": True}
