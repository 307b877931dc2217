"""The history of what a database holds: which item stood under each key at any moment of the recovery window.

Items are never changed in place, so the history shares them with the live data and copies nothing.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable
from typing import Any, NamedTuple

Key = tuple[Any, Any]
"""DynamoDB: hash key and range key (None when the table has none), as moto's DynamoType. RDS: table, and key of the row."""


class Version(NamedTuple):
    at: float
    """The service's own clock, seconds since the epoch."""
    item: Any
    """None: no item stood under this key from that moment on."""


def _moment(version: Version) -> float:
    return version.at


class Journal:
    """`base`: the items that the table was restored with; they count as having always been there."""

    def __init__(self, base: dict[Key, Any] | None = None) -> None:
        self._versions: dict[Key, list[Version]] = {key: [Version(0.0, item)] for key, item in (base or {}).items()}
        self._last_at = 0.0

    def record(self, key: Key, item: Any, at: float, forget_before: float) -> None:
        """Note that `item` (None: nothing) stands under `key` from `at` on; drop what no restore can ask for again.

        The clock may be set back by a test; the order of writes wins over it, so times never decrease.
        """
        self._last_at = at = max(at, self._last_at)
        versions = self._versions.setdefault(key, [])
        versions.append(Version(at, item))
        needless = bisect_right(versions, forget_before, key=_moment) - 1
        if needless > 0:
            del versions[:needless]

    def items_at(self, at: float) -> dict[Key, Any]:
        """The items as they stood at `at`, a write of that very moment included."""
        return self._items(lambda: at)

    def items_around(self, earliest: float, latest: float) -> dict[Key, Any]:
        """What an on-demand backup holds: each item as of its own random moment between the two."""
        return self._items(lambda: random.uniform(earliest, latest))

    def _items(self, moment: Callable[[], float]) -> dict[Key, Any]:
        found = {}
        for key, versions in self._versions.items():
            position = bisect_right(versions, moment(), key=_moment)
            if position and (item := versions[position - 1].item) is not None:
                found[key] = item
        return found
