"""Whatever the moment at which the process dies, the next call goes on to the same end."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.model.protection import ItemPhase
from tests.unit.databases.fake_dynamodb import Killed
from tests.unit.databases.world import CORE, World

TABLES = sorted([*CORE, "bank.accounts"])


def quick_world():
    world = World(["accounts"])
    account = world.account
    account.lag, account.restore_seconds, account.backup_seconds, account.delete_seconds = 0, 2, 1, 1
    account.restored_are_protected = True
    return world


def calls_of_a_whole_run():
    world = quick_world()
    world.protect_to_the_end()
    return world.account.calls.total()


CALLS = calls_of_a_whole_run()


def killed_at(world, number, after_effect):
    """Runs until the process dies in its `number`-th call; returns what it had reported before, oldest first."""
    world.account.kill_at, world.account.kill_after_effect = world.account.calls.total() + number, after_effect
    reports = [None]
    with contextlib.suppress(Killed):
        world.protect_to_the_end(previous=None, between=reports.append)
    world.account.kill_at = None
    world.access = world.new_process()
    return reports


@settings(max_examples=80, deadline=None)
@given(
    numbers=st.lists(st.integers(1, CALLS), min_size=1, max_size=3),
    after_effect=st.booleans(),
    remembered=st.sampled_from(["nothing", "the last report", "an older report"]),
    listing_lag=st.sampled_from([0, 1]),
)
def test_a_kill_between_any_two_calls_ends_with_one_backup_per_table_and_no_side_table(
    numbers, after_effect, remembered, listing_lag
):
    world = quick_world()
    world.account.listing_lag = listing_lag
    live = world.account.live()
    for number in numbers:
        reports = killed_at(world, number, after_effect)
    previous = {"nothing": None, "the last report": reports[-1], "an older report": reports[len(reports) // 2]}[remembered]
    reached = world.protect_to_the_end(previous)
    assert world.backups_of() == TABLES
    assert world.account.side_tables() == set()
    assert world.account.live() == live
    assert {item.phase for item in reached.items} == {ItemPhase.KEPT}
    assert sorted(item.backup_arn for item in reached.items) == sorted(world.account.backups)
    assert all(item.settings for item in reached.items)


@pytest.mark.parametrize("operation", ["restore_table_to_point_in_time", "create_backup", "delete_table", "update_table"])
def test_a_kill_right_after_each_changing_call_loses_nothing(operation):
    world = quick_world()

    def arm(called, _):
        if called == operation and world.account.kill_at is None:
            world.account.kill_at, world.account.kill_after_effect = world.account.calls.total(), True

    world.account.before = arm
    with pytest.raises(Killed):
        world.protect_to_the_end()
    world.account.before, world.account.kill_at = lambda called, parameters: None, None
    world.access = world.new_process()
    world.protect_to_the_end()
    assert world.backups_of() == TABLES
    assert world.account.side_tables() == set()
