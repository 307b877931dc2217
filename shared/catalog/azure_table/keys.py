"""Keys of entities: names made fit for a PartitionKey or RowKey, and names whose order is turned round.

Source: "Understanding the Table service data model", sections on key properties: no `/`, `\\`, `#`, `?`, no control
characters, at most 1 KiB each.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

PLAIN = " :@$!*(),;"
"""Besides letters, digits and `_.-~`: what may stay as it is."""


class Key(NamedTuple):
    partition: str
    row: str


def fit(name: str) -> str:
    """The name as part of a key: readable, and different for different names. `prod/scalar` becomes `prod=2Fscalar`."""
    return quote(name, safe=PLAIN).replace("%", "=")


def backwards(name: str) -> str:
    """Text that sorts in the opposite order: of two names the greater one gives the smaller text.

    Every byte is replaced by its complement, in hexadecimal. The end sorts after every digit, so that a name comes after those
    that begin with it.
    """
    return bytes(255 - byte for byte in name.encode()).hex() + "~"


def end_of(prefix: str) -> str:
    """The smallest text that is greater than all that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
