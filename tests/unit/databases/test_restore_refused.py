"""When tables cannot be restored, the live ones that are left stay, and it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.databases.dynamodb.calls import Calls, RegionClients
from shared.databases.dynamodb.rates import Rates
from shared.databases.dynamodb.restore_items import TablePhase
from shared.databases.dynamodb.restore_moves import Moves
from shared.model.checks import failures
from shared.model.errors import Conflict, Forbidden, Misconfigured
from shared.model.restore import DatabaseRestore, ItemRestore
from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.restore_world import AT_POINT, SINCE, RestoreWorld

RESTORE = "restore_table_from_backup"
FEW = ["accounts", *(f"t{number}" for number in range(9))]


def cut_over_until_told(
    world: RestoreWorld, prepared: DatabaseRestore, error: type[Exception], match: str
) -> list[DatabaseRestore]:
    """What was stored before it was told: soon, not after days of looking."""
    reports = [prepared]
    with pytest.raises(error, match=match):
        world.cut_over(prepared, between=reports.append)
    assert len(reports) < 60
    return reports


def refuse(world: RestoreWorld, *tables: str) -> None:
    def before(operation: str, given: dict[str, Any]) -> None:
        if operation == RESTORE and given["TargetTableName"] in tables:
            world.account.faults[RESTORE] = ["AccessDeniedException"]

    world.account.before = before


def test_when_no_table_can_be_restored_only_one_of_more_than_fifty_is_deleted() -> None:
    world = RestoreWorld([f"t{number:02}" for number in range(52)])
    prepared = world.prepare()
    world.account.faults[RESTORE] = ["AccessDeniedException"] * 10_000
    reports = cut_over_until_told(world, prepared, Forbidden, "dynamodb:RestoreTableFromBackup on bank.t00")
    assert len(world.account.deletions) == 1
    assert "1 refused" in reports[-1].message
    world.account.faults.clear()
    restored = world.cut_over(reports[-1])
    assert set(world.account.data().values()) == {AT_POINT}
    assert not failures(world.access.verify(world.order(), restored))
    world.assert_nothing_was_lost()


def test_when_restores_are_refused_from_some_moment_on_no_more_live_tables_are_deleted() -> None:
    world = RestoreWorld(FEW, most=3)
    prepared, counts = world.prepare(), list[int]()

    def watch(reached: DatabaseRestore) -> None:
        if not world.account.faults and world.account.restores:
            world.account.faults[RESTORE] = ["ValidationException"] * 10_000
        if any(item.phase == "refused" for item in reached.items):
            counts.append(len(world.account.deletions))

    with pytest.raises(Misconfigured, match="RestoreTableFromBackup"):
        world.cut_over(prepared, between=watch)
    assert len(set(counts)) == 1
    assert counts[-1] <= 1 + 3
    assert list(world.account.data().values()).count(SINCE) == len(FEW) + 3 - counts[-1]


def test_a_table_that_is_refused_lets_those_that_wait_for_a_slot_go_first_and_no_other_is_deleted() -> None:
    world = RestoreWorld(FEW, most=3)
    prepared = world.prepare()
    refuse(world, "bank.t0")
    reports = cut_over_until_told(world, prepared, Forbidden, r"bank\.t0")
    deleted = {name for name, _, _ in world.account.deletions}
    assert {name for name, data in world.account.data().items() if data == AT_POINT} == deleted - {"bank.t0"}
    assert len(deleted) <= 2 * 3
    refuse(world)
    world.account.faults.clear()
    world.cut_over(reports[-1])
    assert set(world.account.data().values()) == {AT_POINT}
    world.assert_nothing_was_lost()


def test_a_refused_table_that_waits_for_a_slot_of_others_still_keeps_every_other_from_being_deleted() -> None:
    world = RestoreWorld(most=1)
    reached = world.prepare()
    world.account.faults[RESTORE] = ["AccessDeniedException"]
    while not any(item.phase == "refused" for item in reached.items):
        world.clock.advance(1)
        reached = world.access.cut_over(world.order(), reached)
    of_another = world.account.add("scalar-backup.restored.20251124t050000z.bank.accounts", age=0)
    of_another.active_at = world.clock.now() + timedelta(seconds=60)
    for _ in range(5):
        world.clock.advance(1)
        reached = world.access.cut_over(world.order(), reached)
    assert len(world.account.deletions) == 1
    world.clock.advance(60)
    world.cut_over(reached)
    assert set(world.account.data().values()) == {AT_POINT}


def test_the_table_that_was_refused_longest_ago_is_tried_first() -> None:
    clock = FakeClock()
    now, calls = clock.now(), Calls(RegionClients(None, "ap-northeast-1"), Rates(clock.monotonic, clock.advance))
    ages = {"first": 20, "second": 10}
    earlier = {name: ItemRestore(name=name, phase="refused", since=now - timedelta(seconds=ages[name])) for name in ages}
    moves = Moves(tuple(earlier.values()), now, calls)

    def refused(item: ItemRestore) -> ItemRestore:
        raise Forbidden(f"{item.name} may not be restored.")

    moves.each([earlier["first"]], refused, failed_phase=TablePhase.REFUSED)
    assert [item.name for item in moves.within(TablePhase.REFUSED)] == ["second"]
    later = Moves(moves.items, now, calls)
    assert [item.name for item in later.within(TablePhase.REFUSED)] == ["second", "first"]


def test_a_single_table_goes_ahead_until_its_restore_is_accepted() -> None:
    world = RestoreWorld(FEW)
    ahead: list[int] = []

    def before(operation: str, given: dict[str, Any]) -> None:
        if operation == RESTORE:
            ahead.append(len(world.account.deletions))

    prepared = world.prepare()
    world.account.before = before
    world.cut_over(prepared)
    assert ahead[0] == 1
    assert ahead[-1] == len(FEW) + 3


def test_while_a_prepared_table_fails_again_no_other_is_deleted() -> None:
    world = RestoreWorld(FEW, most=3)
    prepared, reports = world.prepare(), list[DatabaseRestore]()
    world.account.delete("bank.t5")
    world.account.add("bank.t5", age=0)
    with pytest.raises(Conflict, match=r"bank\.t5: a table of its name has appeared"):
        world.cut_over(prepared, between=reports.append)
    failed = next(reached for reached in reports if "Failed" in reached.message)
    deleting = {item.name for item in failed.items if item.phase != "prepared"}
    assert {name for name, _, _ in world.account.deletions} <= deleting
    assert {item.phase for item in reports[-1].items} == {"prepared", "done"}


def test_an_undo_of_a_restore_that_was_cut_off_while_a_table_was_being_deleted_makes_it_again() -> None:
    world = RestoreWorld()
    world.account.delete_seconds = 30
    prepared = world.prepare()
    reached = world.access.cut_over(world.order(), prepared)
    while not world.account.deletions:
        world.clock.advance(2)
        reached = world.access.cut_over(world.order(), reached)
    assert world.account.tables["bank.accounts"].gone_at
    undo = world.undo_of(reached)
    world.restore(undo)
    assert set(world.account.data().values()) == {SINCE}
    assert len(world.account.deletions) == 1


def test_the_tables_that_an_undo_leaves_in_place_are_seen_to_at_once() -> None:
    world = RestoreWorld(FEW)
    prepared = world.prepare()
    first = world.access.cut_over(world.order(), prepared)
    undo = world.undo_of(first)
    reports: list[DatabaseRestore] = []
    world.cut_over(world.prepare(undo), undo, between=reports.append)
    assert len(reports) <= 4
    assert world.account.deletions == []
