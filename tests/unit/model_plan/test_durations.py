"""Durations in a plan."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model.durations import PATTERN, format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"), [("10s", 10), ("2m", 120), ("1h30m", 5400), ("1h", 3600), ("0.5s", 0.5), (65, 65), (0.25, 0.25)]
)
def test_a_duration_is_read_in_every_written_form(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "10", "s", "10 s", "1m1h", "-1s", "1.5m", "1e3s", "٣s", -1, float("nan"), float("inf"), True, None, []]
)
def test_anything_else_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(written)


@given(st.integers(0, 10**6) | st.floats(0.001, 600).map(lambda value: round(value, 3)))
def test_what_is_written_is_read_back_exactly_and_matches_the_schemas_pattern(seconds: float) -> None:
    written = format_duration(seconds)
    assert parse_duration(written) == seconds
    assert re.search(PATTERN, written)


def test_the_shortest_single_unit_is_written() -> None:
    assert [format_duration(seconds) for seconds in (7200, 120, 65, 0.5, 0)] == ["2h", "2m", "65s", "0.5s", "0s"]
