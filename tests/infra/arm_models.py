"""Resource bodies against the models of Azure's management packages, which are generated from the services' own specifications:
names of properties, kinds of values, words of enumerations.

The models are those of the installed packages, whose API versions may be newer than the templates'. Two generations of models
exist: one that maps attributes to paths, in which "properties.x" is flattened, and one with a class for each level.
"""

from __future__ import annotations

import datetime
import enum
import importlib
import inspect
import typing
from collections.abc import Iterator
from typing import Any

from tests.infra.bicep import Choice, Expression

OF_EVERY_RESOURCE = frozenset({"dependsOn", "identity", "kind", "location", "name", "parent", "scope", "sku", "tags", "zones"})
"""What Bicep or Resource Manager takes for any type."""
_LITERALS: dict[str, type] = {"bool": bool, "float": float, "int": int, "str": str}


class _Unknown:
    """Nothing is said about it."""


def problems(model: type, body: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the literals of a resource's body."""
    shape = _shape_of(model)
    for key, given in body.items():
        try:
            field = shape.field(key)
        except KeyError:
            if key not in OF_EVERY_RESOURCE:
                yield f"{key}: {model.__name__} has no such property"
        else:
            yield from _check(field, given, key)


def _check(shape: Any, given: Any, path: str) -> Iterator[str]:
    match given:
        case Expression() | None:
            return
        case Choice(values):
            for one in values:
                yield from _check(shape, one, path)
        case dict() if isinstance(shape, _Shape):
            yield from _members(shape, given, path)
        case dict() if isinstance(shape, _DictOf):
            for key, item in given.items():
                yield from _check(shape.item, item, f"{path}.{key}")
        case list() if isinstance(shape, _ListOf):
            for number, item in enumerate(given):
                yield from _check(shape.item, item, f"{path}[{number}]")
        case str() if isinstance(shape, _OneOf):
            if given not in shape.words:
                yield f"{path}: {given!r} is none of {', '.join(sorted(shape.words))}"
        case _ if shape is float and type(given) is int:
            return
        case _ if shape is not _Unknown and type(given) is not shape:
            yield f"{path}: {given!r} is no {shape}"


def _members(shape: _Shape, given: dict[str, Any], path: str) -> Iterator[str]:
    narrower = shape.for_value(given)
    for key, item in given.items():
        try:
            field = narrower.field(key)
        except KeyError:
            yield f"{path}.{key}: {narrower} has no such property"
        else:
            yield from _check(field, item, f"{path}.{key}")


class _OneOf(typing.NamedTuple):
    words: frozenset[str]


class _ListOf(typing.NamedTuple):
    item: Any


class _DictOf(typing.NamedTuple):
    item: Any


class _Shape:
    """An object with named members. Raises KeyError for those it does not have."""

    def field(self, name: str) -> Any:
        raise NotImplementedError

    def for_value(self, given: dict[str, Any]) -> _Shape:
        """Of a base class, the subclass that a member such as `endpointType` names."""
        return self


class _Mapped(_Shape):
    """A model with `_attribute_map`, or the members of it that share a prefix."""

    def __init__(self, model: Any, prefix: str = "") -> None:
        self.model, self.prefix = model, prefix

    def __str__(self) -> str:
        return f"{self.model.__name__} {self.prefix}".strip()

    def field(self, name: str) -> Any:
        wanted = self.prefix + name
        for attribute in self.model._attribute_map.values():
            key = attribute["key"].replace("\\.", "\0")
            if key == wanted.replace("odata.type", "odata\0type"):
                return self._named(attribute["type"])
            if key.startswith(f"{wanted}."):
                return _Mapped(self.model, f"{wanted}.")
        raise KeyError(name)

    def for_value(self, given: dict[str, Any]) -> _Shape:
        for attribute, kinds in getattr(self.model, "_subtype_map", {}).items():
            key = self.model._attribute_map[attribute]["key"].replace("\\.", ".")
            if given.get(key) in kinds:
                return _Mapped(getattr(_module(self.model), kinds[given[key]]))
        return self

    def _named(self, text: str) -> Any:
        if text.startswith("["):
            return _ListOf(self._named(text[1:-1]))
        if text.startswith("{"):
            return _DictOf(self._named(text[1:-1]))
        # Enumerations are texts to these models, and what words they have is in the documentation of the parameter.
        return _LITERALS.get(text) or _shape_of(getattr(_module(self.model), text, None))


class _Typed(_Shape):
    """A model whose members are annotated."""

    def __init__(self, model: Any) -> None:
        self.model = model
        model.__new__(model)  # fills _attr_to_rest_field
        self.names = {field._rest_name: name for name, field in model._attr_to_rest_field.items()}

    def __str__(self) -> str:
        return str(self.model.__name__)

    def field(self, name: str) -> Any:
        attribute = self.names[name]
        for owner in self.model.__mro__:
            annotation = inspect.get_annotations(owner).get(attribute)
            if annotation is not None:
                return _annotated(annotation, _module(self.model))
        return _Unknown

    def for_value(self, given: dict[str, Any]) -> _Shape:
        for discriminator, kind in getattr(self.model, "__mapping__", {}).items():
            if discriminator in given.values():
                return _Typed(kind)
        return self


def _annotated(annotation: Any, module: Any) -> Any:
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        names = {
            **vars(typing),
            **vars(module),
            "_models": module,
            "_types": module,
            "datetime": datetime,
        }
        try:
            annotation = eval(annotation.replace('"', ""), names)
        except (AttributeError, NameError, TypeError):
            return _Unknown
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return _ListOf(_annotated(parts[0], module))
    if origin is dict:
        return _DictOf(_annotated(parts[1], module))
    if parts:  # Optional, and Union[str, Enum]
        kinds = [part for part in parts if part is not type(None)]
        enums = [part for part in kinds if inspect.isclass(part) and issubclass(part, enum.Enum)]
        forward = [part for part in kinds if isinstance(part, typing.ForwardRef)]
        return _annotated((enums or forward or kinds)[0], module)
    return annotation if annotation in _LITERALS.values() else _shape_of(annotation)


def _shape_of(model: Any) -> Any:
    if not inspect.isclass(model):
        return _Unknown
    if issubclass(model, enum.Enum):
        return _OneOf(frozenset(str(word.value) for word in model))
    if hasattr(model, "_attribute_map"):
        return _Mapped(model)
    if any(base.__name__ == "Model" for base in model.__mro__):
        return _Typed(model)
    return _Unknown


def _module(model: Any) -> Any:
    """The package `…models`, which has every model and enumeration."""
    return importlib.import_module(model.__module__.rpartition(".")[0])
