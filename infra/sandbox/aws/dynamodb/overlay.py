"""Puts the strict behaviour onto moto's DynamoDB, once per process."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import Any

from infra.sandbox.aws.dynamodb import additions, backups, cloudformation, recovery, tables, writes
from infra.sandbox.aws.dynamodb.life import LOCK, Clock, Life
from infra.sandbox.aws.dynamodb.refusals import Refusal
from infra.sandbox.aws.moto_names import DynamoHandler, Table
from infra.sandbox.aws.settings import Settings

_RATE_PER_SECOND = {
    "CreateBackup": 50,
    "RestoreTableFromBackup": 10,
    "DescribeBackup": 10,
    "DeleteBackup": 10,
    "DescribeContinuousBackups": 10,
    "ListBackups": 5,
}
"""From the API reference page of each operation."""


def install(settings: Settings) -> None:
    """Replace moto's operations; `settings` may change at any time."""
    clock = Clock(settings)
    _give_every_table_a_life()
    writes.install(settings, clock)
    tables.install(settings, clock)
    backups.install(settings, clock)
    recovery.install(settings, clock)
    cloudformation.install(clock)
    additions.install()
    _one_request_at_a_time(settings, clock)


def _give_every_table_a_life() -> None:
    original = Table.__init__

    def initialise(table: Any, *args: Any, **kwargs: Any) -> None:
        table.life = Life()
        original(table, *args, **kwargs)

    Table.__init__ = initialise


def _one_request_at_a_time(settings: Settings, clock: Clock) -> None:
    original = DynamoHandler.call_action
    limiter = _RateLimiter()

    def call_action(handler: Any) -> Any:
        with LOCK:
            now = clock.now()
            tables.settle(handler.dynamodb_backend, now)
            backups.settle(handler.dynamodb_backend, now)
            if settings.enforce_rate_limits and not limiter.admits(handler._get_action()):
                refusal = Refusal("ThrottlingException", "Rate exceeded")
                return 400, dict(refusal.get_headers()), refusal.description
            return original(handler)

    DynamoHandler.call_action = call_action


class _RateLimiter:
    """Counts the calls of the last second per operation."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = defaultdict(deque)

    def admits(self, operation: str) -> bool:
        limit = _RATE_PER_SECOND.get(operation)
        if limit is None:
            return True
        now, calls = time.monotonic(), self._calls[operation]
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= limit:
            return False
        calls.append(now)
        return True
