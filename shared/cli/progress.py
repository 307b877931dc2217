"""A run's progress for people: as lines that come once each (a log, a pipe), and as a picture that is redrawn (a terminal)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shared.cli.follow import View
from shared.cli.output import second, span
from shared.cli.words import counted
from shared.model.protection import DatabaseProtection
from shared.model.run import Attempt, AttemptStatus, Run, RunStatus
from shared.model.times import iso

TABLES_SHOWN = 12
_MARKS = {AttemptStatus.OPEN: ("●", "yellow"), AttemptStatus.VALID: ("✓", "green"), AttemptStatus.INVALID: ("✗", "red")}


def story(view: View) -> Iterator[str]:
    """Everything that has happened so far, in order."""
    run = view.run
    if run is None:
        if view.execution.is_over:
            yield f"the execution ended ({view.execution.status}) before the run had a record"
        return
    yield f"{second(run.started_at)} run {run.id} began ({run.reason})"
    if run.pause:
        yield f"pause {'needed' if run.pause.needed else 'not needed'}: {run.pause.reason}"
    for attempt in run.attempts:
        yield from _story_of(attempt, run, view)
    for protection in view.protections:
        yield f"{protection.database}: {_protection(protection)}"
    if run.status is not RunStatus.RUNNING:
        yield outcome(view)
    elif view.execution.is_over:
        yield f"the execution ended ({view.execution.status}) while the run's record still says running"


def _story_of(attempt: Attempt, run: Run, view: View) -> Iterator[str]:
    name = f"attempt {attempt.number} of {view.attempts_allowed}"
    yield f"{second(attempt.started_at)} {name} began"
    if attempt.paused_at:
        holding = f", held at least until {iso(attempt.hold_until)}" if attempt.hold_until else ""
        yield f"{iso(attempt.paused_at)} {name}: {attempt.pods} pods paused{holding}"
    if attempt.resumed_at:
        yield f"{iso(attempt.resumed_at)} {name}: pods resumed{_paused_for(attempt)}"
    if attempt.status is AttemptStatus.VALID and attempt.point:
        yield f"{name}: {_proven(run)}, restore point {iso(attempt.point)}"
    if attempt.status is AttemptStatus.INVALID:
        yield f"{name}: window invalid: {_cause(attempt)}"
        if run.status is RunStatus.RUNNING and attempt is run.attempt and attempt.number < view.attempts_allowed:
            yield f"{name} is followed by another"


def outcome(view: View) -> str:
    """The last line about a run: what came of it, and what to do."""
    run = view.run
    if run is None or run.status is RunStatus.RUNNING:
        return f"not seen to end; its execution is {view.execution.status}"
    if run.status is RunStatus.SUCCEEDED:
        at = f" {iso(view.point.at)}" if view.point and view.point.at else ""
        took = f" after {span((run.ended_at - run.started_at).total_seconds())}" if run.ended_at else ""
        return f"succeeded{took}: restore point {run.point or run.id}{at}"
    cause = f": {run.cause.message} {run.cause.hint}".rstrip() if run.cause else ""
    return f"{run.status.value}{cause}"


def picture(view: View) -> RenderableType:
    """The whole state on one screen."""
    run = view.run
    if run is None:
        return Text(f"waiting for the run's record ({view.execution.status})")
    parts: list[RenderableType] = [Text(f"{run.id}  {run.reason}", style="bold"), _steps(view)]
    if run.pause:
        parts.append(Text(f"pause {'needed' if run.pause.needed else 'not needed'}: {run.pause.reason}"))
    parts += [_attempt_line(attempt, view) for attempt in run.attempts]
    parts += [part for protection in view.protections for part in _tables(protection)]
    if run.status is not RunStatus.RUNNING:
        parts.append(Text(outcome(view), style="bold green" if run.status is RunStatus.SUCCEEDED else "bold red"))
    return Group(*parts)


def _steps(view: View) -> Text:
    text, is_running = Text(), view.run is not None and view.run.status is RunStatus.RUNNING
    for index, (step, seen_at) in enumerate(view.steps):
        is_current = is_running and index == len(view.steps) - 1
        since = f" {span((view.at - seen_at).total_seconds())}" if is_current else f" {seen_at:%H:%M:%S}"
        text.append(" → " if index else "").append(step, style="bold yellow" if is_current else "green").append(since, "dim")
    return text


def _attempt_line(attempt: Attempt, view: View) -> Text:
    mark, style = _MARKS[attempt.status]
    text = Text(f"{mark} ", style=style).append(f"attempt {attempt.number} of {view.attempts_allowed}: ", style="default")
    return text.append(_attempt_state(attempt, view), style="default")


def _attempt_state(attempt: Attempt, view: View) -> str:
    if attempt.status is AttemptStatus.INVALID:
        return f"window invalid: {_cause(attempt)}"
    if attempt.status is AttemptStatus.VALID:
        return f"{_proven(view.run)}{_paused_for(attempt)}" + (f", restore point {iso(attempt.point)}" if attempt.point else "")
    if attempt.resumed_at:
        return f"pods resumed{_paused_for(attempt)}; the evidence is being judged"
    if attempt.paused_at and attempt.hold_until:
        left = (attempt.hold_until - view.at).total_seconds()
        what = f"{left:.0f} s of the hold left" if left > 0 else "hold complete, being resumed"
        return f"{attempt.pods} pods paused for {span((view.at - attempt.paused_at).total_seconds())}, {what}"
    return "pausing the pods" if view.run and view.run.pause and view.run.pause.needed else "choosing the second"


def _tables(protection: DatabaseProtection) -> Iterator[RenderableType]:
    total = max(len(protection.items), 1)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Text(protection.database), ProgressBar(total=total, completed=protection.count_done, width=30), _protection(protection)
    )
    yield grid
    if len(protection.items) <= TABLES_SHOWN:
        for item in protection.items:
            yield Text(f"    {item.name}  {item.phase.value}", style="green" if item.is_done else "dim")


def _protection(protection: DatabaseProtection) -> str:
    done = f"{protection.count_done} of {counted(protection.database, len(protection.items))} done"
    if protection.done:
        return done
    if protection.message.startswith(done):
        return protection.message.rstrip(".")
    phases = Counter(item.phase.value for item in protection.items if not item.is_done)
    under_way = ", ".join(f"{count} {phase}" for phase, count in sorted(phases.items()))
    return f"{done}{f' ({under_way})' if under_way else ''}{f': {protection.message}' if protection.message else ''}"


def _proven(run: Run | None) -> str:
    return "window proven" if run is None or run.pause is None or run.pause.needed else "no window needed"


def _paused_for(attempt: Attempt) -> str:
    if not attempt.paused_at or not attempt.resumed_at:
        return ""
    return f" after {(attempt.resumed_at - attempt.paused_at).total_seconds():.1f} s of pause"


def _cause(attempt: Attempt) -> str:
    return f"{attempt.cause.message} {attempt.cause.hint}".strip() if attempt.cause else "no cause was recorded"
