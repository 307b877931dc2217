"""at(), rate() and cron() of EventBridge Scheduler, with time zones and daylight saving."""

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.sandbox.aws.schedule_expressions import parse

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def occurrences(expression: str, zone: str, after: str, count: int) -> list[str]:
    begin = dt.datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
    found = parse(expression, zone, START).between(begin, begin + dt.timedelta(days=800))
    return [
        moment.astimezone(ZoneInfo(zone)).isoformat(sep=" ", timespec="minutes") for moment in itertools.islice(found, count)
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 3 * * ? *)", ["2026-02-01 03:00", "2026-02-02 03:00"]),
        ("cron(0 3 L * ? *)", ["2026-01-31 03:00", "2026-02-28 03:00"]),
        ("cron(0 3 15W * ? *)", ["2026-02-16 03:00", "2026-03-16 03:00"]),
        ("cron(0 3 ? * 6#3 *)", ["2026-02-20 03:00", "2026-03-20 03:00"]),
        ("cron(0 3 ? * FRIL *)", ["2026-02-27 03:00", "2026-03-27 03:00"]),
        ("cron(0 3 ? * MON-FRI *)", ["2026-02-02 03:00", "2026-02-03 03:00"]),
        ("cron(0/30 3 ? MAR,JUN * 2026-2027)", ["2026-03-01 03:00", "2026-03-01 03:30"]),
        ("cron(0 3 1 JAN/6 ? *)", ["2026-07-01 03:00", "2027-01-01 03:00"]),
        ("rate(12 hours)", ["2026-01-31 09:00", "2026-01-31 21:00"]),
        ("at(2026-02-03T04:05:00)", ["2026-02-03 04:05"]),
        ("at(2026-01-01T00:00:00)", []),
    ],
)
def test_expressions_fire_when_the_guide_says(expression: str, expected: list[str]) -> None:
    after = "2026-01-31T03:00:00" if "L *" not in expression else "2026-01-31T02:59:59"
    found = occurrences(expression, "Asia/Tokyo", after, 2)
    assert found == [f"{moment}+09:00" for moment in expected]


def test_a_time_that_daylight_saving_skips_does_not_fire() -> None:
    assert occurrences("cron(30 2 * * ? *)", "America/New_York", "2026-03-07T00:00:00", 2) == [
        "2026-03-07 02:30-05:00",
        "2026-03-09 02:30-04:00",
    ]
    assert occurrences("at(2026-03-08T02:30:00)", "America/New_York", "2026-03-01T00:00:00", 1) == []


def test_a_time_that_comes_twice_fires_once() -> None:
    assert occurrences("cron(30 1 * * ? *)", "America/New_York", "2026-11-01T00:00:00", 2) == [
        "2026-11-01 01:30-04:00",
        "2026-11-02 01:30-05:00",
    ]


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("cron(0 3 * * * *)", "UTC"),
        ("cron(61 3 * * ? *)", "UTC"),
        ("cron(0 3 * * ?)", "UTC"),
        ("rate(1 hours)", "UTC"),
        ("rate(0 hours)", "UTC"),
        ("rate(5 weeks)", "UTC"),
        ("at(2026-01-01)", "UTC"),
        ("0 3 * * *", "UTC"),
        ("rate(1 hour)", "Asia/Osaka"),
    ],
)
def test_what_aws_would_refuse_is_refused(expression: str, zone: str) -> None:
    with pytest.raises(ValueError, match="Invalid Schedule Expression"):
        parse(expression, zone, START)


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"]),
    after=st.integers(0, 365 * 86_400).map(lambda seconds: START + dt.timedelta(seconds=seconds)),
    hours=st.integers(1, 100),
)
def test_looking_in_two_steps_finds_the_same_as_looking_once(
    minute: int, hour: int, zone: str, after: dt.datetime, hours: int
) -> None:
    schedule = parse(f"cron({minute} {hour} * * ? *)", zone, START)
    middle, end = after + dt.timedelta(hours=hours), after + dt.timedelta(hours=2 * hours)
    once = list(schedule.between(after, end))
    assert once == list(schedule.between(after, middle)) + list(schedule.between(middle, end))
    assert once == sorted(set(once))
    assert all(moment.astimezone(ZoneInfo(zone)).strftime("%H:%M") == f"{hour:02}:{minute:02}" for moment in once)
