"""What happens to pods during the hold: which of it voids the window, by which name, and which of it is only noted.

The releases of one test are held at the same time, each by a run of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS
from infra.sandbox.world import NAMESPACE
from shared.model.restore_point import PointPhase
from shared.model.run import Run, RunStatus
from tests.scenarios.deployment import Deployment, codes, pod_to_break

Act = Callable[[Deployment, str], None]


def scale_up(deployment: Deployment, release: str) -> None:
    deployment.world.kube.scale(NAMESPACE, workload(deployment, release), 2)


def roll(deployment: Deployment, release: str) -> None:
    template = {"spec": {"template": {"metadata": {"annotations": {"rolled": "now"}}}}}
    deployment.world.kube.patch(DEPLOYMENTS, NAMESPACE, workload(deployment, release), template)


def replace_pod(deployment: Deployment, release: str) -> None:
    """Deleted without grace; its Deployment makes another one, on whichever node has room."""
    deployment.world.kube.delete_pod(NAMESPACE, pod_to_break(deployment, release), grace_seconds=0)


def restart_container(deployment: Deployment, release: str) -> None:
    deployment.world.kube.kill_container(NAMESPACE, pod_to_break(deployment, release))


def annotate(deployment: Deployment, release: str) -> None:
    deployment.world.kube.annotate(PODS, NAMESPACE, pod_to_break(deployment, release), {"reviewed-by": "somebody"})


def flap(deployment: Deployment, release: str) -> None:
    """Not Ready and Ready again, as when a probe is late once."""
    pod = pod_to_break(deployment, release)
    for ready in ("False", "True"):
        conditions = {"status": {"conditions": [{"type": "Ready", "status": ready}]}}
        deployment.world.kube.patch(
            PODS,
            NAMESPACE,
            pod,
            conditions,
            subresource="status",
            content_type="application/strategic-merge-patch+json",
        )


def workload(deployment: Deployment, release: str) -> str:
    found = deployment.world.kube.list_objects(DEPLOYMENTS, NAMESPACE, f"app.kubernetes.io/instance={release}")
    name: str = found[0]["metadata"]["name"]
    return name


def hold(deployment: Deployment, act: Act, **pause: Any) -> Run:
    """A run during whose hold `act` happens."""
    release = f"hold-{act.__name__.replace('_', '-')}" + ("-strict" if pause else "")
    deployment.world.install(release)
    plan = deployment.apply(release, release, hold="4s", attempts=1, **pause)
    execution = deployment.start(plan)
    deployment.await_pause(release)
    act(deployment, release)
    deployment.finish(execution)
    return deployment.run_of(execution)


def hold_each(deployment: Deployment, *acts: Act) -> list[Run]:
    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(lambda act: hold(deployment, act), acts))


def test_a_pod_that_ran_unpaused_voids_the_window_by_name(deployment: Deployment) -> None:
    runs = hold_each(deployment, scale_up, roll, replace_pod, restart_container)
    scaled, rolled, replaced, restarted = (codes(run)[0] for run in runs)
    assert (scaled, rolled, restarted) == ("pod-added", "pod-added", "container-restarted")
    assert replaced in ("pod-deleting", "pod-removed")
    assert {run.status for run in runs} == {RunStatus.FAILED}
    for run in runs:
        (point,) = deployment.catalog.points(run.plan)
        assert (point.phase, point.cause) == (PointPhase.INVALID, run.attempts[0].cause)
        assert deployment.paused_pods(run.plan) == []


def test_a_write_that_changes_no_process_is_noted_and_the_window_holds(deployment: Deployment) -> None:
    for run in hold_each(deployment, annotate, flap):
        assert (run.status, codes(run)) == (RunStatus.SUCCEEDED, [""])
        (note,) = deployment.catalog.point(run.plan, "latest").notes
        assert "written to during the window" in note
        assert run.plan in note


@pytest.mark.parametrize("act", [annotate])
def test_in_strict_mode_the_same_write_voids_the_window(deployment: Deployment, act: Act) -> None:
    run = hold(deployment, act, strict=True)
    assert codes(run) == ["resource-version"]
    assert "was written to" in (run.attempts[0].cause.message if run.attempts[0].cause else "")
