"""`scalar-backup plan …`: plans in the catalog and in files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

import click
import yaml
from rich.console import Group, RenderableType
from rich.text import Text

from shared.cli.operator import Operator, pass_operator
from shared.cli.output import columns, contract, note, output_option, second, write
from shared.cli.plan_init import init
from shared.model.errors import InvalidPlan, UnknownPlan
from shared.model.pause_decision import decide_pause
from shared.model.plan import Plan, StoredPlan
from shared.model.plan_document import parse_plan, plan_document, plan_schema
from shared.steps.ports import Catalog


@click.group()
def plan() -> None:
    """What is backed up together, and how.

    \b
    Example:
      scalar-backup plan apply orders-prod.yaml
    """


plan.add_command(init)


@plan.command("apply")
@click.argument("file", type=click.File(encoding="utf-8"))
@output_option
@pass_operator
def apply(operator: Operator, file: TextIO, output: str) -> None:
    """Store the plan in FILE (YAML or JSON; - reads stdin) in the catalog.

    The same content again changes nothing. Runs that are under way go on with the revision they began with.

    \b
    Example:
      scalar-backup plan apply orders-prod.yaml
    """
    wanted = parse_plan(_read(file))
    before = _stored(operator.catalog, wanted.name)
    stored = operator.catalog.put_plan(wanted, operator.now())
    changes = list(_changes(before.plan, wanted)) if before else []
    change = "created" if before is None else "changed" if stored.revision != before.revision else "unchanged"
    write(
        output,
        {"change": change, "changes": changes, **_document(stored)},
        lambda: Text("\n".join([f"{wanted.name}: {change}, revision {stored.revision}", *(f"  {line}" for line in changes)])),
    )
    if wanted.schedule and change != "unchanged":
        note(operator.about_schedule(wanted.name, wanted.schedule))


def _read(file: TextIO) -> str:
    try:
        return file.read()
    except UnicodeDecodeError as error:
        raise InvalidPlan(f"{file.name} is not a text in UTF-8.", hint="Is it the right file?") from error


def _stored(catalog: Catalog, name: str) -> StoredPlan | None:
    try:
        return catalog.plan(name)
    except UnknownPlan:
        return None


def _changes(old: Plan, new: Plan) -> Iterator[str]:
    """Every line of the written plan that differs."""
    before, after = dict(_lines(plan_document(old))), dict(_lines(plan_document(new)))
    for path in dict.fromkeys((*before, *after)):
        if before.get(path) != after.get(path):
            yield f"{path}: {before.get(path, 'none')} → {after.get(path, 'none')}"


def _lines(document: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _lines(value, f"{path}.{key}".lstrip("."))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from _lines(value, f"{path}[{index}]")
    else:
        yield path, str(document)


@plan.command("show")
@click.argument("name")
@output_option
@pass_operator
def show(operator: Operator, name: str, output: str) -> None:
    """Show a plan as its owner would write it, every default spelled out.

    \b
    Example:
      scalar-backup plan show orders-prod > orders-prod.yaml
    """
    stored = operator.catalog.plan(name)
    write(output, _document(stored), lambda: _written(stored))


def _document(stored: StoredPlan) -> dict[str, Any]:
    return {"plan": plan_document(stored.plan), "revision": stored.revision, "applied_at": stored.applied_at}


def _written(stored: StoredPlan) -> RenderableType:
    heading = Text(f"# revision {stored.revision}, applied {second(stored.applied_at)}")
    return Group(heading, Text(yaml.safe_dump(plan_document(stored.plan), sort_keys=False, width=120).rstrip()))


@plan.command("list")
@output_option
@pass_operator
def list_plans(operator: Operator, output: str) -> None:
    """List the plans in the catalog.

    \b
    Example:
      scalar-backup plan list
    """
    stored = operator.catalog.plans()
    titles = ("NAME", "REVISION", "APPLIED (UTC)", "RELEASES", "DATABASES", "SCHEDULE")
    write(output, [_document(item) for item in stored], lambda: columns(titles, map(_row, stored)))


def _row(stored: StoredPlan) -> tuple[object, ...]:
    plan, schedule = stored.plan, stored.plan.schedule
    return (
        plan.name,
        stored.revision,
        second(stored.applied_at),
        ", ".join(release.key for release in plan.releases),
        ", ".join(database.key for database in plan.databases),
        f"{schedule.cron} {schedule.timezone}" if schedule else "",
    )


@plan.command("validate")
@click.argument("file", type=click.File(encoding="utf-8"))
@output_option
def validate(file: TextIO, output: str) -> None:
    """Check the plan in FILE without an account or a network. Says also whether its pods will be paused, and why.

    \b
    Example:
      scalar-backup plan validate orders-prod.yaml
    """
    found = parse_plan(_read(file))
    decision = decide_pause(found)
    paused = "Pods will be paused" if decision.needed else "Pods will not be paused"
    counts = f"{len(found.releases)} release(s), {len(found.databases)} database(s)"
    write(
        output,
        {"valid": True, "plan": plan_document(found), "pause": decision},
        lambda: Text(f"{found.name}: valid, {counts}\n{paused}: {decision.reason}"),
    )


@plan.command("schema")
def schema() -> None:
    """Print the JSON Schema of a plan, for editors and for review.

    \b
    Example:
      scalar-backup plan schema > plan.schema.json
    """
    click.echo(json.dumps(contract(plan_schema()), indent=2))
