"""What a function app contains, as plain values: the host knows functions by these, never by their code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

ORCHESTRATION, ACTIVITY, ENTITY = "orchestrationTrigger", "activityTrigger", "entityTrigger"
HTTP, TIMER, EVENT_GRID = "httpTrigger", "timerTrigger", "eventGridTrigger"
_ALIAS = {ORCHESTRATION: "orchestration", ACTIVITY: "activity", ENTITY: "entity_name"}


@dataclass(frozen=True)
class Function:
    """`called` is the name that orchestrators and clients use. `binding` holds the trigger as function.json would.

    `client` is the parameter that takes the durable client, if any.
    """

    name: str
    trigger: str
    parameter: str
    called: str
    client: str | None = None
    binding: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Functions:
    """Looks functions up; names are case-insensitive, as in the Functions host."""

    def __init__(self, functions: Iterable[Function]) -> None:
        self.all = tuple(functions)
        self._by_name = {function.name.lower(): function for function in self.all}
        self._by_call = {(function.trigger, function.called.lower()): function for function in self.all}

    def named(self, name: str) -> Function | None:
        return self._by_name.get(name.lower())

    def called(self, trigger: str, name: str) -> Function | None:
        """The orchestrator, activity or entity that a call of this name runs."""
        return self._by_call.get((trigger, name.lower()))

    def triggered_by(self, trigger: str) -> list[Function]:
        return [function for function in self.all if function.trigger == trigger]


def described(built: Any) -> Function:
    """From what FunctionApp.get_functions() gives."""
    trigger = built.get_trigger()
    name = built.get_function_name()
    client = next((binding.name for binding in built.get_bindings() if binding.type == "durableClient"), None)
    raw = next(json.loads(text) for text in built.get_raw_bindings() if json.loads(text)["type"] == trigger.type)
    called = getattr(trigger, _ALIAS[trigger.type], None) if trigger.type in _ALIAS else None
    return Function(name, trigger.type, trigger.name, called or name, client, raw)
