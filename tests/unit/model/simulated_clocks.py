"""Clocks that are off and drift, and a server that writes its own in whole seconds, on a time line in true microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import strategies as st

from shared.model.clock import DateSample

EPOCH = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class SimulatedClock(NamedTuple):
    """Off by `offset` microseconds at true time 0 and running `rate` parts per million too fast."""

    offset: int
    rate: int

    def shows(self, moment: int) -> datetime:
        return EPOCH + timedelta(microseconds=moment + self.offset + moment * self.rate // 1_000_000)


def clocks() -> st.SearchStrategy[SimulatedClock]:
    """Off by up to two hours. Two of them drift apart by less than the product allows for."""
    return st.builds(
        SimulatedClock,
        offset=st.one_of(st.integers(-2_000_000, 2_000_000), st.integers(-7_200_000_000, 7_200_000_000)),
        rate=st.integers(-99, 99),
    )


@st.composite
def sample_plans(draw: st.DrawFn, server: SimulatedClock, begin: int = 0) -> list[tuple[int, int, int]]:
    """When each request is sent within four seconds from `begin`, and how many microseconds its way out and back takes.

    Half of them reach the server right at a tick of its clock, where they tell the most.
    """
    way = st.one_of(st.integers(1, 300), st.integers(1, 400_000))
    plan = []
    for _ in range(draw(st.integers(1, 12))):
        start, out, back = draw(st.integers(begin, begin + 4_000_000)), draw(way), draw(way)
        if draw(st.booleans()):
            start += 1_000_000 - server.shows(start + out).microsecond + draw(st.integers(-20, 20))
        plan.append((start, out, back))
    return plan


def sample_at(ours: SimulatedClock, server: SimulatedClock, start: int, out: int, back: int) -> DateSample:
    date = server.shows(start + out).replace(microsecond=0)
    return DateSample(sent=ours.shows(start), received=ours.shows(start + out + back), date=date)


def take_samples(ours: SimulatedClock, server: SimulatedClock, plan: list[tuple[int, int, int]]) -> list[DateSample]:
    return [sample_at(ours, server, start, out, back) for start, out, back in plan]
