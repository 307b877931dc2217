"""Clock bounds hold the true offset, whatever it is and wherever the samples fall."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.clock import DRIFT, ClockBounds, DateSample, bound_clock, unmeasured
from tests.unit.model.simulated_clocks import (
    EPOCH,
    MICROSECOND,
    SimulatedClock,
    clocks,
    sample_at,
    sample_plans,
    take_samples,
)


@settings(deadline=None)
@given(ours=clocks(), server=clocks(), data=st.data())
def test_the_true_offset_lies_within_the_bounds_at_the_last_sample(
    ours: SimulatedClock, server: SimulatedClock, data: st.DataObject
) -> None:
    plan = data.draw(sample_plans(server))
    bounds = bound_clock(take_samples(ours, server, plan))
    last = max(start + out + back for start, out, back in plan)
    offset_seconds = (server.shows(last) - ours.shows(last)) / timedelta(seconds=1)
    assert bounds.lower_seconds - 2e-6 <= offset_seconds <= bounds.upper_seconds + 2e-6


@settings(deadline=None)
@given(ours=clocks(), server=clocks(), data=st.data(), later=st.integers(0, 600_000_000))
def test_the_servers_clock_shows_a_time_between_earliest_and_latest_ever_after(
    ours: SimulatedClock, server: SimulatedClock, data: st.DataObject, later: int
) -> None:
    plan = data.draw(sample_plans(server))
    bounds = bound_clock(take_samples(ours, server, plan))
    moment = max(start + out + back for start, out, back in plan) + later
    now, true = ours.shows(moment), server.shows(moment)
    assert bounds.earliest(now) - 5 * MICROSECOND <= true <= bounds.latest(now) + 5 * MICROSECOND


def test_samples_around_the_servers_tick_shrink_the_bounds_to_a_round_trip() -> None:
    ours, server = SimulatedClock(0, 0), SimulatedClock(300_000, 0)
    before, after = sample_at(ours, server, 690_000, 5_000, 5_000), sample_at(ours, server, 700_000, 5_000, 5_000)
    bounds = bound_clock([before, after])
    assert bounds.width_seconds == pytest.approx(0.02, abs=1e-4)
    assert bounds.samples == 2


def test_one_sample_bounds_the_clock_to_a_second_and_a_round_trip() -> None:
    sample = DateSample(sent=EPOCH, received=EPOCH + timedelta(seconds=0.25), date=EPOCH)
    bounds = bound_clock([sample])
    assert (bounds.lower_seconds, bounds.upper_seconds) == pytest.approx((-0.25, 1.0), abs=1e-3)


@settings(deadline=None)
@given(step=st.integers(5, 1000), order=st.permutations([0, 1]))
def test_samples_that_contradict_each_other_widen_the_bounds_to_hold_both(step: int, order: list[int]) -> None:
    """The server's clock was set by `step` seconds between them."""
    one = DateSample(sent=EPOCH, received=EPOCH + timedelta(seconds=0.1), date=EPOCH)
    two = DateSample(
        sent=EPOCH + timedelta(seconds=1), received=EPOCH + timedelta(seconds=1.1), date=EPOCH + timedelta(seconds=1 + step)
    )
    bounds = bound_clock([(one, two)[index] for index in order])
    for offset_seconds in (-0.1, 1.0, step - 0.1, step + 1.0):
        assert bounds.lower_seconds <= offset_seconds <= bounds.upper_seconds


def test_drift_alone_is_not_a_contradiction() -> None:
    """On a round trip of 20 µs, 3 s of drift at 180 parts per million are more than the bounds are wide."""
    ours, server = SimulatedClock(0, -90), SimulatedClock(0, 90)
    ticks = [sample_at(ours, server, start, 10, 10) for start in (999_895, 999_915, 3_999_630, 3_999_650)]
    assert bound_clock(ticks).width_seconds < 0.01


def test_bounds_age_with_the_allowed_drift_in_both_directions() -> None:
    bounds = ClockBounds(lower_seconds=-1.0, upper_seconds=2.0, measured_at=EPOCH, samples=1)
    for seconds in (-1000, 1000):
        ours = EPOCH + timedelta(seconds=seconds)
        assert bounds.earliest(ours) == ours - timedelta(seconds=1 + 1000 * DRIFT)
        assert bounds.latest(ours) == ours + timedelta(seconds=2 + 1000 * DRIFT)


def test_without_a_sample_there_are_no_bounds() -> None:
    with pytest.raises(ValueError, match="no samples"):
        bound_clock([])
    assert not unmeasured(EPOCH, "no answer").is_measured
