"""Lists of names inside messages: whole where they are short, counted where they would drown the message."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_LIST = 10
"""A thousand pods in one message would pass the 256 KiB that an engine carries, and nobody would read them."""


def listed(names: Sequence[str], separator: str = ", ") -> str:
    """The first ten, and how many more there are."""
    more = len(names) - LONGEST_LIST
    shown = separator.join(names[:LONGEST_LIST])
    return f"{shown}{separator}and {more} more" if more > 0 else shown
