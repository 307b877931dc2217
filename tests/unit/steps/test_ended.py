"""An execution that ended where no Catch could see it is recorded and told once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.model.errors import InvalidRequest
from shared.model.run import RunStatus
from shared.steps.ended import ended
from tests.unit.steps.engine import Engine
from tests.unit.steps.machine import Stopped
from tests.unit.steps.world import START, World

ASKED = {"plan": "orders-prod", "reason": "on-demand"}


def event(**changes: Any) -> dict[str, Any]:
    detail = {
        "executionArn": "arn:execution:e1",
        "startDate": round(START.timestamp() * 1000),
        "status": "ABORTED",
        "input": json.dumps(ASKED),
    }
    return {"detail": detail | changes}


async def stopped_at(where: str) -> World:
    def interrupt(call: str) -> None:
        if call == where:
            raise Stopped

    world = World(interrupt)
    assert await Engine(world).backup(ASKED) == "STOPPED"
    world._interrupt = None
    return world


async def test_a_run_stopped_while_it_protects_is_failed_and_told_with_its_point_left_captured() -> None:
    world = await stopped_at("before database.protect")
    await ended(event(), world)
    (run,) = world.stored.runs("orders-prod")
    assert (run.status, run.cause.code) == (RunStatus.FAILED, "Execution.ABORTED")
    (point,) = world.stored.points("orders-prod")
    assert (point.phase.value, point.cause.code) == ("captured", "Execution.ABORTED")
    assert [told.detail_type for told in world.told.published] == ["Backup Failed"]


async def test_pods_that_are_still_paused_are_said_to_be() -> None:
    world = await stopped_at("before releases.watch")
    await ended(event(status="TIMED_OUT"), world)
    assert world.told.published[-1].detail["pods_may_be_paused"] is True


async def test_a_run_that_has_concluded_by_itself_is_not_told_again() -> None:
    world = World()
    world.pods.outcomes = dict.fromkeys(world.pods.states, "refused")
    assert await Engine(world).backup(ASKED) == "FAILED"
    told = len(world.told.published)
    await ended(event(status="FAILED"), world)
    assert len(world.told.published) == told


async def test_a_success_is_never_made_a_failure() -> None:
    world = World()
    await Engine(world).backup(ASKED)
    await ended(event(), world)
    (run,) = world.stored.runs("orders-prod")
    assert run.status is RunStatus.SUCCEEDED
    assert world.told.published[-1].detail_type == "Backup Succeeded"


async def test_an_input_that_is_no_json_is_refused_in_words() -> None:
    with pytest.raises(InvalidRequest, match="not JSON"):
        await ended(event(input="{"), World())
