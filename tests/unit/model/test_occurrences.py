"""When a schedule was last due, in its own zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.occurrences import last_due
from shared.model.plan import Schedule

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def due(cron: str, zone: str, now: str, since: datetime = LONG_AGO) -> str | None:
    moment = last_due(Schedule(cron=cron, timezone=zone), datetime.fromisoformat(now), since)
    return moment.isoformat() if moment else None


@pytest.mark.parametrize(
    ("cron", "zone", "now", "expected"),
    [
        ("0 3 * * *", "Asia/Tokyo", "2026-11-24T18:00:00+00:00", "2026-11-24T18:00:00+00:00"),
        ("0 3 * * *", "Asia/Tokyo", "2026-11-24T17:59:59+00:00", "2026-11-23T18:00:00+00:00"),
        ("30 1 * * 1-5", "UTC", "2026-11-22T12:00:00+00:00", "2026-11-20T01:30:00+00:00"),
        ("0 0 1 * *", "UTC", "2026-11-24T00:00:00+00:00", "2026-11-01T00:00:00+00:00"),
        ("*/20 * * * *", "UTC", "2026-11-24T10:59:00+00:00", "2026-11-24T10:40:00+00:00"),
        # 02:30 does not exist on 29 March in Berlin: an hour later, not never
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T12:00:00+00:00", "2026-03-29T01:30:00+00:00"),
        # and comes twice on 25 October: the first time
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T12:00:00+00:00", "2026-10-25T00:30:00+00:00"),
    ],
)
def test_the_last_time_is_found(cron: str, zone: str, now: str, expected: str) -> None:
    assert due(cron, zone, now) == expected


def test_what_was_due_before_the_plan_was_applied_does_not_count() -> None:
    applied = datetime(2026, 11, 24, 4, tzinfo=UTC)
    assert due("0 3 * * *", "UTC", "2026-11-24T05:00:00+00:00", applied) is None
    assert due("0 3 * * *", "UTC", "2026-11-25T05:00:00+00:00", applied) == "2026-11-25T03:00:00+00:00"


@settings(max_examples=40)
@given(
    now=st.datetimes(datetime(2026, 1, 3), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_daily_plan_is_due_once_in_any_day_and_a_half(now: datetime, zone: str) -> None:
    moment = last_due(Schedule(cron="0 3 * * *", timezone=zone), now.replace(tzinfo=UTC), LONG_AGO)
    assert moment is not None
    assert timedelta() <= now.replace(tzinfo=UTC) - moment < timedelta(hours=26)
