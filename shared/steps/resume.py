"""Resumes what the journal says was paused, on every path, and proves it. Afterwards, without hurry: the pods once more."""

from __future__ import annotations

import asyncio

from shared.model.errors import BackupError, Conflict
from shared.model.journal import PauseJournal
from shared.model.pods import ReleaseSnapshot, WatchReport
from shared.model.records import replace
from shared.model.run import CaptureEvidence, Cause, PausedSample, Resumed, ResumeEvidence, Run
from shared.model.times import iso
from shared.model.window import NotedTime
from shared.steps import evidence
from shared.steps.clocks import Reading, measure_clocks, read_clock
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, number, text
from shared.steps.resuming import outlast_lost_pauses, resume_after_close, resume_pods
from shared.steps.runs import attempt_of, save_attempt


async def resume(request: Request, rooms: Rooms) -> Answer:
    """Resumes attempt `attempt` of `run`. `captured` (default false) says that the window is worth proving to its end.

    Raises:
        PodsMayBePaused: some pods could not be shown to run; the message names them. Repeat the step.
    """
    run_id, attempt_number = text(request, "run"), number(request, "attempt")
    journal = rooms.catalog.pause_journal(run_id, attempt_number)
    if journal is None:
        _forbid_late_pause(rooms.catalog.run(run_id), attempt_number, rooms)
        return {"resumed": 0, "by": ""}
    if not journal.is_open:
        if journal.closed_by != "run":
            await resume_after_close(journal, rooms)
        return {"resumed": len(journal.to_resume), "by": journal.closed_by}
    reading = read_clock(rooms)
    begun_at, sample, resumed = await _resume_now(journal, request.get("captured") is True, rooms)
    await outlast_lost_pauses(journal, rooms)
    closed = rooms.catalog.close_pause(run_id, attempt_number, "run", rooms.clock.now())
    finished_at = rooms.clock.now()
    proof = await _prove(journal, begun_at, reading, rooms)
    found = ResumeEvidence(
        process=rooms.clock.process, begun=proof.begun, sample=sample, pods=resumed, finished_at=finished_at, watch=proof.watch,
        by=closed.closed_by, causes=proof.causes,
    )  # fmt: skip
    evidence.save(rooms.catalog, run_id, evidence.part(attempt_number, "after"), proof.after)
    evidence.save(rooms.catalog, run_id, evidence.part(attempt_number, "resume"), found)
    run = rooms.catalog.run(run_id)
    attempt = attempt_of(run, attempt_number)
    save_attempt(rooms.catalog, run, replace(attempt, resumed_at=finished_at), step="resume")
    return {"resumed": len(resumed), "by": closed.closed_by, "resumed_at": iso(finished_at)}


def _forbid_late_pause(run: Run, attempt: int, rooms: Rooms) -> None:
    """Without an entry nothing was paused, but the function that should have may still be alive and only cut off from its
    engine. A closed entry for this attempt is what it will find instead of opening one."""
    now = rooms.clock.now()
    try:
        rooms.catalog.open_pause(
            PauseJournal(plan=run.plan, run=run.id, attempt=attempt, token=run.token, opened_at=now, resume_by=now, releases=())
        )
        rooms.catalog.close_pause(run.id, attempt, "run", now)
    except Conflict:
        return  # whoever lost the lease cannot open an entry any more either


async def _resume_now(
    journal: PauseJournal, prove: bool, rooms: Rooms
) -> tuple[NotedTime | None, PausedSample | None, tuple[Resumed, ...]]:
    """The only lines between the end of the hold and the first Unpause: note the time, look once more, resume.

    The time is noted before CheckPaused is sent, so that the window ends at a moment that the answer still proves.
    """
    begun, sample = None, None
    if prove:
        begun = NotedTime(at=rooms.clock.now(), process=rooms.clock.process, clocks={})
        sample = await rooms.admin.check_paused([target for release in journal.releases for target in release.targets])
    return begun, sample, await resume_pods(journal, rooms)


class _Proof:
    """What is looked at after the pods run again. A failure here voids the window; it never keeps pods paused."""

    def __init__(self) -> None:
        self.begun: NotedTime | None = None
        self.after: tuple[ReleaseSnapshot, ...] = ()
        self.watch: WatchReport | None = None
        self.causes: tuple[Cause, ...] = ()


async def _prove(journal: PauseJournal, begun: NotedTime | None, begun_reading: Reading, rooms: Rooms) -> _Proof:
    proof = _Proof()
    if begun is None:
        return proof
    catalog, run, attempt = rooms.catalog, journal.run, journal.attempt
    plan = evidence.plan_of(catalog, run)
    before = evidence.load(catalog, run, evidence.part(attempt, "before"), tuple[ReleaseSnapshot, ...]) or ()
    captured = evidence.load(catalog, run, evidence.part(attempt, "capture"), CaptureEvidence)
    measuring = asyncio.create_task(measure_clocks(plan, rooms, since=begun_reading))
    try:
        proof.after = await asyncio.to_thread(rooms.releases.observe, plan.releases)
        positions = captured.watch.positions if captured else {}
        proof.watch = await asyncio.to_thread(rooms.releases.catch_up, positions, before)
    except BackupError as error:
        proof.causes = (Cause(code="pods-not-seen-after", message=error.message, hint=error.hint),)
    proof.begun = replace(begun, clocks=await measuring)
    return proof
