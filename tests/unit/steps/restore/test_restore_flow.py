"""A restore from the payload to the application that serves the old state again, over the product's own state machines."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model.records import replace
from shared.model.run import RunStatus
from shared.steps import evidence
from shared.steps.restore import restore_clean_up
from shared.steps.restore.record import load_record
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.stores import host_of
from tests.unit.steps.restore.world import AURORA, LEDGER, POINT_ID, RDS, TABLES, RestoreWorld

GOOD = {TABLES.key: "good", RDS.key: "good", AURORA.key: "good"}
NOTHING_DUE = {"discarded": [], "waiting": [], "problems": {}, "metrics": {"CleanUpProblems": 0}}
SPOILT = dict.fromkeys(GOOD, "spoilt")


@pytest.fixture
def world() -> RestoreWorld:
    return RestoreWorld()


async def test_a_restore_brings_every_database_back_and_the_application_serves_it(world: RestoreWorld) -> None:
    ended, run = await RestoreEngine(world).restore()
    assert (ended, run.status, run.point) == ("SUCCEEDED", RunStatus.SUCCEEDED, POINT_ID)
    assert world.reads() == GOOD
    assert world.all_serve
    assert world.violations == [], "nothing live was changed while a pod ran"


async def test_what_was_replaced_is_kept_and_nothing_is_deleted(world: RestoreWorld) -> None:
    engine = RestoreEngine(world)
    _, run = await engine.restore(keep_old="48h")
    record = load_record(world.stored, run.id)
    assert (record.kept_until - run.ended_at).total_seconds() == 48 * 3600
    assert [store.deleted for store in world.stores.values()] == [[], [], []]
    assert [len(store.copies) for store in world.stores.values()] == [2, 2, 2]


async def test_a_changed_endpoint_is_written_recorded_and_told(world: RestoreWorld) -> None:
    _, run = await RestoreEngine(world).restore()
    record = load_record(world.stored, run.id)
    new = host_of(f"ledger-r{record.stamp}")
    assert world.leading.hosts[LEDGER.key] == new
    (change,) = evidence.endpoint_changes(world.stored, "orders-prod")
    assert (change.run, change.old, change.new) == (run.id, host_of("ledger"), new)
    assert world.told.published[-1].detail["values_changes"] == {LEDGER.key: f"contactPoints: {new}\n"}


async def test_an_undo_brings_back_what_was_there_before_and_an_undo_of_it_the_restored_state(world: RestoreWorld) -> None:
    engine = RestoreEngine(world)
    _, first = await engine.restore()
    world.clock.advance(3600)
    ended, second = await engine.undo(first.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", SPOILT, True)
    assert load_record(world.stored, first.id).undone_by == second.id
    world.clock.advance(3600)
    ended, _ = await engine.undo(second.id)
    assert (ended, world.reads(), world.all_serve) == ("SUCCEEDED", GOOD, True)
    assert world.violations == []
    assert sum(len(store.made) for store in world.stores.values()) == 3, "only the first restore made copies"


async def test_side_by_side_touches_neither_the_application_nor_what_is_live(world: RestoreWorld) -> None:
    engine = RestoreEngine(world)
    ended, run = await engine.restore(target="side-by-side", databases=[RDS.key])
    assert (ended, run.status, world.reads()) == ("SUCCEEDED", RunStatus.SUCCEEDED, SPOILT)
    assert "Stop the application" not in engine.visited
    store = world.stores[RDS.key]
    assert [copy.value for name, copy in store.copies.items() if name != "orders-db"] == ["good"]
    assert world.stores[TABLES.key].made == []


async def test_the_order_is_the_same_in_every_call_of_a_restore(world: RestoreWorld) -> None:
    _, run = await RestoreEngine(world).restore()
    for store in world.stores.values():
        assert len({(order.run, order.stamp, order.at, order.stopped_at) for order in store.orders}) == 1
        assert store.orders[0].run == run.id
        assert store.orders[0].protection.items[0].name == store.live
        assert store.orders[0].stopped_at is not None


async def test_a_release_that_was_at_zero_stays_at_zero(world: RestoreWorld) -> None:
    world.apps.replicas_of[LEDGER.key] = world.apps.running[LEDGER.key] = 0
    ended, _ = await RestoreEngine(world).restore()
    assert (ended, world.apps.running[LEDGER.key]) == ("SUCCEEDED", 0)


async def test_waits_grow_so_that_hours_fit_into_an_engines_history(world: RestoreWorld) -> None:
    world.stores[RDS.key].restore_seconds = 24 * 3600.0
    engine = RestoreEngine(world)
    calls = 0
    original = engine._call

    async def counting(target: str, payload: dict) -> object:
        nonlocal calls
        calls += payload.get("step") == "restore_prepare" and payload.get("database") == RDS.key
        return await original(target, payload)

    engine._call = counting  # type: ignore[method-assign]
    ended, _ = await engine.restore(target="side-by-side", databases=[RDS.key])
    assert ended == "SUCCEEDED"
    assert calls * 9 < 25_000 * 0.6, "events of one round: task 5, choice 2, wait 2"


async def test_old_copies_are_deleted_when_their_time_is_over_and_not_before(world: RestoreWorld) -> None:
    _, run = await RestoreEngine(world).restore()
    assert await restore_clean_up({}, world) == NOTHING_DUE
    world.clock.advance(73 * 3600)
    assert (await restore_clean_up({}, world))["waiting"] == [run.id]
    assert (await restore_clean_up({}, world))["discarded"] == [run.id]
    assert [len(store.deleted) for store in world.stores.values()] == [1, 1, 0], "what kept its own name bears no stamp"
    assert world.reads() == GOOD
    assert load_record(world.stored, run.id).discarded
    assert await restore_clean_up({}, world) == NOTHING_DUE


async def test_a_release_led_back_by_an_upgrade_before_it_serves_is_not_called_restored(world: RestoreWorld) -> None:
    engine = RestoreEngine(world)
    start = world.apps.start

    async def start_after_an_upgrade(release: Any, *given: Any) -> Any:
        world.leading.hosts[LEDGER.key] = host_of("ledger")
        return await start(release, *given)

    world.apps.start = start_after_an_upgrade  # type: ignore[method-assign]
    ended, run = await engine.restore()
    assert (ended, run.status) == ("FAILED", RunStatus.HALTED)
    assert f"leads to {host_of('ledger')} again" in run.cause.message


async def test_clean_up_looks_at_where_the_newest_backup_saw_the_releases_lead(world: RestoreWorld) -> None:
    _, run = await RestoreEngine(world).restore()
    world.clock.advance(80 * 3600)
    seen = world.releases.storage([LEDGER])
    backup = replace(world.stored.run(POINT_ID), id="orders-prod-20261126T030000Z-00000001", started_at=world.clock.now())
    world.stored.create_run(backup)
    evidence.save(world.stored, backup.id, evidence.STORAGE, seen)
    await restore_clean_up({}, world)
    assert {order.storages for store in world.stores.values() for order in store.orders if order.run == run.id} >= {seen}
