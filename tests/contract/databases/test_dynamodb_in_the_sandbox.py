"""The product's DynamoDB against a strict stand-in: data as of the second, delays, limits, faults, kills."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.databases.dynamodb.actions import CHECK_ACTIONS
from shared.model.checks import CheckStatus, failures
from shared.model.errors import NotReady
from shared.model.protection import ItemPhase
from shared.model.records import from_record
from shared.model.table_settings import TableSettings
from tests.contract.databases.scalardb import ScalarDb


def arn_of(reached, name):
    return next(item.backup_arn for item in reached.items if item.name == name)


def test_the_kept_copy_holds_the_data_of_the_point_and_not_what_was_written_since(scalardb: ScalarDb):
    scalardb.add_tables("bank.accounts", "bank.history")
    scalardb.put("bank.accounts", "a", "before")
    scalardb.put("bank.accounts", "b", "before")
    time.sleep(1)
    point = scalardb.next_whole_second()
    scalardb.put("bank.accounts", "a", "after")
    scalardb.dynamodb.delete_item(TableName="bank.accounts", Key={"id": {"S": "b"}})
    reached = scalardb.protect_to_the_end(point, scalardb.access())
    assert {item.phase for item in reached.items} == {ItemPhase.KEPT}
    assert len(scalardb.backups()) == 4
    assert scalardb.side_tables() == set()
    assert scalardb.restored_values(arn_of(reached, "bank.accounts")) == {"a": "before", "b": "before"}
    assert scalardb.values("bank.accounts") == {"a": "after"}


def test_it_waits_for_the_lag_of_the_service(scalardb: ScalarDb):
    scalardb.aws.settings(lag_seconds=2)
    scalardb.add_tables("bank.accounts")
    point, phases = scalardb.next_whole_second(), []
    scalardb.protect_to_the_end(
        point, scalardb.access(), between=lambda reached: phases.append({item.phase for item in reached.items})
    )
    assert phases[0] == {ItemPhase.WAITING}
    assert phases[-1] == {ItemPhase.KEPT}


def test_a_point_without_a_kept_copy_is_covered_by_the_window(scalardb: ScalarDb):
    scalardb.add_tables("bank.accounts")
    point = scalardb.next_whole_second()
    reached = scalardb.protect_to_the_end(point, scalardb.access(), kept_copy=False)
    assert {item.restorable_until for item in reached.items} == {point + timedelta(days=35)}
    assert scalardb.backups() == []


class Killed(BaseException):
    """The process is gone."""


def killer(calls_until_death: int):
    """Lets so many calls through and no more, whichever thread makes them."""
    left, lock = [calls_until_death], threading.Lock()

    def on_call(operation: str) -> None:
        with lock:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

    return on_call


@pytest.mark.parametrize("seed", range(2))
def test_processes_that_die_again_and_again_leave_one_backup_per_table_and_no_side_table(scalardb: ScalarDb, seed: int):
    scalardb.aws.settings(restore_seconds=0.1, backup_seconds=0.05, delete_seconds=0.05)
    scalardb.add_tables("bank.accounts")
    scalardb.put("bank.accounts", "a", "before")
    point, dice, reports = scalardb.next_whole_second(), random.Random(seed), [None]
    for _ in range(6):
        access = scalardb.access(on_call=killer(dice.randint(1, 45)))
        try:
            scalardb.protect_to_the_end(point, access, dice.choice(reports), between=reports.append)
        except Killed:
            continue
    reached = scalardb.protect_to_the_end(point, scalardb.access(), dice.choice(reports))
    backups = scalardb.backups()
    assert sorted(backup["BackupArn"] for backup in backups) == sorted(item.backup_arn for item in reached.items)
    assert len(backups) == 3
    assert scalardb.side_tables() == set()
    assert scalardb.restored_values(arn_of(reached, "bank.accounts")) == {"a": "before"}


def test_more_tables_than_slots_are_all_kept_with_never_more_at_once_than_slots(scalardb: ScalarDb):
    scalardb.aws.settings(max_concurrent_restores=3, restore_seconds=0.2)
    scalardb.add_tables(*(f"bank.t{number:02}" for number in range(16)))
    point, most = scalardb.next_whole_second(), []
    reached = scalardb.protect_to_the_end(
        point,
        scalardb.access(max_concurrent_restores=3),
        between=lambda reached: most.append(sum(item.phase is ItemPhase.RESTORING for item in reached.items)),
    )
    assert len(reached.items) == 18
    assert len(scalardb.backups()) == 18
    assert max(most) == 3
    assert scalardb.side_tables() == set()


def test_an_account_with_fewer_slots_than_expected_only_takes_longer(scalardb: ScalarDb):
    scalardb.aws.settings(max_concurrent_restores=1)
    scalardb.add_tables("bank.accounts", "bank.history")
    scalardb.protect_to_the_end(scalardb.next_whole_second(), scalardb.access())
    assert len(scalardb.backups()) == 4


def test_its_own_calls_stay_within_the_rates_of_the_service(scalardb: ScalarDb):
    scalardb.aws.settings(enforce_rate_limits=True)
    scalardb.add_tables(*(f"bank.t{number:02}" for number in range(13)))
    point, messages = scalardb.next_whole_second(), []
    scalardb.protect_to_the_end(point, scalardb.access(), between=lambda reached: messages.append(reached.message))
    assert len(scalardb.backups()) == 15
    assert not any("Held up" in message for message in messages)


def test_throttled_operations_are_repeated_and_the_end_is_the_same(scalardb: ScalarDb):
    scalardb.add_tables("bank.accounts")
    for operation in ("DescribeContinuousBackups", "RestoreTableToPointInTime", "CreateBackup", "DeleteTable", "ListBackups"):
        scalardb.aws.fault("dynamodb", operation, "ThrottlingException", times=2)
    reached = scalardb.protect_to_the_end(scalardb.next_whole_second(), scalardb.access())
    assert len(scalardb.backups()) == 3
    assert all(item.note == "" or item.note.startswith("Settings") for item in reached.items)


def test_pitr_off_on_one_table_of_many_stops_before_anything_is_restored(scalardb: ScalarDb):
    scalardb.add_tables(*(f"bank.t{number}" for number in range(12)))
    scalardb.recovery("bank.t7", False)
    with pytest.raises(NotReady, match=r"bank\.t7: point-in-time recovery is off"):
        scalardb.protect_to_the_end(scalardb.next_whole_second(), scalardb.access())
    assert scalardb.side_tables() == set()
    assert scalardb.backups() == []


def test_a_table_created_after_the_point_is_absent(scalardb: ScalarDb):
    point = scalardb.next_whole_second()
    time.sleep(0.1)
    scalardb.add_tables("bank.new")
    reached = scalardb.protect_to_the_end(point, scalardb.access())
    assert {item.name: item.phase for item in reached.items}["bank.new"] is ItemPhase.ABSENT
    assert len(scalardb.backups()) == 2


def test_a_table_deleted_and_created_again_after_the_point_is_an_error(scalardb: ScalarDb):
    scalardb.add_tables("bank.accounts")
    point = scalardb.next_whole_second()
    scalardb.delete_table("bank.accounts")
    scalardb.create_table("bank.accounts")
    with pytest.raises(NotReady, match=r"bank\.accounts was deleted after"):
        scalardb.protect_to_the_end(point, scalardb.access())


def test_a_table_deleted_during_the_run_is_an_error_that_names_it(scalardb: ScalarDb):
    scalardb.aws.settings(lag_seconds=2)
    scalardb.add_tables("bank.accounts")
    point, access = scalardb.next_whole_second(), scalardb.access()
    first = access.protect(scalardb.database, scalardb.storages, point, True, None)
    scalardb.delete_table("bank.accounts")
    with pytest.raises(NotReady, match=r"bank\.accounts was deleted"):
        scalardb.protect_to_the_end(point, access, first)


def test_settings_of_a_live_table_are_noted(scalardb: ScalarDb):
    scalardb.add_tables("bank.accounts")
    live = scalardb.dynamodb.describe_table(TableName="bank.accounts")["Table"]
    scalardb.dynamodb.tag_resource(ResourceArn=live["TableArn"], Tags=[{"Key": "team", "Value": "orders"}])
    scalardb.dynamodb.update_time_to_live(
        TableName="bank.accounts", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    reached = scalardb.protect_to_the_end(scalardb.next_whole_second(), scalardb.access(), kept_copy=False)
    (record,) = [item.settings for item in reached.items if item.name == "bank.accounts"]
    settings = from_record(record, TableSettings)
    assert settings.tags == {"team": "orders"}
    assert settings.time_to_live_attribute == "expires"
    assert settings.billing_mode == "PAY_PER_REQUEST"
    assert settings.point_in_time_recovery


def test_check_passes_on_a_complete_database_and_makes_only_allowed_calls(scalardb: ScalarDb):
    scalardb.add_tables("bank.accounts")
    called: set[str] = set()
    results = scalardb.access(on_call=called.add).check(scalardb.database, scalardb.storages)
    assert not failures(results)
    assert {name for name in called if not any(action.endswith(f":{name}") for action in CHECK_ACTIONS)} == set()
    assert {result.name: result.status for result in results}["dynamodb-pitr"] is CheckStatus.OK


@pytest.mark.parametrize("skew", [0.0, 3.4, -2.6])
async def test_the_clock_of_the_endpoint_is_measured(scalardb: ScalarDb, skew: float):
    scalardb.aws.settings(dynamodb_skew_seconds=skew)

    class Watch:
        def now(self) -> datetime:
            return datetime.now(UTC)

        def monotonic(self) -> float:
            return time.monotonic()

        async def sleep(self, seconds: float) -> None:
            time.sleep(seconds)

    bounds = await scalardb.access().measure_clock(scalardb.database, Watch())
    assert bounds.problem == ""
    assert bounds.lower_seconds <= skew <= bounds.upper_seconds
    assert bounds.width_seconds < 0.5
