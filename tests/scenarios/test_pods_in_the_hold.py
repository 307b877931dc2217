"""What happens to pods while they are paused: a process that ran unpaused voids the window by name, an annotation does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS
from infra.sandbox.world import NAMESPACE
from shared.model.restore_point import PointPhase
from shared.model.run import AttemptStatus, Run, RunStatus
from tests.scenarios.deployment import Deployment


def restart(deployment: Deployment, release: str) -> None:
    deployment.world.kube.kill_container(NAMESPACE, min(deployment.addresses(release)))


def delete(deployment: Deployment, release: str) -> None:
    deployment.world.kube.delete_pod(NAMESPACE, min(deployment.addresses(release)))


def add(deployment: Deployment, release: str) -> None:
    deployment.world.kube.scale(NAMESPACE, f"{release}-scalardb-cluster-node", 3)


def annotate(deployment: Deployment, release: str) -> None:
    kube = deployment.world.kube
    kube.annotate(PODS, NAMESPACE, min(deployment.addresses(release)), {"team": "payments"})
    kube.annotate(DEPLOYMENTS, NAMESPACE, f"{release}-scalardb-cluster-node", {"team": "payments"})


EVENTS: dict[str, Callable[[Deployment, str], None]] = {
    "restarted": restart,
    "deleted": delete,
    "scaled-up": add,
    "annotated": annotate,
}
VOID = {
    "restarted": ({"container-restarted", "pause-not-held"}, "container"),
    "deleted": ({"pod-deleting", "pod-removed", "pod-added", "pause-not-held"}, "pod"),
    "scaled-up": ({"pod-added", "deployment-changed"}, "created"),
}
"""What may be noticed first, and a word of the message."""


@pytest.fixture(scope="module")
def runs(shared_deployment: Deployment) -> Iterator[dict[str, Run]]:
    """One run per event, all at once, each with a release of its own and only one attempt."""
    deployment = shared_deployment
    with deployment.world.environment():
        for event in EVENTS:
            deployment.world.install(event, pods=2, wait=False)
        executions = {}
        for event in EVENTS:
            deployment.world.kube.wait_until_ready(NAMESPACE, f"{event}-scalardb-cluster-node")
            executions[event] = deployment.start(deployment.apply(event, event, hold="3s", attempts=1))
        for event, happen in EVENTS.items():
            deployment.await_pause(event)
            happen(deployment, event)
        yield {event: deployment.run_of(deployment.finish(execution)) for event, execution in executions.items()}


@pytest.mark.parametrize("event", VOID)
def test_the_window_is_void_and_says_why(deployment: Deployment, runs: dict[str, Run], event: str) -> None:
    run = runs[event]
    deployment.followed.append(run.execution)
    expected, word = VOID[event]
    assert run.status is RunStatus.FAILED
    (attempt,) = run.attempts
    assert attempt.status is AttemptStatus.INVALID
    assert attempt.cause is not None
    assert attempt.cause.code in expected, attempt.cause
    assert word in attempt.cause.message.lower()
    assert event in attempt.cause.message, "the release is named"
    (point,) = deployment.catalog.points(run.plan)
    assert (point.phase, point.at, point.cause) == (PointPhase.INVALID, None, attempt.cause)


def test_annotations_say_nothing_about_processes(deployment: Deployment, runs: dict[str, Run]) -> None:
    deployment.followed.append(runs["annotated"].execution)
    assert runs["annotated"].status is RunStatus.SUCCEEDED, runs["annotated"].cause
    assert deployment.catalog.point("annotated", "latest").window is not None


@pytest.mark.parametrize("event", EVENTS)
def test_afterwards_every_pod_runs(deployment: Deployment, runs: dict[str, Run], event: str) -> None:
    deployment.followed.append(runs[event].execution)
    deployment.world.kube.wait_until_ready(NAMESPACE, f"{event}-scalardb-cluster-node")
    assert deployment.paused_pods(event) == []
    assert [item for item in deployment.catalog.open_pauses() if item.run == runs[event].id] == []
