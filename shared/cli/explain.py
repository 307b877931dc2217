"""Why a restore point can be believed, in plain sentences with the numbers; or why there is none, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from shared.cli.output import span
from shared.cli.words import counted
from shared.model.clock import ClockBounds
from shared.model.plan import Plan
from shared.model.pods import WatchReport
from shared.model.protection import DatabaseProtection, ItemPhase
from shared.model.restore_point import PauseWindow, RestorePoint
from shared.model.run import Evidence, Run
from shared.model.times import iso
from shared.model.window import PRECISION


def explain(point: RestorePoint, run: Run, plan: Plan, evidence: Evidence | None) -> Iterator[str]:
    """One statement per item. `plan` is the one with which the run began, `evidence` that of the point's own window."""
    if point.at is None:
        yield from _explain_invalid(point, run)
        return
    yield f"{point.id} is {point.phase.value}: every database of {point.plan} as of {iso(point.at)}. Reason: {point.reason}."
    if point.pause:
        yield f"{'A pause was needed' if point.pause.needed else 'No pause was needed'}: {point.pause.reason}"
    if point.window is None:
        yield f"The second was chosen when the run judged: {iso(point.created_at)}, without its fraction."
    else:
        yield from _explain_window(point.window, point.at, plan, evidence)
    for protection in point.databases.values():
        yield _explain_protection(protection)


def _explain_window(window: PauseWindow, at: datetime, plan: Plan, evidence: Evidence | None) -> Iterator[str]:
    if window.attempt > 1:
        yield f"It comes from attempt {window.attempt}; no earlier window could be proven, and none of them counts."
    paused_seconds = (window.resume_began_at - window.confirmed_at).total_seconds()
    yield (
        f"All {window.pods} pods were paused for {paused_seconds:.1f} s: the last one confirmed at {iso(window.confirmed_at)}, "
        f"{window.stagger_seconds:.2f} s after the first Pause was sent; the first resume was sent after "
        f"{iso(window.resume_began_at)}."
    )
    if evidence:
        yield from _explain_evidence(evidence)
    for database, interval in window.safe_by_database.items():
        length = (interval.end - interval.start).total_seconds()
        yield (
            f"{database}: {_explain_clocks(database, evidence)} The interval that is certainly inside the pause on its clock, "
            f"with {plan.pause.margin_seconds:g} s kept free at both ends, is {iso(interval.start)} to {iso(interval.end)} "
            f"({length:.1f} s)."
        )
    before = (at - window.safe.start).total_seconds()
    after = (window.safe.end - at - PRECISION).total_seconds()
    yield (
        f"{iso(at)} is the whole second nearest the middle of what all databases have in common: it begins {before:.2f} s "
        f"after the start of that interval and ends {after:.2f} s before its end. So no transaction was under way on any of "
        "them, wherever inside the second they cut."
    )


def _explain_evidence(evidence: Evidence) -> Iterator[str]:
    samples = [*(evidence.capture.samples if evidence.capture else ())]
    if evidence.resume and evidence.resume.sample:
        samples.append(evidence.resume.sample)
    if samples:
        proving = sum(sample.proves_pause for sample in samples)
        yield (
            f"CheckPaused was true on every pod in {proving} of {len(samples)} samples, from {iso(samples[0].asked_at)} to "
            f"{iso(samples[-1].asked_at)}, the last one immediately before the first resume."
        )
    pods = sum(len(snapshot.pods) for snapshot in evidence.before)
    if pods and evidence.after:
        events = sum(len(report.events) for report in _watches(evidence))
        yield (
            f"They were the same {pods} pods throughout: uid, address, node, template and the containers' ids, restarts and "
            f"start times were equal before and after; the watch in between saw {events} event(s), none of them a change."
        )


def _watches(evidence: Evidence) -> Iterator[WatchReport]:
    if evidence.capture:
        yield evidence.capture.watch
    if evidence.resume and evidence.resume.watch:
        yield evidence.resume.watch


def _explain_clocks(database: str, evidence: Evidence | None) -> str:
    paused = evidence.pause.confirmed if evidence and evidence.pause else None
    begun = evidence.resume.begun if evidence and evidence.resume else None
    bounds = [noted.clocks[database] for noted in (paused, begun) if noted and database in noted.clocks]
    if not bounds:
        return "its clock was not measured, so the vendor's rule was used: the middle of a pause of at least ten seconds."
    if unmeasured := next((item for item in bounds if not item.is_measured), None):
        return (
            f"its clock could not be measured ({unmeasured.problem}), so the vendor's rule was used: the middle of a pause of "
            "at least ten seconds."
        )
    at_pause, at_resume = _signed(bounds[0]), _signed(bounds[-1])
    same = at_pause == at_resume
    where = at_pause if same else f"{at_pause} at the pause and {at_resume} at the resume"
    return (
        f"its clock differs from ours by {where} ({sum(item.samples for item in bounds[: 1 if same else 2])} answers measured)."
    )


def _signed(bounds: ClockBounds) -> str:
    return f"{bounds.lower_seconds:+.3f} s to {bounds.upper_seconds:+.3f} s"


def _explain_protection(protection: DatabaseProtection) -> str:
    kept = sum(item.phase is ItemPhase.KEPT for item in protection.items)
    covered = [item.restorable_until for item in protection.items if item.phase is ItemPhase.COVERED]
    waiting = len(protection.items) - protection.count_done
    parts = [counted(protection.database, len(protection.items))]
    if kept:
        size = sum(item.size_bytes or 0 for item in protection.items)
        parts.append(f"{kept} with a kept copy ({size:,} bytes), which outlives the point-in-time recovery window")
    if covered:
        until = min((moment for moment in covered if moment), default=None)
        parts.append(f"{len(covered)} restorable by point-in-time recovery" + (f" until {iso(until)}" if until else ""))
    if absent := sum(item.phase is ItemPhase.ABSENT for item in protection.items):
        parts.append(f"{absent} created after the point, so not part of it")
    if waiting:
        parts.append(f"{waiting} not protected yet")
    return f"{protection.database}: {', '.join(parts)}."


def _explain_invalid(point: RestorePoint, run: Run) -> Iterator[str]:
    yield f"{point.id} is invalid: there is no second to restore to. Reason of the run: {point.reason}."
    for attempt in run.attempts:
        cause = attempt.cause
        said = f"{cause.message} {cause.hint}".strip() + f" [{cause.code}]" if cause else "no cause was recorded."
        yield f"Attempt {attempt.number} at {iso(attempt.started_at.replace(microsecond=0))}: {said}"
    cause = point.cause or run.cause
    if cause:
        yield f"The run ended with: {cause.message} [{cause.code}]"
    ended = f" It ended {span((run.ended_at - run.started_at).total_seconds())} after its start." if run.ended_at else ""
    yield (
        f"What to do: {cause.hint if cause and cause.hint else 'read the causes above'}{ended} "
        f"Then run `scalar-backup check {point.plan}` and `scalar-backup backup run {point.plan}`."
    )
