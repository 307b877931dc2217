"""Writes docs/plan-reference.md from the plan's JSON Schema: `python -m shared.cli.reference > docs/plan-reference.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
import yaml

from shared.model.plan_document import EXAMPLE, plan_schema

_INTRODUCTION = """# Plan reference

A plan says what is backed up together, and how. Write it as YAML or JSON, check it with `scalar-backup plan validate FILE`,
and store it with `scalar-backup plan apply FILE`. `scalar-backup plan schema` prints the JSON Schema from which this page is
generated (`python -m shared.cli.reference > docs/plan-reference.md`).

Durations are written as `10s`, `2m`, `1h30m`, or as a number of seconds. Unknown keys are refused.

```yaml
{example}```
"""


def reference() -> str:
    """The page as Markdown."""
    schema = plan_schema()
    example = yaml.safe_dump(EXAMPLE, sort_keys=False)
    return "\n".join([_INTRODUCTION.format(example=example), *_section("Plan", schema, schema)]) + "\n"


def _section(title: str, section: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    """A table of the section's keys, then the sections inside it."""
    yield from (f"## {title}", "", section["description"], "", "| key | type | default | meaning |", "|---|---|---|---|")
    inner = []
    for key, described in section["properties"].items():
        reference_to = _reference_to(described)
        default = "required" if key in section.get("required", []) else _default(described)
        inner_section = schema["$defs"].get(reference_to, {})
        yield f"| `{key}` | {_type(described, reference_to)} | {default} | {_meaning(described, inner_section)} |"
        if reference_to:
            inner.append((key if title == "Plan" else f"{title}.{key}", inner_section))
    yield ""
    for name, found in inner:
        yield from _section(name, found, schema)


def _reference_to(described: dict[str, Any]) -> str:
    """The name of the section that a key holds, directly, optionally or as a list."""
    choices = [described, described.get("items", {}), *described.get("anyOf", [])]
    return next((choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice), "")


def _meaning(described: dict[str, Any], section: dict[str, Any]) -> str:
    """pydantic leaves out a key's description when it says the same as that of the section behind it."""
    return str(described.get("description") or section["description"])


def _type(described: dict[str, Any], reference_to: str) -> str:
    if reference_to:
        return "list of sections" if described.get("type") == "array" else "section"
    if described.get("type") == "array":
        return f"list of {described['items']['type']}s"
    choices = [described, *described.get("anyOf", [])]
    kinds = [choice["type"] for choice in choices if choice.get("type", "null") != "null"]
    if kinds == ["string", "number"]:
        return "duration"
    limits: dict[str, Any] = next((choice for choice in choices if "minimum" in choice), {})
    span = f" {limits['minimum']}–{limits['maximum']}" if "maximum" in limits else ""
    span = span or (f", at least {limits['minimum']}" if limits else "")
    return f"{kinds[0]}{span}"


def _default(described: dict[str, Any]) -> str:
    default = described.get("default")
    return "" if default in (None, []) else f"`{json.dumps(default) if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    click.echo(reference(), nl=False)
