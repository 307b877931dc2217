"""The rule that chooses a way: direct unless the API server reaches more pods, and a failure names what stands in each way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.model.checks import CheckStatus
from shared.model.transports import Reach, Transport, choose

RELEASE = "ap-northeast-1/prod-tokyo/scalar/orders"
PODS = st.integers(1, 6)


@st.composite
def tried(draw: st.DrawFn) -> tuple[Reach, Reach]:
    """The same pods by both ways."""
    total = draw(PODS)
    return tuple(_reach(total, draw(st.integers(0, total)), way) for way in ("direct", "forward"))  # type: ignore[return-value]


def _reach(total: int, answered: int, way: str) -> Reach:
    silent = {f"pod-{number}": f"{way} is dark" for number in range(answered, total)}
    return Reach(answered=answered, silent=silent, hint=f"light up {way}")


@given(tried())
def test_the_way_that_reaches_more_pods_wins_and_direct_wins_a_draw(both: tuple[Reach, Reach]) -> None:
    direct, forwarded = both
    chosen, _ = choose(RELEASE, direct, forwarded)
    best = max(direct.answered, forwarded.answered)
    assert (direct if chosen is Transport.DIRECT else forwarded).answered == best
    assert chosen is Transport.DIRECT or direct.answered < best


@given(tried())
def test_the_check_passes_exactly_when_the_chosen_way_reaches_every_pod(both: tuple[Reach, Reach]) -> None:
    direct, forwarded = both
    chosen, result = choose(RELEASE, direct, forwarded)
    reach = direct if chosen is Transport.DIRECT else forwarded
    assert (result.status is CheckStatus.OK) == (not reach.silent)
    assert result.detail
    assert result.status is CheckStatus.OK or result.hint


@given(tried())
def test_the_result_says_why_direct_was_not_good_enough(both: tuple[Reach, Reach]) -> None:
    direct, forwarded = both
    _, result = choose(RELEASE, direct, forwarded)
    assert ("direct is dark" in result.detail) == bool(direct.silent)


def test_without_a_second_way_the_silence_of_the_first_fails_the_check() -> None:
    chosen, result = choose(RELEASE, _reach(3, 1, "direct"), None)
    assert chosen is Transport.DIRECT
    assert (result.status, result.hint) == (CheckStatus.FAILED, "light up direct")
    assert result.detail == "direct does not reach 2 of 3 pods (pod-1: direct is dark)."
