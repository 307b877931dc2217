"""How commands answer: data on stdout in one of three forms, everything else on stderr.

The table is for people and may change. JSON and YAML are a contract: every field of the model is there under its own name, also
when it has its default; times are RFC 3339 in UTC with `Z`; new fields may be added, so readers ignore what they do not know.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import click
import msgspec
import yaml
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from shared.model.times import iso

WIDE = 100_000
"""The width of a pipe or a file: never wrapped."""

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="Form of the answer on stdout.",
)


def write(output: str, data: object, table: Callable[[], RenderableType]) -> None:
    """`data` as JSON or YAML, or what `table` makes for people."""
    if output == "json":
        click.echo(json.dumps(contract(data), indent=2, ensure_ascii=False))
    elif output == "yaml":
        click.echo(yaml.safe_dump(contract(data), sort_keys=False, allow_unicode=True, width=120), nl=False)
    else:
        _print(stdout_console(), table())


def contract(value: object) -> Any:
    """The JSON form of values of the model, with every field written out."""
    if isinstance(value, msgspec.Struct):
        configuration = value.__struct_config__
        kind = {configuration.tag_field: configuration.tag} if configuration.tag_field else {}
        return {**kind, **{name: contract(getattr(value, name)) for name in value.__struct_fields__}}
    if isinstance(value, Mapping):
        return {str(key): contract(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [contract(item) for item in value]
    return value


def stdout_console() -> Console:
    return _console(sys.stdout)


def stderr_console() -> Console:
    return _console(sys.stderr)


def note(said: RenderableType, style: str = "") -> None:
    """A line or something larger for the person at the terminal, on stderr."""
    _print(stderr_console(), Text(said, style=style) if isinstance(said, str) else said)


def columns(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A list as people read it: titles in capitals, no lines, empty cells as `-`."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, padding=(0, 3, 0, 0))
    for title in titles:
        # Names and times are copied into the next command: on a narrow terminal the other columns give way.
        table.add_column(title, overflow="fold", no_wrap=title == titles[0] or "(UTC)" in title)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell) or "-") for cell in row))
    return table


def second(moment: datetime | None) -> str:
    """A time in a list: to the second, in UTC."""
    return iso(moment.replace(microsecond=0)) if moment else "-"


def span(seconds: float) -> str:
    """How long, in the two largest units: `29d 4h`, `3m 20s`, `7.4s`."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    days, hours, minutes = whole // 86400, whole % 86400 // 3600, whole % 3600 // 60
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (whole % 60, "s")]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2] if count)


def _console(file: Any) -> Console:
    """`markup` and `emoji` stay off: what is printed comes from people and services."""
    is_terminal = file.isatty()
    return Console(
        file=file, markup=False, emoji=False, highlight=False, width=None if is_terminal else WIDE, soft_wrap=not is_terminal
    )


def _print(console: Console, shown: RenderableType) -> None:
    """Without the blanks with which rich fills each line, which are in the way of whoever reads a file."""
    if console.is_terminal:
        console.print(shown)
        return
    with console.capture() as captured:
        console.print(shown)
    console.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))
    console.file.flush()
