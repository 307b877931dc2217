"""What containers have written, as it is asked for through the API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class LogReader(Protocol):
    def __call__(self, namespace: str, pod: str, container: str, lines: int | None, /) -> str:
        """The last lines, all of them without a number. Raises LookupError when the pod does not run."""


class LoggingNodes(Protocol):
    read_log: LogReader


def tail_lines(query: Mapping[str, str]) -> int | None:
    """Of a request for a log, which may also ask for other things that nobody does here."""
    wanted = query.get("tailLines", "")
    return int(wanted) if wanted.isdecimal() else None
