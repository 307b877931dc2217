"""The undo of a restore that has brought back a table which was missing before: the table is removed, and can come back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.checks import failures
from shared.model.errors import Conflict, Forbidden, NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseForecast, DatabaseRestore, ItemRestore, RestoreStage
from tests.unit.databases.restore_world import AT_POINT, LATER_STAMP, SINCE, RestoreWorld
from tests.unit.databases.test_restore_crashes import Engine

DROPPED = "bank.accounts"
OTHERS = ["coordinator.state", "scalardb.metadata", "scalardb.namespaces"]
TABLES = [DROPPED, *OTHERS]
LAST_STAMP = "20261124t120000z"
WORKED_ON = "written after the restore"


class Scene:
    """A table is dropped, a restore brings it back, the bank works on; `undo` takes the restore back."""

    def __init__(self, **of_world: Any) -> None:
        self.world = RestoreWorld(**of_world)
        self.world.account.delete(DROPPED)
        self.restored = self.world.restore()
        self.world.account.write(DROPPED, WORKED_ON)
        self.world.clock.advance(5)
        self.undo = self.world.undo_of(self.restored)

    def undone(self) -> DatabaseRestore:
        return self.world.restore(self.undo)


class UndoEngine(Engine):
    """Both halves of the undo."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.world)
        self.undo = scene.undo

    def run(self) -> None:
        reached = self.stored[-1] if self.stored else None
        if reached is None or not reached.changed_live:
            reached = self.world.prepare(self.undo, reached, self.stored.append)
        self.world.cut_over(reached, self.undo, self.stored.append)


def item_of(restored: DatabaseRestore, name: str = DROPPED) -> ItemRestore:
    (item,) = [item for item in restored.items if item.name == name]
    return item


def checks_of(forecast: DatabaseForecast) -> dict[str, str]:
    return {check.name: check.detail for check in forecast.checks}


def test_an_undo_removes_the_table_that_was_missing_before() -> None:
    scene = Scene()
    undone = scene.undone()
    assert scene.world.account.data() == dict.fromkeys(OTHERS, SINCE)
    assert item_of(undone).phase == "removed"
    assert undone.stage is RestoreStage.DONE
    assert not failures(scene.world.access.verify(scene.undo, undone))
    scene.world.assert_nothing_was_lost()


def test_an_undo_of_the_undo_brings_it_back_as_it_was_last_with_its_settings_and_so_on() -> None:
    scene = Scene()
    world, before = scene.world, scene.world.settings()
    undone = scene.undone()
    again = world.undo_of(undone, LAST_STAMP)
    restored = world.restore(again)
    assert world.account.data() == {DROPPED: WORKED_ON, **dict.fromkeys(OTHERS, AT_POINT)}
    assert world.settings() == before
    assert not failures(world.access.verify(again, restored))
    world.restore(world.undo_of(restored, "20261124t150000z"))
    assert world.account.data() == dict.fromkeys(OTHERS, SINCE)
    world.assert_nothing_was_lost()


def test_it_is_removed_when_all_others_are_done() -> None:
    scene = Scene(most=1)
    seen: list[DatabaseRestore] = []
    prepared = scene.world.prepare(scene.undo)
    scene.world.cut_over(prepared, scene.undo, seen.append)
    assert [name for name, _, _ in scene.world.account.deletions][-1] == DROPPED
    for reached in seen:
        if item_of(reached).phase != "prepared":
            assert all(item_of(reached, name).done for name in OTHERS)


def test_it_is_not_removed_while_another_table_fails() -> None:
    scene = Scene()
    world, prepared = scene.world, scene.world.prepare(scene.undo)
    world.account.faults["restore_table_from_backup"] = ["AccessDeniedException"] * 1_000
    with pytest.raises(Forbidden, match="RestoreTableFromBackup"):
        world.cut_over(prepared, scene.undo)
    assert world.account.data()[DROPPED] == WORKED_ON


def test_nothing_live_changes_in_the_first_half() -> None:
    scene = Scene()
    before, deletions = scene.world.settings(), len(scene.world.account.deletions)
    prepared = scene.world.prepare(scene.undo)
    assert (scene.world.settings(), len(scene.world.account.deletions)) == (before, deletions)
    assert item_of(prepared).kept in scene.world.account.backups
    assert item_of(prepared).kept_settings


def test_the_plan_says_it_and_is_another_one_than_when_it_is_left_alone() -> None:
    scene = Scene()
    forecast = scene.world.forecast(scene.undo)
    assert DROPPED in checks_of(forecast)["dynamodb-restore-removed"]
    assert any(text.startswith("1 tables that did not exist before") for text in forecast.steps)
    assert any("3 live tables are deleted" in text for text in forecast.steps)
    assert any("4 live tables are backed up" in text for text in forecast.steps)
    assert f"scalar-backup.old.{LATER_STAMP}.{DROPPED}" in forecast.keeps
    assert "3 tables can be restored" in checks_of(forecast)["dynamodb-restore-source"]
    assert forecast.source == "old copy"
    assert forecast.observed[f"{DROPPED}: source"] == "none, it is removed"


def test_a_restore_says_that_its_undo_will_remove_what_is_missing_now() -> None:
    world = RestoreWorld()
    world.account.delete(DROPPED)
    (missing,) = [check for check in world.forecast().checks if check.name == "dynamodb-restore-missing"]
    assert "an undo removes them again" in missing.hint


def test_a_table_that_somebody_made_since_is_left_alone() -> None:
    scene = Scene()
    scene.world.account.delete(DROPPED)
    foreign = scene.world.account.add(DROPPED, age=0)
    forecast = scene.world.forecast(scene.undo)
    assert "dynamodb-restore-removed" not in checks_of(forecast)
    assert DROPPED in checks_of(forecast)["dynamodb-restore-absent"]
    undone = scene.undone()
    assert scene.world.account.tables[DROPPED] is foreign
    assert "left alone" in item_of(undone).note
    assert not failures(scene.world.access.verify(scene.undo, undone))
    scene.world.restore(scene.world.undo_of(undone, LAST_STAMP))
    assert scene.world.account.tables[DROPPED] is foreign


@pytest.mark.parametrize("is_copy", [False, True])
def test_a_table_that_takes_its_name_during_the_undo_is_never_deleted(is_copy: bool) -> None:
    scene = Scene()
    prepared = scene.world.prepare(scene.undo)
    scene.world.account.delete(DROPPED)
    foreign = scene.world.account.add(DROPPED, age=0)
    if is_copy:
        foreign.restore = {"SourceBackupArn": item_of(scene.restored).source}
    with pytest.raises(Conflict, match=r"bank\.accounts: a table of its name has appeared"):
        scene.world.cut_over(prepared, scene.undo)
    assert scene.world.account.tables[DROPPED] is foreign


def test_a_safety_backup_that_vanished_keeps_it_from_being_removed() -> None:
    scene = Scene()
    prepared = scene.world.prepare(scene.undo)
    del scene.world.account.backups[item_of(prepared).kept]
    with pytest.raises(NotReady, match=r"bank\.accounts is not deleted: its safety backup is gone"):
        scene.world.cut_over(prepared, scene.undo)
    assert scene.world.account.data()[DROPPED] == WORKED_ON


def test_a_table_that_was_dropped_again_needs_no_removal() -> None:
    scene = Scene()
    scene.world.account.delete(DROPPED)
    assert "dynamodb-restore-removed" not in checks_of(scene.world.forecast(scene.undo))
    undone = scene.undone()
    assert scene.world.account.data() == dict.fromkeys(OTHERS, SINCE)
    assert item_of(undone).phase == "removed"
    scene.world.restore(scene.world.undo_of(undone, LAST_STAMP))
    assert scene.world.account.data() == dict.fromkeys(OTHERS, AT_POINT)


def test_what_was_written_after_a_second_stop_is_kept_of_it_too() -> None:
    scene = Scene()
    world, prepared = scene.world, scene.world.prepare(scene.undo)
    begun = world.access.cut_over(scene.undo, prepared)
    world.clock.advance(5)
    world.account.write(DROPPED, "late")
    world.clock.advance(5)
    again = replace(scene.undo, stopped_at=world.clock.now())
    undone = world.cut_over(begun, again)
    world.restore(world.undo_of(undone, LAST_STAMP))
    assert world.account.data()[DROPPED] == "late"


def test_verify_fails_when_it_is_there_again() -> None:
    scene = Scene()
    undone = scene.undone()
    scene.world.account.add(DROPPED, age=0)
    (failed,) = failures(scene.world.access.verify(scene.undo, undone))
    assert failed.name == "dynamodb-restored-removed"
    assert f"{DROPPED} (ACTIVE)" in failed.detail


def test_discard_of_the_undo_deletes_its_safety_backup_and_no_other() -> None:
    scene = Scene()
    undone = scene.undone()
    assert scene.world.safety_backups(LATER_STAMP) == TABLES
    scene.world.discard(undone, scene.undo)
    assert scene.world.safety_backups(LATER_STAMP) == []
    assert scene.world.safety_backups() == OTHERS
    assert scene.world.backups_of() == TABLES


@pytest.mark.parametrize("phase", ["gone", "creating", "settling"])
def test_a_restore_that_halted_while_it_made_the_table_is_undone_to_what_was_there_before(phase: str) -> None:
    world = RestoreWorld()
    world.account.restore_seconds = 30
    world.account.delete(DROPPED)
    order = world.order()
    reached = world.prepare(order)
    while item_of(reached).phase != phase:
        world.clock.advance(2)
        reached = world.access.cut_over(order, reached)
    world.restore(world.undo_of(reached))
    assert world.account.data() == dict.fromkeys(OTHERS, SINCE)
    world.assert_nothing_was_lost()


def test_what_an_interrupted_first_half_has_not_kept_yet_counts_as_no_missing_table() -> None:
    """An earlier restore has made the live table from the same backup."""
    world = RestoreWorld()
    world.restore()
    world.stopped_at = world.clock.now()
    order = world.order(stamp=LATER_STAMP)
    interrupted = world.access.restore(order, None)
    assert not item_of(interrupted).kept
    undo = world.undo_of(interrupted, LAST_STAMP)
    assert "dynamodb-restore-removed" not in checks_of(world.forecast(undo))
    deletions = len(world.account.deletions)
    world.restore(undo)
    assert len(world.account.deletions) == deletions


def undisturbed() -> int:
    scene = Scene()
    before = scene.world.account.calls.total()
    UndoEngine(scene).run()
    return scene.world.account.calls.total() - before


CALLS = undisturbed()


def assert_same_end(scene: Scene, undone: DatabaseRestore) -> None:
    world = scene.world
    assert undone.stage is RestoreStage.DONE
    assert world.account.data() == dict.fromkeys(OTHERS, SINCE)
    world.assert_nothing_was_lost()
    assert sorted(name for name, _, _ in world.account.deletions) == sorted([*TABLES, *OTHERS])
    assert sorted(set(world.safety_backups(LATER_STAMP))) == TABLES
    kept = item_of(undone).kept
    assert world.account.backups[kept].data == WORKED_ON
    assert item_of(undone).kept_settings


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("number", range(1, CALLS + 1))
def test_a_kill_at_any_call_ends_as_if_nothing_had_happened(number: int, after_effect: bool) -> None:
    scene = Scene()
    engine = UndoEngine(scene)
    engine.run_and_die(number, after_effect)
    engine.run()
    assert_same_end(scene, engine.stored[-1])


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.integers(1, CALLS), min_size=2, max_size=5),
    after_effect=st.booleans(),
    forgotten=st.integers(0, 3),
    listing_lag=st.sampled_from([0, 2]),
)
def test_many_kills_and_stale_memory_change_nothing(
    numbers: list[int], after_effect: bool, forgotten: int, listing_lag: float
) -> None:
    scene = Scene()
    scene.world.account.listing_lag = listing_lag
    engine = UndoEngine(scene)
    for number in numbers:
        engine.run_and_die(number, after_effect)
        began = next((index for index, reached in enumerate(engine.stored) if reached.changed_live), None)
        least = 0 if began is None else began + 1
        engine.stored = engine.stored[: max(least, len(engine.stored) - forgotten)]
    engine.run()
    assert_same_end(scene, engine.stored[-1])
