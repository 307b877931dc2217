"""Bodies are held against the model that the SDK has of the same api-version: what the model does not know is refused.

Two generations of SDK models exist: those of msrest, which flatten `properties`, and those of TypeSpec.
"""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from infra.sandbox.azure.refusals import RefusedError

Schema = Mapping[str, "Member"]


@dataclass(frozen=True)
class Member:
    """One property. `model` is that of its value, or of the values in its list; None for plain values and free maps."""

    model: type | None = None
    read_only: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    """Of an object that the SDK has flattened into its parent."""


def checked(body: Any, model: type, where: str = "") -> dict[str, Any]:
    """The body without its read-only properties, which Azure ignores. RefusedError names what is unknown."""
    return _checked_object(body, _schema(_concrete(model, body)), where or model.__name__)


def _checked_object(value: Any, schema: Schema, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(400, "InvalidRequestContent", f"The request content was invalid: {where} must be an object.")
    found: dict[str, Any] = {}
    for name, given in value.items():
        member = schema.get(name)
        if member is None:
            message = f"The request content was invalid: could not find member '{name}' on object {where}."
            raise RefusedError(400, "InvalidRequestContent", message)
        if not member.read_only:
            found[name] = _checked_value(given, member, f"{where}.{name}")
    return found


def _checked_value(given: Any, member: Member, where: str) -> Any:
    if given is None:
        return None
    if member.members:
        return _checked_object(given, member.members, where)
    if member.model is None:
        return given
    if isinstance(given, list):
        return [checked(each, member.model, where) for each in given]
    return checked(given, member.model, where)


def _concrete(model: type, body: Any) -> type:
    """The subclass that the discriminator in the body names, such as the continuous backup policy."""
    kinds: dict[str, type] = getattr(model, "__mapping__", None) or {}
    if not kinds or not isinstance(body, dict):
        return model
    return next((kinds[value] for value in body.values() if isinstance(value, str) and value in kinds), model)


@cache
def _schema(model: type) -> Schema:
    attributes = getattr(model, "_attribute_map", None)
    return _typespec_schema(model) if attributes is None else _msrest_schema(model, attributes)


def _msrest_schema(model: type, attributes: Mapping[str, Mapping[str, str]]) -> Schema:
    validation: Mapping[str, Mapping[str, Any]] = getattr(model, "_validation", {})
    module = sys.modules[model.__module__]
    schema: dict[str, Member] = {}
    for attribute, wire in attributes.items():
        kind = getattr(module, wire["type"].strip("[]{}"), None)
        read_only = bool(validation.get(attribute, {}).get("readonly"))
        member = Member(kind if isinstance(kind, type) and hasattr(kind, "_attribute_map") else None, read_only)
        *outer, name = re.split(r"(?<!\\)\.", wire["key"])
        place = schema
        for part in outer:
            place = place.setdefault(part, Member()).members
        place[name] = member
    return schema


def _typespec_schema(model: Any) -> Schema:
    model()  # the SDK lists a model's fields when the first one is made
    package = sys.modules[model.__module__]
    hints = typing.get_type_hints(model, localns={"_models": sys.modules[package.__name__.rpartition(".")[0]]})
    return {
        rest._rest_name: Member(_model_in(hints.get(name)), rest._visibility == ["read"])
        for name, rest in model._attr_to_rest_field.items()
    }


def _model_in(hint: Any) -> type | None:
    if isinstance(hint, type) and hasattr(hint, "_attr_to_rest_field") | hasattr(hint, "_is_model"):
        return hint
    if isinstance(hint, type) and any(base.__name__ == "Model" for base in hint.__mro__):
        return hint
    if typing.get_origin(hint) in (list, typing.Union, types.UnionType):
        return next((found for each in typing.get_args(hint) if (found := _model_in(each))), None)
    return None
