"""From evidence to a restore point, or to a named cause: the only place where a window is called consistent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shared.model.errors import FencedOff
from shared.model.naming import listed
from shared.model.plan import Plan
from shared.model.pods import benign_changes, compare, judge_events
from shared.model.records import replace, to_record
from shared.model.restore_point import PauseWindow, PointPhase, RestorePoint
from shared.model.run import Attempt, AttemptStatus, Cause, Evidence, Run
from shared.model.times import iso
from shared.model.window import SafeWindow, safe_window
from shared.steps import evidence
from shared.steps.capture import cause_of
from shared.steps.engine_errors import cause_from_engine
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, number, text
from shared.steps.runs import attempt_of, save_attempt

BACKOFF_SECONDS = 5
MAX_BACKOFF_SECONDS = 60
RESUMED_BY_OPERATOR = "resumed-by-operator"


async def judge(request: Request, rooms: Rooms) -> Answer:
    """Judges attempt `attempt` of `run`. `error` is what the engine caught from a step of this attempt, if anything.

    Answer: `verdict` is `valid` (with `point` and the `databases` to protect), `retry` (with `next_attempt` and
    `wait_seconds`) or `failed`.
    """
    catalog = rooms.catalog
    run, number_ = catalog.run(text(request, "run")), number(request, "attempt")
    attempt, plan = attempt_of(run, number_), evidence.plan_of(catalog, run.id)
    if attempt.status is AttemptStatus.OPEN:
        attempt = _decide(run, attempt, plan, cause_from_engine(request.get("error")), rooms)
        run = save_attempt(catalog, run, attempt, step="judge")
    if attempt.status is AttemptStatus.VALID:
        return {
            "verdict": "valid",
            "point": iso(attempt.point) if attempt.point else None,
            "databases": [database.key for database in plan.databases],
            "metrics": _metrics(attempt),
        }
    return _after_invalid(run, attempt, plan, rooms)


def _decide(run: Run, attempt: Attempt, plan: Plan, caught: Cause | None, rooms: Rooms) -> Attempt:
    if run.pause is not None and not run.pause.needed:
        return _without_pause(run, attempt, rooms)
    found = evidence.load_evidence(rooms.catalog, run.id, attempt.number)
    journal = rooms.catalog.pause_journal(run.id, attempt.number)
    resumed_by = journal.closed_by if journal else ""
    window = _window(plan, found)
    cause = next(_causes(plan, found, caught, resumed_by, window), None)
    if cause is not None or window is None or window.common is None or window.point is None:
        cause = cause or Cause(code="no-safe-second", message="The window holds no safe second.")
        return replace(attempt, status=AttemptStatus.INVALID, cause=cause)
    made = _point(run, window.point, PointPhase.CAPTURED, rooms)
    rooms.catalog.put_point(replace(made, window=_pause_window(found, window), notes=_notes(found)))
    return replace(attempt, status=AttemptStatus.VALID, point=window.point)


def _without_pause(run: Run, attempt: Attempt, rooms: Rooms) -> Attempt:
    """A single relational database: any whole second that has passed is consistent."""
    at = rooms.clock.now().replace(microsecond=0)
    rooms.catalog.put_point(_point(run, at, PointPhase.CAPTURED, rooms))
    return replace(attempt, status=AttemptStatus.VALID, point=at)


def _window(plan: Plan, found: Evidence) -> SafeWindow | None:
    paused = found.pause.confirmed if found.pause else None
    resuming = found.resume.begun if found.resume else None
    if paused is None or resuming is None:
        return None
    keys = [database.key for database in plan.databases]
    return safe_window(paused, resuming, keys, timedelta(seconds=plan.pause.margin_seconds))


def _causes(plan: Plan, found: Evidence, caught: Cause | None, resumed_by: str, window: SafeWindow | None) -> Iterator[Cause]:
    """Everything that speaks against the window, the most telling first. No evidence speaks against it too."""
    if resumed_by in ("watchdog", "operator"):
        yield Cause(
            code=f"resumed-by-{resumed_by}",
            message=f"The pods were resumed by the {resumed_by}, not by the run.",
            hint="The run had not resumed them in time; its execution in the console shows where it stood.",
        )
    for part in (found.pause, found.capture, found.resume):
        yield from part.causes if part else ()
    if caught:
        yield caught
    if found.pause is None or found.capture is None or found.resume is None or found.resume.sample is None:
        yield Cause(code="evidence-missing", message="A step of the window ended before it could record what it saw.")
        return
    yield from _incomplete(plan, found)
    if not found.resume.sample.proves_pause:
        pods = listed([*found.resume.sample.not_paused, *found.resume.sample.unknown])
        yield Cause(
            code="pause-not-held", message=f"Before the first Unpause, CheckPaused did not confirm the pause on: {pods}."
        )
    yield from _pod_causes(plan, found)
    if window is None or window.point is None:
        yield _no_safe_second(window)


def _pod_causes(plan: Plan, found: Evidence) -> Iterator[Cause]:
    after = {snapshot.release.key: snapshot for snapshot in found.after}
    for snapshot in found.before:
        later = after.get(snapshot.release.key)
        if later is None:
            yield Cause(code="pods-not-seen-after", message=f"{snapshot.release.key} was not seen again after the window.")
        elif cause := cause_of(compare(snapshot, later, strict=plan.pause.strict)):
            yield cause
    for report in (found.capture.watch if found.capture else None, found.resume.watch if found.resume else None):
        if report is None:
            yield Cause(code="watch-broken", message="The watch on the pods did not cover the whole window.")
        elif cause := cause_of(judge_events(found.before, report)):
            yield cause


def _notes(found: Evidence) -> tuple[str, ...]:
    """What differs before and after without speaking against the window."""
    after = {snapshot.release.key: snapshot for snapshot in found.after}
    return tuple(
        note for snapshot in found.before for note in benign_changes(snapshot, after.get(snapshot.release.key, snapshot))
    )


def _incomplete(plan: Plan, found: Evidence) -> Iterator[Cause]:
    """Evidence that covers less than the whole plan proves nothing about the rest."""
    wanted = {release.key for release in plan.releases}
    targets = sum(len(snapshot.targets) for snapshot in found.before)
    acknowledged = len(found.pause.acknowledgements) if found.pause else 0
    samples = found.capture.samples if found.capture else ()
    gaps = [
        ({snapshot.release.key for snapshot in found.before} != wanted, "not every release was seen before the window"),
        (targets == 0 or acknowledged != targets, f"{acknowledged} of {targets} pods acknowledged the pause"),
        (not samples or any(sample.paused != targets for sample in samples), "CheckPaused did not cover every pod in the hold"),
    ]
    for is_open, what in gaps:
        if is_open:
            yield Cause(code="evidence-missing", message=f"The evidence is incomplete: {what}.")


def _no_safe_second(window: SafeWindow | None) -> Cause:
    sizes = {} if window is None else window.by_database
    empty = [key for key, interval in sizes.items() if interval is None]
    where = f" on the clock of {', '.join(empty)}" if empty else " common to all databases"
    return Cause(
        code="no-safe-second",
        message=f"The window holds no whole second that is safe{where}.",
        hint="Hold longer (pause.hold), or look at the clock bounds in the evidence.",
    )


def _pause_window(found: Evidence, window: SafeWindow) -> PauseWindow | None:
    paused, resumed = found.pause, found.resume
    if paused is None or paused.confirmed is None or resumed is None or resumed.begun is None or window.common is None:
        return None
    stagger = (paused.confirmed.at - (paused.first_sent_at or paused.confirmed.at)).total_seconds()
    return PauseWindow(
        attempt=found.attempt,
        confirmed_at=paused.confirmed.at,
        resume_began_at=resumed.begun.at,
        pods=len(paused.acknowledgements),
        stagger_seconds=stagger,
        safe_by_database={key: interval for key, interval in window.by_database.items() if interval is not None},
        safe=window.common,
    )


def _after_invalid(run: Run, attempt: Attempt, plan: Plan, rooms: Rooms) -> Answer:
    """Another window after a backoff, or the end: then the failure is kept as an invalid point, with the reason."""
    if not _may_retry(attempt, plan):
        rooms.catalog.put_point(replace(_point(run, None, PointPhase.INVALID, rooms), cause=attempt.cause))
        return {"verdict": "failed", "cause": to_record(attempt.cause), "metrics": {}}
    wait = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (attempt.number - 1))
    return {"verdict": "retry", "next_attempt": attempt.number + 1, "wait_seconds": wait, "metrics": {"InvalidWindows": 1}}


def _may_retry(attempt: Attempt, plan: Plan) -> bool:
    """Not after a lost lease, which means that another run is at work, and not against an operator who has resumed the pods."""
    is_final = attempt.cause is not None and attempt.cause.code in (FencedOff.__name__, RESUMED_BY_OPERATOR)
    return attempt.number < plan.pause.attempts and not is_final


def _point(run: Run, at: datetime | None, phase: PointPhase, rooms: Rooms) -> RestorePoint:
    """The point of a run has the run's id, so that everything about it can be found by one name."""
    return RestorePoint(
        id=run.id,
        plan=run.plan,
        plan_revision=run.plan_revision,
        at=at,
        phase=phase,
        reason=run.reason,
        created_at=rooms.clock.now(),
        pause=run.pause,
    )


def _metrics(attempt: Attempt) -> dict[str, float]:
    """Names and units: docs/adr/0006. Seconds."""
    if attempt.paused_at is None or attempt.resumed_at is None:
        return {}
    return {"PauseSeconds": (attempt.resumed_at - attempt.paused_at).total_seconds(), "PausedPods": attempt.pods}
