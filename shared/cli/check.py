"""`scalar-backup check`: would a backup of this plan work now?"""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from shared.cli.choice import the_plan
from shared.cli.operator import Operator, pass_operator
from shared.cli.output import output_option, write
from shared.model.checks import CheckResult, CheckStatus
from shared.model.pause_decision import PauseDecision
from shared.model.records import from_record

_STYLES = {CheckStatus.OK: "green", CheckStatus.WARNING: "yellow", CheckStatus.FAILED: "bold red"}


@click.command()
@click.argument("plan", required=False)
@output_option
@pass_operator
def check(operator: Operator, plan: str | None, output: str) -> None:
    """Run every check of PLAN inside the deployment, and say whether its pods have to be paused.

    Nothing is changed. Exit code 1 when a check failed.

    \b
    Example:
      scalar-backup check orders-prod
    """
    answer = operator.engine.check(plan or the_plan(operator.catalog, None))
    results = from_record(answer.get("checks"), tuple[CheckResult, ...])
    decision = from_record(answer.get("pause"), PauseDecision)
    ok = answer.get("ok") is True
    document: dict[str, Any] = {
        "plan": answer.get("plan"),
        "revision": answer.get("revision"),
        "ok": ok,
        "pause": decision,
        "checks": results,
    }
    write(output, document, lambda: _lines(results, decision))
    if not ok:
        raise click.exceptions.Exit(1)


def _lines(results: tuple[CheckResult, ...], decision: PauseDecision) -> Text:
    text = Text()
    for result in results:
        text.append_text(check_line(result)).append("\n")
    paused = "Pause needed" if decision.needed else "No pause needed"
    return text.append(f"{paused}: {decision.reason}")


def check_line(result: CheckResult) -> Text:
    """`name subject: OK (detail)` or `name subject: FAILED (detail hint)`."""
    said = " ".join(part for part in (result.detail, result.hint) if part)
    return (
        Text(f"{result.name} {result.subject}: ")
        .append(result.status.value.upper(), style=_STYLES[result.status])
        .append(f" ({said})" if said else "")
    )
