"""The application: help, global options, and what becomes of every kind of error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from shared.cli import main
from shared.cli.app import exit_code
from shared.cli.output import span
from shared.model import errors
from shared.model.errors import BackupError
from tests.unit.cli.samples import catalog
from tests.unit.cli.world import World


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("path", [path for path, _ in commands(main)], ids=" ".join)
def test_every_command_has_help_with_an_example_of_itself(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])
    assert result.exit_code == 0
    options = r"(--region \S+ )?"
    assert re.search(r"Examples?:\s+scalar-backup " + options + re.escape(" ".join(path)), result.stdout)


def test_every_option_is_described() -> None:
    for path, command in commands(main):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (path, parameter.name)


def test_reading_commands_have_all_forms_of_output() -> None:
    for path, command in commands(main):
        if path and path[-1] in ("list", "show"):
            assert "-o" in [name for parameter in command.params for name in parameter.opts], path


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["plan", "aply"], ["points", "list"], ["points", "list", "x", "-o", "xml"], ["plan"], []]
)
def test_wrong_usage_has_exit_code_three(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 3


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InvalidPlan, 3),
        (errors.UnknownRun, 3),
        (errors.NotReady, 1),
        (errors.LeaseHeld, 1),
        (errors.Forbidden, 1),
        (errors.Misconfigured, 1),
        (errors.PodsMayBePaused, 1),
        (errors.Throttled, 2),
        (errors.Unreachable, 2),
    ],
)
def test_each_family_of_errors_has_its_exit_code(kind: type[BackupError], code: int) -> None:
    assert exit_code(kind("said")) == code


class Broken(World):
    @property
    def catalog(self) -> None:  # type: ignore[override]
        raise ZeroDivisionError("first line\nsecond line")


def test_an_unexpected_error_is_one_line_and_its_traceback_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = Broken().call("plan", "list")
    (kept,) = tmp_path.iterdir()
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == f"Error: unexpected ZeroDivisionError: first line. The traceback is in {kept}.\n"
    assert "Traceback (most recent call last)" in kept.read_text(encoding="utf-8")


def test_nothing_is_coloured_or_wrapped_where_nobody_looks() -> None:
    result = World(catalog()).call("runs", "show", "orders-prod-20261124T030000Z-b43d8e39")
    assert "\x1b" not in result.output
    assert max(map(len, result.stdout.splitlines())) > 80


def test_text_in_brackets_is_shown_as_it_is() -> None:
    made = World()
    made.engine.answers = {"check": errors.NotReady("releases[0]: [bold]x[/bold] :bomb:")}
    assert made.call("check", "x").stderr == "Error: releases[0]: [bold]x[/bold] :bomb:\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.9, "59.9s"), (60, "1m"), (200, "3m 20s"), (7200, "2h"), (2_520_061, "29d 4h")]
)
def test_a_span_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text
