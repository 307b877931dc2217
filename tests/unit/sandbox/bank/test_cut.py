"""The instants at which a restore to one second cuts the tables."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.sandbox.bank.cut import cut_offsets
from infra.sandbox.bank.tables import ALL_TABLES


@given(st.sets(st.text(min_size=1), min_size=1, max_size=20))
def test_all_cuts_are_within_the_precision_and_no_two_tables_are_cut_at_once(names: set[str]) -> None:
    offsets = cut_offsets(names)
    assert set(offsets) == names
    assert len(set(offsets.values())) == len(names)
    assert all(0 <= offset < 1 for offset in offsets.values())


def test_the_same_tables_are_always_cut_alike_in_whatever_order_they_are_named() -> None:
    assert cut_offsets(ALL_TABLES) == cut_offsets(reversed(ALL_TABLES))


def test_without_any_precision_to_spend_all_tables_are_cut_at_once() -> None:
    assert set(cut_offsets(ALL_TABLES, precision_seconds=0).values()) == {0}


def test_the_banks_six_tables_are_cut_a_sixth_of_a_second_apart() -> None:
    offsets = sorted(cut_offsets(ALL_TABLES).values())
    assert min(later - earlier for earlier, later in pairwise(offsets)) == pytest.approx(1 / 6)
