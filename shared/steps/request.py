"""Reading what an engine, an event or a person handed to a step. Everything wrong is said with its place and an example."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from shared.model.errors import InvalidRequest
from shared.model.times import parse_instant

Request = Mapping[str, Any]
Answer = dict[str, Any]


class Execution(NamedTuple):
    """The engine's execution that a run is: its id (ARN or instance id) and when it started."""

    id: str
    started_at: datetime


def mapping(value: object, where: str) -> Request:
    """Raises InvalidRequest when `value` is not a JSON object."""
    if not isinstance(value, Mapping):
        raise InvalidRequest(
            f"{where} is {_kind(value)}, not a JSON object.",
            hint='Send for example {"plan": "orders-prod", "reason": "on-demand"}.',
        )
    return value


def text(request: Request, key: str, default: str | None = None) -> str:
    """The text at `key`.

    Raises:
        InvalidRequest: missing without a default, empty, or not a text.
    """
    value = request.get(key, default)
    if value is None:
        raise InvalidRequest(f"The request has no {key!r}.", hint=f'Add it, for example "{key}": "…".')
    if not isinstance(value, str) or (not value and default is None):
        raise InvalidRequest(f"{key!r} is {_kind(value)}, not a text.")
    return value


def number(request: Request, key: str) -> int:
    """The whole number at `key`. Raises InvalidRequest."""
    value = request.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"{key!r} is {_kind(value)}, not a whole number.")
    return value


def execution(request: Request) -> Execution | None:
    """The execution the step runs in; None when a person called it directly."""
    value = request.get("execution")
    if value is None:
        return None
    described = mapping(value, "'execution'")
    return Execution(text(described, "id"), parse_instant(text(described, "started_at"), "execution.started_at"))


def _kind(value: object) -> str:
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", type(None): "missing"}
    if value == "":
        return "empty"
    return names.get(type(value), "an object" if isinstance(value, Mapping) else type(value).__name__)
