"""A restore of tables and its undo: sources, bad days, what is told beforehand, what is deleted afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.databases.dynamodb.actions import RESTORE_ACCOUNT_ACTIONS, RESTORE_ACTIONS, RESTORE_FORECAST_ACTIONS
from shared.databases.dynamodb.calls import action_of
from shared.model.checks import CheckResult, failures
from shared.model.errors import Conflict, Forbidden, Misconfigured, NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseForecast, DatabaseRestore, RestoreStage, Target
from tests.unit.databases.restore_world import AT_POINT, LATER_STAMP, QUIET_SECONDS, SINCE, STAMP, RestoreWorld
from tests.unit.databases.world import DATABASE, POINT

TABLES = ["bank.accounts", "coordinator.state", "scalardb.metadata", "scalardb.namespaces"]


def check_named(found: DatabaseForecast | tuple[CheckResult, ...], name: str) -> CheckResult:
    checks = found.checks if isinstance(found, DatabaseForecast) else found
    (check,) = [check for check in checks if check.name == name]
    return check


def item_of(restored: DatabaseRestore, name: str) -> Any:
    (item,) = [item for item in restored.items if item.name == name]
    return item


def test_the_data_of_the_point_comes_back_and_an_undo_brings_back_what_was_there_before() -> None:
    world = RestoreWorld()
    restored = world.restore()
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    undo = world.undo_of(restored)
    undone = world.restore(undo)
    assert world.account.data() == dict.fromkeys(TABLES, SINCE)
    assert not failures(world.access.verify(undo, undone))
    again = replace(world.undo_of(undone), stamp="20261124t120000z")
    world.restore(again)
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    world.assert_nothing_was_lost()


def test_the_same_point_can_be_restored_twice_in_a_row() -> None:
    world = RestoreWorld()
    world.restore()
    for name in world.account.live():
        world.account.write(name, "written after the first restore")
    world.stopped_at = world.clock.now()
    order = world.order(stamp=LATER_STAMP)
    restored = world.restore(order)
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    assert len(world.account.deletions) == 2 * len(TABLES)
    undo = replace(world.undo_of(restored), stamp="20261124t120000z")
    world.restore(undo)
    assert set(world.account.data().values()) == {"written after the first restore"}


def test_nothing_live_changes_in_the_first_half_and_the_first_call_of_the_second() -> None:
    world = RestoreWorld()
    before = {name: world.settings(name) for name in TABLES}
    prepared = world.prepare()
    assert prepared.stage is RestoreStage.PREPARED
    assert not prepared.changed_live
    first = world.access.cut_over(world.order(), prepared)
    assert first.changed_live
    assert not first.done
    assert {name: world.settings(name) for name in TABLES} == before
    assert world.account.data() == dict.fromkeys(TABLES, SINCE)
    assert world.account.deletions == []


def test_safety_backups_wait_until_nobody_has_written_for_a_while() -> None:
    world = RestoreWorld()
    world.prepare()
    asked = [backup.requested for backup in world.account.backups.values() if ".old." in backup.name]
    assert len(asked) == len(TABLES)
    assert min(asked) >= world.stopped_at + timedelta(seconds=QUIET_SECONDS)


def test_without_a_moment_at_which_the_application_was_stopped_nothing_is_prepared() -> None:
    world = RestoreWorld()
    with pytest.raises(NotReady, match="when the application was stopped"):
        world.prepare(world.order(stopped_at=None))


def test_the_second_half_needs_the_first() -> None:
    world = RestoreWorld()
    half = world.access.restore(world.order(), None)
    with pytest.raises(Misconfigured, match="first half"):
        world.access.cut_over(world.order(), half)


def test_a_point_without_kept_copies_gets_them_first_while_it_is_in_the_recovery_window() -> None:
    world = RestoreWorld(kept_copy=False)
    assert world.forecast().source == "point-in-time recovery"
    world.restore()
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    assert world.backups_of() == TABLES
    assert world.account.side_tables() == set()


def test_a_point_that_left_the_recovery_window_is_refused_and_nothing_live_was_touched() -> None:
    world = RestoreWorld(kept_copy=False)
    world.clock.advance(15 * 86_400)
    failed = check_named(world.forecast(), "dynamodb-restore-source")
    assert failed.status == "failed"
    assert "bank.accounts: point-in-time recovery reaches back to" in failed.detail
    with pytest.raises(NotReady, match=r"bank\.accounts.*Nothing live was touched"):
        world.prepare()
    assert not [backup for backup in world.account.backups.values() if ".old." in backup.name]


def test_a_kept_copy_that_somebody_deleted_is_made_again_while_that_is_possible() -> None:
    world = RestoreWorld()
    (lost,) = [item.backup_arn for item in world.protection.items if item.name == "bank.accounts"]
    del world.account.backups[lost]
    assert world.forecast().source == "kept copy, point-in-time recovery"
    restored = world.restore()
    assert world.account.data()["bank.accounts"] == AT_POINT
    assert item_of(restored, "bank.accounts").source != lost


def test_a_dropped_table_comes_back() -> None:
    world = RestoreWorld()
    world.account.delete("bank.accounts")
    warned = check_named(world.forecast(), "dynamodb-restore-missing")
    assert "bank.accounts" in warned.detail
    restored = world.restore()
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    assert item_of(restored, "bank.accounts").kept == ""


def test_tables_created_after_the_point_are_left_alone_and_said() -> None:
    world = RestoreWorld()
    world.add("bank.younger", age=0)
    warned = check_named(world.forecast(), "dynamodb-restore-younger")
    assert "bank.younger" in warned.detail
    world.restore()
    assert "bank.younger" in world.account.live()
    assert world.account.deletions
    assert "bank.younger" not in {name for name, _, _ in world.account.deletions}


def test_a_global_table_is_refused_by_name() -> None:
    world = RestoreWorld()
    world.account.tables["bank.accounts"].described["Replicas"] = [{"RegionName": "us-east-1"}]
    assert "bank.accounts (us-east-1)" in check_named(world.forecast(), "dynamodb-restore-replicas").detail
    with pytest.raises(NotReady, match="has replicas in us-east-1"):
        world.prepare()


def test_a_table_that_somebody_else_restores_is_a_conflict() -> None:
    world = RestoreWorld()
    table = world.account.tables["bank.accounts"]
    table.active_at, table.restore = world.clock.now() + timedelta(hours=1), {"SourceBackupArn": "arn:other"}
    assert "bank.accounts (CREATING)" in check_named(world.forecast(), "dynamodb-restore-status").detail
    with pytest.raises(Conflict, match=r"bank\.accounts: it is being created or restored by somebody else"):
        world.prepare()


def test_a_table_that_appears_under_a_name_during_the_cut_over_is_never_deleted_and_no_other_live_table_is() -> None:
    world = RestoreWorld()
    prepared = world.prepare()
    world.account.delete("bank.accounts")
    foreign = world.account.add("bank.accounts", age=0)
    with pytest.raises(Conflict, match=r"bank\.accounts: a table of its name has appeared"):
        world.cut_over(prepared)
    assert world.account.tables["bank.accounts"] is foreign
    assert world.account.deletions == []


def test_a_safety_backup_that_vanished_keeps_its_table_from_being_deleted() -> None:
    world = RestoreWorld()
    prepared = world.prepare()
    del world.account.backups[item_of(prepared, "bank.accounts").kept]
    with pytest.raises(NotReady, match=r"bank\.accounts is not deleted: its safety backup is gone"):
        world.cut_over(prepared)
    assert world.account.data()["bank.accounts"] == SINCE
    assert world.settings()["protected"]


def test_an_undo_of_a_restore_that_stopped_halfway_takes_back_what_is_done_and_leaves_the_rest() -> None:
    world = RestoreWorld(most=1)
    prepared, reports = world.prepare(), list[DatabaseRestore]()

    class Stopped(Exception):
        pass

    def stop(reached: DatabaseRestore) -> None:
        reports.append(reached)
        if any(item.phase == "settling" for item in reached.items):
            raise Stopped

    with pytest.raises(Stopped):
        world.cut_over(prepared, between=stop)
    assert len(world.account.deletions) < len(TABLES)
    deleted = len(world.account.deletions)
    undo = world.undo_of(reports[-1])
    undone = world.restore(undo)
    assert world.account.data() == dict.fromkeys(TABLES, SINCE)
    assert world.settings()["protected"]
    assert len(world.account.deletions) <= 2 * deleted
    assert not failures(world.access.verify(undo, undone))
    world.assert_nothing_was_lost()


def test_more_tables_than_slots_are_never_more_at_once_and_deleted_at_most_one_round_ahead() -> None:
    world = RestoreWorld(["accounts", *(f"t{number:02}" for number in range(16))], most=3)
    world.account.max_restores = 3
    away: list[int] = []

    def count(reached: DatabaseRestore) -> None:
        away.append(sum(item.phase in ("deleting", "gone") for item in reached.items))

    world.cut_over(world.prepare(), between=count)
    assert world.account.most_restores == 3
    assert max(away) <= 3
    assert set(world.account.data().values()) == {AT_POINT}


def test_an_account_with_fewer_slots_than_expected_only_takes_longer() -> None:
    world = RestoreWorld(["accounts", "history"])
    world.account.max_restores = 1
    world.restore()
    assert set(world.account.data().values()) == {AT_POINT}


def test_throttled_calls_are_repeated_by_later_calls() -> None:
    world = RestoreWorld()
    for operation in ("create_backup", "delete_table", "restore_table_from_backup", "update_table", "tag_resource"):
        world.account.faults[operation] = ["ThrottlingException"] * 3
    world.restore()
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)
    world.assert_nothing_was_lost()


def test_a_missing_right_lets_the_other_tables_finish_and_the_same_restore_goes_on_when_it_is_granted() -> None:
    world = RestoreWorld()
    prepared, reports = world.prepare(), list[DatabaseRestore]()
    world.account.faults["tag_resource"] = ["AccessDeniedException"] * 100
    with pytest.raises(Forbidden, match=r"dynamodb:TagResource on bank\.accounts"):
        world.cut_over(prepared, between=reports.append)
    assert reports[-1].count_done == len(TABLES) - 1
    world.account.faults.clear()
    restored = world.cut_over(reports[-1])
    assert not failures(world.access.verify(world.order(), restored))
    world.assert_nothing_was_lost()


def test_a_plain_time_is_restored_by_point_in_time_recovery_of_every_table_found() -> None:
    world = RestoreWorld(kept_copy=False)
    order = world.order(protection=None, at=POINT - timedelta(minutes=1))
    assert world.forecast(order).source == "point-in-time recovery"
    world.restore(order)
    assert world.account.data() == dict.fromkeys(TABLES, AT_POINT)


def test_a_point_that_recovery_has_not_reached_yet_says_when() -> None:
    world = RestoreWorld(kept_copy=False)
    world.account.lag = 300
    at = world.clock.now().replace(microsecond=0)
    forecast = world.forecast(world.order(protection=None, at=at))
    assert forecast.ready_at is not None
    assert 290 < (forecast.ready_at - at).total_seconds() <= 310
    assert "has not reached the point yet" in check_named(forecast, "dynamodb-restore-source").detail


def test_side_by_side_touches_no_live_table_and_is_discarded_by_its_stamp() -> None:
    world = RestoreWorld()
    order = world.order(target=Target.SIDE_BY_SIDE, stopped_at=None)
    restored = world.prepare(order)
    assert restored.stage is RestoreStage.DONE
    assert world.account.data() == dict.fromkeys(TABLES, SINCE)
    assert world.account.side_tables() == {f"scalar-backup.restored.{STAMP}.{name}" for name in TABLES}
    assert not failures(world.access.verify(order, restored))
    assert world.discard(restored, order).stage is RestoreStage.DISCARDED
    assert world.account.side_tables() == set()
    assert world.backups_of() == TABLES
    assert world.account.deletions == []


def test_a_name_beside_that_is_taken_by_somebody_else_is_refused() -> None:
    world = RestoreWorld()
    world.account.add(f"scalar-backup.restored.{STAMP}.bank.accounts")
    order = world.order(target=Target.SIDE_BY_SIDE, stopped_at=None)
    assert check_named(world.forecast(order), "dynamodb-restore-names").status == "failed"
    with pytest.raises(Conflict, match="that this restore has not made"):
        world.prepare(order)


def test_discard_deletes_the_safety_backups_of_this_restore_only() -> None:
    world = RestoreWorld()
    restored = world.restore()
    undone = world.restore(world.undo_of(restored))
    world.discard(restored)
    assert world.safety_backups() == []
    assert world.safety_backups(LATER_STAMP) == TABLES
    assert world.backups_of() == TABLES
    assert undone.done


def test_discard_keeps_what_may_be_all_there_is_of_a_table() -> None:
    world = RestoreWorld()
    prepared = world.prepare()
    order = world.order()
    halfway = world.access.cut_over(order, prepared)
    while "bank.accounts" not in {name for name, _, _ in world.account.deletions}:
        world.clock.advance(1)
        halfway = world.access.cut_over(order, halfway)
    world.clock.advance(60)
    with pytest.raises(NotReady, match=r"not restored yet: .*bank\.accounts"):
        world.access.discard(order, halfway)
    assert world.safety_backups() == TABLES


def test_what_a_restore_keeps_is_not_taken_for_the_left_over_of_a_backup() -> None:
    world = RestoreWorld()
    world.prepare(world.order(target=Target.SIDE_BY_SIDE, stopped_at=None))
    world.clock.advance(10 * 86_400)
    assert world.access.clean_up(DATABASE, frozenset()) == ()
    assert len(world.account.side_tables()) == len(TABLES)


def test_the_forecast_is_the_same_while_nothing_happens_and_differs_by_name_when_a_table_is_replaced() -> None:
    world = RestoreWorld()
    before = world.forecast()
    world.clock.advance(600)
    assert world.forecast().observed == before.observed
    world.account.delete("bank.accounts")
    world.account.add("bank.accounts", age=0)
    changed = {key for key, value in world.forecast().observed.items() if before.observed.get(key) != value}
    assert changed == {"bank.accounts: live table"}


def test_the_forecast_says_what_is_kept_lost_and_put_back_and_how_long_it_may_take() -> None:
    forecast = RestoreWorld().forecast()
    assert f"scalar-backup.old.{STAMP}.bank.accounts" in forecast.keeps
    assert any("streams" in text for text in forecast.puts_back)
    assert any("another ARN" in text for text in forecast.loses)
    assert any("recovery windows of 4 live tables" in text for text in forecast.gone_for_good)
    assert forecast.estimate_seconds >= 1200
    assert "promises no time" in forecast.estimate_basis
    assert forecast.restorable_until is None


def test_only_allowed_calls_are_made_and_a_forecast_only_reads() -> None:
    world = RestoreWorld()
    world.account.calls.clear()
    world.forecast()
    read = {_action(operation) for operation in world.account.calls}
    assert read <= set(RESTORE_FORECAST_ACTIONS)
    restored = world.restore()
    world.access.verify(world.order(), restored)
    world.discard(restored)
    used = {_action(operation) for operation in world.account.calls}
    assert used <= {*RESTORE_ACTIONS, *RESTORE_ACCOUNT_ACTIONS}


def _action(operation: str) -> str:
    is_scaling = "scaling" in operation or "scalable" in operation
    return action_of("application-autoscaling" if is_scaling else "dynamodb", operation)
