"""The next step towards a kept copy, as a rule on what there is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.databases.dynamodb.inventory import Backup, SideTable
from shared.databases.dynamodb.kept_copy import Act, next_step
from shared.model.protection import ItemPhase

POINT = datetime(2026, 11, 24, 3, 0, 14, tzinfo=UTC)
SIDE = SideTable("scalar-backup.x.t", "ACTIVE", source="t", restored_to=POINT, is_restoring=False, is_protected=False)
OLD = Backup("arn:1", SIDE.name, "AVAILABLE", POINT + timedelta(minutes=30), 10)
YOUNG = Backup("arn:2", SIDE.name, "AVAILABLE", POINT + timedelta(minutes=31), 10)
RUNNING = Backup("arn:3", SIDE.name, "CREATING", POINT + timedelta(minutes=32), None)


def step(side, *backups):
    return next_step("t", POINT, side, backups)


def test_nothing_there_asks_for_a_restore():
    assert step(None).act is Act.RESTORE


def test_a_side_table_being_restored_is_waited_for():
    creating = replace(SIDE, status="CREATING", is_restoring=True)
    assert (step(creating).act, step(creating).phase) == (Act.WAIT, ItemPhase.RESTORING)


def test_an_active_table_whose_restore_still_runs_is_not_backed_up():
    assert step(replace(SIDE, is_restoring=True)).act is Act.WAIT


def test_a_finished_side_table_is_backed_up():
    assert step(SIDE).act is Act.BACK_UP


def test_a_backup_under_way_is_waited_for_and_not_made_again():
    assert (step(SIDE, RUNNING).act, step(SIDE, RUNNING).phase) == (Act.WAIT, ItemPhase.COPYING)


def test_of_two_backups_the_older_is_kept_and_the_side_table_stays_meanwhile():
    found = step(SIDE, OLD, YOUNG)
    assert (found.act, found.kept, found.duplicates) == (Act.DROP_DUPLICATES, OLD, (YOUNG,))


def test_a_duplicate_under_way_is_waited_for_before_the_table_counts_as_kept():
    assert step(None, OLD, RUNNING).act is Act.WAIT


def test_a_side_table_whose_backup_is_finished_is_deleted():
    assert step(SIDE, OLD).act is Act.DELETE_SIDE


def test_deletion_protection_of_a_side_table_is_switched_off_first():
    assert step(replace(SIDE, is_protected=True), OLD).act is Act.UNPROTECT


def test_a_finished_backup_without_a_side_table_is_the_end():
    assert (step(None, OLD).act, step(None, OLD).phase) == (Act.FINISH, ItemPhase.KEPT)


def test_a_side_table_that_is_being_deleted_without_a_backup_is_waited_for_until_it_is_gone():
    assert step(replace(SIDE, status="DELETING")).act is Act.WAIT


@pytest.mark.parametrize(
    ("strange", "says"),
    [
        (replace(SIDE, source=None, restored_to=None), "not a point-in-time restore"),
        (replace(SIDE, source="other"), "restored from other"),
        (replace(SIDE, restored_to=POINT + timedelta(seconds=1)), "2026-11-24T03:00:15"),
        (replace(SIDE, status="INACCESSIBLE_ENCRYPTION_CREDENTIALS"), "INACCESSIBLE_ENCRYPTION_CREDENTIALS"),
    ],
)
def test_a_table_that_only_has_our_name_is_refused_with_what_it_is(strange, says):
    found = step(strange)
    assert found.act is Act.REFUSE
    assert says in found.reason


@given(
    side=st.sampled_from([None, SIDE, replace(SIDE, status="DELETING"), replace(SIDE, status="CREATING", is_restoring=True)]),
    backups=st.lists(st.sampled_from([OLD, YOUNG, RUNNING]), unique=True).map(lambda found: sorted(found, key=lambda b: b.arn)),
)
def test_a_side_table_is_deleted_only_when_a_finished_backup_is_kept(side, backups):
    found = step(side, *backups)
    if found.act in (Act.DELETE_SIDE, Act.UNPROTECT, Act.DROP_DUPLICATES, Act.FINISH):
        assert found.kept is not None
        assert found.kept.status == "AVAILABLE"
        assert found.kept not in found.duplicates
