"""`scalar-backup runs …`: what was tried, backups and restores, and what came of every attempt."""

from __future__ import annotations

import click
from rich.console import Group, RenderableType
from rich.text import Text

from shared.cli.check import check_line
from shared.cli.choice import the_plan
from shared.cli.operator import Operator, pass_operator
from shared.cli.output import columns, note, output_option, second, span, write
from shared.cli.restore.next_step import next_steps_of
from shared.model.checks import CheckStatus
from shared.model.run import Attempt, Run, RunKind, RunStatus


@click.group()
def runs() -> None:
    """What was tried, and what came of it.

    \b
    Example:
      scalar-backup runs list orders-prod
    """


@runs.command("list")
@click.argument("plan", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@output_option
@pass_operator
def list_runs(operator: Operator, plan: str | None, limit: int, output: str) -> None:
    """List the runs of PLAN, backups and restores, newest first, failed ones included.

    \b
    Example:
      scalar-backup runs list orders-prod --limit 5
    """
    found = operator.catalog.runs(the_plan(operator.catalog, plan), limit)
    titles = ("RUN", "KIND", "STATUS", "STARTED (UTC)", "TOOK", "ATTEMPTS", "STEP", "REASON", "CAUSE")
    write(output, found, lambda: columns(titles, (_row(operator, run) for run in found)))
    for halted in (run for run in found if run.status is RunStatus.HALTED):
        note(
            f"Restore {halted.id} is halted half way, and no backup or other restore of {halted.plan} runs until it has an end:"
        )
        for step in next_steps_of(operator.catalog, halted, operator.now()):
            note(f"  {step}")


def _row(operator: Operator, run: Run) -> tuple[object, ...]:
    took = span(((run.ended_at or operator.now()) - run.started_at).total_seconds())
    cause = run.cause.message if run.cause else ""
    return (
        run.id,
        run.kind.value,
        run.status.value,
        second(run.started_at),
        took,
        len(run.attempts),
        run.step,
        run.reason,
        cause,
    )


@runs.command("show")
@click.argument("run")
@output_option
@pass_operator
def show(operator: Operator, run: str, output: str) -> None:
    """Show RUN: its checks that did not pass, every attempt and its cause; of a restore, what can be done now.

    \b
    Example:
      scalar-backup runs show orders-prod-20261124T030000Z-1f2e3d4c
    """
    found = operator.catalog.run(run)
    write(output, found, lambda: _described(operator, found))


def _described(operator: Operator, run: Run) -> RenderableType:
    is_halted = run.status is RunStatus.HALTED
    facts = {
        "run": run.id,
        "kind": run.kind.value,
        "plan": f"{run.plan} (revision {run.plan_revision})",
        "status": run.status.value,
        "reason": run.reason,
        "step": run.step,
        "started": second(run.started_at),
        "ended": second(run.ended_at),
        "pause": f"{'needed' if run.pause.needed else 'not needed'}: {run.pause.reason}" if run.pause else "",
        "restore point": run.point or "",
        "execution": run.execution,
        # The hint of a halted restore holds payloads for a console; the commands below say the same.
        "cause": f"{run.cause.message} {'' if is_halted else run.cause.hint}".strip() if run.cause else "",
    }
    parts: list[RenderableType] = [Text(f"{key + ':':15}{value or '-'}") for key, value in facts.items()]
    parts += [check_line(result) for result in run.checks if result.status is not CheckStatus.OK]
    if run.attempts:
        titles = ("ATTEMPT", "STATUS", "STARTED (UTC)", "PODS", "PAUSED FOR", "POINT (UTC)", "CAUSE")
        parts += [Text(), columns(titles, map(_attempt_row, run.attempts))]
    if run.kind is RunKind.RESTORE:
        parts += [Text(f"{'next:':15}{step}") for step in next_steps_of(operator.catalog, run, operator.now())]
    return Group(*parts)


def _attempt_row(attempt: Attempt) -> tuple[object, ...]:
    paused_for = ""
    if attempt.paused_at and attempt.resumed_at:
        paused_for = span((attempt.resumed_at - attempt.paused_at).total_seconds())
    cause = f"{attempt.cause.code}: {attempt.cause.message} {attempt.cause.hint}".strip() if attempt.cause else ""
    started = second(attempt.started_at)
    return (attempt.number, attempt.status.value, started, attempt.pods, paused_for, second(attempt.point), cause)
