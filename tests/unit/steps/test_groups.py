"""Releases that are paused together: callers before what they call, back in the opposite order, in one window; or refused."""

from __future__ import annotations

from typing import Any

import pytest

from shared.model.plan import PauseSettings, Plan
from shared.model.records import replace
from shared.model.run import RunStatus
from shared.steps import evidence
from shared.steps.check import check
from tests.unit.steps.engine import Engine
from tests.unit.steps.world import PLAN, PODS, RELEASE, START, Pods, VirtualClock, World

LEDGER, AUDITOR, API = (replace(RELEASE, helm_release=name) for name in ("ledger", "auditor", "orders-api"))
PRODUCTS = {"ledger": "ledger", "auditor": "auditor", "orders-api": "participant"}
GROUP = replace(PLAN, releases=(LEDGER, AUDITOR, replace(API, selector="app=orders-api", admin_port=60053)))
ASKED = {"action": "backup", "plan": PLAN.name, "reason": "on-demand"}


class GroupOfPods(Pods):
    """One pod per release, in the order of PODS. `told` notes every Pause and Unpause with its pods."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.told: list[tuple[str, list[str]]] = []
        self.pods_of = dict(zip(PRODUCTS, [[name] for name in PODS], strict=True))

    async def pause(self, targets: Any, drain_seconds: float, answered: Any) -> Any:
        self.told.append(("pause", [target.pod for target in targets]))
        return await super().pause(targets, drain_seconds, answered)

    async def resume(self, targets: Any, budget_seconds: float) -> Any:
        self.told.append(("resume", [target.pod for target in targets]))
        return await super().resume(targets, budget_seconds)

    def _snapshot(self, release: Any) -> Any:
        whole = super()._snapshot(release)
        names = self.pods_of[release.helm_release]
        deployment = replace(whole.deployment, replicas=len(names), updated_replicas=len(names), ready_replicas=len(names))
        return replace(
            whole,
            product=PRODUCTS[release.helm_release],
            pods=tuple(pod for pod in whole.pods if pod.name in names),
            targets=tuple(target for target in whole.targets if target.pod in names),
            deployment=deployment,
        )


@pytest.fixture
def world() -> World:
    made = World()
    made.pods = GroupOfPods(made.clock)
    return made


def apply(world: World, plan: Plan, **pause: Any) -> None:
    settings = {"max_pause_seconds": 400.0, **pause}
    world.stored.put_plan(replace(plan, pause=replace(PauseSettings(), **settings)), START)


async def run_of(world: World) -> Any:
    await Engine(world).backup(ASKED)
    (run,) = world.stored.runs(PLAN.name)
    return run


def failed(answer: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["detail"] for item in answer["checks"] if item["status"] == "failed"}


async def test_callers_are_paused_first_and_resumed_last_in_one_common_window(world: World) -> None:
    apply(world, GROUP)
    run = await run_of(world)
    assert run.status is RunStatus.SUCCEEDED
    ledger, auditor, api = PODS
    assert world.pods.told == [
        ("pause", [api]),
        ("pause", [auditor]),
        ("pause", [ledger]),
        ("resume", [ledger]),
        ("resume", [auditor]),
        ("resume", [api]),
    ]
    point = world.stored.point(PLAN.name, "latest")
    assert (point.window.pods, world.pods.were_all_paused_at(point.at)) == (3, True)


async def test_answers_are_timed_from_the_first_pause_of_all_stages(world: World) -> None:
    apply(world, GROUP)
    run = await run_of(world)
    found = evidence.load_evidence(world.stored, run.id, 1)
    times = [item.answered_ms for item in found.pause.acknowledgements]
    assert times == sorted(times)
    assert times[-1] > times[0]


async def test_a_stage_that_fails_spares_the_next_one_and_its_pods_are_never_resumed(world: World) -> None:
    apply(world, GROUP, attempts=1)
    world.pods.outcomes = {PODS[1]: "refused"}
    run = await run_of(world)
    assert run.attempts[0].cause.code == "pause-refused"
    assert "pause.drain" in run.attempts[0].cause.hint
    assert [what for what in world.pods.told if PODS[0] in what[1]] == []
    assert world.pods.all_open


async def test_a_stage_that_does_not_answer_keeps_no_other_pod_paused(world: World) -> None:
    apply(world, GROUP, attempts=1)
    ledger, auditor, api = PODS
    world.pods.on_sample = lambda: world.pods.stuck.add(ledger) if len(world.pods.paused_since) == 3 else None
    await Engine(world).backup(ASKED)
    assert auditor not in world.pods.paused_since
    assert api not in world.pods.paused_since


async def test_an_auditor_without_its_ledger_fails_the_check_and_is_never_paused(world: World) -> None:
    apply(world, replace(GROUP, releases=(AUDITOR,)))
    answer = await check({"plan": PLAN.name}, world)
    assert "Ledger is always paused" in failed(answer)["ledger-included"]
    await Engine(world).backup(ASKED)
    assert world.pods.told == []


async def test_stages_that_cannot_all_drain_before_the_watchdog_wakes_fail_the_check(world: World) -> None:
    apply(world, GROUP, max_pause_seconds=180.0)
    answer = await check({"plan": PLAN.name}, world)
    assert failed(answer) == {
        "pause-fits": "the releases are paused in 3 stages, each with its own drain: up to 215 s with the hold."
    }


async def test_a_pod_that_two_entries_name_fails_the_check(world: World) -> None:
    apply(world, GROUP)
    world.pods.pods_of["orders-api"] = [PODS[0]]
    answer = await check({"plan": PLAN.name}, world)
    other = "ap-northeast-1/prod-tokyo/scalar/ledger"
    assert failed(answer)["pods-apart"] == f"1 of 1 pods also belong to {other}: {PODS[0]}."


async def test_a_participant_is_not_asked_for_its_properties(world: World) -> None:
    apply(world, GROUP)
    asked: list[str] = []
    storage = world.pods.storage

    def noted(releases: Any) -> Any:
        asked.extend(release.helm_release for release in releases)
        return storage(releases)

    world.pods.storage = noted  # type: ignore[method-assign]
    await check({"plan": PLAN.name}, world)
    assert sorted(asked) == ["auditor", "ledger"]


def annotated(world: World, name: str) -> None:
    world.pods.states[name] = replace(world.pods.states[name], resource_version="another")


@pytest.mark.parametrize("strict", [False, True])
async def test_a_write_without_a_change_is_noted_or_with_strict_voids_the_window(world: World, strict: bool) -> None:
    apply(world, GROUP, attempts=1, strict=strict)
    world.pods.on_sample = lambda: annotated(world, PODS[0]) if world.pods.paused_since else None
    run = await run_of(world)
    (point,) = world.stored.points(PLAN.name)
    if strict:
        assert (run.attempts[0].cause.code, point.notes) == ("resource-version", ())
    else:
        assert run.status is RunStatus.SUCCEEDED
        assert f"same processes: pod {PODS[0]}" in point.notes[0]
