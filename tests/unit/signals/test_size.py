"""Whatever an event's detail holds, it fits afterwards and keeps its fields."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.signals.size import fitted

NAMES = st.text("abcdefgh", min_size=1, max_size=8)
VALUES = st.recursive(
    st.integers(-(2**53), 2**53) | st.none() | st.builds(str.__mul__, st.text(max_size=3), st.integers(0, 20_000)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=10,
)


@given(detail=st.dictionaries(NAMES, VALUES, max_size=10), most_bytes=st.integers(1_000, 100_000))
def test_a_detail_always_fits_and_keeps_its_fields(detail: dict[str, object], most_bytes: int) -> None:
    sent = fitted(detail, most_bytes)
    assert len(msgspec.json.encode(sent)) <= most_bytes
    assert sent.keys() == detail.keys()
    if len(msgspec.json.encode(detail)) <= most_bytes:
        assert sent == detail
