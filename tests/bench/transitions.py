"""What the engine counts and bills: state transitions of a backup and of a restore, and how fast a child's history grows.

The product's own state machines are walked in virtual time, over databases that take as long as is said.
"""

from __future__ import annotations

import asyncio

from tests.bench.report import Section
from tests.unit.steps.engine import Engine
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.world import RestoreWorld
from tests.unit.steps.world import World

DOLLARS_PER_THOUSAND = 0.025
"""Of standard workflows, us-east-1 (AWS Step Functions pricing)."""
HISTORY_LIMIT = 25_000
EVENTS_PER_ROUND, STATES_PER_ROUND = 9, 3
"""A look, a choice and a wait: five events of the task and two of each other state."""
HOURS = (0.4, 1.0, 4.0, 24.0)


def measure() -> Section:
    rows, failures = [_backup()], list[str]()
    for hours in HOURS:
        row, events = _restore(hours)
        rows.append(row)
        if events > HISTORY_LIMIT:
            failures.append(f"a restore of {hours:g} h fills a child's history: {events:,} events of {HISTORY_LIMIT:,}")
    return Section(
        title="State transitions of a backup and of a restore",
        columns=("run", "transitions", "of them in children", "events of a child", "events per hour", "USD"),
        rows=rows,
        notes=[
            "Backup: one database, one window, the watchdog included. Restore: three databases in place.",
            f"A child's history holds {HISTORY_LIMIT:,} events; a round of look, choice and wait is {EVENTS_PER_ROUND}.",
            f"USD: {DOLLARS_PER_THOUSAND} for 1,000 transitions, without the functions.",
        ],
        failures=failures,
    )


def _backup() -> tuple[str, ...]:
    engine = Engine(World())
    if asyncio.run(engine.backup({"plan": "orders-prod"})) != "SUCCEEDED":
        raise RuntimeError("the backup in virtual time did not succeed")
    watchdog = 3
    return _row("backup", len(engine.visited) + watchdog, engine.children, 0.0)[0]


def _restore(hours: float) -> tuple[tuple[str, ...], int]:
    world = RestoreWorld()
    for store in world.stores.values():
        store.restore_seconds = hours * 3600
    engine = RestoreEngine(world)
    ended, _ = asyncio.run(engine.restore())
    if ended != "SUCCEEDED":
        raise RuntimeError(f"the restore in virtual time ended as {ended}")
    return _row(f"restore of {hours:g} h", len(engine.visited), engine.children, hours)


def _row(name: str, own: int, children: list[list[str]], hours: float) -> tuple[tuple[str, ...], int]:
    inside = sum(len(visited) for visited in children)
    events = max(len(visited) for visited in children) // STATES_PER_ROUND * EVENTS_PER_ROUND
    per_hour = f"{events / hours:,.0f}" if hours else "-"
    dollars = f"{(own + inside) / 1000 * DOLLARS_PER_THOUSAND:.3f}"
    return (name, f"{own + inside:,}", f"{inside:,}", f"{events:,}", per_hour, dollars), events
