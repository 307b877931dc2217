"""The way to the pods is chosen before the pause, told by the check, and kept in the journal for whoever resumes them."""

from __future__ import annotations

from shared.model.run import AttemptStatus
from shared.steps import evidence
from shared.steps.check import check
from tests.unit.steps.engine import Engine
from tests.unit.steps.world import RELEASE, World

ASKED = {"action": "backup", "plan": "orders-prod", "reason": "on-demand"}


async def test_the_check_says_which_way_was_chosen_for_each_release() -> None:
    world = World()
    world.pods.overlay = True
    answer = await check({"plan": "orders-prod"}, world)
    (told,) = [item for item in answer["checks"] if item["name"] == "transport"]
    assert (told["subject"], told["detail"]) == (RELEASE.key, "port-forward")


async def test_pods_that_no_way_reaches_fail_the_check_and_are_never_paused() -> None:
    world = World()
    world.pods.unreachable = "neither way reaches the pods."
    assert await Engine(world).backup(ASKED) == "FAILED"
    assert all(times == [] for times in world.pods.paused_times.values())
    (run,) = world.stored.runs("orders-prod")
    assert "neither way reaches the pods." in run.cause.message


async def test_the_chosen_way_is_in_the_journal_and_in_the_evidence() -> None:
    world = World()
    world.pods.overlay = True
    assert await Engine(world).backup(ASKED) == "SUCCEEDED"
    (run,) = world.stored.runs("orders-prod")
    journal = world.stored.pause_journal(run.id, 1)
    before = evidence.load_evidence(world.stored, run.id, 1).before
    assert {target.transport for target in journal.to_resume} == {"port-forward"}
    assert {target.transport for target in before[0].targets} == {"port-forward"}


async def test_a_way_that_closes_between_check_and_pause_voids_the_attempt_without_a_pause() -> None:
    def close(call: str) -> None:
        if call == "before catalog.acquire_lease":
            world.pods.unreachable = "neither way reaches the pods."

    world = World(interrupt=close)
    assert await Engine(world).backup(ASKED) == "FAILED"
    (run,) = world.stored.runs("orders-prod")
    assert {(attempt.status, attempt.cause.code) for attempt in run.attempts} == {(AttemptStatus.INVALID, "NotReady")}
    assert all(times == [] for times in world.pods.paused_times.values())
