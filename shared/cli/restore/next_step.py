"""What can be done with a restore now, as commands to copy. Also for lists of runs: nobody shall overlook a halted one."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from shared.cli.output import second
from shared.model.restore import RestorePhase, RestoreRecord, Target
from shared.model.run import Run, RunStatus
from shared.steps.ports import Catalog
from shared.steps.restore.record import load_record
from shared.steps.restore.unfinished import has_touched_live


class NextStep(NamedTuple):
    """A command, and what it does, as the end of a sentence about it."""

    command: str
    does: str

    def __str__(self) -> str:
        return f"`{self.command}` {self.does}"


def next_steps_of(catalog: Catalog, run: Run, now: datetime) -> tuple[NextStep, ...]:
    """Of the restore that `run` is; it need not have begun."""
    return next_steps(run, load_record(catalog, run.id), has_touched_live(catalog, run.id), now)


def next_steps(run: Run, record: RestoreRecord | None, has_touched: bool, now: datetime) -> tuple[NextStep, ...]:
    """`has_touched`: live data was replaced, or is about to be."""
    if run.status is RunStatus.RUNNING:
        return (NextStep(_command("status", run, " --follow"), "shows how far it is."),)
    if run.status is RunStatus.HALTED:
        return _of_halted(run, record, has_touched)
    if record is not None and record.undone_by:
        return (NextStep(f"scalar-backup restore status {record.undone_by}", "shows the run that took it back."),)
    if run.status is RunStatus.SUCCEEDED:
        return (NextStep(_command("undo", run), _undoes(record)),) if record is not None and _is_undoable(record, now) else ()
    if record is not None and record.plan.undo_of:
        again = f"scalar-backup restore undo {record.plan.undo_of}"
        return (NextStep(again, "asks for the undo again."),)
    return (NextStep(f"scalar-backup restore plan {run.plan}", "asks for a new plan."),)


def _of_halted(run: Run, record: RestoreRecord | None, has_touched: bool) -> tuple[NextStep, ...]:
    if record is not None and record.phase is RestorePhase.LEADING_BACK:
        return (NextStep(_command("continue", run), "goes on starting the application on the old data."),)
    on = NextStep(_command("continue", run), "goes on where it stopped.")
    if has_touched:
        return (on, NextStep(_command("undo", run), "takes back what was restored."))
    return (
        on,
        NextStep(_command("abandon", run), "gives it up: the application is started on the old data, which is untouched."),
    )


def _undoes(record: RestoreRecord | None) -> str:
    until = f" Possible until {second(record.kept_until)}." if record and record.kept_until else ""
    return f"takes it back.{until}"


def _is_undoable(record: RestoreRecord, now: datetime) -> bool:
    is_kept = record.kept_until is not None and record.kept_until > now and not record.discarded
    return is_kept and record.plan.request.target is Target.IN_PLACE


def _command(action: str, run: Run, options: str = "") -> str:
    return f"scalar-backup restore {action} {run.id}{options}"
