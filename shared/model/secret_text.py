"""A text that may be a credential: it shows itself to nobody who does not ask for it by name."""

from __future__ import annotations

from typing import NoReturn

HIDDEN = "…"


class SecretText:
    """Compared by content. Formatting it gives `…`; JSON, the catalog's records and pickle refuse it with a TypeError, so a
    secret cannot get into a log, a payload or the catalog unnoticed."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one call that needs it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash((SecretText, self._text))

    def __repr__(self) -> str:
        return f"SecretText({HIDDEN})"

    def __str__(self) -> str:
        return HIDDEN

    def __reduce__(self) -> NoReturn:
        raise TypeError("A SecretText is not written anywhere; reveal it where it is used.")
