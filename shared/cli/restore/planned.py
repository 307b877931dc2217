"""A restore plan for people: what happens to each database, what is lost and put back, how long it takes, and whether it can be
carried out. It is written from the answer of the restore function, so both say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

_LISTS = {
    "loses": "lost by the service's restore",
    "puts_back": "put back and compared",
    "gone_for_good": "gone for good",
    "keeps": "kept for an undo",
}
_WARNING = "warning: "
_LABEL = 12
_NO_MORE = "A plan, nothing more: "


def described(answer: Mapping[str, Any]) -> Text:
    """The whole plan, with the commands or the problems at its end."""
    text = Text(str(answer.get("what", "")), style="bold")
    for label, value in _facts(answer).items():
        text.append(f"\n{label + ':':{_LABEL}}", style="default").append(value, style="default")
    text.append_text(_risks(answer))
    for key, database in answer.get("databases", {}).items():
        text.append("\n\n").append_text(_database(key, database))
    return text.append("\n").append_text(_checks(answer)).append_text(_ending(answer))


def in_short(answer: Mapping[str, Any]) -> Text:
    """What nobody may overlook before a confirmation."""
    text = Text(str(answer.get("what", "")).removeprefix(_NO_MORE), style="bold")
    text.append(f"\n{'outage:':{_LABEL}}{answer.get('outage', '')}", style="default")
    text.append(f"\n{'keep old:':{_LABEL}}{answer.get('keep_old', '')}", style="default").append_text(_risks(answer))
    for key, database in answer.get("databases", {}).items():
        for sentence in database.get("gone_for_good", ()):
            text.append(f"\n{key}: gone for good: {sentence}", style="bold red")
    return text


def command_for(answer: Mapping[str, Any]) -> str:
    """Carries the plan out; empty when a check failed."""
    if not answer.get("confirm_with"):
        return ""
    return f"scalar-backup restore apply {answer['plan']} --plan-id {answer['plan_id']}"


def _facts(answer: Mapping[str, Any]) -> dict[str, str]:
    releases = ", ".join(f"{key} ({number} pods)" for key, number in answer.get("releases", {}).items())
    facts = {
        "plan id": str(answer.get("plan_id", "")),
        "outage": str(answer.get("outage", "")),
        "stopped": releases,
        "keep old": str(answer.get("keep_old", "")),
    }
    return {label: value for label, value in facts.items() if value}


def _risks(answer: Mapping[str, Any]) -> Text:
    text = Text()
    for sentence in answer.get("risks", ()):
        text.append(f"\n{'RISK:':{_LABEL}}{sentence}", style="bold red")
    return text


def _database(key: str, database: Mapping[str, Any]) -> Text:
    source = f"  from {database['from']}" if database.get("from") else ""
    takes = f", {database['takes']}" if database.get("takes") else ""
    because = f" ({database['takes_because']})" if takes and database.get("takes_because") else ""
    text = Text(key, style="bold").append(f"{source}{takes}{because}", style="default")
    for line in _lines(database):
        text.append(f"\n{line}", style="default")
    return text


def _lines(database: Mapping[str, Any]) -> Iterator[str]:
    for number, step in enumerate(database.get("steps", ()), start=1):
        yield f"  {number}. {step}"
    for name, label in _LISTS.items():
        for sentence in database.get(name, ()):
            yield f"  {label}: {sentence}"
    if until := database.get("restorable_until"):
        yield f"  this point can be restored until {until}"
    if ready := database.get("ready_at"):
        yield f"  this point can be restored from about {ready} on"


def _checks(answer: Mapping[str, Any]) -> Text:
    """Passed checks are counted: a thousand of them hide the one that matters."""
    checks = [str(item) for item in answer.get("checks", ())]
    warnings = [item for item in checks if item.startswith(_WARNING)]
    text = Text(f"\nchecks: {len(checks) - len(warnings)} passed")
    text.append(f", {len(warnings)} warnings" if warnings else "").append(
        f", {len(answer['problems'])} failed" if answer.get("problems") else ""
    )
    for warning in warnings:
        text.append(f"\n  WARNING {warning.removeprefix(_WARNING)}", style="yellow")
    for problem in answer.get("problems", ()):
        text.append(f"\n  FAILED {problem}", style="bold red")
    return text


def _ending(answer: Mapping[str, Any]) -> Text:
    command = command_for(answer)
    if not command:
        return Text("\n\nNothing was changed. Mend what FAILED names, then ask again.", style="bold")
    payload = json.dumps(answer["confirm_with"])
    return Text(
        f"\n\nNothing was changed. To carry it out:\n  {command}\nor, in the console of the restore function:\n  {payload}"
    )
