"""How long the restore of 10, 100 and 1,000 DynamoDB tables takes against what the account's 50 restores at once allow.

In simulated time: the product's code against an account in memory with the service's rates, slots and durations. Measured from
the first table's deletion to the last table's comparison, because that is what the application waits for.
"""

from __future__ import annotations

from shared.databases.dynamodb.access import MAX_CONCURRENT_RESTORES
from shared.model.restore import DatabaseRestore
from tests.bench.report import Section
from tests.unit.databases.restore_world import RestoreWorld

TABLES = (10, 100, 1_000)
RESTORE_SECONDS, BACKUP_SECONDS, DELETE_SECONDS, UPDATE_SECONDS = 1_200.0, 60.0, 10.0, 5.0
SECONDS_PER_CALL = 0.02
LIMIT = 1.05
HISTORY_EVENTS_PER_LOOK = 10
"""Of Step Functions, for one round of a loop of a task, a choice and a wait."""
HISTORY_LIMIT = 25_000


def measure() -> Section:
    rows, failures = [], []
    for tables in TABLES:
        world = _world(tables)
        prepared = world.prepare()
        began, looks = world.clock.monotonic(), list[DatabaseRestore]()
        world.cut_over(prepared, between=looks.append)
        seconds = world.clock.monotonic() - began
        rounds = -(-tables // MAX_CONCURRENT_RESTORES)
        bound = rounds * RESTORE_SECONDS
        events = len(looks) * HISTORY_EVENTS_PER_LOOK
        rows.append(
            (
                f"{tables:,}",
                f"{bound:,.0f}",
                f"{seconds:,.0f}",
                f"{seconds / bound - 1:.1%}",
                str(world.account.most_restores),
                f"{len(looks):,}",
                f"{events / (seconds / 3600):,.0f}",
            )
        )
        if seconds > LIMIT * bound:
            failures.append(f"{tables:,} tables took {seconds:,.0f} s, more than {LIMIT:g} times {bound:,.0f} s")
        if events > HISTORY_LIMIT:
            failures.append(f"{tables:,} tables fill an execution's history: {events:,} events of {HISTORY_LIMIT:,}")
    return Section(
        title=f"Restore of DynamoDB tables, {RESTORE_SECONDS / 60:.0f} minutes each, at most {MAX_CONCURRENT_RESTORES} at once",
        columns=("tables", "bound, s", "cut-over, s", "over", "most at once", "looks", "history events per hour"),
        rows=rows,
        notes=[
            f"A deletion takes {DELETE_SECONDS:.0f} s, a change of a table {UPDATE_SECONDS:.0f} s.",
            f"A look is {HISTORY_EVENTS_PER_LOOK} events of the engine's history, which holds {HISTORY_LIMIT:,}.",
        ],
        failures=failures,
    )


def _world(tables: int) -> RestoreWorld:
    """ScalarDB's own three are among them. The point's copies are made quickly: only the restore is measured."""
    world = RestoreWorld(["accounts", *(f"t{number:04}" for number in range(tables - 4))], page=100)
    account = world.account
    account.restore_seconds, account.backup_seconds = RESTORE_SECONDS, BACKUP_SECONDS
    account.delete_seconds, account.update_seconds = DELETE_SECONDS, UPDATE_SECONDS
    account.call_seconds = SECONDS_PER_CALL / 16
    return world
