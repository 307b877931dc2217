"""What DynamoDB knows about a table and moto does not: its state over time, its id, its history, its recovery window."""

from __future__ import annotations

import math
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.aws.settings import Settings
from infra.sandbox.journal import Journal

SECONDS_PER_DAY = 86_400
LOCK = threading.RLock()
"""Held during every DynamoDB request: conditional writes and transactions of moto are not safe between threads."""


class Clock:
    """DynamoDB's own clock, which a test may set apart from the machine's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def now(self) -> float:
        return time.time() + self._settings.dynamodb_skew_seconds


@dataclass
class Life:
    """Hangs on moto's Table as `table.life`; shared, not copied, when moto copies a table for a transaction."""

    journal: Journal = field(default_factory=Journal)
    table_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    creating_until: float = 0.0
    updating_until: float = 0.0
    deleting_until: float | None = None
    restore_summary: dict[str, Any] | None = None
    recovery_since: float | None = None
    """Start of the current recovery window; None while point-in-time recovery is off."""
    recovery_days: int = 35
    ttl_changed_at: float | None = None
    running_backups: int = 0
    contributor_insights: bool = False
    kinesis_streams: set[str] = field(default_factory=set)

    def status(self, now: float) -> str:
        """TableStatus at `now`."""
        if self.deleting_until is not None:
            return "DELETING"
        if now < self.creating_until:
            return "CREATING"
        return "UPDATING" if now < self.updating_until else "ACTIVE"

    def restorable_window(self, now: float, lag_seconds: float) -> tuple[int, int] | None:
        """Earliest and latest restorable time in whole seconds since the epoch; None while recovery is off.

        Right after recovery was turned on both are the same second and nothing can be restored yet.
        """
        if self.recovery_since is None:
            return None
        earliest = math.ceil(max(self.recovery_since, now - self.recovery_days * SECONDS_PER_DAY))
        return earliest, max(earliest, math.floor(now - lag_seconds))

    def forget_before(self, now: float, backup_skew_seconds: float) -> float:
        """History older than this can be dropped: no restore and no running backup can ask for it."""
        if self.recovery_since is not None:
            return now - self.recovery_days * SECONDS_PER_DAY
        # A backup that is being made looks back from its request, and it runs longer than it looks ahead.
        return now - 4 * backup_skew_seconds - 60
