"""An execution stopped while the pods are paused catches nothing any more. The watchdog resumes them, or an operator does
so earlier: from the journal, or by labels when there is no catalog to ask."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.sandbox.world import CLUSTER, NAMESPACE
from shared.cli.engine import Execution
from shared.model.run import AttemptStatus, RunStatus
from tests.scenarios.deployment import Deployment, eventually, pause_by_hand

SHORTEST = {"hold": "2s", "drain": "1s", "max_pause": "18s"}
"""The watchdog wakes 18 s after the attempt began: the least that the plan accepts for this hold and drain."""


@pytest.fixture(scope="module")
def stopped(shared_deployment: Deployment) -> Iterator[dict[str, Execution]]:
    """Two runs, of the plans `left-alone` and `rescued`, whose executions were stopped when their pods were paused."""
    deployment = shared_deployment
    with deployment.world.environment():
        for name in ("left-alone", "rescued"):
            deployment.world.install(name)
        executions = {name: deployment.start(deployment.apply(name, name, **SHORTEST)) for name in ("left-alone", "rescued")}
        states = deployment.world.aws.client("stepfunctions")
        for name, execution in executions.items():
            deployment.await_pause(name)
            states.stop_execution(executionArn=execution.arn, error="Operator", cause="stopped while paused")
        yield executions


def test_an_operator_resumes_the_pods_from_the_journal_before_the_watchdog_wakes(
    deployment: Deployment, stopped: dict[str, Execution]
) -> None:
    run = deployment.run_of(stopped["rescued"])
    deployment.followed.append(stopped["rescued"].arn)
    ended = deployment.command("unpause", "--plan", "rescued", "-o", "json")
    assert ended.code == 0, ended.stderr
    assert ended.answer["runs"] == [run.id]
    assert sorted(ended.answer["pods"]) == sorted(deployment.addresses("rescued"))
    assert deployment.paused_pods("rescued") == []
    journal = deployment.catalog.pause_journal(run.id, 1)
    assert journal is not None
    assert journal.closed_by == "operator"
    (attempt,) = deployment.catalog.run(run.id).attempts
    assert attempt.status is AttemptStatus.INVALID
    assert attempt.cause is not None
    assert attempt.cause.code == "resumed-by-operator"


def test_the_watchdog_resumes_the_pods_and_the_next_run_need_not_wait(
    deployment: Deployment, stopped: dict[str, Execution]
) -> None:
    deployment.followed.append(stopped["left-alone"].arn)
    eventually(lambda: not deployment.paused_pods("left-alone"), "the watchdog has resumed the pods", 30)
    run = deployment.run_when(stopped["left-alone"], lambda run: run.status is not RunStatus.RUNNING, "the record is closed")
    journal = deployment.catalog.pause_journal(run.id, 1)
    assert journal is not None
    assert journal.closed_by == "watchdog"
    assert journal.closed_at is not None
    assert journal.closed_at >= journal.resume_by, "nobody else has resumed them before"
    assert run.status is RunStatus.INTERRUPTED
    assert run.cause is not None
    assert run.cause.code == "resumed-by-watchdog"
    assert [attempt.status for attempt in run.attempts] == [AttemptStatus.INVALID]
    assert deployment.catalog.points("left-alone") == (), "nothing is claimed for the pause of a stopped run"

    after = deployment.back_up("left-alone")
    assert after.status is RunStatus.SUCCEEDED, after.cause
    assert deployment.paused_pods("left-alone") == []


def test_pods_are_resumed_by_labels_without_stack_and_catalog(deployment: Deployment) -> None:
    deployment.world.install("by-labels", pods=2)
    paused = min(deployment.addresses("by-labels"))
    pause_by_hand(deployment.addresses("by-labels")[paused])
    release = ["--eks", CLUSTER, "--namespace", NAMESPACE, "--helm-release", "by-labels"]
    ended = deployment.command("unpause", *release, "--yes", "-o", "json", SCALAR_BACKUP_STACK="there-is-none")
    assert ended.code == 0, ended.stderr
    assert ended.answer["pods"] == [paused], "the other one runs already"
    assert "nobody can tell whose pause" in ended.stderr
    assert deployment.paused_pods("by-labels") == []
