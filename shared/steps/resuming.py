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
from shared.model.naming import listed
from shared.model.pods import AdminTarget
from shared.model.records import replace
from shared.model.run import PauseEvidence, Resumed
from shared.steps import evidence
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


async def resume_after_close(journal: PauseJournal, rooms: Rooms) -> None:
    """For an entry that somebody else has closed: a Pause of ours may have been under way then, or sent after it.

    Its pods are resumed once more, but only while no other entry is open on one of its releases: that pause is not ours.

    Raises:
        PodsMayBePaused: see `resume_pods`.
    """
    ours = {release.key for release in journal.releases}
    others = rooms.catalog.open_pauses()
    if not any(release.key in ours for entry in others for release in entry.releases):
        await resume_pods(journal, rooms)


async def outlast_lost_pauses(journal: PauseJournal, rooms: Rooms) -> None:
    """A server does not notice that the process which sent a Pause is gone: the Pause may still close the gate after our
    Unpause. Before the journal is closed, such pods are looked at once more when every Pause must have ended.

    A process that still lives knows its own unanswered Pauses; this is for those of a process that died.

    Raises:
        PodsMayBePaused: see `resume_pods`.
    """
    paused = evidence.load(rooms.catalog, journal.run, evidence.part(journal.attempt, "pause"), PauseEvidence)
    if paused is not None and not _lost_by_another(paused, rooms):
        return
    left_seconds = ((journal.settles_at or journal.opened_at) - rooms.clock.now()).total_seconds()
    if left_seconds > 0:
        await rooms.clock.sleep(left_seconds)
    await resume_pods(journal, rooms)


def _lost_by_another(paused: PauseEvidence, rooms: Rooms) -> bool:
    has_lost = any(item.outcome == "unknown" for item in paused.acknowledgements)
    return has_lost and paused.process != rooms.clock.process


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
    named = listed([f"{item.pod}: {item.problem}" for item in failed], "; ")
    return PodsMayBePaused(
        f"{len(failed)} of {len(journal.to_resume)} pods of plan {journal.plan} may still be paused ({named}).",
        hint=f"Run `scalar-backup unpause --run {journal.run}`; if a pod cannot be reached, restart its Deployment's rollout.",
    )
