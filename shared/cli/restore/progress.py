"""A restore's progress for people: as lines that come once each (a log, a pipe), and as a picture (a terminal)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from shared.cli.output import second, span
from shared.cli.restore.view import RestoreView
from shared.cli.words import counted
from shared.model.restore import RestorePhase, RestoreRecord, RestoreStage, Target
from shared.model.run import RunStatus
from shared.model.times import iso
from shared.steps.restore.record import DatabaseProgress

ITEMS_SHOWN = 12
_BAR = 24
_STORY_STEP = 10
"""Percent. A line per percent would be a hundred lines per database in a log."""
_COUNTS = re.compile(r"\d+ of \d+ ")
_PHASES = {
    RestorePhase.BEGUN: "looking once more whether the plan still holds",
    RestorePhase.STOPPING: "stopping the application",
    RestorePhase.RESTORING: "restoring aside; nothing live is touched",
    RestorePhase.CUTTING_OVER: "cutting over; from here on it goes forward, or is undone",
    RestorePhase.LEADING: "leading the properties of the releases to the new endpoint",
    RestorePhase.STARTING: "starting the application",
    RestorePhase.VERIFYING: "comparing what is live with what was promised",
    RestorePhase.FINISHED: "finished",
    RestorePhase.LEADING_BACK: "leading back: starting the application on the old data, which is untouched",
    RestorePhase.LED_BACK: "led back: nothing live was changed",
}
_STAGES = {
    RestoreStage.PREPARING: "being restored aside",
    RestoreStage.PREPARED: "ready for the cut-over",
    RestoreStage.CUTTING_OVER: "being cut over",
    RestoreStage.DONE: "done",
    RestoreStage.DISCARDED: "done, old copy deleted",
}
_ENDED = (RestoreStage.DONE, RestoreStage.DISCARDED)


def story(view: RestoreView) -> Iterator[str]:
    """Everything that has happened so far, in order."""
    run, record = view.run, view.record
    if run is None:
        if view.execution.is_over:
            yield f"the execution ended ({view.execution.status}) before it had taken hold of the restore"
        return
    if record is not None:
        yield f"{second(run.started_at)} run {run.id} began: {_aim(record)}"
        for phase, seen_at in view.phases:
            yield f"{second(seen_at)} {_PHASES[phase]}"
        for release, said in _releases(record).items():
            yield f"{release}: {said}"
        for key, progress in view.databases.items():
            if progress is not None:
                yield f"{key}: {_state(key, progress, step=_STORY_STEP)}"
    if run.status is not RunStatus.RUNNING:
        yield from outcome(view)
    elif view.execution.is_over:
        yield f"the execution ended ({view.execution.status}) while the run's record still says running"


def outcome(view: RestoreView) -> Iterator[str]:
    """The last lines about a restore: what came of it, and the next command."""
    run, record = view.run, view.record
    if run is None or run.status is RunStatus.RUNNING:
        yield f"not seen to end; its execution is {view.execution.status}"
    elif run.status is RunStatus.SUCCEEDED:
        took = f" after {span((run.ended_at - run.started_at).total_seconds())}" if run.ended_at else ""
        yield f"succeeded{took}" + (f": {_reached(record)}" if record else "")
    else:
        phase = f" while {record.phase.value}" if record and run.status is RunStatus.HALTED else ""
        # The hint of a halted run holds payloads for a console; here the commands below say the same.
        hint = f" {run.cause.hint}" if run.cause and run.cause.hint and run.status is not RunStatus.HALTED else ""
        yield f"{run.status.value}{phase}: {run.cause.message if run.cause else 'no cause was recorded.'}{hint}"
    if record is not None:
        yield from _to_commit(record)
    for step in view.next_steps:
        yield f"next: {step}"


def picture(view: RestoreView) -> RenderableType:
    """The whole state on one screen."""
    run, record = view.run, view.record
    if run is None:
        return Text(f"waiting for the execution to take hold of the restore ({view.execution.status})")
    parts: list[RenderableType] = [Text(f"{run.id}  {_aim(record) if record else run.reason}", style="bold")]
    if record is not None:
        parts += [_phases(view), *(Text(f"  {key}: {said}") for key, said in _releases(record).items())]
        parts += [part for key, progress in view.databases.items() for part in _database(key, progress, view, record)]
    if run.status is not RunStatus.RUNNING:
        style = "bold green" if view.has_succeeded else "bold red"
        parts += [Text(line, style=style) for line in outcome(view)]
    return Group(*parts)


def _aim(record: RestoreRecord) -> str:
    plan = record.plan
    if plan.undo_of:
        return f"undo of {plan.undo_of}"
    where = ", side by side" if plan.request.target is Target.SIDE_BY_SIDE else ""
    at = f" to {iso(plan.at)}" if plan.at else ""
    return f"restore of {plan.request.plan}{at}{where}"


def _reached(record: RestoreRecord) -> str:
    plan = record.plan
    if plan.undo_of:
        return f"{plan.request.plan} has the data from before restore {plan.undo_of}"
    at = iso(plan.at) if plan.at else ""
    if plan.request.target is Target.SIDE_BY_SIDE:
        until = f"; they are deleted after {second(record.kept_until)}" if record.kept_until else ""
        return f"copies as of {at} are beside the live databases{until}"
    return f"{plan.request.plan} has the data of {at}" + (f" (restore point {plan.point})" if plan.point else "")


def _to_commit(record: RestoreRecord) -> Iterator[str]:
    for release, change in record.values_changes.items():
        yield f"Commit this to the Helm values of {release}, or its next upgrade leads it back to the old database:"
        yield from (f"  {line}" for line in change.splitlines())


def _releases(record: RestoreRecord) -> dict[str, str]:
    said = {}
    for key, stopped in record.stopped.items():
        left = f" ({len(stopped.pods_left)} pods left)" if stopped.pods_left else ""
        said[key] = "stopped" if stopped.done else f"stopping{left}: {stopped.message}"
    for key, started in record.started.items():
        said[key] = f"started, {started.replicas} pods serve" if started.done else f"starting: {started.message}"
    return said


def _phases(view: RestoreView) -> Text:
    text, run = Text(), view.run
    for index, (phase, seen_at) in enumerate(view.phases):
        is_current = run is not None and run.status is RunStatus.RUNNING and index == len(view.phases) - 1
        since = f" {seen_at:%H:%M:%S}" if seen_at else ""
        text.append(" → " if index else "").append(phase.value, style="bold yellow" if is_current else "green").append(
            since, "dim"
        )
    if run is not None and view.record is not None:
        elapsed = span(((run.ended_at or view.at) - run.started_at).total_seconds())
        outage = view.record.plan.outage_seconds
        text.append(f"   {elapsed}" + (f" of about {span(outage)}" if outage else ""), "default")
    return text


def _database(
    key: str, progress: DatabaseProgress | None, view: RestoreView, record: RestoreRecord
) -> Iterator[RenderableType]:
    restored = progress.restored if progress else None
    if progress is None or restored is None:
        yield Text(f"{key}  {_state(key, progress)}", style="dim")
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_row(
        Text(key), ProgressBar(total=1.0, completed=_share(progress), width=_BAR), Text(_elapsed(key, progress, view, record))
    )
    yield grid
    yield Text(f"    {_state(key, progress)}", style="bold red" if progress.problem else "default")
    if 1 < len(restored.items) <= ITEMS_SHOWN:
        for item in restored.items:
            percent = f"  {item.percent:.0f} %" if item.percent is not None and not item.done else ""
            yield Text(f"    {item.name}  {item.phase}{percent}", style="green" if item.done else "dim")


def _state(key: str, progress: DatabaseProgress | None, step: int = 1) -> str:
    """`being restored aside, 40 %, 1 of 3 tables done: waiting …`; percent only where the service tells it."""
    if progress is None:
        return "has not begun"
    if progress.problem is not None:
        return f"FAILED: {progress.problem.message}"
    restored = progress.restored
    if restored is None:
        return "has begun"
    if restored.stage in _ENDED:
        return f"{_STAGES[restored.stage]}, {counted(key, len(restored.items))}"
    parts = [_STAGES[restored.stage]]
    told = [item.percent for item in restored.items if item.percent is not None and not item.done]
    if told:
        parts.append(f"{int(sum(told) / len(told)) // step * step} %")
    message = restored.message.rstrip(".")
    if restored.items and not _COUNTS.match(message):
        parts.append(f"{restored.count_done} of {counted(key, len(restored.items))} done")
    return ", ".join(parts) + (f": {message}" if message else "")


def _share(progress: DatabaseProgress) -> float:
    """How much of its present half is done, for the bar."""
    restored = progress.restored
    if restored is None or not restored.items:
        return 0.0
    if restored.done:
        return 1.0
    return sum(1.0 if item.done else (item.percent or 0.0) / 100 for item in restored.items) / len(restored.items)


def _elapsed(key: str, progress: DatabaseProgress, view: RestoreView, record: RestoreRecord) -> str:
    """Against the estimate of the plan, which is for both halves together."""
    restored = progress.restored
    if restored is None or restored.stage in _ENDED or view.is_over:
        return ""
    estimates = {item.database: item.estimate_seconds for item in record.plan.databases}
    estimate = f" of about {span(estimates[key])}" if estimates.get(key) else ""
    return span((view.at - (restored.began_at or progress.half_began_at)).total_seconds()) + estimate
