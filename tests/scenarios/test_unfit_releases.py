"""Releases that cannot be paused now: the checks name what is wrong and what to do, and no pod is touched."""

from __future__ import annotations

import pytest

from infra.sandbox.world import GROUP, NAMESPACE, RELEASE
from shared.model.checks import CheckResult
from shared.model.run import RunStatus
from shared.steps.evidence import load_evidence
from tests.scenarios.deployment import Deployment, eventually, is_paused, pause_by_hand, unpause_by_hand

CLOSED_PORT = 60999
DEDICATED_PORT = 60055
"""ScalarDB Cluster since 3.18: with an Admin port of its own, the usual port has no Admin service."""
loses_rights_at_once = pytest.mark.stand_in_only(reason="kube-apiserver goes on knowing for ten seconds who has a token")


@pytest.fixture(scope="module")
def unfit(shared_deployment: Deployment) -> Deployment:
    deployment = shared_deployment
    install = deployment.world.install
    with deployment.world.environment():
        install("crashing", wait=False, environment={"SANDBOX_CRASH_AFTER_SECONDS": "0.2"})
        install("pending", wait=False, deployment_overrides=_with_missing_secret())
        install("dedicated", wait=False, properties={"scalar.db.cluster.node.admin.port": str(DEDICATED_PORT)})
        install("empty", pods=0, wait=False)
        deployment.world.kube.wait_until_ready(NAMESPACE, "dedicated-scalardb-cluster-node")
        for release in ("crashing", "pending", "dedicated", "empty"):
            deployment.apply(release, release)
    return deployment


def _with_missing_secret() -> dict[str, object]:
    container = {"name": "scalardb-cluster-node", "envFrom": [{"secretRef": {"name": "there-is-none"}}]}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def only(checks: tuple[CheckResult, ...], name: str) -> CheckResult:
    (found,) = [check for check in checks if check.name == name]
    return found


def test_a_crash_looping_pod_is_named(deployment: Deployment, unfit: Deployment) -> None:
    def is_crash_looping() -> CheckResult | None:
        found = [item for item in deployment.failed_checks("crashing") if "CrashLoopBackOff" in item.detail]
        return found[0] if found else None

    found = eventually(is_crash_looping, "the pod is in CrashLoopBackOff")
    assert found.name == "pods-ready"
    (pod,) = deployment.world.pods_of("crashing")
    assert pod["metadata"]["name"] in found.detail


def test_a_pending_pod_is_named_with_what_it_waits_for(deployment: Deployment, unfit: Deployment) -> None:
    def is_waiting() -> CheckResult | None:
        found = [item for item in deployment.failed_checks("pending") if "CreateContainerConfigError" in item.detail]
        return found[0] if found else None

    found = eventually(is_waiting, "the pod waits for its Secret")
    (pod,) = deployment.world.pods_of("pending")
    assert pod["metadata"]["name"] in found.detail
    run = deployment.back_up("pending")
    assert (run.status, run.attempts) == (RunStatus.FAILED, ())
    assert run.cause is not None
    assert run.cause.code == "NotReady"
    assert pod["metadata"]["name"] in run.cause.message
    assert "nothing was paused" in run.cause.message


def test_a_release_without_pods_has_nothing_to_pause(deployment: Deployment, unfit: Deployment) -> None:
    found = only(deployment.failed_checks("empty"), "pods-ready")
    assert "empty-scalardb-cluster-node has no pods" in found.detail
    assert deployment.back_up("empty").status is RunStatus.FAILED


def test_an_admin_port_that_refuses_is_named_with_its_source(deployment: Deployment, unfit: Deployment) -> None:
    plan = deployment.apply("closed", RELEASE, release={"admin_port": CLOSED_PORT})
    found = [item for item in deployment.failed_checks(plan) if item.name == "admin-port"]
    assert {item.subject for item in found} == set(deployment.addresses(RELEASE)), "each pod by name"
    assert all(f"{CLOSED_PORT} (from the plan) refuses connections" in item.detail for item in found)


def test_a_port_without_the_admin_service_points_to_the_dedicated_one(deployment: Deployment, unfit: Deployment) -> None:
    plan = deployment.apply("wrong-port", "dedicated", release={"admin_port": 60053})
    found = only(deployment.failed_checks(plan), "admin-port")
    assert "has no Admin service" in found.detail
    assert "scalar.db.cluster.node.admin.port" in found.hint
    assert deployment.failed_checks("dedicated") == (), "left out, the port is found in the properties"


@loses_rights_at_once
def test_a_missing_right_names_the_file_that_grants_it(deployment: Deployment) -> None:
    plan = deployment.apply("no-rights", RELEASE)
    role = deployment.world.outputs["CheckRoleArn"]
    deployment.world.kube.grant_access(role)
    try:
        found = only(deployment.failed_checks(plan), "release-found")
        run = deployment.back_up(plan)
    finally:
        deployment.world.kube.grant_access(role, GROUP)
    assert "cannot list deployments in namespace scalar" in found.detail
    assert "infra/kubernetes/rbac.yaml" in found.hint
    assert run.cause is not None
    assert "infra/kubernetes/rbac.yaml" in run.cause.message
    assert deployment.paused_pods(RELEASE) == []


@loses_rights_at_once
def test_rights_lost_after_the_checks_end_the_window_before_anything_is_paused(deployment: Deployment) -> None:
    plan = deployment.apply("rights-lost", RELEASE, attempts=1)
    role = deployment.world.outputs["WindowRoleArn"]
    deployment.world.kube.grant_access(role)
    try:
        run = deployment.back_up(plan)
    finally:
        deployment.world.kube.grant_access(role, GROUP)
    assert run.cause is not None
    assert run.cause.code == "Forbidden"
    assert "infra/kubernetes/rbac.yaml" in f"{run.cause.message} {run.cause.hint}"
    assert load_evidence(deployment.catalog, run.id, 1).pause is None, "no Pause was sent"
    assert deployment.paused_pods(RELEASE) == []


def test_somebody_elses_pause_is_refused_and_left_alone(deployment: Deployment) -> None:
    deployment.world.install("by-hand", pods=2)
    plan = deployment.apply("by-hand", "by-hand")
    paused, other = sorted(deployment.addresses("by-hand").items())
    pause_by_hand(paused[1])
    try:
        run = deployment.back_up(plan)
        assert is_paused(paused[1]), "whoever paused it relies on it"
        assert not is_paused(other[1])
    finally:
        unpause_by_hand(paused[1])
    assert (run.status, run.attempts) == (RunStatus.FAILED, ())
    assert run.cause is not None
    assert f"{paused[0]}: is paused already, by somebody else" in run.cause.message
