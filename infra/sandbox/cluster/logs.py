"""What containers have written, as it is asked for through the API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from infra.sandbox.cluster.api import errors

_ANSWERED = ("container", "tailLines", "pretty")
_NO = frozenset({"", "0", "false"})


class NoLogError(Exception):
    """The container has not begun to write, and why; answered with 400."""


class LogReader(Protocol):
    def __call__(self, namespace: str, pod: str, container: str, lines: int | None, /) -> str:
        """The last lines, all of them without a number. Raises LookupError when the pod does not run, NoLogError."""


class LoggingNodes(Protocol):
    read_log: LogReader


def tail_lines(query: Mapping[str, str]) -> int | None:
    """Of a request for a log; None for all. Raises 400, also for what is not offered here: to follow a log, to see that of the
    container before, to cut by time or size."""
    for name, value in query.items():
        if name not in _ANSWERED and value not in _NO:
            raise errors.bad_request(f"{name}={value} of a log is not offered by the sandbox's cluster")
    wanted = query.get("tailLines", "")
    if wanted and not wanted.isdecimal():
        raise errors.bad_request(f"tailLines must be a whole number that is not negative, not {wanted!r}")
    return int(wanted) if wanted else None
