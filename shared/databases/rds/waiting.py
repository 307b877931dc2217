"""When to look again: soon after something began, ever less often while it lasts; hours of restoring stay a short history."""

from __future__ import annotations

from datetime import datetime

SOONEST_SECONDS, LATEST_SECONDS = 1.0, 60.0
PATIENCE = 5
"""A thing that has taken n seconds is looked at again after n / 5."""


def wait_seconds(since: datetime | None, now: datetime) -> float:
    lasted = (now - since).total_seconds() if since else 0.0
    return min(LATEST_SECONDS, max(SOONEST_SECONDS, lasted / PATIENCE))
