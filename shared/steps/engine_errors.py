"""What an engine caught, as a cause. Step Functions hands over `{"Error": name, "Cause": text}`, where the text of a Lambda
error is JSON with `errorMessage`, and that of a child execution is its description with an `Error` and `Cause` of its own; a
process that died leaves only a name."""

from __future__ import annotations

import json
from collections.abc import Mapping

from shared.model.run import Cause

LONGEST_MESSAGE = 1000
_DIED = {
    "Runtime.ExitError": "The function's process ended without an answer.",
    "Lambda.Unknown": "The function ended without an answer: killed, out of memory or out of time.",
    "Sandbox.Timedout": "The function ran into its time-out.",
    "States.Timeout": "The step ran into its time-out.",
    "States.TaskFailed": "The step failed.",
}


def cause_from_engine(error: object) -> Cause | None:
    """None when the engine caught nothing: `error` is missing or has an empty name."""
    if not isinstance(error, Mapping) or not error.get("Error"):
        return None
    name = str(error["Error"])
    told = _message(error.get("Cause"))
    message = f"{_DIED[name]} {told}".strip() if name in _DIED else told or f"The engine reports {name}."
    return Cause(code=name, message=message[:LONGEST_MESSAGE])


def _message(text: object) -> str:
    if not isinstance(text, str):
        return ""
    try:
        parsed = json.loads(text)
    except ValueError:
        return text
    if isinstance(parsed, Mapping):
        return str(parsed.get("errorMessage") or _message(parsed.get("Cause")) or parsed.get("Error") or "")
    return text
