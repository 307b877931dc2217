"""What this process knows about its clock against each database's."""

from __future__ import annotations

import asyncio

from shared.model.clock import ClockBounds
from shared.model.plan import Plan
from shared.steps.ports import Rooms


async def measure_clocks(plan: Plan, rooms: Rooms) -> dict[str, ClockBounds]:
    """Bounds for every database of the plan, by key. Takes a little over a second."""
    measured = await asyncio.gather(
        *(rooms.database(database).measure_clock(database, rooms.clock) for database in plan.databases)
    )
    return {database.key: bounds for database, bounds in zip(plan.databases, measured, strict=True)}
