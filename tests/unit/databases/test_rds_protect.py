"""RDS instances in a backup: what the checks find, what the snapshot of the window is worth, when a point is covered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.databases.rds import names, tags
from shared.databases.rds.actions import CHECK_ACTIONS, PROTECT_ACTIONS, WINDOW_SNAPSHOT_ACTIONS
from shared.databases.rds.errors import aws_code, in_our_words, none_if_gone
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.inventory import Instance
from shared.model.checks import CheckStatus, failures
from shared.model.errors import (
    BackupError,
    Conflict,
    Forbidden,
    InvalidRequest,
    Misconfigured,
    NotReady,
    Throttled,
    Unreachable,
)
from shared.model.instance_settings import InstanceSettings
from shared.model.protection import ItemPhase
from shared.model.records import from_record, replace
from shared.model.storage import ReleaseStorage, Storage
from tests.unit.databases.fake_clock import FakeClock
from tests.unit.databases.fake_rds import _OPERATIONS, SUFFIX
from tests.unit.databases.rds_world import NAME, RUN, STAMP, RdsWorld


def release(url: str) -> ReleaseStorage:
    return ReleaseStorage(
        release="prod/orders", source="ConfigMap orders", storages=(Storage(name="default", kind="jdbc", contact_point=url),)
    )


OURS = release(f"jdbc:mysql://{NAME}.{SUFFIX}:3307/")


def found(world: RdsWorld, *storages: ReleaseStorage) -> dict[str, CheckStatus]:
    return {check.name: check.status for check in world.access.check(world.database, storages or (OURS,))}


# -- checks


def test_a_good_instance_passes_every_check_with_the_allowed_actions() -> None:
    world = RdsWorld()
    assert set(found(world).values()) == {CheckStatus.OK}
    assert {f"rds:{_OPERATIONS[name]}" for name in world.account.calls} == set(CHECK_ACTIONS)


@pytest.mark.parametrize(
    ("settings", "check", "status"),
    [
        ({"BackupRetentionPeriod": 0}, "rds-automated-backups", CheckStatus.FAILED),
        ({"Engine": "custom-sqlserver-ee"}, "rds-engine", CheckStatus.FAILED),
        ({"Engine": "db2-se"}, "rds-engine", CheckStatus.FAILED),
        ({"DBClusterIdentifier": "orders-cluster"}, "rds-engine", CheckStatus.FAILED),
        ({"ReadReplicaSourceDBInstanceIdentifier": "main"}, "rds-replica", CheckStatus.FAILED),
        ({"ReadReplicaDBInstanceIdentifiers": ["reader"]}, "rds-read-replicas", CheckStatus.WARNING),
        ({"PendingModifiedValues": {"DBInstanceClass": "db.r6g.xlarge"}}, "rds-pending", CheckStatus.WARNING),
        ({"DeletionProtection": False}, "rds-deletion-protection", CheckStatus.WARNING),
    ],
)
def test_what_stands_in_the_way_of_a_restore_is_named(settings: dict[str, Any], check: str, status: CheckStatus) -> None:
    assert found(RdsWorld(**settings))[check] is status


def test_a_stopped_instance_fails_the_check() -> None:
    world = RdsWorld()
    world.account.named(NAME).rest = "stopped"
    assert found(world)["rds-status"] is CheckStatus.FAILED


def test_recovery_that_lags_is_a_warning() -> None:
    world = RdsWorld()
    world.account.lag = 1200
    assert found(world)["rds-recovery-lag"] is CheckStatus.WARNING


def test_a_missing_instance_is_told_with_names_like_it() -> None:
    world = RdsWorld()
    world.database = replace(world.database, instance="order")
    (check,) = world.access.check(world.database, ())
    assert "There are: orders" in check.detail


@pytest.mark.parametrize(
    "url", [f"jdbc:mysql://{NAME}.other.ap-northeast-1.rds.amazonaws.com/", "jdbc:mysql://db.example.com/"]
)
def test_a_release_that_leads_elsewhere_or_by_a_name_of_its_own_is_a_warning(url: str) -> None:
    assert found(RdsWorld(), release(url))["rds-endpoint"] is CheckStatus.WARNING


def test_a_missing_right_is_a_failed_check_that_names_it() -> None:
    world = RdsWorld()
    world.account.faults["describe_db_instances"] = ["AccessDenied"]
    (check,) = failures(world.access.check(world.database, ()))
    assert (check.name, "rds:DescribeDBInstances" in check.detail) == ("rds-rights", True)


def test_maintenance_that_cannot_be_asked_for_is_a_warning() -> None:
    world = RdsWorld()
    world.account.faults["describe_pending_maintenance_actions"] = ["InvalidAction"]
    assert found(world)["rds-pending"] is CheckStatus.WARNING


# -- protect


def test_a_point_is_covered_when_it_is_restorable_and_lives_as_long_as_the_retention() -> None:
    world = RdsWorld()
    item = world.protect().items[0]
    assert (item.phase, item.restorable_until) == (ItemPhase.COVERED, world.point + timedelta(days=7))
    assert from_record(item.settings, InstanceSettings).identifier == NAME


def test_a_point_that_lags_is_waited_for_ever_less_often() -> None:
    world = RdsWorld()
    world.account.lag = 7200
    world.protect()
    assert world.account.calls["describe_db_instances"] < 150


@pytest.mark.parametrize("settings", [{"BackupRetentionPeriod": 0}])
def test_without_automated_backups_there_is_no_point(settings: dict[str, Any]) -> None:
    with pytest.raises(NotReady, match="automated backups are off"):
        RdsWorld(**settings).protect()


def test_an_instance_that_was_replaced_after_the_point_is_told_with_its_new_name() -> None:
    world = RdsWorld()
    world.account.lag = 7200
    waiting = world.access.protect(world.database, (), world.point, True, None)
    world.account.named(NAME).name = "bookings"
    with pytest.raises(NotReady, match=r"does not exist\. It is called bookings now"):
        world.access.protect(world.database, (), world.point, True, waiting)


def test_a_point_within_a_second_is_refused() -> None:
    world = RdsWorld()
    with pytest.raises(InvalidRequest, match="cannot be restored to exactly"):
        world.access.protect(world.database, (), world.point.replace(microsecond=1), True, None)


# -- the snapshot of the window


class SnapshotWorld(RdsWorld):
    """The snapshot is asked for `before_point` seconds before the point."""

    def __init__(self, before_point: float = 4.0) -> None:
        super().__init__()
        self.database = replace(self.database, snapshot=True)
        self.begun = self.access.begin_snapshot(self.database, RUN, 1)
        self.point = (self.clock.now() + timedelta(seconds=before_point)).replace(microsecond=0)
        self.clock.advance(max(0.0, before_point) + 1)


def test_a_snapshot_taken_in_the_window_is_kept_and_marked() -> None:
    world = SnapshotWorld()
    item = world.protect(arn=world.begun.arn).items[0]
    assert (item.phase, item.backup_arn, item.restorable_until) == (ItemPhase.KEPT, world.begun.arn, None)
    (snapshot,) = world.account.snapshots.values()
    assert tags.as_mapping(snapshot["TagList"])[tags.POINT] == f"{world.point:%Y-%m-%dT%H:%M:%SZ}"
    used = {f"rds:{_OPERATIONS[name]}" for name in world.account.calls}
    assert used <= {*PROTECT_ACTIONS, *WINDOW_SNAPSHOT_ACTIONS}


def test_a_snapshot_that_the_service_took_too_late_leaves_the_point_to_the_automated_backups() -> None:
    world = SnapshotWorld()
    (snapshot,) = world.account.snapshots.values()
    snapshot["SnapshotCreateTime"] += timedelta(seconds=30)
    item = world.protect(arn=world.begun.arn).items[0]
    assert (item.phase, item.backup_arn) == (ItemPhase.COVERED, "")
    assert "not surely in the window. The point lives as long as the automated backups." in item.note


def test_a_snapshot_that_vanished_is_told() -> None:
    world = SnapshotWorld()
    world.account.snapshots.clear()
    assert "does not exist any more" in world.protect(arn=world.begun.arn).items[0].note


def test_why_no_snapshot_was_begun_stays_in_the_point() -> None:
    world = SnapshotWorld()
    assert world.protect(note="The quota is reached.").items[0].note.startswith("The quota is reached. The point lives")


def test_the_same_attempt_finds_its_snapshot_again_and_another_attempt_makes_another() -> None:
    world = SnapshotWorld()
    assert world.access.begin_snapshot(world.database, RUN, 1).arn == world.begun.arn
    world.later(1)
    assert world.access.begin_snapshot(world.database, RUN, 1).arn == world.begun.arn
    assert world.access.begin_snapshot(world.database, RUN, 2).arn != world.begun.arn


@pytest.mark.parametrize("code", ["SnapshotQuotaExceeded", "AccessDenied", "Throttling", "InvalidDBInstanceState"])
def test_a_refused_snapshot_is_a_problem_and_never_an_error(code: str) -> None:
    world = RdsWorld()
    world.account.faults["create_db_snapshot"] = [code]
    begun = world.access.begin_snapshot(world.database, RUN, 1)
    assert (begun.arn, code in begun.problem) == ("", True)


def test_a_clean_up_removes_old_snapshots_of_failed_runs_only() -> None:
    world = SnapshotWorld()
    world.later(1)
    kept = world.access.begin_snapshot(world.database, RUN, 2)
    world.later(1)
    world.account._add_tags_to_resource(ResourceName=kept.arn, Tags=tags.as_list({tags.POINT: "2026-11-24T00:00:00Z"}))
    world.account.snapshots["by-hand"] = {
        **world.account.snapshots[kept.arn.rpartition(":")[2]],
        "DBSnapshotIdentifier": "by-hand",
    }
    assert world.access.clean_up(world.database, frozenset()) == ()
    world.later(25)
    assert world.access.clean_up(world.database, frozenset({world.point})) == ()
    assert found(world)["rds-left-over"] is CheckStatus.WARNING
    assert world.access.clean_up(world.database, frozenset()) == (world.begun.arn.rpartition(":")[2],)
    assert set(world.account.snapshots) == {kept.arn.rpartition(":")[2], "by-hand"}


# -- names and errors

IDENTIFIER = st.from_regex(r"[a-z](-?[a-z0-9]){0,62}", fullmatch=True).filter(lambda text: len(text) <= 63)


@settings(deadline=None)
@given(IDENTIFIER)
def test_names_are_legal_bear_the_stamp_and_fit(identifier: str) -> None:
    for name in (names.side_name(identifier, STAMP), names.old_name(identifier, STAMP)):
        assert len(name) <= 63
        assert "--" not in name
        assert name[0].isalpha()
        assert names.bears_stamp(name, STAMP)


@settings(deadline=None)
@given(IDENTIFIER, IDENTIFIER)
def test_two_identifiers_never_share_a_name(one: str, other: str) -> None:
    if one != other:
        assert names.side_name(one, STAMP) != names.side_name(other, STAMP)


def test_a_snapshot_is_named_after_run_and_attempt() -> None:
    name = names.snapshot_name(RUN, 2, NAME)
    assert name.startswith("scalar-backup-20261124t040000z-")
    assert name.endswith("-2-orders")
    assert names.is_our_snapshot(name)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("DBInstanceNotFound", NotReady),
        ("DBClusterAlreadyExistsFault", Conflict),
        ("InvalidDBClusterStateFault", Conflict),
        ("InstanceQuotaExceeded", NotReady),
        ("InsufficientDBInstanceCapacity", NotReady),
        ("PointInTimeRestoreNotEnabled", NotReady),
        ("OptionGroupNotFoundFault", NotReady),
        ("KMSKeyNotAccessibleFault", NotReady),
        ("InvalidParameterCombination", Misconfigured),
        ("Throttling", Throttled),
        ("AccessDenied", Forbidden),
        ("ExpiredToken", Forbidden),
        ("InternalFailure", Unreachable),
        ("NeverHeardOf", BackupError),
    ],
)
def test_each_refusal_has_its_meaning_and_keeps_the_services_words(code: str, kind: type[BackupError]) -> None:
    with pytest.raises(kind, match=f"rds:Call on orders.*{code}: words") as caught, in_our_words("rds:Call", NAME):
        raise ClientError({"Error": {"Code": code, "Message": "words"}}, "Call")
    assert aws_code(caught.value) == code


def test_no_answer_is_unreachable() -> None:
    with pytest.raises(Unreachable), in_our_words("rds:Call", NAME):
        raise EndpointConnectionError(endpoint_url="https://rds")


def test_only_what_is_gone_is_none() -> None:
    def call(code: str) -> Any:
        with in_our_words("rds:Call", NAME):
            raise ClientError({"Error": {"Code": code, "Message": ""}}, "Call")

    assert none_if_gone(lambda: call("DBSnapshotNotFound")) is None
    with pytest.raises(Forbidden):
        none_if_gone(lambda: call("AccessDenied"))


def test_groups_that_are_being_removed_are_not_part_of_the_settings() -> None:
    described = {
        "DBInstanceIdentifier": NAME,
        "DbiResourceId": "db-1",
        "DBInstanceArn": "arn",
        "OptionGroupMemberships": [
            {"OptionGroupName": "old", "Status": "removing"},
            {"OptionGroupName": "new", "Status": "applying"},
        ],
        "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-9", "Status": "removing"}],
    }
    settings = read(Instance(described), FakeClock().now())
    assert (settings.option_group, settings.security_groups) == ("new", ())
