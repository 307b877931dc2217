"""What is known about a restore at one moment, from its execution and its records; and following it to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from shared.cli.engine import Execution
from shared.cli.follow import watch
from shared.cli.operator import Operator
from shared.cli.restore.next_step import NextStep, next_steps
from shared.model.errors import InvalidRequest, UnknownRun
from shared.model.restore import RestorePhase, RestoreRecord
from shared.model.run import Run, RunKind, RunStatus, plan_of_run
from shared.steps.ports import Catalog
from shared.steps.restore.record import DatabaseProgress, all_progress, load_record, load_scope, restores_of
from shared.steps.restore.unfinished import ABANDONED


class RestoreView(NamedTuple):
    """`run` is None until the execution has taken hold of it: a restore that is continued was halted until then. `phases` holds
    each phase seen so far with the time it was first seen, None when it was only looked at once. `databases` are in the plan's
    order."""

    at: datetime
    execution: Execution
    run: Run | None = None
    record: RestoreRecord | None = None
    databases: Mapping[str, DatabaseProgress | None] = {}
    phases: tuple[tuple[RestorePhase, datetime | None], ...] = ()

    @property
    def is_over(self) -> bool:
        return self.run is not None and self.run.status is not RunStatus.RUNNING

    @property
    def has_succeeded(self) -> bool:
        return self.run is not None and self.run.status is RunStatus.SUCCEEDED

    @property
    def was_given_up(self) -> bool:
        """As somebody asked: the application runs on the old data."""
        run = self.run
        return run is not None and run.status is RunStatus.FAILED and run.cause is not None and run.cause.code == ABANDONED

    @property
    def next_steps(self) -> tuple[NextStep, ...]:
        if self.run is None:
            return ()
        touched = any(item and item.restored and item.restored.changed_live for item in self.databases.values())
        return next_steps(self.run, self.record, touched, self.at)

    def document(self) -> dict[str, Any]:
        """The view for machines. `status` is `starting` until the execution has taken hold of the run."""
        return {
            "run": self.run,
            "status": self.run.status if self.run else "starting",
            "execution": self.execution.arn,
            "console": self.execution.console or None,
            "restore": self.record,
            "databases": self.databases,
            "next": [step.command for step in self.next_steps],
        }


def look_at(catalog: Catalog, run: Run, execution: Execution, now: datetime) -> RestoreView:
    """The restore as its records say now."""
    record, scope = load_record(catalog, run.id), load_scope(catalog, run.id)
    return RestoreView(
        at=now,
        execution=execution,
        run=run,
        record=record,
        databases=all_progress(catalog, run.id, scope) if scope else {},
        phases=((record.phase, None),) if record else (),
    )


def follow_restore(
    operator: Operator, run: str, execution: Execution, until: datetime | None, show: Callable[[RestoreView], None]
) -> RestoreView:
    """Shows the restore again and again until it is over, and answers with the last view. `until` ends only the watching.

    Raises:
        Unreachable: nothing could be learnt for two minutes.
    """
    first = RestoreView(operator.now(), execution)
    look_again = f"scalar-backup restore status {run}"
    return watch(operator, first, lambda view, now: _look(operator, run, view, now), until, show, look_again)


def _look(operator: Operator, run_id: str, before: RestoreView, now: datetime) -> RestoreView:
    """The execution is looked at first: a record that was read after its execution's end cannot change much any more."""
    execution = before.execution if before.execution.is_over else operator.engine.look(before.execution)
    run = _find(operator.catalog, run_id)
    if run is None or run.execution != execution.arn:
        return before._replace(at=now, execution=execution)
    seen = look_at(operator.catalog, run, execution, now)
    return seen._replace(phases=_phases(before, seen.record, now))


def _phases(
    before: RestoreView, record: RestoreRecord | None, now: datetime
) -> tuple[tuple[RestorePhase, datetime | None], ...]:
    if record is None or (before.phases and before.phases[-1][0] is record.phase):
        return before.phases
    return (*before.phases, (record.phase, now))


def _find(catalog: Catalog, run: str) -> Run | None:
    try:
        return catalog.run(run)
    except UnknownRun:
        return None


def the_restore(catalog: Catalog, given: str | None, the_plan: Callable[[Catalog, str | None], str]) -> Run:
    """The restore of that id; or the newest one of the plan that is named, or of the only plan there is.

    Raises:
        InvalidRequest: the run is a backup, or the plan was never restored.
        UnknownRun, UnknownPlan: there is no such run or plan.
    """
    if given is not None and _is_run_id(given):
        run = catalog.run(given)
        if run.kind is not RunKind.RESTORE:
            raise InvalidRequest(f"Run {run.id} is a backup.", hint=f"`scalar-backup runs show {run.id}` shows it.")
        return run
    plan = the_plan(catalog, given)
    # Their ids sort by time. A restore that never began is in the list of runs only, an old one perhaps not in it any more.
    found = {run.id: run for run in catalog.runs(plan) if run.kind is RunKind.RESTORE}
    for run_id in restores_of(catalog, plan):
        if run_id not in found and (older := _find(catalog, run_id)):
            found[run_id] = older
    if not found:
        raise InvalidRequest(f"Plan {plan} was never restored.", hint=f"Ask for it: `scalar-backup restore plan {plan}`.")
    return found[max(found)]


def _is_run_id(text: str) -> bool:
    try:
        plan_of_run(text)
    except UnknownRun:
        return False
    return True
