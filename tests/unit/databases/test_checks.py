"""Can every table be restored: each check, what it says, and that it stays readable."""

from datetime import timedelta

import pytest

from shared.databases.dynamodb.actions import CHECK_ACTIONS
from shared.databases.dynamodb.calls import action_of
from shared.model.checks import CheckStatus, failures
from shared.model.errors import Throttled, Unreachable
from tests.unit.databases.world import DATABASE, World


def check(world):
    return {result.name: result for result in world.access.check(DATABASE, world.storages)}


def test_a_healthy_database_passes_with_counts():
    results = check(World())
    assert not failures(results.values())
    assert results["dynamodb-pitr"].detail == "on for 5 tables, recovery period at least 35 days"


def test_pitr_off_on_one_table_of_many_fails_by_name():
    world = World([f"t{number}" for number in range(60)])
    world.account.tables["bank.t7"].recovery_since = None
    result = check(world)["dynamodb-pitr"]
    assert result.status is CheckStatus.FAILED
    assert "1 tables have point-in-time recovery off: bank.t7." in result.detail
    assert "Turn point-in-time recovery on" in result.hint


def test_a_thousand_tables_with_one_problem_stay_readable_and_within_the_rate():
    world = World([f"t{number}" for number in range(1_000)])
    for table in world.account.tables.values():
        table.recovery_since = None
    result = check(world)["dynamodb-pitr"]
    assert result.detail.endswith("and 993 more.")
    assert len(result.detail) < 400
    times = [at for operation, at in world.account.call_times if operation == "describe_continuous_backups"]
    assert len(times) == 1_003
    assert times[-1] - times[0] > 99


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING"])
def test_a_table_that_auto_scaling_changes_is_usable(status):
    world = World()
    world.account.tables["bank.accounts"].status = status
    assert check(world)["dynamodb-status"].status is CheckStatus.OK


def test_a_table_in_another_state_fails_with_that_state():
    world = World()
    world.account.tables["bank.accounts"].status = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    result = check(world)["dynamodb-status"]
    assert result.status is CheckStatus.FAILED
    assert "bank.accounts (INACCESSIBLE_ENCRYPTION_CREDENTIALS)" in result.detail


def test_deletion_protection_off_is_only_a_warning():
    world = World()
    for name, table in world.account.tables.items():
        table.protected = name != "bank.history"
    result = check(world)["dynamodb-deletion-protection"]
    assert (result.status, "bank.history" in result.detail) == (CheckStatus.WARNING, True)


def test_a_restorable_time_that_lags_far_behind_is_a_warning_with_the_seconds():
    world = World()
    world.account.lag = 1_200
    result = check(world)["dynamodb-recovery-lag"]
    assert result.status is CheckStatus.WARNING
    assert "bank.accounts (120" in result.detail


def test_replicas_are_pointed_at():
    world = World()
    world.account.tables["bank.accounts"].described = {"Replicas": [{"RegionName": "us-east-1"}]}
    assert "bank.accounts" in check(world)["dynamodb-global-tables"].detail


def test_settings_that_cannot_be_read_are_a_warning_that_names_the_action():
    world = World()
    world.account.faults["get_resource_policy"] = ["AccessDeniedException"]
    result = check(world)["dynamodb-settings"]
    assert result.status is CheckStatus.WARNING
    assert "dynamodb:GetResourcePolicy" in result.detail


def test_a_missing_right_is_a_failed_check_that_names_it():
    world = World()
    world.account.faults["list_tables"] = ["AccessDeniedException"]
    results = check(world)
    assert list(results) == ["dynamodb-rights"]
    assert "dynamodb:ListTables" in results["dynamodb-rights"].detail


@pytest.mark.parametrize(("fault", "error"), [("ThrottlingException", Throttled), ("no answer", Unreachable)])
def test_a_service_that_does_not_answer_is_an_error_that_the_engine_retries(fault, error):
    world = World()
    world.account.faults["describe_continuous_backups"] = [fault]
    with pytest.raises(error):
        check(world)


def test_old_side_tables_are_pointed_at_and_young_ones_are_not():
    world = World()
    old = world.clock.now() - timedelta(hours=25)
    names = [f"scalar-backup.{at:%Y%m%dT%H%M%SZ}.bank.accounts" for at in (old, world.clock.now())]
    for name in names:
        world.account.add(name)
    detail = check(world)["dynamodb-left-over"].detail
    assert names[0] in detail
    assert names[1] not in detail


def test_more_tables_than_restore_slots_is_said_in_rounds():
    world = World([f"t{number}" for number in range(120)])
    assert check(world)["dynamodb-copies"].detail == "123 tables, at most 50 restored at a time: 3 rounds"


def test_a_table_that_vanishes_while_it_is_looked_at_is_no_failure_of_the_others():
    world = World()

    def vanish(operation, parameters):
        if operation == "describe_continuous_backups" and parameters["TableName"] == "bank.accounts":
            world.account.tables.pop("bank.accounts", None)

    world.account.before = vanish
    assert check(world)["dynamodb-pitr"].detail.startswith("on for 4 tables")


def test_check_makes_only_the_calls_that_its_policy_lists():
    world = World()
    check(world)
    scaling = ("describe_scalable_targets", "describe_scaling_policies")
    used = {
        action_of("application-autoscaling" if operation in scaling else "dynamodb", operation)
        for operation in world.account.calls
    }
    assert used == set(CHECK_ACTIONS)
