"""Pauses every pod of every release of the plan: look, journal, pause, confirm. All at once, or callers before what they call.

Whatever comes of it, the step `resume` follows. An expected failure is therefore an answer with its causes, not an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.model.checks import failures
from shared.model.clock import ClockBounds
from shared.model.errors import Conflict, NotReady
from shared.model.journal import JournalRelease, PauseJournal
from shared.model.naming import listed
from shared.model.pause_order import check_group, check_overlap, longest_seconds, stage_count, stages
from shared.model.plan import Plan
from shared.model.pods import AdminTarget, ReleaseSnapshot, unfit
from shared.model.records import replace
from shared.model.run import Acknowledgement, Attempt, Cause, PausedSample, PauseEvidence, Run
from shared.model.window import NotedTime
from shared.steps import evidence
from shared.steps.clocks import Reading, measure_clocks, read_clock, widen_by_step
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, number, text
from shared.steps.resuming import resume_after_close
from shared.steps.runs import attempt_of, save_attempt

LATE_PAUSE_SECONDS = 10.0
"""How late a server may begin a Pause that it has received, beyond its own wait for outstanding requests."""
RESUME_RESERVE_SECONDS = 10.0
"""Kept free before the watchdog wakes, so that the run itself resumes the pods."""
HINT_DRAIN = (
    "Raise pause.drain above the longest transaction. ScalarDB Cluster before 3.16.3, 3.17.1 and 3.18.0 never drains again "
    "after a transaction has expired: restart such pods, and upgrade."
)


async def pause(request: Request, rooms: Rooms) -> Answer:
    """Pauses the pods of attempt `attempt` of `run`.

    Answer: `paused`, true only when CheckPaused confirmed every pod. A call after an interrupted one never pauses again:
    a second Pause could be answered with a refusal that our own first one caused. It reports the interruption, and the
    window starts anew.
    """
    run_id, attempt_number = text(request, "run"), number(request, "attempt")
    catalog = rooms.catalog
    known = evidence.load(catalog, run_id, evidence.part(attempt_number, "pause"), PauseEvidence)
    if known is None:
        known = await _pause_once(catalog.run(run_id), attempt_number, rooms)
        evidence.save(catalog, run_id, evidence.part(attempt_number, "pause"), known)
    return {"paused": known.confirmed is not None, "causes": [cause.code for cause in known.causes]}


async def _pause_once(run: Run, attempt_number: int, rooms: Rooms) -> PauseEvidence:
    attempt, plan = attempt_of(run, attempt_number), evidence.plan_of(rooms.catalog, run.id)
    if rooms.catalog.pause_journal(run.id, attempt_number) is not None:
        return _failed(rooms, "pause-interrupted", "The function that paused the pods ended before it could report.")
    save_attempt(rooms.catalog, run, attempt, step="pause")
    try:
        snapshots, clocks, reading = await _prepare(plan, attempt, rooms)
        evidence.save(rooms.catalog, run.id, evidence.part(attempt_number, "before"), snapshots)
        journal = rooms.catalog.open_pause(_journal(run, attempt, plan, snapshots, rooms.clock.now()))
    except (NotReady, Conflict) as error:
        return _failed(rooms, error.code, error.message, error.hint)
    if not journal.is_open:
        return _failed(rooms, "pause-interrupted", "The engine had given this pause up before it began.")
    return await _pause_pods(run, attempt, plan, journal, _Clocks(clocks, reading), rooms)


async def _prepare(
    plan: Plan, attempt: Attempt, rooms: Rooms
) -> tuple[tuple[ReleaseSnapshot, ...], dict[str, ClockBounds], Reading]:
    """Everything that must be known before the first Pause: pods fit, nobody has paused them, clocks measured, time enough.

    Raises:
        NotReady: with the reason.
    """
    reading = read_clock(rooms)  # before measuring: a clock set at any moment from here on is noticed
    measuring = asyncio.create_task(measure_clocks(plan, rooms))
    try:
        snapshots = await asyncio.to_thread(rooms.releases.observe, plan.releases)
        products = [snapshot.product for snapshot in snapshots]
        if unsuited := failures((*check_group(products), *check_overlap(snapshots))):
            raise NotReady(f"{unsuited[0].subject}: {unsuited[0].detail}", hint=unsuited[0].hint)
        if problems := [problem.detail for snapshot in snapshots for problem in unfit(snapshot)]:
            raise NotReady(listed(problems, "; ") + ".", hint="The next attempt looks again.")
        snapshots = await _choose_transports(plan, snapshots, rooms)
        _refuse_paused(await rooms.admin.check_paused(_targets(snapshots)))
        clocks = await measuring
    finally:
        measuring.cancel()
    _refuse_late(plan, attempt, stage_count(products), rooms.clock.now())
    return snapshots, clocks, reading


async def _choose_transports(plan: Plan, snapshots: Sequence[ReleaseSnapshot], rooms: Rooms) -> tuple[ReleaseSnapshot, ...]:
    """The snapshots with the way to each pod. It is kept in the journal: whoever resumes the pods takes the same way first."""
    chosen = await asyncio.gather(
        *(rooms.admin.choose_transport(item.release.key, item.targets, plan.pause.transport) for item in snapshots)
    )
    if unreached := failures(result for _, result in chosen):
        raise NotReady(
            " ".join(f"{result.subject}: {result.detail}" for result in unreached),
            hint=" ".join(dict.fromkeys(result.hint for result in unreached)),
        )
    return tuple(replace(snapshot, targets=targets) for snapshot, (targets, _) in zip(snapshots, chosen, strict=True))


class _Clocks(NamedTuple):
    """Bounds, and a reading of this process's clocks from before they were measured."""

    bounds: dict[str, ClockBounds]
    before: Reading


def _refuse_paused(sample: PausedSample) -> None:
    if sample.unknown:
        raise NotReady(
            f"The Admin port of {listed(sample.unknown)} does not answer.",
            hint="`scalar-backup check` says why, pod by pod.",
        )
    if sample.paused:
        raise NotReady(
            f"{sample.paused} pods are paused already, by somebody else.",
            hint="`scalar-backup unpause` shows open pauses of this product; anything else was paused by hand.",
        )


def _refuse_late(plan: Plan, attempt: Attempt, stages_to_pause: int, now: datetime) -> None:
    needed = longest_seconds(plan.pause, stages_to_pause) + RESUME_RESERVE_SECONDS
    left = (attempt.resume_by - now).total_seconds() if attempt.resume_by else needed
    if left < needed:
        raise NotReady(
            f"Only {left:.0f} s are left before the watchdog resumes the pods; drain and hold may take {needed:.0f} s.",
            hint="Raise pause.max_pause in the plan, or lower pause.drain.",
        )


async def _pause_pods(
    run: Run, attempt: Attempt, plan: Plan, journal: PauseJournal, clocks: _Clocks, rooms: Rooms
) -> PauseEvidence:
    first_sent_at = rooms.clock.now()
    acknowledgements: list[Acknowledgement] = []
    causes: tuple[Cause, ...] = ()
    sent: list[AdminTarget] = []
    for stage in journal.pause_stages:
        sent += stage
        acknowledgements += await _pause_stage(stage, journal, first_sent_at, plan, rooms)
        causes = tuple(_cause(item) for item in acknowledgements if item.outcome != "paused")
        if not causes and not (sample := await rooms.admin.check_paused(sent)).proves_pause:
            causes = (_open_gate(sample),)
        if causes:
            break
    confirmed_at = read_clock(rooms)
    if spared := _never_tried(journal, sent):
        rooms.catalog.mark_not_ours(run.id, attempt.number, spared)
    causes = causes or await _closed_meanwhile(journal, rooms)
    confirmed = None
    if not causes:
        known = widen_by_step(clocks.bounds, clocks.before, confirmed_at)
        confirmed = NotedTime(at=confirmed_at.at, process=rooms.clock.process, clocks=known)
        hold_until = confirmed.at + timedelta(seconds=plan.pause.hold_seconds)
        paused = replace(attempt, pods=len(sent), paused_at=confirmed.at, hold_until=hold_until)
        save_attempt(rooms.catalog, run, paused, step="pause")
    return PauseEvidence(
        process=rooms.clock.process,
        first_sent_at=first_sent_at,
        confirmed=confirmed,
        acknowledgements=tuple(acknowledgements),
        causes=causes,
    )


async def _closed_meanwhile(journal: PauseJournal, rooms: Rooms) -> tuple[Cause, ...]:
    """Somebody who resumed while our Pauses were under way has closed the entry, so nobody would resume what they paused."""
    now = rooms.catalog.pause_journal(journal.run, journal.attempt)
    if now is not None and now.is_open:
        return ()
    await resume_after_close(now or journal, rooms)
    by = now.closed_by if now else "somebody"
    return (Cause(code=f"resumed-by-{by}", message=f"The pods were resumed by the {by} while they were being paused."),)


async def _pause_stage(
    stage: Sequence[AdminTarget], journal: PauseJournal, first_sent_at: datetime, plan: Plan, rooms: Rooms
) -> list[Acknowledgement]:
    """The answers of all pods of a stage, timed from the first Pause of all stages."""
    earlier_ms = (rooms.clock.now() - first_sent_at).total_seconds() * 1000

    def answered(target: AdminTarget, answer: Acknowledgement) -> None:
        """Somebody else's pause is noted at once: a process that dies while others still drain must not have it resumed."""
        if answer.outcome == "not-ours":
            rooms.catalog.mark_not_ours(journal.run, journal.attempt, [target.uid])

    answers = await rooms.admin.pause(stage, plan.pause.drain_seconds, answered)
    return [replace(answer, answered_ms=earlier_ms + answer.answered_ms) for answer in answers]


def _never_tried(journal: PauseJournal, sent: Sequence[AdminTarget]) -> list[str]:
    """The uids of pods that a failed stage before theirs has spared."""
    tried = {target.uid for target in sent}
    return [target.uid for stage in journal.pause_stages for target in stage if target.uid not in tried]


def _journal(run: Run, attempt: Attempt, plan: Plan, snapshots: Sequence[ReleaseSnapshot], now: datetime) -> PauseJournal:
    drains_seconds = plan.pause.drain_seconds * stage_count([snapshot.product for snapshot in snapshots])
    releases = tuple(
        JournalRelease(
            key=snapshot.release.key,
            cluster=snapshot.release.cluster,
            namespace=snapshot.release.namespace,
            helm_release=snapshot.release.helm_release,
            product=snapshot.product,
            targets=snapshot.targets,
            stage=stage,
        )
        for snapshot, stage in zip(snapshots, stages([snapshot.product for snapshot in snapshots]), strict=True)
    )
    return PauseJournal(
        plan=run.plan,
        run=run.id,
        attempt=attempt.number,
        token=run.token,
        opened_at=now,
        resume_by=attempt.resume_by or now,
        settles_at=now + timedelta(seconds=drains_seconds + LATE_PAUSE_SECONDS),
        releases=releases,
    )


def _targets(snapshots: Sequence[ReleaseSnapshot]) -> list[AdminTarget]:
    return [target for snapshot in snapshots for target in snapshot.targets]


def _cause(item: Acknowledgement) -> Cause:
    """Source: facts of the Scalar Admin interface; every answer has one meaning."""
    reason = f" ({item.reason})" if item.reason else ""
    texts = {
        "refused": ("pause-refused", "could not be paused: its outstanding transactions did not end in time"),
        "not-ours": ("paused-by-another", "is held by somebody else's pause, which is left alone"),
        "unknown": ("pause-unknown", "did not answer the Pause; it is resumed as if it were paused"),
    }
    code, what = texts[item.outcome]
    return Cause(
        code=code,
        message=f"Pod {item.pod} {what}{reason}. {item.detail}".strip(),
        hint=HINT_DRAIN if item.outcome == "refused" else "",
    )


def _open_gate(sample: PausedSample) -> Cause:
    pods = listed([*sample.not_paused, *sample.unknown])
    return Cause(
        code="pause-not-confirmed",
        message=f"The Pause was answered OK, but CheckPaused does not confirm it on {pods}.",
        hint="Older servers answer OK with an open gate when another Admin request comes in between.",
    )


def _failed(rooms: Rooms, code: str, message: str, hint: str = "") -> PauseEvidence:
    return PauseEvidence(
        process=rooms.clock.process,
        first_sent_at=None,
        confirmed=None,
        acknowledgements=(),
        causes=(Cause(code=code, message=message, hint=hint),),
    )
