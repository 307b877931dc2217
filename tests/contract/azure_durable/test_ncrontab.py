"""Schedules of timer triggers."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.sandbox.azure.durable.ncrontab import InvalidSchedule, Ncrontab

MONDAY = dt.datetime(2026, 3, 2, 10, 0, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 */5 * * * *", "2026-03-02T10:05:00"),
        ("*/5 * * * *", "2026-03-02T10:05:00"),
        ("0 0 * * * *", "2026-03-02T11:00:00"),
        ("0 0 3 * * *", "2026-03-03T03:00:00"),
        ("30 5 10 * * *", "2026-03-02T10:05:30"),
        ("*/7 * * * * *", "2026-03-02T10:00:07"),
        ("0 0 8-10/2 * * *", "2026-03-03T08:00:00"),
        ("0 0 5/6 * * *", "2026-03-02T11:00:00"),
        ("0 30 9 * * Mon-Fri", "2026-03-03T09:30:00"),
        ("0 30 9 * Jan Mon", "2027-01-04T09:30:00"),
        ("0 0 0 1,15 * *", "2026-03-15T00:00:00"),
        ("0 0 0 13 * 5", "2026-03-13T00:00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00"),
    ],
)
def test_the_next_occurrence(expression: str, expected: str) -> None:
    assert Ncrontab.parse(expression).after(MONDAY) == dt.datetime.fromisoformat(expected + "+00:00")


@pytest.mark.parametrize("expression", ["", "* * *", "0 0 24 * * *", "0 0 3 * * Someday", "0 5-2 * * * *", "0 */0 * * * *"])
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    with pytest.raises(InvalidSchedule, match="is not an NCRONTAB expression"):
        Ncrontab.parse(expression)


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(InvalidSchedule, match="no occurrence"):
        Ncrontab.parse("0 0 0 30 2 *").after(MONDAY)


@given(
    moment=st.integers(0, 6 * 365 * 86_400_000).map(lambda milliseconds: MONDAY + dt.timedelta(milliseconds=milliseconds)),
    step=st.integers(1, 59),
    hour=st.integers(0, 23),
)
def test_occurrences_are_later_match_and_none_is_left_out(moment: dt.datetime, step: int, hour: int) -> None:
    found = Ncrontab.parse(f"*/{step} * {hour} * * *").after(moment)
    assert found > moment
    assert (found.hour, found.second % step, found.microsecond) == (hour, 0, 0)
    earlier = found.replace(second=found.second - step) if found.second >= step else None
    assert earlier is None or earlier <= moment
