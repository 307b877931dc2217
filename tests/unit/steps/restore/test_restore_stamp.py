"""The stamp in the names of what a restore makes: its own, and one that every room knows again."""

from __future__ import annotations

import pytest

from shared.databases.cosmos import names as cosmos
from shared.databases.dynamodb import names as dynamodb
from shared.databases.flexible_servers import names as servers
from shared.databases.rds import names as rds
from shared.model.records import replace
from shared.model.restore import RestorePlan, RestoreRequest
from shared.steps.restore.plan import restore_run_id, stamp_of
from shared.steps.restore.record import load_record
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.world import POINT_AT, RestoreWorld
from tests.unit.steps.world import START

PLAN = RestorePlan(
    id="",
    request=RestoreRequest(plan="orders-prod"),
    point="p",
    at=POINT_AT,
    made_at=START.replace(microsecond=0),
    databases=(),
)
OTHERS = (
    replace(PLAN, request=RestoreRequest(plan="orders-test")),
    replace(PLAN, request=RestoreRequest(plan="orders-prod", databases=("dynamodb:ap-northeast-1",))),
    replace(PLAN, point="", at=None, undo_of="orders-prod-20261123T040000Z-0a0b0c0d"),
)
STAMP = stamp_of(PLAN)


@pytest.mark.parametrize("other", OTHERS)
def test_two_restores_that_were_asked_for_in_the_same_second_have_different_stamps_and_runs(other: RestorePlan) -> None:
    assert stamp_of(other) != STAMP
    assert restore_run_id(other) != restore_run_id(PLAN)


async def test_a_stamp_is_the_end_of_the_runs_id_so_that_a_name_leads_to_its_run() -> None:
    world = RestoreWorld()
    _, run = await RestoreEngine(world).restore()
    record = load_record(world.stored, run.id)
    assert run.id.lower() == f"orders-prod-{record.stamp}"
    assert {order.stamp for store in world.stores.values() for order in store.orders} == {record.stamp}


@pytest.mark.parametrize("length", [1, 20, 36, 63])
def test_rds_knows_its_names_again_and_they_fit(length: int) -> None:
    live = "d" * length
    for name in (rds.side_name(live, STAMP), rds.old_name(live, STAMP)):
        assert len(name) <= rds.LONGEST_IDENTIFIER
        assert rds.bears_stamp(name, STAMP)
        assert rds.is_aside(name)
        assert not any(rds.bears_stamp(name, stamp_of(other)) for other in OTHERS)
    assert not rds.is_aside(live)


def test_what_is_beside_a_database_is_told_from_what_is_beside_a_copy_of_it() -> None:
    side = rds.side_name("orders", STAMP)
    assert rds.is_side_of(side, "orders")
    assert not rds.is_side_of(rds.old_name("orders", STAMP), "orders")
    assert not rds.is_side_of(rds.side_name(side, stamp_of(OTHERS[0])), "orders")


@pytest.mark.parametrize("length", [3, 17, 18, 44])
def test_azure_names_lose_an_older_stamp_and_fit(length: int) -> None:
    live = "d" * length
    for room in (cosmos, servers):
        name = room.side_name(live, STAMP)
        assert len(name) <= room.LONGEST_NAME
        assert room.bears_stamp(name, STAMP)
        again = room.side_name(name, stamp_of(OTHERS[0]))
        assert STAMP not in again
        assert room.base_name(again) == room.base_name(name)


def test_tables_of_two_restores_in_one_second_are_told_apart_by_their_prefix() -> None:
    mine = (dynamodb.restored_name(STAMP, "orders"), dynamodb.old_name(STAMP, "orders"))
    for other in OTHERS:
        prefixes = (dynamodb.restored_prefix(stamp_of(other)), dynamodb.old_prefix(stamp_of(other)))
        assert not any(name.startswith(prefixes) for name in mine)
    assert dynamodb.point_of_copy(mine[0]) is None
