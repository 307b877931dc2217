"""$filter: comparisons of a property with a constant, and, or, not, parentheses.

Source: "Querying tables and entities". A comparison with a property that is missing or of another type does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from infra.sandbox.azure.tables.entities import Properties, Property
from infra.sandbox.azure.tables.refusals import invalid_input

MOST_COMPARISONS = 15
"""Of one $filter."""
_TOKEN = re.compile(
    r"\s*(?:(?P<paren>[()])|(?P<typed>(?:datetime|guid|X|binary)'[^']*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?L?)|(?P<word>[A-Za-z_]\w*))"
)
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "lt": lambda left, right: bool(left < right),
    "le": lambda left, right: bool(left <= right),
    "gt": lambda left, right: bool(left > right),
    "ge": lambda left, right: bool(left >= right),
}
_KINDS = {"Edm.Int32": "number", "Edm.Int64": "number", "Edm.Double": "number"}
_TYPED = {"datetime": "Edm.DateTime", "guid": "Edm.Guid", "X": "Edm.Binary", "binary": "Edm.Binary"}
Condition = Callable[[Properties], bool]


class Filter(NamedTuple):
    """`partition` is the PartitionKey that every match has, where the filter says so at its top: then only it is read."""

    matches: Condition
    partition: str | None


def parse(text: str) -> Filter:
    """Raises TableRefusal. An empty text matches everything. The properties of an entity include its keys and Timestamp."""
    if not text:
        return Filter(lambda _: True, None)
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._comparisons = 0

    def whole(self) -> Filter:
        condition, partition = self._either()
        if self._at != len(self._tokens) or self._comparisons > MOST_COMPARISONS:
            raise invalid_input()
        return Filter(condition, partition)

    def _either(self) -> tuple[Condition, str | None]:
        left, partition = self._both()
        while self._take_word("or"):
            left, partition = _or(left, self._both()[0]), None
        return left, partition

    def _both(self) -> tuple[Condition, str | None]:
        left, partition = self._one()
        while self._take_word("and"):
            right, other = self._one()
            left, partition = _and(left, right), partition or other
        return left, partition

    def _one(self) -> tuple[Condition, str | None]:
        if self._take_word("not"):
            inner = self._one()[0]
            return lambda entity: not inner(entity), None
        if self._take("paren") == "(":
            found = self._either()
            if self._take("paren") != ")":
                raise invalid_input()
            return found
        return self._comparison()

    def _comparison(self) -> tuple[Condition, str | None]:
        self._comparisons += 1
        name, operator = self._take("word"), self._take("word")
        if name is None or operator not in _OPERATORS:
            raise invalid_input()
        constant = self._constant()
        is_partition = (name, operator) == ("PartitionKey", "eq") and constant.edm == "Edm.String"
        return _comparing(name, _OPERATORS[operator], constant), constant.value if is_partition else None

    def _constant(self) -> Property:
        if (text := self._take("text")) is not None:
            return Property("Edm.String", text[1:-1].replace("''", "'"))
        if (number := self._take("number")) is not None:
            return Property("Edm.Double", float(number) if {*number} & {*".eE"} else int(number.removesuffix("L")))
        if (typed := self._take("typed")) is not None:
            kind, _, value = typed.rstrip("'").partition("'")
            return Property(_TYPED[kind], value)
        if (word := self._take("word")) in ("true", "false"):
            return Property("Edm.Boolean", word == "true")
        raise invalid_input()

    def _take(self, kind: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at][0] == kind:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return None

    def _take_word(self, word: str) -> bool:
        taken = self._at < len(self._tokens) and self._tokens[self._at] == ("word", word)
        self._at += taken
        return taken


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise invalid_input()
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def _and(left: Condition, right: Condition) -> Condition:
    return lambda entity: left(entity) and right(entity)


def _or(left: Condition, right: Condition) -> Condition:
    return lambda entity: left(entity) or right(entity)


def _comparing(name: str, operator: Callable[[Any, Any], bool], constant: Property) -> Condition:
    kind = _KINDS.get(constant.edm, constant.edm)

    def holds(entity: Properties) -> bool:
        given = entity.get(name)
        if given is None or _KINDS.get(given.edm, given.edm) != kind:
            return False
        return operator(float(given.value) if kind == "number" else given.value, constant.value)

    return holds
