"""The function of the window is killed at a random moment of its pause, its capture or its resume: pods run again, the record
says what happened, and the run succeeds all the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from infra.sandbox.world import NAMESPACE
from shared.model.run import AttemptStatus, Run, RunStatus
from shared.steps.evidence import load_evidence
from tests.scenarios.deployment import Deployment, Ended, codes

STEPS = {"pause": 0.7, "capture": 1.6, "resume": 0.5}
"""The steps of the window, and the latest moment of each to die at, in seconds: what it certainly takes."""
SLOW = {"SANDBOX_PAUSE_LATENCY_SECONDS": "0.8"}
"""A Pause takes effect so long after it was sent: also when its sender has died meanwhile."""
SEED = 20261124


@pytest.fixture(scope="module")
def runs(shared_deployment: Deployment) -> Iterator[dict[str, Ended]]:
    """`backup run --wait` of three plans at once; in each the function dies in another step."""
    moments = random.Random(SEED)
    deployment = shared_deployment
    with deployment.world.environment():
        for step in STEPS:
            deployment.world.install(f"dies-in-{step}", pods=2, wait=False, environment=SLOW)
        for step in STEPS:
            deployment.world.kube.wait_until_ready(NAMESPACE, f"dies-in-{step}-scalardb-cluster-node")
        commands = {}
        for step, seconds in STEPS.items():
            plan = deployment.apply(f"dies-in-{step}", f"dies-in-{step}", drain="1s")
            moment = moments.uniform(0.0, seconds)
            deployment.world.aws.kill("-window", {"step": step, "plan": plan}, after_seconds=moment)
            commands[step] = deployment.begin_command("backup", "run", plan, "--wait", "-o", "json")
        yield {step: deployment.ended(command) for step, command in commands.items()}


def run_of(deployment: Deployment, step: str) -> Run:
    (run,) = deployment.catalog.runs(f"dies-in-{step}")
    deployment.followed.append(run.execution)
    return run


@pytest.mark.parametrize("step", STEPS)
def test_a_run_survives_the_death_of_its_function(deployment: Deployment, runs: dict[str, Ended], step: str) -> None:
    run = run_of(deployment, step)
    died_in = [
        json.loads(kill["payload"])["step"] for kill in deployment.world.aws.killed() if f'"dies-in-{step}"' in kill["payload"]
    ]
    assert died_in == [step], "the function was killed, once"
    assert runs[step].code == 0, runs[step].stderr
    assert runs[step].answer["status"] == "succeeded"
    assert run.status is RunStatus.SUCCEEDED
    assert deployment.paused_pods(f"dies-in-{step}") == []
    assert [item for item in deployment.catalog.open_pauses() if item.run == run.id] == []


@pytest.mark.parametrize("step", ["pause", "capture"])
def test_the_attempt_that_lost_its_function_is_kept_as_invalid_with_the_cause(
    deployment: Deployment, runs: dict[str, Ended], step: str
) -> None:
    run = run_of(deployment, step)
    first, second = run.attempts
    assert (first.status, second.status) == (AttemptStatus.INVALID, AttemptStatus.VALID)
    assert codes(run)[0] == "Runtime.ExitError"
    assert first.cause is not None
    assert "ended without an answer" in first.cause.message
    assert first.point is None
    assert deployment.catalog.point(run.plan, "latest").window is not None


def test_a_resume_that_is_repeated_after_its_death_claims_no_more_than_it_saw(
    deployment: Deployment, runs: dict[str, Ended]
) -> None:
    """It may have died before the first Unpause: then the repeated one proves the window to its end. Or afterwards: then nobody
    has seen that the pods were still paused when the resume began, and the window counts for nothing."""
    run = run_of(deployment, "resume")
    for attempt in run.attempts:
        found = load_evidence(deployment.catalog, run.id, attempt.number)
        proven = found.resume is not None and found.resume.sample is not None and found.resume.sample.proves_pause
        assert (attempt.status is AttemptStatus.VALID) == proven
    assert run.attempts[-1].status is AttemptStatus.VALID


def test_what_a_waiting_operator_is_told_names_the_lost_attempt(deployment: Deployment, runs: dict[str, Ended]) -> None:
    assert "attempt 1" in runs["capture"].stderr.lower()
    assert "ended without an answer" in runs["capture"].stderr


def test_unpause_does_nothing_for_a_run_that_has_resumed_its_pods(deployment: Deployment, runs: dict[str, Ended]) -> None:
    run = run_of(deployment, "capture")
    assert deployment.engine.unpause({"run": run.id}) == {"runs": [], "resumed": 0}
