"""Resuming the pods of a journal entry until every one of them is shown to run, or shown to be gone.

A pod that was deleted meanwhile needs no Unpause, and waiting for its address would keep a run from ever ending. Whether it is
gone is asked only after a first try, and only about pods that did not answer: nothing stands between the hold and the first
Unpause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.model.errors import BackupError, PodsMayBePaused
from shared.model.journal import PauseJournal
from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.run import Resumed
from shared.steps.ports import Rooms

FIRST_BUDGET_SECONDS = 5.0
"""Enough for every pod that answers at all, with a few repetitions."""
BUDGET_SECONDS = 90.0
"""How long one call tries in all: longer than a lost Pause with the default drain can take effect. The engine repeats the step,
and the watchdog goes on after that."""
GONE = "gone"


async def resume_pods(journal: PauseJournal, rooms: Rooms) -> tuple[Resumed, ...]:
    """Resumes the pods of the entry stage by stage: what was paused last comes first. A stage that does not answer keeps
    nobody waiting for longer than a few seconds.

    Raises:
        PodsMayBePaused: some pods exist and could not be shown to run; the message names them.
    """
    targets = {target.uid: target for target in journal.to_resume}
    found: dict[str, Resumed] = {}
    for stage in journal.resume_stages:
        found |= await _try(stage, FIRST_BUDGET_SECONDS, rooms)
    if stuck := [targets[uid] for uid, item in found.items() if item.problem]:
        living = await _living(stuck, rooms)
        found |= {target.uid: _gone(found[target.uid]) for target in stuck if target.uid not in living}
        found |= await _try([target for target in stuck if target.uid in living], BUDGET_SECONDS, rooms)
    if failed := [item for item in found.values() if item.problem]:
        raise _pods_may_be_paused(journal, failed)
    return tuple(found.values())


async def _try(targets: Sequence[AdminTarget], budget_seconds: float, rooms: Rooms) -> dict[str, Resumed]:
    if not targets:
        return {}
    resumed = await rooms.admin.resume(targets, budget_seconds)
    return {target.uid: item for target, item in zip(targets, resumed, strict=True)}


async def _living(targets: Sequence[AdminTarget], rooms: Rooms) -> frozenset[str]:
    """A cluster that cannot be asked leaves every pod possible."""
    try:
        return await asyncio.to_thread(rooms.releases.living, targets)
    except BackupError:
        return frozenset(target.uid for target in targets)


def _gone(item: Resumed) -> Resumed:
    return replace(item, problem="", note=GONE)


def _pods_may_be_paused(journal: PauseJournal, failed: Sequence[Resumed]) -> PodsMayBePaused:
    named = "; ".join(f"{item.pod}: {item.problem}" for item in failed)
    return PodsMayBePaused(
        f"{len(failed)} of {len(journal.to_resume)} pods of plan {journal.plan} may still be paused ({named}).",
        hint=f"Run `scalar-backup unpause --run {journal.run}`; if a pod cannot be reached, restart its Deployment's rollout.",
    )
