"""Several runs want the same plan or the same pods: one works, the others are refused by name and leave the pods alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from shared.model.records import replace
from shared.model.restore_point import PauseWindow
from shared.model.run import AttemptStatus, Run, RunStatus
from tests.scenarios.deployment import Deployment, codes

pytestmark = [pytest.mark.both_clouds, pytest.mark.stand_in_only(reason="runs meet in the catalog and at the pods' gates")]

RELEASE, PLAN, OTHER_PLAN = "crowded", "crowd-one", "crowd-two"
SLOW = {"SANDBOX_PAUSE_LATENCY_SECONDS": "4"}
"""So long the first run has its lease and its journal before a pod is paused. The checks of the others pass meanwhile, on a
busy machine as well."""


@pytest.fixture(scope="module")
def crowd(shared_deployment: Deployment) -> Iterator[list[Run]]:
    """Two executions of one plan and one of another plan with the same release, all started in the same moment. Then two with
    another release, the second when the first had paused it."""
    deployment = shared_deployment
    with deployment.world.environment():
        deployment.world.install(RELEASE, environment=SLOW)
        deployment.world.install("held")
        for plan, release in ((PLAN, RELEASE), (OTHER_PLAN, RELEASE), ("held-first", "held"), ("held-second", "held")):
            deployment.apply(plan, release)
        executions = [deployment.start(plan) for plan in (PLAN, PLAN, OTHER_PLAN, "held-first")]
        deployment.await_pause("held")
        executions.append(deployment.start("held-second"))
        yield [deployment.run_of(deployment.finish(execution)) for execution in executions]


def test_of_two_executions_of_a_plan_one_runs_and_the_other_is_refused_and_recorded(
    deployment: Deployment, crowd: list[Run]
) -> None:
    deployment.followed += [run.execution for run in crowd]
    refused, worked = sorted(crowd[:2], key=lambda run: run.status is RunStatus.SUCCEEDED)
    assert worked.status is RunStatus.SUCCEEDED, worked.cause
    assert refused.status is RunStatus.FAILED
    assert refused.cause is not None
    assert refused.cause.code == "LeaseHeld"
    assert worked.id in refused.cause.message, "the holder is named"
    assert refused.attempts == ()
    assert [point.id for point in deployment.catalog.points(PLAN)] == [worked.id]


def test_two_plans_with_one_release_pause_it_one_after_the_other(deployment: Deployment, crowd: list[Run]) -> None:
    deployment.followed += [run.execution for run in crowd]
    other = crowd[2]
    mine = next(run for run in crowd[:2] if run.status is RunStatus.SUCCEEDED)
    assert other.status is RunStatus.SUCCEEDED, other.cause
    lost = [code for run in (mine, other) for code in codes(run) if code]
    assert lost, "one of them found the other's pause"
    assert set(lost) <= {"PausedByAnother", "NotReady"}
    earlier, later = sorted((_window(deployment, run) for run in (mine, other)), key=lambda window: window.confirmed_at)
    assert earlier.resume_began_at < later.confirmed_at
    assert deployment.paused_pods(RELEASE) == []


def _window(deployment: Deployment, run: Run) -> PauseWindow:
    window = deployment.catalog.point(run.plan, run.id).window
    assert window is not None
    return window


def test_an_open_entry_of_the_journal_keeps_another_plan_off_its_release(deployment: Deployment, crowd: list[Run]) -> None:
    """As left by a run that is between its Pause and its resume; but the pods run, and only the journal says so."""
    mine = next(run for run in crowd[:2] if run.status is RunStatus.SUCCEEDED)
    catalog = deployment.catalog
    known = catalog.pause_journal(mine.id, mine.attempts[-1].number)
    assert known is not None
    now = known.opened_at + timedelta(minutes=30)
    lease = catalog.acquire_lease(PLAN, "crowd-one-left-behind", now + timedelta(minutes=5), now)
    left = replace(known, run=lease.run, token=lease.token, attempt=1, closed_at=None, closed_by="")
    catalog.open_pause(left)
    try:
        deployment.apply(OTHER_PLAN, RELEASE, attempts=1)
        run = deployment.back_up(OTHER_PLAN)
    finally:
        catalog.close_pause(lease.run, 1, "operator", now)
        catalog.release_lease(PLAN, lease.run, lease.token)
    assert run.status is RunStatus.FAILED
    assert run.cause is not None
    assert run.cause.code == "PausedByAnother"
    assert lease.run in run.cause.message
    assert [attempt.status for attempt in run.attempts] == [AttemptStatus.INVALID]
    assert deployment.paused_pods(RELEASE) == []


def test_a_run_that_finds_the_pods_paused_by_another_names_it_and_leaves_them_paused(
    deployment: Deployment, crowd: list[Run]
) -> None:
    first, refused = crowd[3:]
    deployment.followed += [first.execution, refused.execution]
    assert refused.cause is not None
    assert refused.cause.code == "NotReady"
    assert f"is paused by run {first.id}" in refused.cause.message
    assert refused.attempts == ()
    assert first.status is RunStatus.SUCCEEDED, "its pause was not disturbed"
    assert deployment.paused_pods("held") == []
