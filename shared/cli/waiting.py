"""Waiting for what the deployment does: the options of the commands that wait, and how progress is shown meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import click
from rich.console import RenderableType
from rich.live import Live

from shared.cli.follow import Watched, only_new
from shared.cli.output import note, stderr_console
from shared.model.durations import parse_duration

STOPPED_WAITING = 130
"""The shell's own code for Ctrl-C."""
V = TypeVar("V", bound=Watched)


def duration_of(_context: click.Context, _parameter: click.Parameter, value: str | None) -> timedelta | None:
    """For options that are a duration; a plain number is seconds."""
    if value is None:
        return None
    try:
        return timedelta(seconds=parse_duration(int(value) if value.isdecimal() else value))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{error}.") from error


def wait_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--wait/--no-wait` and `--timeout`, for a command that starts `what` ("run", "restore")."""
    shows = f"Show the {what} until its end, or only start it."
    wait = click.option("--wait/--no-wait", default=True, show_default=True, help=shows)
    return lambda command: wait(timeout_option(what)(command))


def timeout_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    stops = f"Stop waiting after this time, such as 30m. The {what} goes on."
    return click.option("--timeout", callback=duration_of, metavar="DURATION", help=stops)


@contextmanager
def shown(story: Callable[[V], Iterator[str]], picture: Callable[[V], RenderableType]) -> Iterator[Callable[[V], None]]:
    """What shows a view: the picture, redrawn in place on a terminal; otherwise the story, each line once."""
    console = stderr_console()
    if not console.is_terminal:
        yield only_new(story, note)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda view: live.update(picture(view), refresh=True)
