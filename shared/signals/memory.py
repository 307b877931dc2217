"""Signals kept in this process's memory, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec


class Published(NamedTuple):
    detail_type: str
    detail: dict[str, Any]


class MemorySignals:
    """Keeps what was published, in order, in the form in which a receiver would see it."""

    def __init__(self) -> None:
        self.published: list[Published] = []

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        self.published.append(Published(detail_type, msgspec.json.decode(msgspec.json.encode(detail))))
