"""The runbook is pasted from at night: its payloads are payloads, its commands commands, its links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from shared.cli import main
from shared.steps.restore.payload import action_of

RUNBOOK = (Path(__file__).parents[3] / "docs" / "restore.md").read_text(encoding="utf-8")
PAYLOADS = [text for text in re.findall(r"```json\n(.*?)```", RUNBOOK, re.DOTALL) if '"action"' in text.splitlines()[0]]
COMMANDS = re.findall(r"^scalar-backup .*$", RUNBOOK, re.MULTILINE)


@pytest.mark.parametrize("text", PAYLOADS)
def test_every_payload_is_one_that_the_restore_function_reads(text: str) -> None:
    payload = json.loads(text)
    assert action_of(payload) == payload["action"]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_exists_with_its_options(line: str) -> None:
    _, group, name, *arguments = shlex.split(line)
    found = main.commands[group]
    assert isinstance(found, click.Group)
    found.commands[name].make_context(name, arguments)


def test_every_action_is_shown() -> None:
    assert {json.loads(text)["action"] for text in PAYLOADS} == {"restore", "status", "undo", "continue", "abandon"}
    assert len(COMMANDS) >= 6


def test_every_link_inside_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", RUNBOOK)) <= anchors
