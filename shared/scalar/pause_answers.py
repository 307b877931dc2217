"""What an answer to a Pause means: whose pause it is, and whether the gate may be closed by us.

Source: the public server code of ScalarDB and ScalarDL, the release notes of ScalarDB Cluster 3.19.0 and of ScalarDL 3.14.0.
Texts of the servers are no contract; only the status code and `ErrorInfo.reason` count.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import cast

import grpc.aio

from shared.scalar import wire
from shared.scalar.wire import ErrorInfo

_STATUS_DETAILS = "grpc-status-details-bin"
_NOT_OURS = frozenset({"TIMED_OUT_STILL_PAUSED", "PAUSE_IN_PROGRESS"})
_LONGEST_TEXT = 200


class PauseOutcome(StrEnum):
    PAUSED = "paused"
    """The server says so. Older servers may say it with an open gate: CheckPaused decides."""
    REFUSED = "refused"
    """Nothing of ours holds the gate closed."""
    NOT_OURS = "not-ours"
    """The gate is closed, or being closed, by somebody else's pause. Never resume it."""
    UNKNOWN = "unknown"
    """The answer was lost; the pod may be paused by us, now or in a moment."""


def outcome_of(code: str, reason: str) -> PauseOutcome:
    """The meaning of a failed Pause with status `code` and `ErrorInfo.reason` (empty: the server gives no reasons).

    Any status that is not known to leave the gate alone is UNKNOWN: resuming a running pod harms nobody, a paused one that is
    forgotten stops its users.
    """
    if reason in _NOT_OURS:
        return PauseOutcome.NOT_OURS
    match code:
        case "FAILED_PRECONDITION" | "INVALID_ARGUMENT" | "UNIMPLEMENTED":
            return PauseOutcome.REFUSED
        case "ABORTED":
            # Servers send ABORTED with a reason only. If the reason was lost on the way, it may be another's pause in progress.
            return PauseOutcome.REFUSED if reason else PauseOutcome.NOT_OURS
        case _:
            return PauseOutcome.UNKNOWN


def error_info_of(error: grpc.aio.AioRpcError) -> ErrorInfo:
    """The reason that the server attached; an empty one where there is none or it cannot be read."""
    # grpc-stubs types the metadata as one pair; at run time it is a sequence of them.
    trailers = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    for key, value in trailers:
        if key != _STATUS_DETAILS or not isinstance(value, bytes):
            continue
        try:
            return wire.error_info(value) or ErrorInfo(reason="")
        except ValueError:
            return ErrorInfo(reason="")
    return ErrorInfo(reason="")


def describe(error: grpc.aio.AioRpcError) -> str:
    """Status code and text on one line, cut to a length fit for a message."""
    text = " ".join((error.details() or "").split())
    cut = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
    return f"{error.code().name}: {cut}" if cut else str(error.code().name)
