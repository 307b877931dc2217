"""What a broken hold is blamed on, when several signs of it arrive at once."""

from __future__ import annotations

from shared.model.pods import PodEvent, PodEventType, WatchReport
from shared.model.records import replace
from tests.unit.steps.engine import Engine
from tests.unit.steps.world import PODS, RELEASE, World


async def test_a_pod_that_is_being_deleted_is_the_cause_and_not_the_silence_that_follows() -> None:
    world = World()
    samples_while_paused = []

    def strike_in_the_hold() -> None:
        if world.pods.paused_since:
            samples_while_paused.append(True)
        if len(samples_while_paused) == 3:
            deleted = replace(world.pods.states[PODS[1]], deleting=True)
            world.pods.silent = {PODS[1]}
            world.pods.events.append(PodEvent(release=RELEASE.key, type=PodEventType.MODIFIED, pod=deleted))

    world.pods.on_sample = strike_in_the_hold
    await Engine(world).backup({"action": "backup", "plan": "orders-prod", "reason": "on-demand"})
    (run,) = world.stored.runs("orders-prod")
    cause = run.attempts[0].cause
    assert cause is not None
    assert (cause.code, PODS[1] in cause.message) == ("pod-deleting", True)


async def test_a_restart_is_the_cause_also_when_the_watch_tells_it_after_the_pod_has_failed_to_confirm() -> None:
    world = World()
    struck: list[float] = []
    samples_while_paused = []

    def strike_in_the_hold() -> None:
        if world.pods.paused_since:
            samples_while_paused.append(True)
        if len(samples_while_paused) == 3 and not struck:
            struck.append(world.clock.monotonic())
            world.pods.restart(PODS[1])

    original = world.pods.report

    def late_report() -> WatchReport:
        report = original()
        if not struck or world.clock.monotonic() < struck[0] + 0.5:
            return report
        event = PodEvent(release=RELEASE.key, type=PodEventType.MODIFIED, pod=world.pods.states[PODS[1]])
        return replace(report, events=(event,))

    world.pods.on_sample = strike_in_the_hold
    world.pods.report = late_report  # type: ignore[method-assign]
    await Engine(world).backup({"action": "backup", "plan": "orders-prod", "reason": "on-demand"})
    (run,) = world.stored.runs("orders-prod")
    assert run.attempts[0].cause is not None
    assert run.attempts[0].cause.code == "container-restarted"
