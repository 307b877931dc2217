"""Ids of instances. One cause has one id, so that a cause which is told twice starts one run; the plan's lease, which every run
takes before it pauses anything, keeps different causes apart."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4


def scheduled(plan: str, due: datetime) -> str:
    return f"{plan}-{_stamp(due)}-schedule"


def by_event(plan: str, event_source: str, event_id: str) -> str:
    """Event Grid promises that source and id together name one event, however often it is delivered."""
    return f"{plan}-event-{sha256(f'{event_source} {event_id}'.encode()).hexdigest()[:16]}"


def asked(plan: str, now: datetime) -> str:
    return f"{plan}-{_stamp(now)}-{uuid4().hex[:8]}"


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
