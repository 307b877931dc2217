"""Refuses definitions that AWS refuses: unreachable names that moto finds out only when it runs into them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import moto.stepfunctions.parser.api
from moto.stepfunctions.parser.api import InvalidDefinition, ServiceException

from infra.sandbox.aws.moto_names import StepFunctionsParserBackend

_TERMINAL = {"Succeed", "Fail"}


def install() -> None:
    """Check names after moto has checked syntax; give moto's refusals the error codes of AWS."""
    for found in vars(moto.stepfunctions.parser.api).values():
        if isinstance(found, type) and issubclass(found, ServiceException) and "code" in vars(found):
            found.TYPE, found.STATUS = found.code, found.status_code
    original = StepFunctionsParserBackend._validate_definition

    def validate_definition(definition: str) -> None:
        original(definition=definition)
        if problems := list(_problems(json.loads(definition), "")):
            raise InvalidDefinition(f"Invalid State Machine Definition: {'; '.join(problems)}")

    StepFunctionsParserBackend._validate_definition = staticmethod(validate_definition)


def _problems(machine: dict[str, Any], where: str) -> Iterator[str]:
    states = machine["States"]
    if machine["StartAt"] not in states:
        yield f"MISSING_TRANSITION_TARGET: StartAt {machine['StartAt']!r} is not a state at {where}/StartAt"
    for name, state in states.items():
        at = f"{where}/States/{name}"
        for target in _targets(state):
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: Next {target!r} is not a state at {at}"
        if state["Type"] not in {*_TERMINAL, "Choice"} and "Next" not in state and not state.get("End"):
            yield f"SCHEMA_VALIDATION_FAILED: neither Next nor End at {at}"
        for inner in (*state.get("Branches", ()), *(state[key] for key in ("Iterator", "ItemProcessor") if key in state)):
            yield from _problems(inner, at)


def _targets(state: dict[str, Any]) -> Iterator[str]:
    yield from (state[key] for key in ("Next", "Default") if key in state)
    for rule in (*state.get("Choices", ()), *state.get("Catch", ())):
        yield rule["Next"]
