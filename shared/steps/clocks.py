"""What this process knows about its clock against each database's."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NamedTuple

from shared.model.clock import ClockBounds
from shared.model.plan import Plan
from shared.steps.ports import Rooms


class Reading(NamedTuple):
    """This process's wall clock and its monotonic clock at one moment. Between two readings both advance by the same, unless
    somebody set the wall clock."""

    at: datetime
    monotonic: float

    def step_since(self, earlier: Reading) -> float:
        """Seconds by which the wall clock was set forward (or back) since `earlier`."""
        return (self.at - earlier.at).total_seconds() - (self.monotonic - earlier.monotonic)


def read_clock(rooms: Rooms) -> Reading:
    return Reading(rooms.clock.now(), rooms.clock.monotonic())


async def measure_clocks(plan: Plan, rooms: Rooms, since: Reading | None = None) -> dict[str, ClockBounds]:
    """Bounds for every database of the plan, by key. Takes a little over a second.

    They are meant for a time noted at `since`: if the clock was set after that, they are widened by as much.
    """
    measured = await asyncio.gather(
        *(rooms.database(database).measure_clock(database, rooms.clock) for database in plan.databases)
    )
    bounds = {database.key: found for database, found in zip(plan.databases, measured, strict=True)}
    return bounds if since is None else widen_by_step(bounds, since, read_clock(rooms))


def widen_by_step(bounds: dict[str, ClockBounds], earlier: Reading, later: Reading) -> dict[str, ClockBounds]:
    """The bounds, for a time noted at one of two readings that enclose both the noting and the measuring."""
    step_seconds = abs(later.step_since(earlier))
    return {key: found.widened(step_seconds) for key, found in bounds.items()}
