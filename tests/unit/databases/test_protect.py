"""Protecting a restore point, call by call."""

from datetime import timedelta

import pytest

from shared.databases.dynamodb.actions import PROTECT_ACTIONS, PROTECT_SIDE_TABLE_ACTIONS
from shared.databases.dynamodb.calls import action_of
from shared.model.errors import Forbidden, InvalidRequest, NotReady, Throttled, Unreachable
from shared.model.protection import ItemPhase
from tests.unit.databases.world import CORE, DATABASE, POINT, World

ALL = sorted([*CORE, "bank.accounts", "bank.history"])
SIDE = "scalar-backup.20261124T030000Z.bank.accounts"


def phases(reached):
    return {item.name: item.phase for item in reached.items}


def item_of(reached, name):
    return next(item for item in reached.items if item.name == name)


class TestWithAKeptCopy:
    def test_every_table_ends_with_one_backup_of_the_point_and_no_side_table(self):
        world = World()
        live = world.account.live()
        reached = world.protect_to_the_end()
        assert set(phases(reached).values()) == {ItemPhase.KEPT}
        assert world.backups_of() == ALL
        assert world.account.side_tables() == set()
        assert world.account.live() == live

    def test_the_result_names_the_backup_its_size_and_the_settings(self):
        item = item_of(World().protect_to_the_end(), "bank.accounts")
        assert item.backup_arn.endswith(f"/{SIDE}/backup/00000001")
        assert (item.size_bytes, item.restorable_until, item.side_table) == (1000, None, "")
        assert item.settings["point_in_time_recovery"] is True

    def test_only_side_tables_are_ever_backed_up_changed_or_deleted(self):
        world = World()
        world.account.restored_are_protected = True
        touched = set()
        changing = ("create_backup", "delete_table", "update_table", "restore_table_to_point_in_time")
        world.account.before = lambda operation, parameters: (
            touched.add(parameters.get("TargetTableName") or parameters["TableName"]) if operation in changing else None
        )
        world.protect_to_the_end()
        assert len(touched) == len(ALL)
        assert all(name.startswith("scalar-backup.20261124T030000Z.") for name in touched)
        assert world.account.side_tables() == set()

    def test_it_restores_to_exactly_the_point(self):
        world, asked = World(), []
        world.account.before = lambda operation, parameters: asked.append(parameters.get("RestoreDateTime"))
        world.protect_to_the_end()
        assert {moment for moment in asked if moment} == {POINT}

    def test_the_settings_are_noted_before_anything_is_restored(self):
        world, order = World(), []
        world.account.before = lambda operation, parameters: order.append(operation)
        world.protect_to_the_end()
        assert max(i for i, name in enumerate(order) if name == "describe_time_to_live") < order.index(
            "restore_table_to_point_in_time"
        )

    def test_it_makes_only_the_calls_that_its_policy_lists(self):
        world = World()
        world.account.restored_are_protected = True
        world.account.listing_lag = 1e9
        world.protect_to_the_end()
        scaling = ("describe_scalable_targets", "describe_scaling_policies")
        used = {action_of("application-autoscaling" if name in scaling else "dynamodb", name) for name in world.account.calls}
        assert used <= {*PROTECT_ACTIONS, *PROTECT_SIDE_TABLE_ACTIONS}
        assert "dynamodb:DescribeBackup" in used


class TestWithoutAKeptCopy:
    def test_a_point_is_covered_as_soon_as_it_is_restorable_and_says_until_when(self):
        world = World()
        world.account.tables["bank.accounts"].period_days = 7
        reached = world.protect_to_the_end(kept_copy=False)
        assert set(phases(reached).values()) == {ItemPhase.COVERED}
        assert item_of(reached, "bank.accounts").restorable_until == POINT + timedelta(days=7)
        assert world.account.backups == {}
        assert world.account.most_restores == 0

    def test_before_that_it_waits_for_about_the_lag(self):
        world = World()
        world.account.lag = 40
        first = world.protect(None, kept_copy=False)
        assert set(phases(first).values()) == {ItemPhase.WAITING}
        assert 35 < first.wait_seconds <= 40
        assert first.message == "0 of 5 tables done (5 waiting)."


class TestTables:
    def test_pitr_off_on_one_of_many_is_an_error_that_names_it_before_anything_is_restored(self):
        world = World([f"t{number}" for number in range(40)])
        world.account.lag = 0
        world.account.tables["bank.t7"].recovery_since = None
        with pytest.raises(NotReady, match=r"bank\.t7: point-in-time recovery is off"):
            world.protect(None)
        assert world.account.side_tables() == set()

    def test_several_failures_are_named_together(self):
        world = World()
        for name in ("bank.accounts", "bank.history"):
            world.account.tables[name].recovery_since = None
        with pytest.raises(NotReady, match=r"2 of 5 tables: bank\.accounts: .* bank\.history: "):
            world.protect(None)

    def test_pitr_that_was_off_at_the_point_is_an_error_and_not_an_absent_table(self):
        world = World()
        world.account.tables["bank.accounts"].recovery_since = POINT + timedelta(seconds=10)
        with pytest.raises(NotReady, match=r"reaches back to 2026-11-24T03:00:10Z only.*turned off and on again"):
            world.protect_to_the_end()

    @pytest.mark.parametrize("recovery", [True, False])
    @pytest.mark.parametrize("kept_copy", [True, False])
    def test_a_table_created_after_the_point_is_absent_and_says_so(self, recovery, kept_copy):
        world = World()
        world.clock.advance(5)
        world.add("bank.new", age=2, recovery=recovery)
        item = item_of(world.protect_to_the_end(kept_copy=kept_copy), "bank.new")
        assert item.phase is ItemPhase.ABSENT
        assert "did not exist at the restore point" in item.note

    def test_a_table_that_was_deleted_and_created_again_after_the_point_is_an_error(self):
        world = World()
        world.clock.advance(5)
        world.account.delete("bank.accounts")
        world.clock.advance(5)
        world.account.add("bank.accounts", age=0)
        with pytest.raises(NotReady, match=r"bank\.accounts was deleted after .* system backup"):
            world.protect_to_the_end()

    def test_a_table_deleted_before_its_restore_is_an_error_that_names_it(self):
        world = World()
        first = world.protect(None)
        world.account.delete("bank.accounts")
        with pytest.raises(NotReady, match=r"bank\.accounts was deleted"):
            world.protect_to_the_end(first)

    def test_a_table_deleted_after_its_restore_began_is_still_kept(self):
        world = World()

        def between(reached):
            if item_of(reached, "bank.accounts").phase is ItemPhase.RESTORING and "bank.accounts" in world.account.tables:
                world.account.delete("bank.accounts")

        world.protect_to_the_end(between=between)
        assert world.backups_of() == ALL

    def test_pitr_switched_off_while_a_table_is_queued_is_an_error_that_names_it(self):
        world = World(max_concurrent_restores=1)

        def between(reached):
            if item_of(reached, "bank.history").phase is ItemPhase.QUEUED:
                world.account.tables["bank.history"].recovery_since = None

        with pytest.raises(NotReady, match=r"bank\.history cannot be restored .* changed during this run"):
            world.protect_to_the_end(between=between)

    def test_missing_metadata_is_an_error_and_nothing_is_begun(self):
        world = World()
        world.account.tables.pop("scalardb.metadata")
        with pytest.raises(NotReady, match="metadata table"):
            world.protect(None)

    def test_a_point_with_a_fraction_of_a_second_is_refused(self):
        world = World()
        with pytest.raises(InvalidRequest, match="whole second"):
            world.access.protect(DATABASE, world.storages, POINT + timedelta(seconds=0.5), True, None)


class TestOthersAtWork:
    def test_a_table_of_somebody_else_with_our_name_is_not_touched_and_named(self):
        world = World()
        world.account.add(SIDE)
        with pytest.raises(NotReady, match="not a point-in-time restore"):
            world.protect_to_the_end()
        assert SIDE in world.account.side_tables()

    def test_a_backup_of_another_table_that_bears_our_name_is_not_taken_for_the_copy(self):
        world = World()
        world.clock.advance(1)
        foreign = world.account._new_backup(world.account.tables["bank.accounts"], SIDE, "USER")
        reached = world.protect_to_the_end()
        assert item_of(reached, "bank.accounts").backup_arn != foreign.arn
        assert foreign.arn in world.account.backups

    def test_never_more_restores_than_allowed_run_at_once(self):
        world = World([f"t{number}" for number in range(57)], max_concurrent_restores=5)
        world.account.restore_seconds, world.account.backup_seconds, world.account.lag = 5, 1, 0
        world.protect_to_the_end()
        assert len(world.backups_of()) == 60
        assert world.account.most_restores == 5

    def test_restores_of_other_plans_take_slots_too(self):
        world = World(max_concurrent_restores=2)
        world.account.lag, world.account.restore_seconds = 0, 60
        other = world.account.add("scalar-backup.20261124T025900Z.other.accounts", age=0)
        other.active_at = world.clock.now() + timedelta(hours=1)
        counts = []
        world.protect_to_the_end(
            between=lambda reached: counts.append(sum(item.phase is ItemPhase.RESTORING for item in reached.items))
        )
        assert max(counts) == 1
        assert world.account.side_tables() == {other.name}

    def test_a_full_account_leaves_tables_queued_until_a_slot_is_free(self):
        world = World()
        world.account.lag, world.account.max_restores, world.account.restore_seconds = 0, 2, 30
        first = world.protect(None)
        assert sorted(phases(first).values()) == [ItemPhase.QUEUED] * 3 + [ItemPhase.RESTORING] * 2
        queued = [item for item in first.items if item.phase is ItemPhase.QUEUED]
        assert all("simultaneous restores" in item.note for item in queued)
        world.protect_to_the_end(first)
        assert world.backups_of() == ALL


class TestBadDays:
    @pytest.mark.parametrize("fault", ["ThrottlingException", "no answer", "InternalServerError"])
    @pytest.mark.parametrize(
        "operation",
        ["describe_continuous_backups", "restore_table_to_point_in_time", "create_backup", "delete_table"],
    )
    def test_a_call_that_fails_for_a_while_only_delays(self, operation, fault):
        world = World()
        world.account.lag = 0
        world.account.faults[operation] = [fault] * 12
        messages = []
        reached = world.protect_to_the_end(between=lambda reached: messages.append(reached.message))
        assert world.backups_of() == ALL
        assert any("Held up" in message for message in messages)
        assert all(item.note == "" for item in reached.items)

    @pytest.mark.parametrize(("fault", "error"), [("ThrottlingException", Throttled), ("no answer", Unreachable)])
    def test_when_nothing_can_be_seen_the_engine_is_told(self, fault, error):
        world = World()
        world.account.faults["list_tables"] = [fault]
        with pytest.raises(error):
            world.protect(None)

    def test_a_missing_right_ends_the_run_and_is_named(self):
        world = World()
        world.account.lag = 0
        world.account.faults["restore_table_to_point_in_time"] = ["AccessDeniedException"]
        with pytest.raises(Forbidden, match="dynamodb:RestoreTableToPointInTime"):
            world.protect(None)

    def test_hundreds_of_tables_never_hold_a_call_longer_than_a_minute(self):
        world = World([f"t{number:04}" for number in range(300)])
        world.account.lag, world.account.restore_seconds, world.account.call_seconds = 0, 60, 0.0035
        world.account.page = 100
        previous, longest = None, 0.0
        for _ in range(1_000):
            began = world.clock.monotonic()
            previous = world.protect(previous)
            longest = max(longest, world.clock.monotonic() - began)
            if previous.done:
                break
            world.clock.advance(previous.wait_seconds)
        assert len(world.backups_of()) == 303
        assert longest < 60
        assert world.account.most_restores <= 50

    def test_memory_of_another_point_is_not_used(self):
        world = World()
        other = world.access.protect(DATABASE, world.storages, POINT - timedelta(hours=1), False, None)
        assert other.done
        assert set(phases(world.protect(other)).values()) == {ItemPhase.WAITING}

    def test_a_protection_that_is_done_stays_done(self):
        world = World()
        done = world.protect_to_the_end()
        assert world.protect(done) == done

    def test_waits_grow_with_what_takes_long(self):
        world, waits = World(), []
        world.account.restore_seconds = 3_600
        world.protect_to_the_end(between=lambda reached: waits.append((phases(reached)["bank.accounts"], reached.wait_seconds)))
        restoring = [seconds for phase, seconds in waits if phase is ItemPhase.RESTORING]
        assert restoring[0] == 1
        assert restoring == sorted(restoring)
        assert restoring[-1] == 60
        assert len(waits) < 150
