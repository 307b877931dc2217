"""The clean-up of a restore deletes what this restore made and kept: nothing of another one, and nothing that is used."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model.errors import NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, RestoreOrder, RestoreStage, Target
from tests.unit.databases.fake_dynamodb import REGION
from tests.unit.databases.restore_world import STAMP, RestoreWorld
from tests.unit.databases.world import DATABASE, release

TABLES = ["bank.accounts", "coordinator.state", "scalardb.metadata", "scalardb.namespaces"]
ASIDE = f"scalar-backup.restored.{STAMP}."


def part_of(world: RestoreWorld, *tables: str, **changes: Any) -> RestoreOrder:
    """A restore of a plan that has only these tables."""
    items = tuple(item for item in world.protection.items if item.name in tables)
    return world.order(protection=replace(world.protection, items=items), **changes)


def beside(world: RestoreWorld, **changes: Any) -> RestoreOrder:
    return world.order(target=Target.SIDE_BY_SIDE, stopped_at=None, **changes)


def nothing_noted(order: RestoreOrder) -> DatabaseRestore:
    return DatabaseRestore(database=DATABASE.key, stage=RestoreStage.PREPARING, stamp=order.stamp)


def test_the_safety_backups_of_another_restore_of_the_same_second_stay() -> None:
    world = RestoreWorld()
    first, other = part_of(world, *TABLES[:2]), part_of(world, *TABLES[2:])
    restored = world.restore(first)
    world.prepare(other)
    assert world.discard(restored, first).stage is RestoreStage.DISCARDED
    assert world.safety_backups() == TABLES[2:]


def test_the_tables_beside_of_another_restore_of_the_same_second_stay() -> None:
    world = RestoreWorld()
    aside: dict[str, Any] = {"target": Target.SIDE_BY_SIDE, "stopped_at": None}
    first, other = part_of(world, *TABLES[:2], **aside), part_of(world, *TABLES[2:], **aside)
    restored = world.prepare(first)
    world.prepare(other)
    world.discard(restored, first)
    assert world.account.side_tables() == {ASIDE + name for name in TABLES[2:]}


def test_a_backup_that_only_bears_the_name_of_a_safety_backup_stays() -> None:
    world = RestoreWorld()
    restored = world.restore()
    world.account.call(
        "dynamodb",
        "create_backup",
        {"TableName": "coordinator.state", "BackupName": f"scalar-backup.old.{STAMP}.bank.accounts"},
    )
    world.clock.advance(60)
    world.discard(restored)
    (left,) = [backup for backup in world.account.backups.values() if ".old." in backup.name]
    assert left.table == "coordinator.state"


@pytest.mark.parametrize(
    ("properties", "where"),
    [
        ({"namespace_prefix": ASIDE}, ASIDE),
        ({"namespace_prefix": "scalar-backup.", "namespaces": (f"restored.{STAMP}.bank",)}, f"{ASIDE}bank."),
        ({"coordinator_namespace": f"{ASIDE}coordinator"}, f"{ASIDE}coordinator."),
        ({"namespace_prefix": "${PREFIX}"}, "${PREFIX}"),
    ],
)
def test_tables_beside_that_properties_lead_to_or_may_lead_to_are_not_deleted(properties: dict[str, Any], where: str) -> None:
    world = RestoreWorld()
    restored = world.prepare(beside(world))
    order = beside(world, storages=(*world.storages, release(**properties)))
    with pytest.raises(NotReady) as refused:
        world.access.discard(order, restored)
    assert f"{ASIDE}bank.accounts" in refused.value.message
    assert f"prod/scalar/orders (ConfigMap orders, storage 'default': {where}" in refused.value.message
    assert world.account.side_tables() == {ASIDE + name for name in TABLES}
    world.discard(restored, beside(world))
    assert world.account.side_tables() == set()


@pytest.mark.parametrize(
    "properties",
    [
        {"namespace_prefix": "scalar-backup.restored.20251124t050000z."},
        {"namespace_prefix": "scalar"},
        {"namespace_prefix": ""},
    ],
)
def test_properties_that_lead_elsewhere_do_not_keep_the_tables_beside(properties: dict[str, Any]) -> None:
    world = RestoreWorld()
    restored = world.prepare(beside(world))
    world.discard(restored, beside(world, storages=(release(**properties),)))
    assert world.account.side_tables() == set()


def test_properties_of_another_region_do_not_keep_the_tables_beside() -> None:
    world = RestoreWorld()
    restored = world.prepare(beside(world))
    (storage,) = release(namespace_prefix=ASIDE).storages
    assert storage.contact_point == REGION
    elsewhere = replace(release(), storages=(replace(storage, contact_point="us-east-1"),))
    world.discard(restored, beside(world, storages=(elsewhere,)))
    assert world.account.side_tables() == set()


@pytest.mark.parametrize("is_plain_time", [False, True])
def test_what_was_made_and_never_noted_is_found_by_the_tables_of_the_restore(is_plain_time: bool) -> None:
    world = RestoreWorld()
    order = beside(world)
    world.prepare(order)
    order = replace(order, protection=None) if is_plain_time else order
    assert world.discard(nothing_noted(order), order).stage is RestoreStage.DISCARDED
    assert world.account.side_tables() == set()


def test_where_nothing_was_made_and_there_is_no_table_nothing_is_left() -> None:
    world = RestoreWorld()
    order = replace(beside(world), protection=None, storages=())
    assert world.discard(nothing_noted(order), order).done
