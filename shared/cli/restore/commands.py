"""The commands of `scalar-backup restore`. The restore function plans and starts; progress is read from the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click
from rich.text import Text

from shared.cli.choice import the_plan
from shared.cli.engine import Execution
from shared.cli.operator import Operator, pass_operator
from shared.cli.output import note, output_option, write
from shared.cli.restore.payloads import plan_payload, undo_payload
from shared.cli.restore.planned import command_for, described, in_short
from shared.cli.restore.progress import outcome, picture, story
from shared.cli.restore.view import RestoreView, follow_restore, look_at, the_restore
from shared.cli.waiting import STOPPED_WAITING, duration_of, shown, timeout_option, wait_options
from shared.model.errors import InvalidRequest
from shared.model.restore import LATEST
from shared.model.run import RunStatus
from shared.steps.restore.payload import UNSAFE
from shared.steps.restore.plan_text import describe
from shared.steps.restore.record import load_plan

_keep_old_option = click.option(
    "--keep-old", callback=duration_of, metavar="DURATION", help="How long what is replaced is kept for an undo. Default: 72h."
)
_yes_option = click.option("--yes", is_flag=True, help="Do not ask for the confirming words.")


@click.group()
def restore() -> None:
    """Bring databases back to a restore point, and take that back.

    First a plan, which changes nothing; then `apply`, which carries out exactly that plan.

    \b
    Example:
      scalar-backup restore plan orders-prod
    """


@restore.command("plan")
@click.argument("plan", required=False)
@click.option(
    "--to", default=LATEST, show_default=True, metavar="POINT",
    help="latest, a restore point's id, or a time such as 2026-11-24T03:00:14+09:00.",
)  # fmt: skip
@click.option("--database", "databases", multiple=True, metavar="KEY", help="Only this one; may be repeated. Default: all.")
@click.option("--side-by-side", is_flag=True, help="Restored copies beside the live databases; the application is not touched.")
@_keep_old_option
@click.option("--unsafe", multiple=True, type=click.Choice(UNSAFE), help="A risk that you take; the plan says which it is.")
@output_option
@pass_operator
def plan(
    operator: Operator, plan: str | None, to: str, databases: tuple[str, ...], side_by_side: bool,
    keep_old: timedelta | None, unsafe: tuple[str, ...], output: str,
) -> None:  # fmt: skip
    """Say what a restore of PLAN would do, how long the application would be away, and how to start it. Changes nothing.

    Exit code 1 when a check failed; each is named.

    \b
    Examples:
      scalar-backup restore plan orders-prod
      scalar-backup restore plan orders-prod --to 2026-11-24T03:00:14Z --side-by-side
    """
    name = plan or the_plan(operator.catalog, None)
    _show_plan(operator.engine.restore(plan_payload(name, to, databases, side_by_side, keep_old, unsafe)), output)


@restore.command("apply")
@click.argument("plan", required=False)
@click.option("--plan-id", required=True, metavar="ID", help="The id that `restore plan` has said.")
@_yes_option
@wait_options("restore")
@output_option
@pass_operator
def apply(
    operator: Operator, plan: str | None, plan_id: str, yes: bool, wait: bool, timeout: timedelta | None, output: str
) -> None:
    """Carry out a restore plan of PLAN, if the world is still as it was when the plan was made.

    It asks for the confirming words. The restore belongs to the deployment: Ctrl-C only stops the waiting.
    Exit code 1 when it failed or halted, or was not seen to end within the time-out.

    \b
    Example:
      scalar-backup restore apply orders-prod --plan-id 3f9c0a1be27d5468
    """
    name = the_plan(operator.catalog, plan)
    known = load_plan(operator.catalog, name, plan_id)
    if known is None:
        raise InvalidRequest(
            f"Plan {name} has no restore plan {plan_id!r}.",
            hint=f"`scalar-backup restore plan {name}` makes one and says its id.",
        )
    _confirm_and_start(operator, describe(known.restore), yes, wait, timeout, output)


@restore.command("status")
@click.argument("run", required=False)
@click.option("--follow", is_flag=True, help="Show it until its end.")
@timeout_option("restore")
@output_option
@pass_operator
def status(operator: Operator, run: str | None, follow: bool, timeout: timedelta | None, output: str) -> None:
    """Show how far a restore is, and the next command. RUN is its id, or a plan: then its newest restore.

    \b
    Examples:
      scalar-backup restore status
      scalar-backup restore status orders-prod-20261124T041502Z-3f9c0a1b --follow
    """
    found = the_restore(operator.catalog, run, the_plan)
    if follow and found.status is RunStatus.RUNNING:
        _wait(operator, found.id, operator.engine.started(found.execution), timeout, output)
        return
    view = look_at(operator.catalog, found, Execution(found.execution, ""), operator.now())
    write(output, view.document(), lambda: picture(view))
    if not view.is_over:
        _say_next(view)


@restore.command("undo")
@click.argument("run")
@_keep_old_option
@click.option("--dry-run", is_flag=True, help="Only say what it would do.")
@_yes_option
@wait_options("restore")
@output_option
@pass_operator
def undo(
    operator: Operator, run: str, keep_old: timedelta | None, dry_run: bool, yes: bool, wait: bool,
    timeout: timedelta | None, output: str,
) -> None:  # fmt: skip
    """Take back the restore RUN, finished or halted, while what it replaced is kept. An undo can be undone in turn.

    It shows the plan of the undo and asks for the confirming words.

    \b
    Example:
      scalar-backup restore undo orders-prod-20261124T041502Z-3f9c0a1b
    """
    if not dry_run:
        _require_somebody(operator, yes)
    answer = operator.engine.restore(undo_payload(run, keep_old))
    if dry_run or not command_for(answer):
        _show_plan(answer, output)
        return
    _confirm_and_start(operator, answer, yes, wait, timeout, output)


@restore.command("continue")
@click.argument("run")
@wait_options("restore")
@output_option
@pass_operator
def continue_(operator: Operator, run: str, wait: bool, timeout: timedelta | None, output: str) -> None:
    """Go on with the halted restore RUN where it stopped. Mend what halted it first.

    \b
    Example:
      scalar-backup restore continue orders-prod-20261124T041502Z-3f9c0a1b
    """
    _start(operator, {"action": "continue", "run": run}, wait, timeout, output)


@restore.command("abandon")
@click.argument("run")
@wait_options("restore")
@output_option
@pass_operator
def abandon(operator: Operator, run: str, wait: bool, timeout: timedelta | None, output: str) -> None:
    """Give up the halted restore RUN, as long as it has touched nothing live: the application is started on the old data.

    \b
    Example:
      scalar-backup restore abandon orders-prod-20261124T041502Z-3f9c0a1b
    """
    _start(operator, {"action": "abandon", "run": run}, wait, timeout, output)


def _show_plan(answer: Mapping[str, Any], output: str) -> None:
    write(output, answer, lambda: described(answer))
    if not command_for(answer):
        raise click.exceptions.Exit(1)


def _require_somebody(operator: Operator, yes: bool) -> None:
    if not yes and not operator.can_answer:
        raise click.UsageError("There is no terminal to ask for the confirming words: add --yes.")


def _confirm_and_start(
    operator: Operator, answer: Mapping[str, Any], yes: bool, wait: bool, timeout: timedelta | None, output: str
) -> None:
    """Asks for the very words that the function wants to hear, so that nobody restores another plan than they think of."""
    if not command_for(answer):
        _show_plan(answer, output)
    payload = dict(answer["confirm_with"])
    _require_somebody(operator, yes)
    note(in_short(answer))
    if not yes:
        said = click.prompt(f"Type `{payload['confirm']}` to start it", err=True, default="", show_default=False)
        if said.strip() != payload["confirm"]:
            raise InvalidRequest(f"{said.strip()!r} is not `{payload['confirm']}`.", hint="Nothing was changed.")
    _start(operator, payload, wait, timeout, output)


def _start(operator: Operator, payload: dict[str, Any], wait: bool, timeout: timedelta | None, output: str) -> None:
    answer = operator.engine.restore(payload)
    run, execution = str(answer["run"]), Execution(str(answer["execution"]), "RUNNING", console=str(answer.get("console", "")))
    note(f"run {run}")
    note(f"execution {execution.arn}")
    if execution.console:
        note(execution.console)
    if wait:
        _wait(operator, run, execution, timeout, output)
        return
    note(f"Not waiting. Follow it with `scalar-backup restore status {run} --follow`.")
    write(output, {**RestoreView(operator.now(), execution).document(), "run": run}, lambda: Text(run))


def _wait(operator: Operator, run: str, execution: Execution, timeout: timedelta | None, output: str) -> None:
    until = operator.now() + timeout if timeout else None
    try:
        with shown(story, picture) as show:
            view = follow_restore(operator, run, execution, until, show)
    except KeyboardInterrupt:
        note(f"Stopped waiting. The restore goes on; see it with `scalar-backup restore status {run} --follow`.")
        raise click.exceptions.Exit(STOPPED_WAITING) from None
    write(output, view.document(), lambda: Text("\n".join(outcome(view))))
    _end(run, view)


def _end(run: str, view: RestoreView) -> None:
    if view.has_succeeded or view.was_given_up:
        return
    if not view.execution.is_over and not view.is_over:
        note(
            "Stopped waiting: the time-out is over. The restore goes on; "
            f"see it with `scalar-backup restore status {run} --follow`."
        )
    elif not view.is_over:
        said = f"{view.execution.error} {view.execution.cause}".strip()[:500]
        note(f"The execution ended {view.execution.status} without a word in the run's record. {said}".rstrip())
        note(f"Look once more in a minute: `scalar-backup restore status {run}`.")
    raise click.exceptions.Exit(1)


def _say_next(view: RestoreView) -> None:
    for step in view.next_steps:
        note(f"next: {step}")
