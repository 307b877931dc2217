"""A check that finds a paused pod names the run that has paused it."""

from __future__ import annotations

from datetime import timedelta

from shared.model.checks import CheckResult, failed, passed
from shared.model.journal import JournalRelease, PauseJournal
from shared.steps.pausing_runs import name_pausing_runs
from tests.unit.steps.world import PLAN, PODS, RELEASE, START, World

PAUSED_BY_SOMEBODY = failed("not-paused", PODS[0], "is paused already.", "Look who did it.")
RESULTS = (PAUSED_BY_SOMEBODY, passed("admin-port", PODS[1]))


def open_pause(world: World) -> None:
    (snapshot,) = world.pods.observe([RELEASE])
    release = JournalRelease(
        key=RELEASE.key, cluster=RELEASE.cluster, namespace="scalar", helm_release="orders", product="scalardb-cluster",
        targets=snapshot.targets,
    )  # fmt: skip
    lease = world.stored.acquire_lease(PLAN.name, "the-run", START + timedelta(minutes=9), START)
    world.stored.open_pause(
        PauseJournal(
            plan=PLAN.name,
            run=lease.run,
            attempt=1,
            token=lease.token,
            opened_at=START,
            resume_by=START + timedelta(minutes=3),
            releases=(release,),
        )
    )


def named(world: World) -> tuple[CheckResult, ...]:
    return name_pausing_runs(RESULTS, world.stored)


def test_the_run_is_named_with_the_time_at_which_its_watchdog_wakes() -> None:
    world = World()
    open_pause(world)
    pod, other = named(world)
    assert "run the-run of plan orders-prod" in pod.detail
    assert "2026-11-23T18:03:00" in pod.detail
    assert "--run the-run" in pod.hint
    assert other == RESULTS[1]


def test_a_pause_that_no_run_of_ours_has_made_stays_somebody_elses() -> None:
    assert named(World()) == RESULTS


def test_a_pod_that_a_run_found_paused_by_somebody_else_is_not_put_down_to_that_run() -> None:
    world = World()
    open_pause(world)
    world.stored.mark_not_ours("the-run", 1, [world.pods.states[PODS[0]].uid])
    assert named(world) == RESULTS
