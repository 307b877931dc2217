"""Only old side tables that nobody uses are left over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.databases.dynamodb.left_over import LEFT_OVER_AFTER, left_over
from shared.databases.dynamodb.names import copy_name

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ages = st.integers(0, 72 * 3600).map(lambda seconds: NOW - timedelta(seconds=seconds))


@given(points=st.lists(ages, unique=True), in_use=st.frozensets(ages))
def test_exactly_the_side_tables_of_old_points_that_are_not_in_use(points: list[datetime], in_use: frozenset[datetime]) -> None:
    found = left_over((copy_name(point, "bank.accounts") for point in points), NOW, in_use)
    wanted = {point for point in points if NOW - point > LEFT_OVER_AFTER} - in_use
    assert found == sorted(copy_name(point, "bank.accounts") for point in wanted)


def test_a_live_table_is_never_left_over() -> None:
    assert left_over(["bank.accounts", "scalar-backup", "scalar-backup.not-a-time.bank"], NOW) == []
