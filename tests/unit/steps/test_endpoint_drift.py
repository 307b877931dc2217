"""The check step holds the properties against what earlier restores of the plan have written."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.model.endpoint_change import EndpointChange
from shared.model.records import replace
from shared.steps import evidence
from shared.steps.check import check
from tests.unit.steps.world import PLAN, RELEASE, START, World

RESTORED = EndpointChange(
    release=RELEASE.key, storage="default", old="eu-west-1", new="ap-northeast-1", run="r-1", changed_at=START
)


async def drift(world: World) -> list[str]:
    answer = await check({"plan": PLAN.name}, world)
    return [result["status"] for result in answer["checks"] if result["name"] == "endpoint-drift"]


async def test_a_plan_that_was_never_restored_has_nothing_to_compare() -> None:
    assert await drift(World()) == []


@pytest.mark.parametrize("is_back", [False, True])
async def test_a_release_led_back_to_the_old_database_fails_the_check(is_back: bool) -> None:
    world = World()
    changes = [RESTORED]
    if is_back:
        changes += [replace(RESTORED, old=RESTORED.new, new=RESTORED.old, changed_at=START + timedelta(hours=1))]
    evidence.save(world.stored, PLAN.name, evidence.ENDPOINT_CHANGES, changes)
    assert await drift(world) == (["failed"] if is_back else ["ok"])
