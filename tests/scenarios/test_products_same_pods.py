"""What happens to pods during the hold: which of it voids the window, by which name, and which of it is only noted.

The releases of one test are held at the same time, each by a run of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS
from infra.sandbox.proof import audit_kept_copies
from infra.sandbox.world import NAMESPACE, RELEASE
from shared.model.restore_point import PointPhase
from shared.model.run import AttemptStatus, Run, RunStatus
from tests.scenarios.deployment import Deployment, codes, eventually, pod_to_break

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


def hold(deployment: Deployment, release: str, act: Act, **pause: Any) -> Run:
    """A run during whose hold `act` happens."""
    deployment.world.install(release)
    plan = deployment.apply(release, release, hold="4s", attempts=1, **pause)
    execution = deployment.start(plan)
    deployment.await_pause(release)
    act(deployment, release)
    deployment.finish(execution)
    return deployment.run_of(execution)


def hold_at_once(*holds: Callable[[], Run]) -> list[Run]:
    with ThreadPoolExecutor(len(holds)) as threads:
        return [running.result() for running in [threads.submit(held) for held in holds]]


@pytest.mark.both_clouds
def test_a_pod_that_ran_unpaused_voids_the_window_by_name(deployment: Deployment) -> None:
    runs = hold_at_once(
        partial(hold, deployment, "scaled", scale_up),
        partial(hold, deployment, "rolled", roll),
        partial(hold, deployment, "replaced", replace_pod),
        partial(hold, deployment, "restarted", restart_container),
    )
    scaled, rolled, replaced, restarted = (codes(run)[0] for run in runs)
    assert (scaled, rolled, restarted) == ("pod-added", "pod-added", "container-restarted")
    assert replaced in ("pod-deleting", "pod-removed")
    assert {run.status for run in runs} == {RunStatus.FAILED}
    for run in runs:
        (point,) = deployment.catalog.points(run.plan)
        assert (point.phase, point.cause) == (PointPhase.INVALID, run.attempts[0].cause)
        assert deployment.paused_pods(run.plan) == []


@pytest.mark.both_clouds
def test_a_write_that_changes_no_process_is_noted_and_only_strict_mode_minds_it(deployment: Deployment) -> None:
    annotated, flapped, strict = hold_at_once(
        partial(hold, deployment, "annotated", annotate),
        partial(hold, deployment, "flapped", flap),
        partial(hold, deployment, "minded", annotate, strict=True),
    )
    for run in (annotated, flapped):
        assert (run.status, codes(run)) == (RunStatus.SUCCEEDED, [""])
        (note,) = deployment.catalog.point(run.plan, "latest").notes
        assert "written to during the window" in note
        assert run.plan in note
    assert codes(strict) == ["resource-version"]
    assert strict.attempts[0].cause is not None
    assert "was written to" in strict.attempts[0].cause.message


def nodes(deployment: Deployment, release: str) -> dict[str, str]:
    """Where each pod is, by its uid."""
    return {pod["metadata"]["uid"]: pod["spec"].get("nodeName", "") for pod in deployment.world.pods_of(release)}


def test_a_node_drained_in_the_hold_voids_the_window_and_the_pods_are_backed_up_where_they_moved_to(
    deployment: Deployment,
) -> None:
    """A pod never changes its node: it is deleted on one, and another one is made on the other."""
    world = deployment.world
    before = nodes(deployment, RELEASE)
    drained = min(before.values())
    moving = [pod["metadata"]["name"] for pod in world.pods_of(RELEASE) if pod["spec"]["nodeName"] == drained]
    execution = deployment.start(deployment.apply("drained", RELEASE, kept_copy=True))
    deployment.await_pause(RELEASE)
    try:
        world.kube.drain(drained, f"app.kubernetes.io/instance={RELEASE}")
        run = deployment.run_of(deployment.finish(execution))
        after = eventually(lambda: _at_rest(deployment, len(before)), "as many pods as before are there again")
    finally:
        world.kube.uncordon(drained)

    first, *_, last = codes(run)
    assert first in ("pod-deleting", "pod-removed", "pod-added")
    assert run.attempts[0].status is AttemptStatus.INVALID
    assert run.attempts[0].cause is not None
    assert any(name in run.attempts[0].cause.message for name in moving), run.attempts[0].cause.message
    assert (run.status, last) == (RunStatus.SUCCEEDED, "")
    assert drained not in after.values()
    assert before.keys() & after.keys() == {uid for uid, node in before.items() if node != drained}
    assert deployment.paused_pods(RELEASE) == []
    point = deployment.catalog.point(run.plan, run.id)
    audit = audit_kept_copies(world.aws.client("dynamodb"), point, world.scale.opening, "drained")
    assert audit.is_consistent, audit.explain()


def _at_rest(deployment: Deployment, count: int) -> dict[str, str] | None:
    """The pods' nodes as soon as there are `count` pods, all of them on one."""
    found = nodes(deployment, RELEASE)
    return found if len(found) == count and all(found.values()) else None
