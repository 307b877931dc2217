"""Snapshots inside the pause window: asked for beside the samples, handed to protect, and never a reason to lose the pause."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from shared.model.errors import Throttled
from shared.model.plan import RdsInstance
from shared.model.protection import WindowSnapshot
from shared.model.records import replace
from shared.steps import evidence
from tests.unit.steps.engine import Engine
from tests.unit.steps.world import PLAN, START, FakeDatabase, World

ASKED = {"plan": "orders-prod", "reason": "on-demand"}
RDS = RdsInstance(region="ap-northeast-1", instance="orders-db", snapshot=True)
ARN = "arn:aws:rds:ap-northeast-1:1:snapshot:scalar-backup-1"


class SnapshotWorld(World):
    """One database with a snapshot in its window; `paused` tells whether all pods were paused when it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.stored.put_plan(replace(PLAN, databases=(*PLAN.databases, RDS)), START)
        self.rds = FakeRds(self)

    def database(self, database: Any) -> Any:
        return self.rds if database.key == RDS.key else super().database(database)


class FakeRds(FakeDatabase):
    def __init__(self, world: SnapshotWorld) -> None:
        super().__init__(world.clock)
        self.world, self.previous, self.asked = world, [], []  # type: ignore[var-annotated]
        self.problem_of_snapshot: Exception | None = None
        self.answers_after_seconds = 0.0

    def with_tables(self, database: Any, storages: Any) -> Any:
        return database

    def begin_snapshot(self, database: RdsInstance, run: str, attempt: int) -> WindowSnapshot:
        self.asked.append((run, attempt, len(self.world.pods.paused_since)))
        time.sleep(self.answers_after_seconds)
        if self.problem_of_snapshot:
            raise self.problem_of_snapshot
        return WindowSnapshot(database=database.key, arn=ARN, asked_at=self.world.clock.now())

    def protect(self, database: Any, storages: Any, point: Any, kept_copy: bool, previous: Any) -> Any:
        self.previous.append(previous)
        counted = previous if previous and previous.message else None
        return super().protect(database, storages, point, kept_copy, counted)


@pytest.fixture
def world() -> SnapshotWorld:
    return SnapshotWorld()


@pytest.fixture
def _answers_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread needs real time, of which the virtual seconds of a hold take none."""

    async def at_once(call: Any, *args: Any) -> Any:
        return call(*args)

    monkeypatch.setattr(asyncio, "to_thread", at_once)


@pytest.mark.usefixtures("_answers_at_once")
async def test_a_snapshot_is_asked_for_while_every_pod_is_paused_and_handed_to_protect(world: SnapshotWorld) -> None:
    assert await Engine(world).backup(ASKED) == "SUCCEEDED"
    (run,) = world.stored.runs("orders-prod")
    assert world.rds.asked == [(run.id, 1, 3)]
    first = world.rds.previous[0]
    assert (first.database, first.point) == (RDS.key, run.attempts[0].point)
    assert [(item.name, item.phase.value, item.backup_arn) for item in first.items] == [("orders-db", "waiting", ARN)]


@pytest.mark.usefixtures("_answers_at_once")
@pytest.mark.parametrize("problem", [Throttled("Rate exceeded.", hint="Later."), KeyError("surprise")])
async def test_a_snapshot_that_is_refused_leaves_the_pause_whole_and_a_note(world: SnapshotWorld, problem: Exception) -> None:
    world.rds.problem_of_snapshot = problem
    assert await Engine(world).backup(ASKED) == "SUCCEEDED"
    (run,) = world.stored.runs("orders-prod")
    (taken,) = evidence.load(world.stored, run.id, evidence.snapshots(1), tuple[WindowSnapshot, ...])
    assert taken.arn == ""
    assert str(problem.args[0]).strip("'") in taken.problem
    assert world.rds.previous[0].items[0].note == taken.problem


async def test_a_service_that_does_not_answer_prolongs_the_hold_by_a_quarter_of_a_minute_at_most(
    world: SnapshotWorld,
) -> None:
    world.rds.answers_after_seconds = 0.3  # real time: the hold's seconds are virtual and pass at once
    assert await Engine(world).backup(ASKED) == "SUCCEEDED"
    point = world.stored.point("orders-prod", "latest")
    held = (point.window.resume_began_at - point.window.confirmed_at).total_seconds()
    assert 24 < held < 27
    await asyncio.sleep(0.3)  # the thread outlives its window
    taken = evidence.load(world.stored, point.id, evidence.snapshots(1), tuple[WindowSnapshot, ...])
    assert [item.problem for item in taken] == ["The service did not answer while the pods were paused."]


async def test_without_a_snapshot_in_the_plan_nothing_is_asked_for_and_nothing_waits() -> None:
    world = World()
    assert await Engine(world).backup(ASKED) == "SUCCEEDED"
    point = world.stored.point("orders-prod", "latest")
    assert world.stored.document(point.id, evidence.snapshots(1)) is None
