"""Snapshots of instances: one moment soon after the request, a state and a percentage, restores from them."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.relational.client import Connection, SqlClient
from tests.contract.aws.conftest import wait_until
from tests.contract.aws.rds_builders import (
    FAST_RDS,
    LONG,
    PASSWORD,
    SUFFIX,
    instance_status,
    make_instance,
    refused,
    until_instance,
)


@pytest.fixture
def rds(aws: Any, clients: Callable[[str], Any]) -> Any:
    aws.settings(**FAST_RDS)
    return clients("rds")


def session(aws: Any, name: str) -> Connection:
    return SqlClient(aws.url).connect(f"{name}.{SUFFIX}", 3306, "admin", PASSWORD)


def take(rds: Any, name: str = "first", **more: Any) -> dict[str, Any]:
    return dict(rds.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier=name, **more)["DBSnapshot"])


def snapshot(rds: Any, name: str = "first") -> dict[str, Any]:
    return dict(rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0])


def restore(rds: Any, target: str = "restored", **more: Any) -> dict[str, Any]:
    call = {"DBSnapshotIdentifier": "first", "DBInstanceIdentifier": target, **more}
    return dict(rds.restore_db_instance_from_db_snapshot(**call)["DBInstance"])


def test_a_snapshot_is_being_made_for_a_while(aws: Any, rds: Any) -> None:
    make_instance(rds)
    aws.settings(rds_snapshot_seconds=LONG)
    assert take(rds)["Status"] == "creating"
    assert snapshot(rds)["PercentProgress"] < 100
    assert instance_status(rds) == "backing-up"
    assert refused(lambda: restore(rds)) == "InvalidDBSnapshotState"
    assert refused(lambda: rds.delete_db_snapshot(DBSnapshotIdentifier="first")) == "InvalidDBSnapshotState"
    assert refused(lambda: take(rds, "second")) == "InvalidDBInstanceState"


def test_a_finished_snapshot_is_available_at_a_hundred_percent(rds: Any) -> None:
    made = make_instance(rds)
    take(rds)
    wait_until(lambda: snapshot(rds)["Status"] == "available", "the snapshot")
    found = snapshot(rds)
    assert (found["PercentProgress"], found["DbiResourceId"], found["SnapshotType"]) == (100, made["DbiResourceId"], "manual")


def test_a_snapshot_holds_one_moment_soon_after_the_request(aws: Any, rds: Any) -> None:
    make_instance(rds)
    live = session(aws, "orders")
    live.create_table("bank.savings")
    live.put("bank.savings", "counter", {"n": 0})
    aws.settings(rds_snapshot_seconds=0.3, rds_snapshot_skew_seconds=0.3)
    take(rds)
    number, deadline = 0, time.monotonic() + 0.5
    while time.monotonic() < deadline:
        number += 1
        live.put("bank.savings", "counter", {"n": number})
        live.put("bank.savings", "mirror", {"n": number})
    until_instance(rds, "available")
    restore(rds)
    rows = session(aws, "restored").scan("bank.savings")
    counter, mirror = rows["counter"]["n"], rows.get("mirror", {"n": 0})["n"]
    assert 0 <= counter < number
    assert counter - mirror in (0, 1)


def test_writes_after_a_finished_snapshot_are_not_in_it(aws: Any, rds: Any) -> None:
    make_instance(rds)
    live = session(aws, "orders")
    live.create_table("bank.savings")
    take(rds)
    assert snapshot(rds)["Status"] == "available"
    live.put("bank.savings", "1", {"balance": 1})
    restore(rds)
    assert session(aws, "restored").scan("bank.savings") == {}


def test_a_restore_from_a_snapshot_resets_what_it_is_not_given(rds: Any) -> None:
    make_instance(rds, MultiAZ=True, DeletionProtection=True, EnableIAMDatabaseAuthentication=True, MaxAllocatedStorage=99)
    take(rds)
    found = restore(rds)
    off = ("MultiAZ", "DeletionProtection", "IAMDatabaseAuthenticationEnabled", "CopyTagsToSnapshot")
    assert {name: found[name] for name in off} == dict.fromkeys(off, False)
    assert "MaxAllocatedStorage" not in found


def test_tags_go_into_a_snapshot_when_given_or_when_the_instance_copies_them(rds: Any) -> None:
    team, own = [{"Key": "team", "Value": "a"}], [{"Key": "run", "Value": "1"}]
    make_instance(rds, Tags=team)
    assert take(rds, "plain")["TagList"] == []
    assert take(rds, "own", Tags=own)["TagList"] == own
    rds.modify_db_instance(DBInstanceIdentifier="orders", CopyTagsToSnapshot=True)
    assert take(rds, "copied")["TagList"] == team


def test_a_restored_instance_has_the_tags_of_the_snapshots_source_unless_given_others(rds: Any) -> None:
    team, own = [{"Key": "team", "Value": "a"}], [{"Key": "run", "Value": "1"}]
    make_instance(rds, Tags=team)
    take(rds)
    assert restore(rds, "with-source-tags")["TagList"] == team
    assert restore(rds, "with-own-tags", Tags=own)["TagList"] == own


def test_snapshots_stay_when_their_instance_is_renamed_or_deleted(rds: Any) -> None:
    make_instance(rds)
    take(rds)
    rds.modify_db_instance(DBInstanceIdentifier="orders", NewDBInstanceIdentifier="orders-old", ApplyImmediately=True)
    until_instance(rds, "available", "orders-old")
    rds.delete_db_instance(DBInstanceIdentifier="orders-old", FinalDBSnapshotIdentifier="last")
    until_instance(rds, None, "orders-old")
    names = [entry["DBSnapshotIdentifier"] for entry in rds.describe_db_snapshots()["DBSnapshots"]]
    assert names == ["first", "last"]
    restore(rds)


def test_snapshots_are_found_by_instance_and_by_resource_id(rds: Any) -> None:
    made = make_instance(rds)
    take(rds)
    by_id = [{"Name": "dbi-resource-id", "Values": [made["DbiResourceId"]]}]
    for call in ({"DBInstanceIdentifier": "orders"}, {"Filters": by_id}):
        assert len(rds.describe_db_snapshots(**call)["DBSnapshots"]) == 1
    assert rds.describe_db_snapshots(DBInstanceIdentifier="other")["DBSnapshots"] == []
    assert rds.describe_db_snapshots(SnapshotType="automated")["DBSnapshots"] == []


def test_the_account_can_have_only_so_many_snapshots(aws: Any, rds: Any) -> None:
    aws.settings(rds_max_snapshots=1)
    make_instance(rds)
    take(rds)
    assert refused(lambda: take(rds, "second")) == "SnapshotQuotaExceeded"


def test_a_snapshot_name_is_taken_once_and_a_deleted_snapshot_is_gone(rds: Any) -> None:
    make_instance(rds)
    take(rds)
    assert refused(lambda: take(rds)) == "DBSnapshotAlreadyExists"
    rds.delete_db_snapshot(DBSnapshotIdentifier="first")
    assert refused(lambda: snapshot(rds)) == "DBSnapshotNotFound"
    assert refused(lambda: restore(rds)) == "DBSnapshotNotFound"
