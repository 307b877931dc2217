"""Resumes what the journal says was paused, on every path, and proves it. Afterwards, without hurry: the pods once more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from shared.model.clock import ClockBounds
from shared.model.errors import BackupError
from shared.model.journal import PauseJournal
from shared.model.pods import ReleaseSnapshot, WatchReport
from shared.model.records import replace
from shared.model.run import CaptureEvidence, Cause, PausedSample, PauseEvidence, Resumed, ResumeEvidence
from shared.model.times import iso
from shared.model.window import NotedTime
from shared.steps import evidence
from shared.steps.clocks import measure_clocks
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, number, text
from shared.steps.resuming import resume_pods
from shared.steps.runs import attempt_of, save_attempt

LATE_PAUSE_SECONDS = 10.0
"""How late a server may begin a Pause that it has received, beyond its own wait for outstanding requests."""


async def resume(request: Request, rooms: Rooms) -> Answer:
    """Resumes attempt `attempt` of `run`. `captured` (default false) says that the window is worth proving to its end.

    Raises:
        PodsMayBePaused: some pods could not be shown to run; the message names them. Repeat the step.
    """
    run_id, attempt_number = text(request, "run"), number(request, "attempt")
    journal = rooms.catalog.pause_journal(run_id, attempt_number)
    if journal is None:
        return {"resumed": 0, "by": ""}
    if not journal.is_open:
        return {"resumed": len(journal.to_resume), "by": journal.closed_by}
    begun_at, sample, resumed = await _resume_now(journal, request.get("captured") is True, rooms)
    await _outlast_lost_pauses(journal, rooms)
    closed = rooms.catalog.close_pause(run_id, attempt_number, "run", rooms.clock.now())
    finished_at = rooms.clock.now()
    proof = await _prove(journal, begun_at, rooms)
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


async def _outlast_lost_pauses(journal: PauseJournal, rooms: Rooms) -> None:
    """A server does not notice that the process which sent a Pause is gone: the Pause may still close the gate after our
    Unpause. Before the journal is closed, such pods are looked at once more when every Pause must have ended.

    A process that still lives knows its own unanswered Pauses; this is for those of a process that died.
    """
    paused = evidence.load(rooms.catalog, journal.run, evidence.part(journal.attempt, "pause"), PauseEvidence)
    if paused is not None and paused.first_sent_at is not None and not _lost_by_another(paused, rooms):
        return
    plan = evidence.plan_of(rooms.catalog, journal.run)
    drains_seconds = plan.pause.drain_seconds * len(journal.pause_stages)
    settled_at = journal.opened_at + timedelta(seconds=drains_seconds + LATE_PAUSE_SECONDS)
    await rooms.clock.sleep(max(0.0, (settled_at - rooms.clock.now()).total_seconds()))
    await resume_pods(journal, rooms)


def _lost_by_another(paused: PauseEvidence, rooms: Rooms) -> bool:
    has_lost = any(item.outcome == "unknown" for item in paused.acknowledgements)
    return has_lost and paused.process != rooms.clock.process


class _Proof:
    """What is looked at after the pods run again. A failure here voids the window; it never keeps pods paused."""

    def __init__(self) -> None:
        self.begun: NotedTime | None = None
        self.after: tuple[ReleaseSnapshot, ...] = ()
        self.watch: WatchReport | None = None
        self.causes: tuple[Cause, ...] = ()


async def _prove(journal: PauseJournal, begun: NotedTime | None, rooms: Rooms) -> _Proof:
    proof = _Proof()
    if begun is None:
        return proof
    catalog, run, attempt = rooms.catalog, journal.run, journal.attempt
    plan = evidence.plan_of(catalog, run)
    before = evidence.load(catalog, run, evidence.part(attempt, "before"), tuple[ReleaseSnapshot, ...]) or ()
    captured = evidence.load(catalog, run, evidence.part(attempt, "capture"), CaptureEvidence)
    clocks = asyncio.create_task(_own_clocks(run, attempt, begun, captured, rooms))
    try:
        proof.after = await asyncio.to_thread(rooms.releases.observe, plan.releases)
        positions = captured.watch.positions if captured else {}
        proof.watch = await asyncio.to_thread(rooms.releases.catch_up, positions, before)
    except BackupError as error:
        proof.causes = (Cause(code="pods-not-seen-after", message=error.message, hint=error.hint),)
    proof.begun = replace(begun, clocks=await clocks)
    return proof


async def _own_clocks(
    run: str, attempt: int, begun: NotedTime, captured: CaptureEvidence | None, rooms: Rooms
) -> dict[str, ClockBounds]:
    """The bounds for the time noted by this process: measured by it before, or now. The offset of two clocks does not change
    by resuming pods, so measuring afterwards is as good and keeps the pause short."""
    paused = evidence.load(rooms.catalog, run, evidence.part(attempt, "pause"), PauseEvidence)
    if captured and captured.process == begun.process and captured.clocks:
        return dict(captured.clocks)
    if paused and paused.confirmed and paused.confirmed.process == begun.process:
        return dict(paused.confirmed.clocks)
    return dict(await measure_clocks(evidence.plan_of(rooms.catalog, run), rooms))
