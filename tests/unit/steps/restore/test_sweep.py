"""The last net: runs whose end nobody has heard of are settled and told by the clock alone, and living runs are left alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.model.errors import Unreachable
from shared.model.run import Run, RunStatus
from shared.steps.begin import begin
from shared.steps.sweep import sweep
from tests.unit.steps.engine import Engine
from tests.unit.steps.machine import Stopped
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.stores import not_ready
from tests.unit.steps.restore.test_restore_flow import GOOD
from tests.unit.steps.restore.world import RDS, RestoreWorld
from tests.unit.steps.world import World

ASKED = {"action": "restore", "plan": "orders-prod"}
BACKUP = "orders-prod-20261123T220000Z-0a0a0a0a"


@pytest.fixture
def world() -> RestoreWorld:
    return RestoreWorld()


def told(world: World) -> list[str]:
    return [event.detail_type for event in world.told.published]


async def deserted(world: RestoreWorld, where: str = f"after database {RDS.key}.cut_over") -> str:
    """A restore whose execution was stopped there, and whose engine's event about it is lost."""
    engine = RestoreEngine(world)
    started = await engine.confirm(**ASKED)

    def stop(at: str) -> None:
        if at == where:
            raise Stopped

    world._interrupt = stop
    assert await engine.execute(started) == "STOPPED"
    world._interrupt = None
    return str(started["run"])


async def test_a_deserted_restore_is_halted_and_told_once_and_can_be_continued(world: RestoreWorld) -> None:
    run = await deserted(world)
    world.clock.advance(3600)
    answer = await sweep({}, world)
    assert (answer["settled"], answer["metrics"]) == ([run], {"RestoresHalted": 1})
    assert world.stored.run(run).status is RunStatus.HALTED
    (event,) = world.told.published
    assert (event.detail_type, event.detail["run"]) == ("Restore Halted", run)
    assert '"continue"' in event.detail["next"]
    world.clock.advance(3600)
    assert (await sweep({}, world)) == {"settled": [], "told": [], "metrics": {}}
    assert told(world) == ["Restore Halted"]
    ended, _ = await RestoreEngine(world).go_on("continue", run)
    assert (ended, world.reads()) == ("SUCCEEDED", GOOD)


async def test_a_restore_that_holds_its_plan_is_left_alone(world: RestoreWorld) -> None:
    run = await deserted(world)
    assert (await sweep({}, world))["settled"] == []
    assert world.stored.run(run).status is RunStatus.RUNNING


async def test_a_restore_that_the_next_backup_has_settled_in_silence_is_told(world: RestoreWorld) -> None:
    run = await deserted(world)
    world.clock.advance(3600)
    backup = Run(
        id=BACKUP, plan="orders-prod", plan_revision=1, reason="schedule", execution="arn:b", started_at=world.clock.now()
    )
    world.stored.create_run(backup)
    with pytest.raises(Exception, match="halted half way"):
        await begin({"run": BACKUP, "attempt": 1}, world)
    assert told(world) == []
    world.clock.advance(900)
    answer = await sweep({}, world)
    assert (answer["told"], answer["metrics"], told(world)) == ([run], {"RestoresHalted": 1}, ["Restore Halted"])
    assert (await sweep({}, world))["told"] == []


async def test_a_restore_that_is_halted_again_is_told_again_by_itself_and_not_by_the_sweep(world: RestoreWorld) -> None:
    world.stores[RDS.key].problems["cut_over"] = not_ready("No.")
    engine = RestoreEngine(world)
    _, run = await engine.restore()
    await engine.go_on("continue", run.id)
    world.clock.advance(3600)
    assert (await sweep({}, world))["told"] == []
    assert told(world) == ["Restore Halted"] * 2


async def test_an_event_that_could_not_be_published_is_published_by_the_next_sweep(world: RestoreWorld) -> None:
    run = await deserted(world)
    world.clock.advance(3600)

    def fail(at: str) -> None:
        if at == "before signals.publish":
            raise Unreachable("the event bus does not answer.")

    world._interrupt = fail
    with pytest.raises(Unreachable):
        await sweep({}, world)
    world._interrupt = None
    assert world.stored.run(run).status is RunStatus.HALTED
    world.clock.advance(3600)
    assert (await sweep({}, world))["told"] == [run]


async def test_a_deserted_backup_is_failed_and_told_and_its_plan_is_free() -> None:
    def stop(at: str) -> None:
        if at == "before database.protect":
            raise Stopped

    world = World(stop)
    assert await Engine(world).backup({"plan": "orders-prod", "reason": "on-demand"}) == "STOPPED"
    world._interrupt = None
    assert (await sweep({}, world))["settled"] == [], "it may be alive"
    world.clock.advance(timedelta(hours=2).total_seconds())
    answer = await sweep({}, world)
    (run,) = world.stored.runs("orders-prod")
    assert (answer["settled"], answer["metrics"]) == ([run.id], {"BackupsFailed": 1})
    assert (run.status, run.cause.code) == (RunStatus.FAILED, "Interrupted")
    assert told(world) == ["Backup Failed"]
    assert await Engine(world).backup({"plan": "orders-prod", "reason": "on-demand"}) == "SUCCEEDED"
