"""The next step of a table of a restore, as rules on what there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.databases.dynamodb.inventory import Backup
from shared.databases.dynamodb.live_table import LiveTable
from shared.databases.dynamodb.restore_steps import (
    Act,
    cut_over_step,
    delete_step,
    quiet_at,
    removal_step,
    replace_step,
    safety_step,
)

STOPPED = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
QUIET = quiet_at(STOPPED, 60)
LIVE = LiveTable(
    "t", "old-id", "ACTIVE", "", is_restoring=False, is_protected=False, size_bytes=1, replica_regions=(), described={}
)
SAFETY = Backup("arn:safety", "scalar-backup.old.x.t", "AVAILABLE", QUIET, 1, "t", "old-id")
SOURCE = Backup("arn:source", "scalar-backup.y.t", "AVAILABLE", STOPPED - timedelta(hours=1), 1, "scalar-backup.y.t", "side-id")
OURS = replace(LIVE, table_id="new-id", from_backup=SOURCE.arn)


def safety(live: LiveTable | None, *backups: Backup, now: datetime = QUIET, awaited: str = "") -> Act:
    return safety_step(live, backups, STOPPED, QUIET, now, awaited).act


def test_a_safety_backup_is_asked_for_only_when_nobody_has_written_for_long_enough() -> None:
    assert safety(LIVE, now=QUIET - timedelta(seconds=1)) is Act.WAIT
    assert safety(LIVE) is Act.BACK_UP


def test_a_backup_under_way_is_waited_for_and_a_finished_one_is_enough() -> None:
    assert safety(LIVE, replace(SAFETY, status="CREATING")) is Act.WAIT
    assert safety(LIVE, SAFETY) is Act.PREPARED


@pytest.mark.parametrize(
    "useless", [replace(SAFETY, table_id="another-id"), replace(SAFETY, created_at=STOPPED - timedelta(seconds=1))]
)
def test_a_backup_of_another_table_or_from_before_the_stop_is_none(useless: Backup) -> None:
    assert safety(LIVE, useless) is Act.BACK_UP


def test_a_missing_table_needs_no_safety_backup() -> None:
    assert safety(None) is Act.PREPARED


@pytest.mark.parametrize(
    ("live", "act"),
    [
        (replace(LIVE, status="DELETING"), Act.CONFLICT),
        (replace(LIVE, status="CREATING", is_restoring=True), Act.CONFLICT),
        (replace(LIVE, status="INACCESSIBLE_ENCRYPTION_CREDENTIALS"), Act.REFUSE),
    ],
)
def test_a_table_that_somebody_else_works_on_or_that_cannot_be_read_is_left_alone(live: LiveTable, act: Act) -> None:
    assert safety(live) is act


def test_a_table_that_the_restore_which_is_taken_back_still_makes_is_waited_for() -> None:
    creating = replace(OURS, status="CREATING", is_restoring=True)
    assert safety(creating, awaited=SOURCE.arn) is Act.WAIT


def cut_over(live: LiveTable | None, source: str = SOURCE.arn, replaced_id: str = "old-id", kept_id: str = "point-id") -> Act:
    return cut_over_step(live, source, replaced_id, kept_id).act


def test_the_table_with_a_safety_backup_is_replaced_and_the_one_that_was_made_never_again() -> None:
    assert cut_over(LIVE) is Act.REPLACE
    assert cut_over(OURS) is Act.SETTLE
    assert cut_over(replace(OURS, status="CREATING", is_restoring=True)) is Act.WAIT


def test_a_table_that_an_earlier_restore_made_from_the_same_backup_is_replaced_all_the_same() -> None:
    assert cut_over(replace(OURS, table_id="old-id")) is Act.REPLACE


def test_a_table_that_has_gone_is_restored() -> None:
    assert cut_over(None) is Act.RESTORE


@pytest.mark.parametrize("replaced_id", ["old-id", ""])
def test_a_table_that_appeared_meanwhile_is_not_touched(replaced_id: str) -> None:
    assert cut_over(replace(LIVE, table_id="foreign-id"), replaced_id=replaced_id) is Act.CONFLICT


def test_a_table_that_was_never_replaced_only_gets_its_settings_back() -> None:
    assert cut_over(LIVE, source="", replaced_id="", kept_id="old-id") is Act.SETTLE
    assert cut_over(LIVE, source="", replaced_id="", kept_id="another-id") is Act.CONFLICT
    assert cut_over(None, source="", replaced_id="", kept_id="old-id") is Act.CONFLICT


@pytest.mark.parametrize("live", [LIVE, OURS])
def test_a_table_whose_key_cannot_be_used_is_said_and_not_waited_for(live: LiveTable) -> None:
    step = cut_over_step(replace(live, status="INACCESSIBLE_ENCRYPTION_CREDENTIALS"), SOURCE.arn, "old-id", "point-id")
    assert step.act is Act.CONFLICT
    assert "INACCESSIBLE_ENCRYPTION_CREDENTIALS" in step.reason


def removal(live: LiveTable | None, kept_id: str = "new-id") -> Act:
    return removal_step(live, SOURCE.arn, kept_id).act


def test_the_table_that_an_undone_restore_has_made_is_removed_once_and_waited_for_while_it_goes() -> None:
    assert removal(OURS) is Act.REPLACE
    assert removal(replace(OURS, status="DELETING")) is Act.WAIT
    assert removal(None) is Act.REMOVED
    assert removal(None, kept_id="") is Act.REMOVED


@pytest.mark.parametrize(
    ("live", "kept_id"),
    [
        (OURS, ""),
        (OURS, "another-id"),
        (replace(OURS, from_backup=""), "new-id"),
        (replace(OURS, from_backup="arn:other"), "new-id"),
        (replace(OURS, status="INACCESSIBLE_ENCRYPTION_CREDENTIALS"), "new-id"),
    ],
)
def test_no_other_table_is_removed_and_none_without_a_safety_backup_of_it(live: LiveTable, kept_id: str) -> None:
    assert removal(live, kept_id) is Act.CONFLICT


def test_deletion_protection_is_switched_off_before_the_table_is_deleted() -> None:
    assert replace_step(replace(LIVE, is_protected=True), SOURCE, SAFETY, STOPPED, True).act is Act.UNPROTECT
    assert replace_step(LIVE, SOURCE, SAFETY, STOPPED, True).act is Act.DELETE


def test_a_table_that_may_have_been_written_to_after_its_safety_backup_gets_another_one_first() -> None:
    stopped_again = SAFETY.created_at + timedelta(seconds=1)
    assert replace_step(LIVE, SOURCE, SAFETY, stopped_again, True).act is Act.BACK_UP
    assert replace_step(LIVE, SOURCE, SAFETY, None, True).act is Act.REFUSE


def test_of_a_table_that_is_gone_the_newest_safety_backup_is_kept() -> None:
    newer = replace(SAFETY, arn="arn:newer", created_at=SAFETY.created_at + timedelta(hours=1))
    unfinished = replace(newer, arn="arn:unfinished", status="CREATING")
    assert safety_step(None, [SAFETY, newer, unfinished], STOPPED, QUIET, QUIET).kept is newer


STATES = st.sampled_from(["AVAILABLE", "CREATING", "DELETED"])
sources = st.none() | STATES.map(lambda status: replace(SOURCE, status=status))
safeties = st.none() | st.builds(
    lambda status, table_id: replace(SAFETY, status=status, table_id=table_id),
    STATES,
    st.sampled_from(["old-id", "another-id"]),
)
stops = st.none() | st.sampled_from([STOPPED, QUIET + timedelta(seconds=1)])


@given(source=sources, backup=safeties, stopped_at=stops, stored=st.booleans(), protected=st.booleans())
def test_a_table_is_changed_only_while_both_backups_are_available_and_its_settings_stored(
    source: Backup | None, backup: Backup | None, stopped_at: datetime | None, stored: bool, protected: bool
) -> None:
    step = replace_step(replace(LIVE, is_protected=protected), source, backup, stopped_at, stored)
    is_safe = (
        source is not None
        and source.status == "AVAILABLE"
        and backup is not None
        and backup.status == "AVAILABLE"
        and backup.table_id == LIVE.table_id
        and stopped_at is not None
        and backup.created_at >= stopped_at
        and stored
    )
    assert (step.act in (Act.DELETE, Act.UNPROTECT)) == is_safe
    assert bool(step.reason) != is_safe
    of_removal = delete_step(replace(LIVE, is_protected=protected), backup, stopped_at, stored)
    is_source_there = source is not None and source.status == "AVAILABLE"
    assert of_removal == step or not is_source_there
