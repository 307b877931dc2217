"""`scalar-backup backup run`: starts a run in the deployment and, unless told otherwise, shows it until its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click
from rich.text import Text

from shared.cli.choice import the_plan
from shared.cli.engine import Execution, check_reason
from shared.cli.follow import View, follow
from shared.cli.operator import Operator, pass_operator
from shared.cli.output import note, output_option, write
from shared.cli.progress import outcome, picture, story
from shared.cli.waiting import STOPPED_WAITING, shown, wait_options
from shared.model.errors import PodsMayBePaused


@click.group()
def backup() -> None:
    """Take backups.

    \b
    Example:
      scalar-backup backup run orders-prod --wait
    """


@backup.command("run")
@click.argument("plan", required=False)
@click.option("--reason", default="on-demand", show_default=True, help="Why; kept with the run and its restore point.")
@wait_options("run")
@output_option
@pass_operator
def run(operator: Operator, plan: str | None, reason: str, wait: bool, timeout: timedelta | None, output: str) -> None:
    """Back up PLAN now. It may be left out when there is only one.

    The run belongs to the deployment: Ctrl-C only stops the waiting. Progress goes to stderr, the result to stdout.
    Exit code 1 when the run failed, or was not seen to end within the time-out.

    \b
    Example:
      scalar-backup backup run orders-prod --reason "before the upgrade to 3.19" --timeout 30m
    """
    checked = check_reason(reason)
    name = the_plan(operator.catalog, plan)  # an unknown plan is answered here, with the names that exist
    execution = operator.engine.start_backup(name, checked)
    note(f"execution {execution.arn}")
    if execution.console:
        note(execution.console)
    if not wait:
        note(f"Not waiting. Follow it with `scalar-backup runs list {name}`.")
        write(output, _result(name, View(operator.now(), execution)), lambda: Text(execution.arn))
        return
    view = _wait(operator, name, execution, timeout)
    write(output, _result(name, view), lambda: Text(outcome(view)))
    _end(operator, view)


def _wait(operator: Operator, plan: str, execution: Execution, timeout: timedelta | None) -> View:
    until = operator.now() + timeout if timeout else None
    try:
        with shown(story, picture) as show:
            return follow(operator, execution, plan, until, show)
    except KeyboardInterrupt:
        note(f"Stopped waiting. The run goes on; see it with `scalar-backup runs list {plan}`.")
        raise click.exceptions.Exit(STOPPED_WAITING) from None


def _result(plan: str, view: View) -> dict[str, Any]:
    """`status` is the run's; `starting` while it has no record yet."""
    return {
        "plan": plan,
        "execution": view.execution.arn,
        "console": view.execution.console or None,
        "status": view.run.status if view.run else "starting",
        "run": view.run,
        "point": view.point,
    }


def _end(operator: Operator, view: View) -> None:
    if view.has_succeeded:
        return
    if not view.execution.is_over and not view.is_over:
        note("Stopped waiting: the time-out is over. The run goes on.")
    elif not view.is_over:
        said = f"{view.execution.error} {view.execution.cause}".strip()[:500]
        note(f"The execution ended {view.execution.status} without a word in the run's record. {said}".rstrip())
    if view.run and (paused := [item for item in operator.catalog.open_pauses() if item.run == view.run.id]):
        by = f"{max(item.resume_by for item in paused):%H:%M:%SZ}"
        raise PodsMayBePaused(
            f"Pods of run {view.run.id} may still be paused.",
            hint=f"The watchdog resumes them at {by}; `scalar-backup unpause --run {view.run.id}` does it now.",
        )
    raise click.exceptions.Exit(1)
