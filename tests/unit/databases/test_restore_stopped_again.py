"""The application has run between two executions of a restore: what is kept is its last state, not the one before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.model.records import replace
from shared.model.restore import DatabaseRestore, RestoreStage
from tests.unit.databases.restore_world import AT_POINT, LATER_STAMP, QUIET_SECONDS, SINCE, RestoreWorld

TABLES = ["bank.accounts", "coordinator.state", "scalardb.metadata", "scalardb.namespaces"]
LATE = "written after the first stop"


class Halted(Exception):
    """The execution is over, and what it reached is stored."""


def run_once_more(world: RestoreWorld, *tables: str) -> None:
    """Somebody starts the application, it writes, and it is stopped again."""
    world.clock.advance(5)
    for name in tables:
        world.account.write(name, LATE)
    world.clock.advance(5)
    world.stopped_at = world.clock.now()


def undo(world: RestoreWorld, restored: DatabaseRestore) -> dict[str, str]:
    world.restore(world.undo_of(restored, "20261124t120000z"))
    return world.account.data()


def halt_when(world: RestoreWorld, prepared: DatabaseRestore, phase: str) -> DatabaseRestore:
    """The second half until a table is in `phase`."""
    reports: list[DatabaseRestore] = []

    def halt(reached: DatabaseRestore) -> None:
        reports.append(reached)
        if any(item.phase == phase for item in reached.items):
            raise Halted

    with pytest.raises(Halted):
        world.cut_over(prepared, between=halt)
    return reports[-1]


def test_what_was_written_between_two_stops_is_kept_when_the_first_half_is_done_again() -> None:
    world = RestoreWorld()
    prepared = world.prepare()
    run_once_more(world, *TABLES)
    again = world.prepare(previous=replace(prepared, stage=RestoreStage.PREPARING, done=False))
    assert not {item.kept for item in again.items} & {item.kept for item in prepared.items}
    restored = world.cut_over(again)
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    assert undo(world, restored) == dict.fromkeys(TABLES, LATE)


@pytest.mark.parametrize("phase", ["prepared", "deleting"])
def test_what_was_written_between_two_stops_is_kept_when_the_second_half_goes_on(phase: str) -> None:
    world = RestoreWorld(most=1)
    reached = halt_when(world, world.prepare(), phase)
    touched = {item.name for item in reached.items if item.phase != "prepared"}
    left = [name for name in TABLES if name not in touched]
    world.clock.advance(60)
    run_once_more(world, *left)
    restored = world.cut_over(reached)
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    world.assert_nothing_was_lost()
    assert undo(world, restored) == dict.fromkeys(touched, SINCE) | dict.fromkeys(left, LATE)


def test_the_new_safety_backup_waits_as_the_first_one_and_no_old_one_is_deleted_before_the_clean_up() -> None:
    world = RestoreWorld()
    reached = halt_when(world, world.prepare(), "prepared")
    run_once_more(world, "bank.accounts")
    restored = world.cut_over(reached)
    assert world.safety_backups() == sorted(TABLES * 2)
    asked = [world.account.backups[item.kept].requested for item in restored.items]
    assert min(asked) >= world.stopped_at + timedelta(seconds=QUIET_SECONDS)
    world.discard(restored)
    assert world.safety_backups() == []


@pytest.mark.parametrize("forgotten", [1, 2, 3, 4, 6])
def test_stale_memory_never_leads_an_undo_to_the_older_safety_backup(forgotten: int) -> None:
    world = RestoreWorld()
    reached = halt_when(world, world.prepare(), "prepared")
    run_once_more(world, *TABLES)
    stored = [reached]
    halted = False

    def halt(known: DatabaseRestore) -> None:
        nonlocal halted
        stored.append(known)
        if not halted and any(item.phase in ("gone", "creating") for item in known.items):
            halted = True
            raise Halted

    with pytest.raises(Halted):
        world.cut_over(reached, between=halt)
    restored = world.cut_over(stored[max(0, len(stored) - 1 - forgotten)])
    assert len(world.account.deletions) == len(TABLES)
    assert undo(world, restored) == dict.fromkeys(TABLES, LATE)


def test_without_another_stop_no_second_safety_backup_is_made() -> None:
    world = RestoreWorld(most=1)
    reached = halt_when(world, world.prepare(), "settling")
    world.clock.advance(3_600)
    world.cut_over(reached)
    assert world.safety_backups() == TABLES
    assert world.safety_backups(LATER_STAMP) == []
