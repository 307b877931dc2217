"""The chosen second lies inside the pause on every database's own clock, or there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from shared.model.clock import ClockBounds, bound_clock, unmeasured
from shared.model.window import NotedTime, SafeInterval, safe_window, whole_second_nearest_middle
from tests.unit.model.simulated_clocks import EPOCH, SimulatedClock, clocks, sample_plans, take_samples

NO_MARGIN = timedelta()


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def exact(offset_seconds: float = 0.0, width_seconds: float = 0.0, at: datetime = EPOCH) -> ClockBounds:
    return ClockBounds(
        lower_seconds=offset_seconds - width_seconds / 2,
        upper_seconds=offset_seconds + width_seconds / 2,
        measured_at=at,
        samples=9,
    )


def noted(at: datetime, **clocks_by_key: ClockBounds) -> NotedTime:
    return NotedTime(at=at, process="p", clocks=clocks_by_key)


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_the_chosen_second_lies_inside_the_true_pause_on_every_databases_clock(data: st.DataObject) -> None:
    """Two processes with clocks of their own note the ends; each measures each database when it does."""
    servers = data.draw(st.lists(clocks(), min_size=1, max_size=3))
    if data.draw(st.integers(1, 5), "similar clocks unless 1") > 1:
        servers = [
            SimulatedClock(servers[0].offset + index * 100_000, servers[0].rate - index) for index, server in enumerate(servers)
        ]
    before, after = data.draw(clocks()), data.draw(clocks())
    paused_at = data.draw(st.integers(0, 6_000_000))
    resuming_at = paused_at + data.draw(st.one_of(st.integers(5_000_000, 30_000_000), st.integers(0, 5_000_000)))
    margin = timedelta(microseconds=data.draw(st.one_of(st.integers(10, 1000), st.integers(10, 1_000_000))))

    def note(ours: SimulatedClock, moment: int) -> NotedTime:
        measured = {
            f"db{index}": bound_clock(
                take_samples(ours, server, data.draw(sample_plans(server, data.draw(st.integers(0, 40_000_000)))))
            )
            for index, server in enumerate(servers)
        }
        return noted(ours.shows(moment), **measured)

    window = safe_window(note(before, paused_at), note(after, resuming_at), [f"db{i}" for i in range(len(servers))], margin)

    event(f"a point: {window.point is not None}")
    for server in servers if window.point else ():
        assert window.point is not None
        assert server.shows(paused_at) <= window.point
        assert window.point + seconds(1) <= server.shows(resuming_at), "the second is safe to its end"


def test_a_window_of_ten_seconds_measured_well_has_its_point_in_the_middle() -> None:
    at = EPOCH + seconds(0.4)
    window = safe_window(noted(at, db=exact(2.0, 0.02)), noted(at + seconds(10), db=exact(2.0, 0.02)), ["db"], seconds(0.5))
    assert window.point == EPOCH + seconds(7)


intervals = st.tuples(st.integers(-5_000_000, 5_000_000), st.integers(0, 5_000_000)).map(
    lambda pair: SafeInterval(
        start=EPOCH + timedelta(microseconds=pair[0]), end=EPOCH + timedelta(microseconds=pair[0] + pair[1])
    )
)


@settings(deadline=None)
@given(interval=intervals)
def test_the_point_is_the_second_that_fits_in_nearest_the_middle_and_none_when_none_fits(interval: SafeInterval) -> None:
    wholes = [EPOCH + seconds(n) for n in range(-12, 13)]
    inside = [second for second in wholes if interval.start <= second and second + seconds(1) <= interval.end]
    middle = interval.start + (interval.end - interval.start) / 2
    assert whole_second_nearest_middle(interval) == min(inside, key=lambda second: abs(second - middle), default=None)


def test_a_window_between_two_whole_seconds_has_no_point() -> None:
    at = EPOCH + seconds(0.1)
    window = safe_window(noted(at, db=exact()), noted(at + seconds(0.8), db=exact()), ["db"], NO_MARGIN)
    assert window.common is not None
    assert window.point is None


def test_a_window_shorter_than_the_clock_error_is_not_safe_at_all() -> None:
    window = safe_window(noted(EPOCH, db=exact(0, 3)), noted(EPOCH + seconds(2), db=exact(0, 3)), ["db"], NO_MARGIN)
    assert window.by_database == {"db": None}
    assert window.common is None
    assert window.point is None


bounds = st.builds(
    lambda lower, width, age: ClockBounds(
        lower_seconds=lower, upper_seconds=lower + width, measured_at=EPOCH - seconds(age), samples=3
    ),
    st.floats(-5, 5),
    st.floats(0, 3),
    st.floats(0, 300),
)
widening = st.floats(0, 5)


@settings(deadline=None)
@given(at_pause=bounds, at_resume=bounds, hold=st.floats(0, 30), wider=st.tuples(widening, widening, widening, widening))
def test_the_interval_never_grows_when_a_bound_widens(
    at_pause: ClockBounds, at_resume: ClockBounds, hold: float, wider: tuple[float, float, float, float]
) -> None:
    def widened(bounds: ClockBounds, down: float, up: float) -> ClockBounds:
        return ClockBounds(
            lower_seconds=bounds.lower_seconds - down,
            upper_seconds=bounds.upper_seconds + up,
            measured_at=bounds.measured_at,
            samples=bounds.samples,
        )

    def interval(one: ClockBounds, two: ClockBounds) -> SafeInterval | None:
        return safe_window(noted(EPOCH, db=one), noted(EPOCH + seconds(hold), db=two), ["db"], seconds(0.5)).common

    narrow = interval(at_pause, at_resume)
    wide = interval(widened(at_pause, *wider[:2]), widened(at_resume, *wider[2:]))
    if wide is not None:
        assert narrow is not None
        assert narrow.start <= wide.start
        assert wide.end <= narrow.end


@settings(deadline=None)
@given(hold=st.floats(0, 60), margin=st.floats(0, 5), more=st.floats(0, 5))
def test_the_interval_never_grows_with_the_margin(hold: float, margin: float, more: float) -> None:
    def length(margin_seconds: float) -> timedelta | None:
        paused, resuming = noted(EPOCH, db=exact()), noted(EPOCH + seconds(hold), db=exact())
        common = safe_window(paused, resuming, ["db"], seconds(margin_seconds)).common
        return common.end - common.start if common else None

    wide = length(margin + more)
    if wide is not None:
        narrow = length(margin)
        assert narrow is not None
        assert wide <= narrow


def test_several_databases_share_only_what_is_safe_on_all() -> None:
    paused = noted(EPOCH, a=exact(0), b=exact(3))
    resuming = noted(EPOCH + seconds(10), a=exact(0), b=exact(3))
    window = safe_window(paused, resuming, ["a", "b"], NO_MARGIN)
    assert window.common is not None
    assert (window.common.start - EPOCH, window.common.end - EPOCH) == (
        pytest.approx(seconds(3), abs=seconds(0.01)),
        pytest.approx(seconds(10), abs=seconds(0.01)),
    )


def test_databases_whose_clocks_are_further_apart_than_the_window_have_no_common_point() -> None:
    paused = noted(EPOCH, a=exact(0), b=exact(30))
    resuming = noted(EPOCH + seconds(10), a=exact(0), b=exact(30))
    window = safe_window(paused, resuming, ["a", "b"], NO_MARGIN)
    assert all(window.by_database.values())
    assert window.common is None


def test_one_database_without_a_safe_interval_leaves_none_for_all() -> None:
    paused = noted(EPOCH, a=exact(0), b=exact(0, 60))
    resuming = noted(EPOCH + seconds(10), a=exact(0), b=exact(0, 60))
    assert safe_window(paused, resuming, ["a", "b"], NO_MARGIN).common is None


def test_without_a_database_there_is_no_interval() -> None:
    assert safe_window(noted(EPOCH), noted(EPOCH + seconds(60)), [], NO_MARGIN).common is None


UNMEASURED = unmeasured(EPOCH, "no answer")


@pytest.mark.parametrize("at_pause", [{"db": UNMEASURED}, {}, {"db": exact()}])
@pytest.mark.parametrize("at_resume", [{"db": UNMEASURED}, {}])
def test_a_clock_unmeasured_at_either_end_leaves_the_middle_of_a_hold_of_ten_seconds_and_says_so(
    at_pause: dict[str, ClockBounds], at_resume: dict[str, ClockBounds]
) -> None:
    window = safe_window(noted(EPOCH, **at_pause), noted(EPOCH + seconds(10), **at_resume), ["db"], seconds(0.5))
    assert window.common == SafeInterval(start=EPOCH + seconds(4), end=EPOCH + seconds(6), is_assumed=True)
    assert window.point == EPOCH + seconds(5)


@settings(deadline=None)
@given(hold=st.floats(0, 9.999), start=st.floats(0, 1))
def test_a_clock_unmeasured_and_a_hold_below_ten_seconds_yield_nothing(hold: float, start: float) -> None:
    at = EPOCH + seconds(start)
    assert safe_window(noted(at), noted(at + seconds(hold)), ["db"], NO_MARGIN).common is None


@settings(deadline=None)
@given(hold=st.floats(10, 60), start=st.floats(0, 1))
def test_a_clock_unmeasured_and_a_long_enough_hold_always_yield_a_point_within_a_second_of_the_middle(
    hold: float, start: float
) -> None:
    at = EPOCH + seconds(start)
    point = safe_window(noted(at), noted(at + seconds(hold)), ["db"], NO_MARGIN).point
    assert point is not None
    assert abs(point - (at + seconds(hold / 2))) <= seconds(1)


def test_one_assumed_interval_makes_the_common_one_assumed() -> None:
    paused = noted(EPOCH, a=exact(0), b=UNMEASURED)
    resuming = noted(EPOCH + seconds(10), a=exact(0), b=UNMEASURED)
    window = safe_window(paused, resuming, ["a", "b"], NO_MARGIN)
    assert window.common is not None
    assert window.common.is_assumed
    assert window.by_database["a"] is not None
    assert not window.by_database["a"].is_assumed


def test_the_point_is_in_utc_whatever_the_offset_of_the_times() -> None:
    tokyo = datetime.fromisoformat("2026-11-24T12:00:00.2+09:00")
    at = {"db": exact(at=tokyo)}
    point = safe_window(noted(tokyo, **at), noted(tokyo + seconds(4), **at), ["db"], NO_MARGIN).point
    assert point == datetime(2026, 11, 24, 3, 0, 2, tzinfo=UTC)
    assert point is not None
    assert point.tzinfo is UTC
