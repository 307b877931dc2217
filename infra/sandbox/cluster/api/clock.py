"""The API server's clock: behind the Date header, timestamps and the age of tokens, and movable by a test."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """The machine's clock plus `offset_seconds`."""

    def __init__(self) -> None:
        self.offset_seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=self.offset_seconds)

    def http_date(self) -> str:
        """The Date header: whole seconds, rounded down."""
        return self.now().strftime("%a, %d %b %Y %H:%M:%S GMT")


def rfc3339(moment: datetime) -> str:
    """A time as Kubernetes writes it, for example 2026-03-01T04:05:06Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
