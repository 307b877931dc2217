"""Following a run from the outside: looks at its execution and its catalog records until it is over. What is seen of a restore
is in `shared.cli.restore.view`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, TypeVar

from shared.cli.engine import Execution
from shared.cli.operator import Operator
from shared.model.errors import Temporary, UnknownPoint, Unreachable
from shared.model.protection import DatabaseProtection
from shared.model.restore_point import RestorePoint
from shared.model.run import Run, RunStatus
from shared.steps.evidence import load_protection, plan_of

LOOK_EVERY_SECONDS = 1.0
PATIENCE = timedelta(minutes=2)
"""How long services may fail to answer before the command gives up watching. The run does not depend on being watched."""
SETTLING = timedelta(seconds=15)
"""How long after its execution a run's record may still change."""


class Watched(Protocol):
    """What is known at one moment about something that an execution does."""

    @property
    def execution(self) -> Execution: ...

    @property
    def is_over(self) -> bool: ...


V = TypeVar("V", bound=Watched)


class View(NamedTuple):
    """What is known about a run at one moment. `steps` holds each step seen so far with the time it was first seen."""

    at: datetime
    execution: Execution
    run: Run | None = None
    attempts_allowed: int = 0
    steps: tuple[tuple[str, datetime], ...] = ()
    protections: tuple[DatabaseProtection, ...] = ()
    point: RestorePoint | None = None

    @property
    def is_over(self) -> bool:
        return self.run is not None and self.run.status is not RunStatus.RUNNING

    @property
    def has_succeeded(self) -> bool:
        return self.run is not None and self.run.status is RunStatus.SUCCEEDED


def follow(operator: Operator, execution: Execution, plan: str, until: datetime | None, show: Callable[[View], None]) -> View:
    """Shows the run again and again until it is over, and answers with the last view. `until` ends only the watching.

    Raises:
        Unreachable: nothing could be learnt for two minutes.
    """
    look_again = f"scalar-backup runs list {plan}"
    first = View(operator.now(), execution)
    return watch(operator, first, lambda view, now: _look(operator, plan, view, now), until, show, look_again)


def watch(
    operator: Operator,
    view: V,
    look: Callable[[V, datetime], V],
    until: datetime | None,
    show: Callable[[V], None],
    look_again: str,
) -> V:
    """As `follow`, for whatever `look` sees; it is given what was seen before, at first `view`. `look_again` is the command
    that a person is told when nothing can be learnt any more."""
    heard_at, ended_at = operator.now(), None
    while True:
        now = operator.now()
        try:
            view = look(view, now)
            heard_at = now
        except Temporary as error:
            if now - heard_at > PATIENCE:
                raise Unreachable(
                    f"The run could not be watched any longer: {error.message}",
                    hint=f"It goes on by itself. Look again with `{look_again}`.",
                ) from error
        show(view)
        if view.execution.is_over:
            ended_at = ended_at or now
        if view.is_over or (ended_at and now - ended_at > SETTLING) or (until and now >= until):
            return view
        operator.sleep(LOOK_EVERY_SECONDS)


def _look(operator: Operator, plan: str, before: View, now: datetime) -> View:
    """The execution is looked at first: a run whose record was read after its execution's end cannot change much any more."""
    catalog = operator.catalog
    execution = before.execution if before.execution.is_over else operator.engine.look(before.execution)
    run = catalog.run(before.run.id) if before.run else _find_run(operator, plan, execution)
    if run is None:
        return before._replace(at=now, execution=execution)
    known = plan_of(catalog, run.id)
    found = [load_protection(catalog, run.id, database.key) for database in known.databases]
    return View(
        at=now,
        execution=execution,
        run=run,
        attempts_allowed=known.pause.attempts,
        steps=_steps(before, run, now),
        protections=tuple(item for item in found if item),
        point=_point(operator, run),
    )


def _find_run(operator: Operator, plan: str, execution: Execution) -> Run | None:
    return next((run for run in operator.catalog.runs(plan) if run.execution == execution.arn), None)


def _steps(before: View, run: Run, now: datetime) -> tuple[tuple[str, datetime], ...]:
    if not run.step or (before.steps and before.steps[-1][0] == run.step):
        return before.steps
    return (*before.steps, (run.step, now))


def _point(operator: Operator, run: Run) -> RestorePoint | None:
    """The run's restore point, once there is one: it has the run's id."""
    if run.status is RunStatus.RUNNING:
        return None
    try:
        return operator.catalog.point(run.plan, run.id)
    except UnknownPoint:
        return None


def only_new(lines: Callable[[V], Iterator[str]], tell: Callable[[str], None]) -> Callable[[V], None]:
    """Shows a growing story line by line: each line once."""
    told: set[str] = set()

    def show(view: V) -> None:
        for line in lines(view):
            if line not in told:
                told.add(line)
                tell(line)

    return show
