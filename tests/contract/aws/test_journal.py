"""The history of a table gives back any moment of its window, and no more than that is kept."""

from hypothesis import given
from hypothesis import strategies as st

from infra.sandbox.journal import Journal

WRITES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9) | st.none(), st.floats(0, 5)), max_size=40)


@given(writes=WRITES, at=st.floats(50, 200))
def test_any_moment_of_the_window_is_what_replaying_the_writes_gives(
    writes: list[tuple[str, int | None, float]], at: float
) -> None:
    journal, expected, now = Journal({("a", None): 1}), {("a", None): 1}, 100.0
    for key, item, pause in writes:
        now += pause
        journal.record((key, None), item, now, forget_before=50)
        if now <= at:
            expected[key, None] = item
    assert journal.items_at(at) == {key: item for key, item in expected.items() if item is not None}


@given(writes=WRITES)
def test_what_no_restore_can_ask_for_is_forgotten(writes: list[tuple[str, int | None, float]]) -> None:
    journal, now = Journal(), 100.0
    for key, item, pause in writes:
        now += pause
        journal.record((key, None), item, now, forget_before=now)
    assert all(len(versions) == 1 for versions in journal._versions.values())


def test_a_clock_that_is_set_back_does_not_reorder_writes() -> None:
    journal = Journal()
    journal.record(("a", None), "first", 100, 0)
    journal.record(("a", None), "second", 50, 0)
    assert journal.items_at(100) == {("a", None): "second"}
