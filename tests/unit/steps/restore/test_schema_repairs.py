"""Releases that are led to a database without its stored procedures are not started before those are back."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model.plan import Release
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, RestoreOrder, RestorePhase
from shared.model.run import RunStatus
from shared.model.schema_repair import RepairProgress
from shared.steps import evidence
from shared.steps.restore.record import load_record
from shared.steps.restore.schema_repairs import DOCUMENT, SchemaRepairs
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.world import AURORA, LEDGER, RestoreWorld


class Repairs:
    """Port `SchemaRepair`: done with the third call of a run. `fails` is how many repairs end badly."""

    def __init__(self, world: RestoreWorld) -> None:
        self.world, self.fails = world, 0
        self.calls: list[tuple[str, bool]] = []

    def advance(self, release: Release, run: str, previous: RepairProgress | None) -> RepairProgress:
        serves = any(self.world.apps.running[key] for key in self.world.keys)
        self.calls.append((release.key, serves))
        reached = previous or RepairProgress(release=release.key)
        if reached.problem or not reached.job:
            return replace(reached, job="job-1", problem="", wait_seconds=3.0, message="the Schema Loader repairs the tables")
        if self.fails:
            self.fails -= 1
            return replace(reached, problem="The Job has failed. Its last lines: no such table.", log=("no such table",))
        return replace(reached, done=True, log=("repaired",))


@pytest.fixture
def world() -> RestoreWorld:
    made = RestoreWorld()
    store: Any = made.stores[AURORA.key]
    cut_over = store.cut_over

    def without_procedures(order: RestoreOrder, previous: DatabaseRestore) -> DatabaseRestore:
        return replace(cut_over(order, previous), needs_schema_repair=order.undo is None)

    store.cut_over = without_procedures
    made.schema_repair = Repairs(made)  # type: ignore[attr-defined]
    return made


async def test_only_the_release_that_is_led_there_is_repaired_while_nothing_runs_and_the_log_is_kept(
    world: RestoreWorld,
) -> None:
    ended, run = await RestoreEngine(world).restore()
    assert ended == "SUCCEEDED"
    assert world.schema_repair.calls == [(LEDGER.key, False)] * 2  # type: ignore[attr-defined]
    kept = evidence.load(world.stored, run.id, DOCUMENT, SchemaRepairs)
    assert kept is not None
    assert kept.repairs[LEDGER.key].log == ("repaired",)
    assert world.all_serve


async def test_a_failed_repair_halts_the_restore_with_its_last_lines_and_a_continued_one_tries_again(
    world: RestoreWorld,
) -> None:
    world.schema_repair.fails = 1  # type: ignore[attr-defined]
    engine = RestoreEngine(world)
    _, run = await engine.restore()
    assert run.status is RunStatus.HALTED
    assert "Its last lines: no such table" in run.cause.message
    assert load_record(world.stored, run.id).phase is RestorePhase.STARTING
    assert not any(world.apps.running[key] for key in world.keys)
    ended, _ = await engine.go_on("continue", run.id)
    assert (ended, world.all_serve) == ("SUCCEEDED", True)


async def test_the_way_back_needs_no_repair(world: RestoreWorld) -> None:
    engine = RestoreEngine(world)
    _, first = await engine.restore()
    calls = len(world.schema_repair.calls)  # type: ignore[attr-defined]
    world.clock.advance(3600)
    ended, _ = await engine.undo(first.id)
    assert (ended, len(world.schema_repair.calls)) == ("SUCCEEDED", calls)  # type: ignore[attr-defined]
