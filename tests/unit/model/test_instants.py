"""Times are read only with an offset and written in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.errors import InvalidRequest
from shared.model.times import iso, parse_instant

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=offsets)  # noqa: DTZ001 - hypothesis adds the zone


@settings(deadline=None)
@given(moment=moments)
def test_what_is_written_is_read_back_as_the_same_moment_in_utc(moment: datetime) -> None:
    read = parse_instant(iso(moment))
    assert read == moment
    assert read.tzinfo is UTC


@settings(deadline=None)
@given(moment=moments)
def test_an_offset_is_understood(moment: datetime) -> None:
    assert parse_instant(moment.isoformat()) == moment


def test_fractions_are_written_only_where_there_are_any() -> None:
    assert iso(datetime(2026, 11, 24, 3, 0, 14, tzinfo=UTC)) == "2026-11-24T03:00:14Z"
    assert iso(datetime(2026, 11, 24, 3, 0, 14, 500_000, tzinfo=UTC)) == "2026-11-24T03:00:14.500000Z"


@settings(deadline=None)
@given(moment=st.datetimes())
def test_a_time_without_an_offset_is_refused_and_never_guessed(moment: datetime) -> None:
    with pytest.raises(InvalidRequest, match=r"at: .* has no offset"):
        parse_instant(moment.isoformat(), "at")


@settings(deadline=None)
@given(text=st.text())
def test_any_other_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"2026-11-24T03:00:14|offset"):
        parse_instant(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_before_the_first_year_or_after_the_last_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a time"):
        parse_instant(text)
