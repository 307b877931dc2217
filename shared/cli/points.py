"""`scalar-backup points …`: the restore points of a plan, the evidence of each, and why it can be believed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.console import Group, RenderableType
from rich.text import Text

from shared.cli.choice import the_plan, the_point
from shared.cli.explain import explain as explain_point
from shared.cli.horizon import earliest_end, horizon_of
from shared.cli.operator import Operator, pass_operator
from shared.cli.output import columns, contract, note, output_option, second, span, write
from shared.cli.timeline import timeline_svg
from shared.cli.words import item_noun
from shared.model.errors import InvalidRequest
from shared.model.plan import Plan
from shared.model.protection import DatabaseProtection
from shared.model.restore_point import RestorePoint
from shared.model.run import Evidence, Run
from shared.steps.evidence import load_evidence, plan_of
from shared.steps.ports import Catalog


@click.group()
def points() -> None:
    """The restore points of a plan.

    \b
    Example:
      scalar-backup points show latest -o json
    """


point_argument = click.argument("point", required=False)


@points.command("list")
@click.argument("plan", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many, newest first.")
@output_option
@pass_operator
def list_points(operator: Operator, plan: str | None, limit: int, output: str) -> None:
    """List the restore points of PLAN, newest first, invalid ones included.

    \b
    Example:
      scalar-backup points list orders-prod
    """
    found = operator.catalog.points(the_plan(operator.catalog, plan), limit)
    titles = ("NAME", "PHASE", "POINT (UTC)", "AGE", "PAUSE", "RESTORABLE UNTIL (UTC)", "DATABASES", "REASON")
    write(output, found, lambda: columns(titles, (_row(operator, point) for point in found)))


def _row(operator: Operator, point: RestorePoint) -> tuple[object, ...]:
    age = span((operator.now() - (point.at or point.created_at)).total_seconds())
    databases = ", ".join(f"{key} ({item.count_done}/{len(item.items)})" for key, item in point.databases.items())
    until = earliest_end(point, operator.now())
    return (point.id, point.phase.value, second(point.at), age, _paused_for(point), until, databases, point.reason)


def _paused_for(point: RestorePoint) -> str:
    if point.window:
        return span((point.window.resume_began_at - point.window.confirmed_at).total_seconds())
    return "none" if point.pause and not point.pause.needed else ""


@points.command("show")
@click.argument("plan", required=False)
@point_argument
@output_option
@pass_operator
def show(operator: Operator, plan: str | None, point: str | None, output: str) -> None:
    """Show POINT of PLAN, `latest` by default: the newest that can be restored. PLAN may be left out when there is only one.

    As JSON or YAML it has the whole evidence: every pod's acknowledgement, all CheckPaused samples, pods and Deployments
    before and after, clock bounds, and the safe interval on each database's clock.

    \b
    Example:
      scalar-backup points show latest -o json
    """
    found = _load(operator.catalog, plan, point)
    document: dict[str, Any] = {**contract(found.point), "evidence": found.evidence}
    write(output, document, lambda: _described(operator, found.point))


@points.command("explain")
@click.argument("plan", required=False)
@point_argument
@pass_operator
def explain(operator: Operator, plan: str | None, point: str | None) -> None:
    """Say why POINT of PLAN can be believed: why this second, what was proven, by which numbers.

    For an invalid one: the cause of each attempt, and what to do.

    \b
    Example:
      scalar-backup points explain orders-prod latest
    """
    found = _load(operator.catalog, plan, point)
    for sentence in explain_point(found.point, found.run, found.plan, found.evidence):
        click.echo(f"- {sentence}")


@points.command("timeline")
@click.argument("plan", required=False)
@point_argument
@click.option(
    "--svg", "file", type=click.Path(dir_okay=False, writable=True, path_type=Path), required=True, help="File to write."
)
@pass_operator
def timeline(operator: Operator, plan: str | None, point: str | None, file: Path) -> None:
    """Draw the pause window of POINT of PLAN: every pod, the window, each database's safe interval, the chosen second.

    \b
    Example:
      scalar-backup points timeline orders-prod latest --svg window.svg
    """
    found = _load(operator.catalog, plan, point)
    pause = found.evidence.pause if found.evidence else None
    if found.evidence is None or pause is None or pause.first_sent_at is None:
        raise InvalidRequest(
            f"Restore point {found.point.id} has no pause window to draw.",
            hint=f"`scalar-backup points explain {found.point.plan} {found.point.id}` says why.",
        )
    try:
        file.write_text(timeline_svg(found.point, found.evidence), encoding="utf-8")
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be written: {error.strerror}.", hint="Choose another --svg file.") from error
    note(f"wrote the timeline of {found.point.id}")
    click.echo(file)


class _Found(NamedTuple):
    """A point with all that belongs to it. `evidence` is None when no window was opened."""

    point: RestorePoint
    run: Run
    plan: Plan
    evidence: Evidence | None


def _load(catalog: Catalog, plan_given: str | None, point_given: str | None) -> _Found:
    """The evidence is that of the point's own window; for an invalid point, that of its last attempt."""
    point = catalog.point(*the_point(catalog, plan_given, point_given))
    run = catalog.run(point.id)
    attempt = point.window.attempt if point.window else run.attempt.number if run.attempt and point.at is None else None
    found = load_evidence(catalog, run.id, attempt) if attempt is not None else None
    return _Found(point, run, plan_of(catalog, run.id), found)


def _described(operator: Operator, point: RestorePoint) -> RenderableType:
    window = point.window
    facts = {
        "name": point.id,
        "plan": f"{point.plan} (revision {point.plan_revision})",
        "phase": point.phase.value,
        "point": second(point.at),
        "age": span((operator.now() - (point.at or point.created_at)).total_seconds()),
        "reason": point.reason,
        "available": second(point.available_at),
        "pause": f"{'needed' if point.pause.needed else 'not needed'}: {point.pause.reason}" if point.pause else "",
        "paused for": f"{_paused_for(point)}, {window.pods} pods, attempt {window.attempt}" if window else "",
        "cause": f"{point.cause.message} {point.cause.hint}".strip() if point.cause else "",
    }
    parts: list[RenderableType] = [Text(f"{key + ':':12}{value or '-'}") for key, value in facts.items()]
    if window:
        titles = ("DATABASE", "SAFE FROM (UTC)", "SAFE UNTIL (UTC)", "LENGTH")
        rows = [
            (key, f"{item.start:%H:%M:%S.%f}", f"{item.end:%H:%M:%S.%f}", span((item.end - item.start).total_seconds()))
            for key, item in window.safe_by_database.items()
        ]
        parts += [Text(), columns(titles, rows)]
    if point.databases:
        parts += [Text(), _horizons(point, operator.now())]
    for protection in point.databases.values():
        parts += [Text(), _items(protection)]
    return Group(*parts)


def _horizons(point: RestorePoint, now: datetime) -> RenderableType:
    titles = ("DATABASE", "RESTORABLE UNTIL (UTC)", "BECAUSE")
    horizons = {key: horizon_of(item, now) for key, item in point.databases.items()}
    return columns(titles, ((key, item.said, item.because) for key, item in horizons.items()))


def _items(protection: DatabaseProtection) -> RenderableType:
    titles = (item_noun(protection.database).upper(), "STATE", "BYTES", "RESTORABLE UNTIL (UTC)", "KEPT COPY")
    return columns(
        titles,
        (
            (item.name, item.phase.value, item.size_bytes or "", second(item.restorable_until), item.backup_arn)
            for item in protection.items
        ),
    )
