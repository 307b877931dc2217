"""A request to RDS as the operations see it, and what is the same in all of them: names, filters, pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from infra.sandbox.aws.rds.inventory import Inventory
from infra.sandbox.aws.rds.refusals import invalid_value
from infra.sandbox.aws.settings import Settings

_NAME = re.compile(r"[a-z](?:-?[a-z0-9])*")
_LONGEST_NAME = 63
_LONGEST_SNAPSHOT_NAME = 255
_PAGE = 100

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Request:
    """`given`: the parameters as the API names them."""

    given: dict[str, Any]
    inventory: Inventory
    settings: Settings
    now: float

    def new_name(self, parameter: str, longest: int = _LONGEST_NAME) -> str:
        """The wished identifier in lower case; InvalidParameterValue unless it is a legal one."""
        name = str(self.given[parameter]).lower()
        if len(name) > longest or not _NAME.fullmatch(name):
            raise invalid_value(
                f"The parameter {parameter} is not a valid identifier: '{name}'. Identifiers must begin with a letter; must "
                f"contain only ASCII letters, digits, and hyphens; must not end with a hyphen or contain two consecutive "
                f"hyphens; and have at most {longest} characters."
            )
        return name

    def new_snapshot_name(self, parameter: str) -> str:
        return self.new_name(parameter, _LONGEST_SNAPSHOT_NAME)

    def filters(self, known: Iterable[str]) -> dict[str, set[str]]:
        """The Filters parameter; InvalidParameterValue names a filter that the operation does not have."""
        found = {entry["Name"]: set(entry["Values"]) for entry in self.given.get("Filters", ())}
        if unknown := set(found) - set(known):
            raise invalid_value(f"Unrecognized filter name: {', '.join(sorted(unknown))}")
        return found

    def page(self, key: str, things: list[Thing], describe: Callable[[Thing], dict[str, Any]]) -> dict[str, Any]:
        """One page of a Describe answer under `key`, with the Marker of the next."""
        size = int(self.given.get("MaxRecords", _PAGE))
        if not 20 <= size <= _PAGE:
            raise invalid_value(f"Invalid value {size} for MaxRecords. Must be between 20 and {_PAGE}")
        start = int(self.given.get("Marker", 0))
        answer: dict[str, Any] = {key: [describe(thing) for thing in things[start : start + size]]}
        if start + size < len(things):
            answer["Marker"] = str(start + size)
        return answer


Operation = Callable[[Request], dict[str, Any]]
