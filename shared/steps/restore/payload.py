"""Reading what a person pasted into a console. What is wrong with it is said with its name, before anything is looked at."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from shared.model.durations import parse_duration
from shared.model.errors import InvalidRequest
from shared.model.plan import Plan
from shared.model.restore import INCONSISTENT_TIME, KEEP_OLD_SECONDS, LATEST, RestoreRequest, Target
from shared.steps.request import Request, text

PARTIAL = "partial"
"""The word in `unsafe` that lets some databases of a plan be restored in place without the others."""
UNSAFE = (INCONSISTENT_TIME, PARTIAL)
_ALWAYS = {"step", "action", "plan", "dry_run"}
_CONFIRMING = {"plan_id", "confirm"}
_KNOWN = {
    "restore": _ALWAYS | _CONFIRMING | {"restore_point", "databases", "target", "keep_old", "unsafe"},
    "undo": _ALWAYS | _CONFIRMING | {"run", "keep_old"},
    "continue": _ALWAYS | {"run"},
    "abandon": _ALWAYS | {"run"},
    "status": _ALWAYS | {"run"},
}
STARTED_BY = ("restore", "undo", "continue", "abandon")
"""The actions that start an execution; its input names them."""
ASKED = ("restore_point", "databases", "target", "keep_old", "unsafe")


def action_of(request: Request) -> str:
    """Raises InvalidRequest: no action, an unknown one, or a key that the action does not know."""
    action = text(request, "action")
    if action not in _KNOWN:
        raise InvalidRequest(f"There is no action {action!r}.", hint=f"Actions: {', '.join(_KNOWN)}.")
    unknown = [key for key in request if key not in _KNOWN[action]]
    if unknown:
        raise InvalidRequest(
            f"The action {action!r} has no {_quoted(unknown)}.",
            hint=f"{_guess(unknown[0], _KNOWN[action])}It knows: {', '.join(sorted(_KNOWN[action] - {'step'}))}.",
        )
    return action


def read_request(request: Request, plan: Plan) -> RestoreRequest:
    """What is asked for, with every default filled in.

    Raises:
        InvalidRequest: a value is not one that can be asked for; the message names it and what can.
    """
    unsafe = _words(request, "unsafe")
    if wrong := [word for word in unsafe if word not in UNSAFE]:
        raise InvalidRequest(f"'unsafe' knows no {_quoted(wrong)}.", hint=f"It knows: {', '.join(UNSAFE)}.")
    asked = RestoreRequest(
        plan=plan.name,
        restore_point=text(request, "restore_point", LATEST) or LATEST,
        databases=_databases(request, plan),
        target=_target(request),
        keep_old_seconds=read_keep_old(request),
        unsafe=tuple(word for word in UNSAFE if word in unsafe),
    )
    if asked.databases and asked.target is Target.IN_PLACE and PARTIAL not in asked.unsafe:
        raise InvalidRequest(
            f"Only {_quoted(asked.databases)} of plan {plan.name} would go back in place: the databases of a plan share their "
            "transactions, and restoring some of them takes their common point away.",
            hint=f'Restore all of them, use "target": "{Target.SIDE_BY_SIDE.value}", or add "unsafe": ["{PARTIAL}"].',
        )
    return asked


def read_keep_old(request: Request) -> float:
    """Seconds."""
    try:
        return parse_duration(request.get("keep_old", KEEP_OLD_SECONDS))
    except ValueError as error:
        raise InvalidRequest(f"keep_old: {error}.") from error


def flag(request: Request, key: str) -> bool:
    value = request.get(key, False)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{key!r} is {value!r}, not true or false.")
    return value


def _target(request: Request) -> Target:
    written = text(request, "target", Target.IN_PLACE.value)
    try:
        return Target(written)
    except ValueError as error:
        raise InvalidRequest(
            f"'target' is {written!r}.", hint=f"It can be: {', '.join(item.value for item in Target)}."
        ) from error


def _databases(request: Request, plan: Plan) -> tuple[str, ...]:
    """In the plan's order; empty for all of them."""
    wanted, known = _words(request, "databases"), [item.key for item in plan.databases]
    if unknown := [key for key in wanted if key not in known]:
        raise InvalidRequest(
            f"Plan {plan.name} has no database {_quoted(unknown)}.",
            hint=f"{_guess(unknown[0], known)}Its databases: {', '.join(known)}.",
        )
    return () if set(wanted) == set(known) else tuple(key for key in known if key in wanted)


def _words(request: Request, key: str) -> tuple[str, ...]:
    value = request.get(key, [])
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise InvalidRequest(f"{key!r} is not a list of texts.", hint=f'Write it as "{key}": ["…"].')
    return tuple(value)


def _quoted(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in words)


def _guess(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), n=1)
    return f"Did you mean {near[0]!r}? " if near else ""
