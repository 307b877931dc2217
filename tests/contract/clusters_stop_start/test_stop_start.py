"""Stop and start with real controllers, a node, Admin ports, and no more rights than infra/kubernetes/rbac.yaml grants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS
from shared.clusters.deployments import REPLICAS_ANNOTATION
from shared.clusters.rivals import AUTOSCALER, HELM, KEDA, find_rivals
from shared.model.errors import Conflict, Forbidden
from tests.contract.clusters_stop_start.conftest import NAMESPACE, AdminPorts, LiveRelease

HPA = "horizontalpodautoscalers"


def annotation(live: LiveRelease) -> str | None:
    annotations: dict[str, str] = live.deployment_object["metadata"].get("annotations") or {}
    return annotations.get(REPLICAS_ANNOTATION)


async def test_a_release_is_stopped_and_comes_back_with_its_number_of_pods(live: LiveRelease, admin_ports: AdminPorts) -> None:
    before = {pod["metadata"]["uid"] for pod in live.pods()}
    noted = live.stop()
    assert (noted.replicas_before, live.replicas) == (2, 2)
    assert (annotation(live), len(live.pods())) == (None, 2)

    stopped = live.stopped()
    assert annotation(live) == "2"
    assert stopped.replicas_before == 2
    assert live.pods() == []

    started = await live.started(stopped, admin_ports)
    after = {pod["metadata"]["uid"] for pod in live.pods()}
    assert (started.replicas, len(after), annotation(live)) == (2, 2, None)
    assert not before & after
    assert admin_ports.asked[-1] == sorted(pod["metadata"]["name"] for pod in live.pods())


def test_pods_that_still_run_are_waited_for_although_the_deployment_says_zero(live: LiveRelease) -> None:
    progress = live.stopping()
    live.admin.wait_until(
        DEPLOYMENTS,
        NAMESPACE,
        lambda found: all(not each["status"].get("replicas") for each in found),
        "the status says 0",
    )
    progress = live.stop(progress)
    assert not progress.done
    assert [left.is_lost for left in progress.pods_left] == [False, False]
    assert "is ending, at the latest at" in progress.message


def test_pods_that_do_not_go_are_named_as_lost_and_left_alone(live: LiveRelease) -> None:
    progress = live.stopping()
    live.admin.wait_until(
        PODS, NAMESPACE, lambda pods: all("deletionTimestamp" in pod["metadata"] for pod in pods), "all pods are ending"
    )
    later = live.stop(progress, now=datetime.now(UTC) + timedelta(minutes=10))
    assert [left.is_lost for left in later.pods_left] == [True, True]
    assert {left.name for left in later.pods_left} == {pod["metadata"]["name"] for pod in live.pods()}


def test_somebody_who_starts_it_again_is_a_conflict(live: LiveRelease) -> None:
    stopped = live.stopped()
    live.admin.scale(NAMESPACE, live.deployment, 1)
    with pytest.raises(Conflict, match="is at 1 again"):
        live.stop(stopped)
    assert live.replicas == 1


async def test_a_pod_that_is_paused_does_not_count_as_started(live: LiveRelease, admin_ports: AdminPorts) -> None:
    stopped = live.stop()
    targets = admin_ports.targets()
    await admin_ports.admin.pause(targets[:1], drain_seconds=2.0)
    progress = await live.start(stopped, admin_ports)
    assert progress.message.endswith(f"waits for {targets[0].pod} is paused.")
    await admin_ports.admin.resume(targets, budget_seconds=10.0)
    assert (await live.start(stopped, admin_ports, progress)).done


async def test_what_was_at_zero_is_not_started(live: LiveRelease, admin_ports: AdminPorts) -> None:
    live.admin.scale(NAMESPACE, live.deployment, 0)
    live.admin.wait_until(PODS, NAMESPACE, lambda pods: not pods, "no pods")
    stopped = live.stopped()
    assert (await live.start(stopped, admin_ports)).done
    assert live.replicas == 0


def test_the_right_to_scale_does_not_include_the_right_to_read_secrets(live: LiveRelease) -> None:
    with pytest.raises(Forbidden):
        live.api.list("secrets", NAMESPACE, {})


def test_an_autoscaler_is_seen_and_a_cluster_without_keda_is_no_trouble(live: LiveRelease) -> None:
    autoscaler = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "orders", "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": live.deployment},
            "minReplicas": 2,
            "maxReplicas": 9,
        },
    }
    path = f"/apis/autoscaling/v1/namespaces/{NAMESPACE}/{HPA}"
    live.admin.call("POST", path, autoscaler)
    try:
        details = {result.name: result.detail for result in find_rivals(live.api, live.deployment_object)}
    finally:
        live.admin.call("DELETE", f"{path}/orders")
    assert "orders (2 to 9 pods)" in details[AUTOSCALER]
    assert details[KEDA] == "KEDA is not installed"
    assert "Helm release orders owns it" in details[HELM]
