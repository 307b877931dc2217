"""Names of side tables and kept backups."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.databases.dynamodb.names import LONGEST_NAME, copy_name, is_copy, old_name, point_of_copy, restored_name
from shared.model.errors import InvalidRequest

POINT = datetime(2026, 11, 24, 3, 0, 14, tzinfo=UTC)
TABLES = st.from_regex(r"[a-zA-Z0-9_.-]{3,255}", fullmatch=True)


def test_a_copy_is_named_after_the_point_and_the_table():
    assert copy_name(POINT, "bank.accounts") == "scalar-backup.20261124T030014Z.bank.accounts"


def test_the_same_moment_in_another_time_zone_gives_the_same_name():
    in_tokyo = POINT.astimezone(timezone(timedelta(hours=9)))
    assert copy_name(in_tokyo, "bank.accounts") == copy_name(POINT, "bank.accounts")


@given(TABLES)
def test_every_copy_has_an_allowed_length_and_tells_its_point(table):
    name = copy_name(POINT, table)
    assert 3 <= len(name) <= LONGEST_NAME
    assert is_copy(name)
    assert point_of_copy(name) == POINT


def test_two_long_names_that_differ_only_at_the_end_get_different_copies():
    assert copy_name(POINT, "n" * 254 + "a") != copy_name(POINT, "n" * 254 + "b")


@pytest.mark.parametrize("point", [POINT.replace(tzinfo=None), POINT.replace(microsecond=1)])
def test_a_point_that_is_naive_or_not_a_whole_second_is_refused(point):
    with pytest.raises(InvalidRequest, match="whole second"):
        copy_name(point, "bank.accounts")


@pytest.mark.parametrize("name", ["bank.accounts", "scalar-backup.yesterday.bank.accounts", "scalar-backup."])
def test_a_name_without_our_stamp_has_no_point(name):
    assert point_of_copy(name) is None


@given(TABLES)
def test_what_a_restore_makes_is_ours_has_an_allowed_length_and_belongs_to_no_point(table):
    for name in (old_name("20261124t050000z", table), restored_name("20261124t050000z", table)):
        assert 3 <= len(name) <= LONGEST_NAME
        assert is_copy(name)
        assert point_of_copy(name) is None
