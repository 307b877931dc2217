"""How values of the model become JSON and come back: the form they have in the catalog and in the engines' payloads."""

from __future__ import annotations

from typing import Any, TypeVar, dataclass_transform

import msgspec

from shared.model.errors import Misconfigured

T = TypeVar("T")


class _KeywordsOnly(msgspec.StructMeta):
    """Subclasses of a Struct do not inherit `kw_only`, unlike every other option."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> _KeywordsOnly:
        return super().__new__(mcs, name, bases, namespace, **{"kw_only": True, **options})


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Value(msgspec.Struct, metaclass=_KeywordsOnly, frozen=True, omit_defaults=True):
    """A value of the model: immutable, compared by content. Unknown fields of newer records are ignored when read."""


def to_record(value: object) -> Any:
    """Dicts, lists, strings, numbers, booleans and None; times as RFC 3339 text in UTC."""
    return msgspec.to_builtins(value)


def from_record(record: object, kind: type[T]) -> T:
    """The value that `to_record` was given.

    Raises:
        Misconfigured: the record is not one of this kind; the message names the field.
    """
    try:
        return msgspec.convert(record, kind)
    except msgspec.ValidationError as error:
        raise Misconfigured(
            f"A stored {kind.__name__} cannot be read: {error}.",
            hint="It was written by another release of this product, or by hand.",
        ) from error


def replace(value: T, **changes: Any) -> T:
    """A copy of `value` with some fields changed."""
    return msgspec.structs.replace(value, **changes)  # type: ignore[type-var]
