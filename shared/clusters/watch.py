"""The stream of a watch: one JSON line per event, until the server's time is over, somebody closes it, or it breaks."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from shared.clusters.refusals import cut, refusal_in_stream
from shared.model.errors import BackupError, Unreachable
from shared.model.kubernetes import WatchEvent

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

    from shared.clusters.refusals import Refusal

READ_BYTES = 65_536
EARLY_SECONDS = 0.1
"""Two clocks may count the seconds of the time-out this differently."""


class WatchStream:
    """Iterates over `WatchEvent`s; BOOKMARK events are passed on, for their resourceVersion.

    Ends by itself when the server's time for the watch is over, and soon after `close()`, which any thread may call. Iterate
    in one thread only.

    Raises, while iterating:
        HistoryExpired: the server no longer knows what followed the resourceVersion.
        Unreachable: the stream was cut, or ended before its time, so events may be missing: watch again from the last
            resourceVersion seen.
        Throttled, Forbidden: the server ended the stream for that reason.
    """

    def __init__(
        self,
        response: BaseHTTPResponse,
        *,
        seconds: float,
        refused: Callable[[Refusal], BackupError],
        broken: Callable[[Exception], Unreachable],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._response = response
        self._refused = refused
        self._broken = broken
        self._monotonic = monotonic
        self._ends_at = monotonic() + seconds
        self._reading = Lock()
        self._closed = False
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def __iter__(self) -> WatchStream:
        return self

    def __next__(self) -> WatchEvent:
        while not self._lines:
            if not self._read():
                self.close()
                raise StopIteration
        if self._closed:
            raise StopIteration
        return self._event(self._lines.popleft())

    def close(self) -> None:
        """Ends the iteration also when it waits for the server in another thread at this moment. May be called again."""
        self._closed = True
        # Shutting the socket down is what wakes a waiting reader; it fails only when the answer has ended already.
        with suppress(ValueError, RuntimeError, OSError):
            self._response.shutdown()
        with self._reading:
            self._response.close()

    def _read(self) -> bool:
        """Takes what has arrived, waiting for the first byte. False: the stream is over, rightly."""
        from urllib3.exceptions import HTTPError

        with self._reading:
            if self._closed:
                return False
            try:
                data = self._response.read1(READ_BYTES)
            except (HTTPError, OSError, ValueError) as error:
                if self._closed:
                    return False
                raise self._broken(error) from error
        if data:
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(line for line in lines if line)
            return True
        if not self._closed:
            self._check_end()
        return False

    def _check_end(self) -> None:
        """A server also ends a stream properly when it shuts down or cannot keep up; then events may be missing."""
        early_seconds = self._ends_at - self._monotonic()
        if self._rest or early_seconds > EARLY_SECONDS:
            raise self._broken(EOFError(f"the server ended the watch {max(early_seconds, 0.0):.1f} s before its time"))

    def _event(self, line: bytes) -> WatchEvent:
        try:
            document = json.loads(line)
            event = WatchEvent(document["type"], document["object"])
        except (ValueError, KeyError, TypeError) as error:
            self.close()
            raise self._broken(ValueError(f"not a watch event: {cut(line.decode(errors='replace'))}")) from error
        if event.type == "ERROR":
            self.close()
            raise self._refused(refusal_in_stream(event.object))
        return event
