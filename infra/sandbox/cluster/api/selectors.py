"""Label and field selectors, parsed from the form they have in a URL.

Grammar: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from infra.sandbox.cluster.api.resources import Resource

LabelTest = Callable[[dict[str, str]], bool]
ObjectTest = Callable[[dict[str, Any]], bool]

_KEY = r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_EQUALITY = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_COMPARISON = re.compile(rf"({_KEY})\s*([<>])\s*(-?\d+)")
_EXISTENCE = re.compile(rf"(!?)\s*({_KEY})")

_FIELDS_OF_ANY = frozenset({"metadata.name", "metadata.namespace"})
_FIELDS = {
    "pods": frozenset(
        {"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase",
         "status.podIP", "status.nominatedNodeName"}
    ),
    "namespaces": frozenset({"status.phase"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "replicasets": frozenset({"status.replicas"}),
    "jobs": frozenset({"status.successful"}),
    "secrets": frozenset({"type"}),
}  # fmt: skip


def label_selector(text: str) -> LabelTest:
    """A test of a label mapping. Raises ValueError with the part that cannot be parsed."""
    tests = [_requirement(part.strip()) for part in _parts(text)] if text.strip() else []
    return lambda labels: all(test(labels) for test in tests)


def match_labels(selector: dict[str, Any]) -> LabelTest:
    """A test from the object form of a selector: matchLabels and matchExpressions."""
    wanted: dict[str, str] = selector.get("matchLabels") or {}
    tests = [_expression(each) for each in selector.get("matchExpressions") or []]
    return lambda labels: all(labels.get(k) == v for k, v in wanted.items()) and all(test(labels) for test in tests)


def field_selector(text: str, resource: Resource) -> ObjectTest:
    """A test of an object. Raises ValueError for a field that this resource cannot be selected by."""
    known = _FIELDS_OF_ANY | _FIELDS.get(resource.plural, frozenset())
    tests: list[ObjectTest] = []
    for part in text.split(",") if text else []:
        match = re.fullmatch(r"([\w.]+)(==|=|!=)(.*)", part.strip())
        if match is None:
            raise ValueError(f"invalid selector: '{part}'; can't understand '{part}'")
        field, operator, value = match.groups()
        if field not in known:
            raise ValueError(f"field label not supported: {field}")
        tests.append(_field_test(field.split("."), value, wants_equal=operator != "!="))
    return lambda document: all(test(document) for test in tests)


def _parts(text: str) -> list[str]:
    """Splits at the commas that are not inside parentheses."""
    return re.split(r",(?![^(]*\))", text)


def _requirement(part: str) -> LabelTest:
    if match := _SET.fullmatch(part):
        key, operator, inside = match.groups()
        values = {value.strip() for value in inside.split(",")}
        if not all(re.fullmatch(_VALUE, value) for value in values):
            raise ValueError(f"unable to parse requirement: invalid label value in '{part}'")
        return _membership(key, values, wants_member=operator == "in")
    if match := _EQUALITY.fullmatch(part):
        key, operator, value = match.groups()
        return _membership(key, {value}, wants_member=operator != "!=")
    if match := _COMPARISON.fullmatch(part):
        key, operator, bound = match.groups()
        return _comparison(key, int(bound), wants_greater=operator == ">")
    if match := _EXISTENCE.fullmatch(part):
        absent, key = match.groups()
        return lambda labels: (key in labels) != bool(absent)
    raise ValueError(f"unable to parse requirement: found '{part}', expected: identifier with an optional condition")


def _expression(expression: dict[str, Any]) -> LabelTest:
    key, operator = expression["key"], expression["operator"]
    match operator:
        case "In" | "NotIn":
            return _membership(key, set(expression.get("values") or []), wants_member=operator == "In")
        case "Exists":
            return lambda labels: key in labels
        case "DoesNotExist":
            return lambda labels: key not in labels
    raise ValueError(f'"{operator}" is not a valid label selector operator')


def _membership(key: str, values: set[str], *, wants_member: bool) -> LabelTest:
    # An object without the label fails `in` and `=`, and passes `notin` and `!=`.
    return lambda labels: (labels.get(key) in values) == wants_member


def _comparison(key: str, bound: int, *, wants_greater: bool) -> LabelTest:
    def test(labels: dict[str, str]) -> bool:
        value = labels.get(key, "")
        if not re.fullmatch(r"-?\d+", value):
            return False
        return int(value) > bound if wants_greater else int(value) < bound

    return test


def _field_test(path: list[str], wanted: str, *, wants_equal: bool) -> ObjectTest:
    def test(document: dict[str, Any]) -> bool:
        value: Any = document
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return (text == wanted) == wants_equal

    return test
