"""Runs that are interrupted in their window. A function that is killed at a random moment of pause, capture or resume: the run
notices and tries again. An execution that is stopped: nobody of the run is left, so the watchdog resumes the pods, or an
operator does so earlier, from the journal. One way or another pods run again, and the record says what happened."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pytest

from infra.sandbox.releases_world import NAMESPACE
from shared.cli.engine import Execution
from shared.model.plan_document.sections import RESUME_ALLOWANCE_SECONDS
from shared.model.run import AttemptStatus, Run, RunStatus
from shared.steps.evidence import load_evidence
from tests.scenarios.deployment import Deployment, Ended, codes, eventually, pause_by_hand

STEPS = {"pause": 0.7, "capture": 1.6, "resume": 0.5}
"""The steps of the window, and the latest moment of each to die at, in seconds: what it certainly takes."""
SLOW = {"SANDBOX_PAUSE_LATENCY_SECONDS": "0.8"}
"""A Pause takes effect so long after it was sent: also when its sender has died meanwhile."""
SEED = 20261124
CAUGHT = {"hold": "5s", "drain": "1s", "max_pause": f"{6 + RESUME_ALLOWANCE_SECONDS:.0f}s"}
"""A hold to be stopped in. The watchdog wakes as early as a plan allows for it."""


@dataclass
class Interrupted:
    """`killed`: how `backup run --wait` ended, by the step whose function died. `stopped`: executions by plan. `rescued`: how
    `unpause` ended, called while the pods of the plan `rescued` were still paused; `next` is the run that followed at once."""

    killed: dict[str, Ended]
    stopped: dict[str, Execution]
    rescued: Ended
    next: Execution


@pytest.fixture(scope="module")
def interrupted(shared_deployment: Deployment) -> Iterator[Interrupted]:
    """All five runs at once, each with a release of its own."""
    deployment = shared_deployment
    with deployment.world.environment():
        for step in STEPS:
            deployment.world.install(f"dies-in-{step}", pods=2, wait=False, environment=SLOW)
        for name in ("left-alone", "rescued"):
            deployment.world.install(name)
        stopped = {name: deployment.start(deployment.apply(name, name, **CAUGHT)) for name in ("left-alone", "rescued")}
        with ThreadPoolExecutor(len(stopped)) as threads:
            list(threads.map(partial(_stop_when_paused, deployment), stopped, stopped.values()))
        commands = {step: _run_to_be_killed(deployment, step, random.Random(f"{SEED} {step}")) for step in STEPS}
        rescued = deployment.command("unpause", "--plan", "rescued", "-o", "json")
        deployment.notice_the_end_of(*stopped.values())
        following = deployment.start("rescued")
        killed = {step: deployment.ended(command) for step, command in commands.items()}
        yield Interrupted(killed, stopped, rescued, deployment.finish(following))


def _stop_when_paused(deployment: Deployment, helm_release: str, execution: Execution) -> None:
    deployment.await_pause(helm_release)
    deployment.stop(execution)


def _run_to_be_killed(deployment: Deployment, step: str, moments: random.Random) -> subprocess.Popen[str]:
    name = f"dies-in-{step}"
    deployment.world.kube.wait_until_ready(NAMESPACE, f"{name}-scalardb-cluster-node")
    plan = deployment.apply(name, name, drain="1s")
    deployment.kill(step, plan, after_seconds=moments.uniform(0.0, STEPS[step]))
    return deployment.begin_command("backup", "run", plan, "--wait", "-o", "json")


def run_of(deployment: Deployment, plan: str) -> Run:
    """The plan's first run."""
    run = deployment.catalog.runs(plan)[-1]
    deployment.followed.append(run.execution)
    return run


@pytest.mark.both_clouds
@pytest.mark.parametrize("step", STEPS)
def test_a_run_survives_the_death_of_its_function(deployment: Deployment, interrupted: Interrupted, step: str) -> None:
    run, told = run_of(deployment, f"dies-in-{step}"), interrupted.killed[step]
    killed = [given["step"] for given in deployment.killed() if given["plan"] == run.plan]
    assert killed == [step], "it was killed, once"
    assert told.code == 0, told.stderr
    assert told.answer["status"] == "succeeded"
    assert run.status is RunStatus.SUCCEEDED
    assert deployment.paused_pods(run.plan) == []
    assert [item for item in deployment.catalog.open_pauses() if item.run == run.id] == []


@pytest.mark.parametrize("step", ["pause", "capture"])
def test_the_attempt_that_lost_its_function_is_kept_as_invalid_with_the_cause(
    deployment: Deployment, interrupted: Interrupted, step: str
) -> None:
    run = run_of(deployment, f"dies-in-{step}")
    first, second = run.attempts
    assert (first.status, second.status) == (AttemptStatus.INVALID, AttemptStatus.VALID)
    assert codes(run)[0] == "Runtime.ExitError", "of AWS; on Azure the step is carried out again, and says itself what it found"
    assert first.cause is not None
    assert "ended without an answer" in first.cause.message
    assert "ended without an answer" in interrupted.killed[step].stderr, "and whoever waits is told"
    assert first.point is None
    assert deployment.catalog.point(run.plan, "latest").window is not None


@pytest.mark.both_clouds
def test_a_resume_that_is_repeated_after_its_death_claims_no_more_than_it_saw(
    deployment: Deployment, interrupted: Interrupted
) -> None:
    """It may have died before the first Unpause: then the repeated one proves the window to its end. Or afterwards: then nobody
    has seen that the pods were still paused when the resume began, and the window counts for nothing."""
    run = run_of(deployment, "dies-in-resume")
    for attempt in run.attempts:
        found = load_evidence(deployment.catalog, run.id, attempt.number)
        proven = found.resume is not None and found.resume.sample is not None and found.resume.sample.proves_pause
        assert (attempt.status is AttemptStatus.VALID) == proven
    assert run.attempts[-1].status is AttemptStatus.VALID


@pytest.mark.both_clouds
def test_unpause_does_nothing_for_a_run_that_has_resumed_its_pods(deployment: Deployment, interrupted: Interrupted) -> None:
    run = run_of(deployment, "dies-in-capture")
    assert deployment.engine.unpause({"run": run.id}) == {"runs": [], "resumed": 0}


@pytest.mark.both_clouds
def test_an_operator_resumes_the_pods_of_a_stopped_execution_before_the_watchdog_wakes(
    deployment: Deployment, interrupted: Interrupted
) -> None:
    run, told = run_of(deployment, "rescued"), interrupted.rescued
    assert told.code == 0, told.stderr
    assert told.answer["runs"] == [run.id]
    assert told.answer["pods"] == list(deployment.addresses("rescued"))
    assert deployment.paused_pods("rescued") == []
    journal = deployment.catalog.pause_journal(run.id, 1)
    assert journal is not None
    assert journal.closed_by == "operator"
    assert_stopped(deployment, run)
    assert deployment.run_of(interrupted.next).status is RunStatus.SUCCEEDED, "the next run need not wait"


@pytest.mark.both_clouds
def test_the_watchdog_resumes_the_pods_of_a_stopped_execution_and_the_next_run_need_not_wait(
    deployment: Deployment, interrupted: Interrupted
) -> None:
    eventually(lambda: not deployment.paused_pods("left-alone"), "the watchdog has resumed the pods", 60)
    execution = interrupted.stopped["left-alone"]
    run = deployment.run_of(execution)
    deployment.followed.append(run.execution)
    journal = deployment.catalog.pause_journal(run.id, 1)
    assert journal is not None
    assert journal.closed_by == "watchdog"
    assert journal.closed_at is not None
    assert journal.closed_at >= journal.resume_by, "nobody else has resumed them before"
    assert_stopped(deployment, run)

    after = deployment.back_up("left-alone")
    assert after.status is RunStatus.SUCCEEDED, after.cause
    assert deployment.paused_pods("left-alone") == []


def assert_stopped(deployment: Deployment, run: Run) -> None:
    """Recorded as what it is, and nothing is claimed for its pause."""
    assert run.status is RunStatus.FAILED
    assert run.cause is not None
    assert run.cause.code == "Execution.ABORTED"
    assert [attempt.status for attempt in run.attempts] == [AttemptStatus.INVALID]
    assert run.id not in [point.id for point in deployment.catalog.points(run.plan)]


@pytest.mark.both_clouds
def test_pods_are_resumed_by_labels_without_stack_and_catalog(deployment: Deployment) -> None:
    deployment.world.install("by-labels", pods=2)
    paused = min(deployment.addresses("by-labels"))
    pause_by_hand(deployment.addresses("by-labels")[paused])
    release = [*deployment.named_cluster, "--namespace", NAMESPACE, "--helm-release", "by-labels"]
    ended = deployment.command("unpause", *release, "--yes", "-o", "json", **deployment.nowhere)
    assert ended.code == 0, ended.stderr
    assert ended.answer["pods"] == [paused], "the other one runs already"
    assert "nobody can tell whose pause" in ended.stderr
    assert deployment.paused_pods("by-labels") == []
