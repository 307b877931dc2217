"""What pydantic found wrong with a plan, as sentences for its owner: the path, what is wrong, and an example."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.model.durations import format_duration

Location = tuple[int | str, ...]


def describe_problems(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """One line per problem, in the document's order of sections."""
    details = error.errors(include_url=False)
    unknown = {detail["loc"] for detail in details if detail["type"] == "extra_forbidden"}
    suggested = {(*location[:-1], _closest(location, root)) for location in unknown}
    return [
        f"{_path(detail['loc'])}: {_describe(detail, root)}"
        for detail in details
        # A missing key beside a misspelt one is the same mistake seen twice.
        if not (detail["type"] == "missing" and detail["loc"] in suggested)
        # A list counts as too short also when each of its entries was refused, which has been said already.
        and not (detail["type"] == "too_short" and detail["input"])
    ]


def _describe(detail: ErrorDetails, root: type[BaseModel]) -> str:
    location, kind = detail["loc"], detail["type"]
    if kind == "extra_forbidden":
        return _describe_unknown(location, root)
    example = _example(location, root)
    if kind == "missing":
        return f"is missing{example}"
    return f"{_sentence(detail)}{example}"


def _describe_unknown(location: Location, root: type[BaseModel]) -> str:
    if closest := _closest(location, root):
        return f"unknown key; did you mean {closest!r}?"
    return f"unknown key; known here: {', '.join(_keys_beside(location, root))}"


def _sentence(detail: ErrorDetails) -> str:
    """pydantic's own text where it is good; plainer words for the kinds of mistakes that people make."""
    limits, given = detail.get("ctx", {}), _shorten(detail["input"])
    match detail["type"]:
        case "value_error":
            return str(limits["error"])
        case "string_type":
            return f"must be a text, not {given}; put it in quotes"
        case "string_pattern_mismatch":
            return f"{given} has characters or a length that are not allowed here; allowed is {limits['pattern']}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be a mapping of keys, not {given}"
        case "tuple_type" | "list_type":
            return f"must be a list, not {given}"
        case "literal_error":
            return f"{given} is not known here; known are {limits['expected']}"
        case "too_short":
            return "needs at least one entry"
        case "greater_than_equal":
            return f"{given} is less than {_limit(limits['ge'], detail['input'])}"
        case "less_than_equal":
            return f"{given} is more than {_limit(limits['le'], detail['input'])}"
        case _:
            return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, not {given}"


def _limit(limit: float, given: object) -> str:
    """In the unit in which the owner wrote the value."""
    return format_duration(limit) if isinstance(given, str) else f"{limit:g}"


def _shorten(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _path(location: Location) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.lstrip(".") or "the plan"


def _closest(location: Location, root: type[BaseModel]) -> str:
    return next(iter(get_close_matches(str(location[-1]), _keys_beside(location, root), cutoff=0.6)), "")


def _keys_beside(location: Location, root: type[BaseModel]) -> list[str]:
    section = _section(location[:-1], root)
    return list(section.model_fields) if section else []


def _example(location: Location, root: type[BaseModel]) -> str:
    section = _section(location[:-1], root)
    field = section.model_fields.get(str(location[-1])) if section and location else None
    if field is None or not field.examples:
        return ""
    return f" (for example {location[-1]}: {_flow(field.examples[0])})"


def _flow(value: Any) -> str:
    """YAML's one-line form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)


def _section(location: Location, root: type[BaseModel]) -> type[BaseModel] | None:
    """The model of the section at this place of the document."""
    section: type[BaseModel] | None = root
    for part in location:
        if isinstance(part, int) or section is None:
            continue
        field = section.model_fields.get(part)
        section = next(_models_in(field.annotation), None) if field else None
    return section


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The model inside `Model`, `Model | None` or `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    arguments: Iterable[Any] = get_args(annotation)
    for argument in arguments:
        yield from _models_in(argument)
