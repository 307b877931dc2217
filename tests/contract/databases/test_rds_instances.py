"""RDS DB instances in the strict sandbox: the data comes back under the same name and endpoint, with every setting it had."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from infra.sandbox.aws.process import RunningAws
from infra.sandbox.relational.client import DatabaseError
from shared.databases.rds.instance_compare import differences
from shared.model.checks import CheckStatus, failures
from shared.model.errors import NotReady
from shared.model.plan import CutOver
from shared.model.protection import ItemPhase
from shared.model.records import replace
from shared.model.restore import RestoreStage, Target
from tests.contract.databases.conftest import WallClock
from tests.contract.databases.rds_instance_world import FAMILIES, NAME, RdsWorld, later

STAMP, LATER = "20261124t030000z", "20261124t030100z"


@pytest.fixture
def world(server: RunningAws) -> Iterator[RdsWorld]:
    return RdsWorld(server, WallClock())


@pytest.mark.parametrize("multi_az", [False, True], ids=["single", "multi-az"])
@pytest.mark.parametrize("engine", FAMILIES)
def test_the_data_of_the_point_comes_back_with_every_setting_and_an_undo_brings_back_what_was_there(
    server: RunningAws, engine: str, multi_az: bool
) -> None:
    world = RdsWorld(server, WallClock(), engine, multi_az)
    before = world.settings()
    world.write(100)
    point = world.point_now()
    world.write(999)
    protection = world.protect(point)
    assert protection.items[0].phase is ItemPhase.COVERED
    order = world.order(protection)
    assert failures(world.access.forecast(order).checks) == ()
    restored = world.restore(order)
    assert (restored.stage, restored.changed_live, restored.endpoints) == (RestoreStage.DONE, True, ())
    assert world.rows() == {"alice": {"amount": 100}}
    assert differences(before, world.settings()) == {}
    assert world.names() == {NAME, f"{NAME}-old{STAMP}"}
    assert {check.status for check in world.access.verify(order, restored)} == {CheckStatus.OK}
    undo = later(order, restored)
    assert failures(world.access.forecast(undo).checks) == ()
    undone = world.restore(undo)
    assert world.rows() == {"alice": {"amount": 999}}
    assert world.settings().resource_id == before.resource_id
    assert world.names() == {NAME, f"{NAME}-old{LATER}"}
    assert {check.status for check in world.access.verify(undo, undone)} == {CheckStatus.OK}
    assert world.discard(undo, undone).stage is RestoreStage.DISCARDED
    assert world.names() == {NAME}


def test_an_instance_that_was_deleted_comes_back_from_its_retained_backups(world: RdsWorld) -> None:
    world.write(100)
    point = world.point_now()
    order = world.order(world.protect(point))
    before = world.settings()
    world.rds.modify_db_instance(DBInstanceIdentifier=NAME, DeletionProtection=False)
    world.rds.delete_db_instance(DBInstanceIdentifier=NAME, SkipFinalSnapshot=True, DeleteAutomatedBackups=False)
    world.wait(lambda: world.names() == set())
    restored = world.restore(order)
    assert world.rows() == {"alice": {"amount": 100}}
    assert differences(before, world.settings()) == {}
    assert (restored.items[0].kept, restored.items[0].kept_settings) == ("", {})


def test_a_snapshot_of_the_window_outlives_the_automated_backups(world: RdsWorld) -> None:
    database = replace(world.database, snapshot=True)
    world.write(100)
    begun = world.access.begin_snapshot(database, "orders-20261124T020000Z-1f2e3d4c", 1)
    assert begun.arn == world.access.begin_snapshot(database, "orders-20261124T020000Z-1f2e3d4c", 1).arn
    point = world.point_now()
    protection = world.protect(point, database, begun.arn)
    assert (protection.items[0].phase, protection.items[0].restorable_until) == (ItemPhase.KEPT, None)
    world.write(999)
    before = world.settings()
    world.rds.modify_db_instance(DBInstanceIdentifier=NAME, DeletionProtection=False)
    world.rds.delete_db_instance(DBInstanceIdentifier=NAME, SkipFinalSnapshot=True)
    world.wait(lambda: world.names() == set())
    order = replace(world.order(protection), database=database)
    assert world.access.forecast(order).source == "snapshot"
    world.restore(order)
    assert world.rows() == {"alice": {"amount": 100}}
    assert differences(before, world.settings()) == {}


def test_with_endpoint_nothing_is_renamed_and_the_answer_says_where_to_lead_the_properties(world: RdsWorld) -> None:
    world.database = replace(world.database, cut_over=CutOver.ENDPOINT)
    world.write(100)
    order = world.order(world.protect(world.point_now()))
    world.write(999)
    restored = world.restore(order)
    (move,) = restored.endpoints
    assert (move.old, restored.changed_live) == (world.endpoint, False)
    assert (world.rows(move.new), world.rows(move.old)) == ({"alice": {"amount": 100}}, {"alice": {"amount": 999}})
    undone = world.restore(later(order, restored))
    assert (undone.endpoints[0].old, undone.endpoints[0].new) == (move.new, move.old)
    assert world.names() == {NAME, f"{NAME}-r{STAMP}"}


def test_side_by_side_makes_a_copy_and_touches_nothing_and_discard_removes_it(world: RdsWorld) -> None:
    world.write(100)
    order = world.order(world.protect(world.point_now()), target=Target.SIDE_BY_SIDE)
    world.write(999)
    restored = world.prepare(order)
    assert restored.stage is RestoreStage.DONE
    assert world.rows(world.settings(f"{NAME}-r{STAMP}").endpoint) == {"alice": {"amount": 100}}
    assert world.rows() == {"alice": {"amount": 999}}
    world.discard(order, restored)
    assert world.names() == {NAME}


def test_while_the_names_change_hands_nobody_reaches_the_wrong_data(world: RdsWorld) -> None:
    world.write(100)
    order = world.order(world.protect(world.point_now()))
    world.write(999)
    reached = world.prepare(order)
    seen = set()
    while not reached.done or reached.stage is RestoreStage.PREPARED:
        reached = world.access.cut_over(order, reached)
        try:
            seen.add(world.rows()["alice"]["amount"])
        except DatabaseError as error:
            seen.add(error.code)
        time.sleep(0.02)
    assert world.rows() == {"alice": {"amount": 100}}
    assert seen - {100, 999}


def test_a_point_that_is_not_restorable_yet_is_waited_for(world: RdsWorld) -> None:
    world.write(100)
    order = world.order(world.protect(world.point_now()))
    world.aws.settings(rds_lag_seconds=3)
    forecast = world.access.forecast(order)
    assert failures(forecast.checks) == ()
    assert forecast.ready_at is not None
    waiting = world.access.restore(order, None)
    assert "waiting until" in waiting.message
    assert world.names() == {NAME}
    world.aws.settings(rds_lag_seconds=0)
    assert world.prepare(order, waiting).stage is RestoreStage.PREPARED


def test_a_quota_that_is_reached_is_named(world: RdsWorld) -> None:
    order = world.order(world.protect(world.point_now()))
    world.aws.settings(rds_max_instances=1)
    with pytest.raises(NotReady, match="quota of DB instances is reached"):
        world.access.restore(order, None)


def test_a_point_out_of_the_window_is_refused_with_the_window(world: RdsWorld) -> None:
    protection = world.protect(world.point_now())
    order = world.order(protection, at=protection.point.replace(year=2020))
    (problem,) = failures(world.access.forecast(order).checks)
    assert "cannot be restored" in problem.detail
    with pytest.raises(NotReady, match=r"can be restored to .* Nothing live was touched"):
        world.access.restore(order, None)


def test_the_instance_checks_out(world: RdsWorld) -> None:
    world.wait(lambda: "LatestRestorableTime" in world.described())
    checks = world.access.check(world.database, world.storages)
    assert {check.status for check in checks} == {CheckStatus.OK}
    assert {check.name for check in checks} >= {"rds-automated-backups", "rds-endpoint", "rds-engine", "rds-status"}


async def test_the_clock_of_the_service_is_measured(world: RdsWorld) -> None:
    import asyncio

    class Sleeping(WallClock):
        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    bounds = await world.access.measure_clock(world.database, Sleeping())
    assert bounds.is_measured
    assert bounds.lower_seconds <= 0 <= bounds.upper_seconds
