"""Pods of an overlay network, whose addresses lead nowhere from the functions: backed up through the API server, without a word
about it in the plan."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.world import NAMESPACE, PORT_FORWARD
from shared.model.plan_document import parse_plan
from shared.model.run import AttemptStatus, RunStatus
from shared.steps.evidence import load_evidence
from tests.scenarios.deployment import SHORT, Deployment

CLUSTER, RELEASE = "prod-overlay", "hidden"


@pytest.fixture(scope="module")
def kube(shared_deployment: Deployment) -> ClusterClient:
    world = shared_deployment.world
    kube = world.add_cluster(CLUSTER, overlay=True)
    world.install(RELEASE, kube=kube, pods=3)
    return kube


@pytest.fixture
def plan(deployment: Deployment, kube: ClusterClient) -> str:
    document = deployment.world.plan_document("overlay", RELEASE, **SHORT)
    document["releases"][0]["cluster"]["eks"] = CLUSTER
    document["backup"] = {"kept_copy": False}
    deployment.catalog.put_plan(parse_plan(document), datetime.now(UTC))
    return "overlay"


def test_without_the_rights_the_check_names_both_ways_and_the_file_that_grants_them(deployment: Deployment, plan: str) -> None:
    told = {check.name: check for check in deployment.failed_checks(plan)}
    assert "direct does not reach 3 of 3 pods" in told["transport"].detail
    assert 'cannot get resource "pods/portforward"' in told["transport"].detail
    assert "infra/kubernetes/port-forward.yaml" in told["transport"].hint


def test_a_backup_goes_through_the_api_server_and_survives_that_it_cuts_every_connection(
    deployment: Deployment, kube: ClusterClient, plan: str
) -> None:
    kube.apply(yaml.safe_load_all(PORT_FORWARD.read_text()))
    assert deployment.failed_checks(plan) == ()
    execution = deployment.start(plan)
    held = deployment.run_when(execution, lambda run: bool(run.attempt and run.attempt.paused_at), "the pods are paused")
    kube.cut_port_forwards()
    run = deployment.run_of(deployment.finish(execution))
    assert run.status is RunStatus.SUCCEEDED
    assert [attempt.status for attempt in run.attempts] == [AttemptStatus.VALID]
    (told,) = [check for check in run.checks if check.name == "transport"]
    assert told.detail.startswith("port-forward: 3 pods answer through the API server, and direct does not reach 3 of 3 pods")
    evidence = load_evidence(deployment.catalog, held.id, 1)
    addresses = {pod["status"]["podIP"] for pod in kube.list_objects(PODS, NAMESPACE)}
    assert {target.host for target in evidence.before[0].targets} == addresses
    assert all(address.startswith("198.18.") for address in addresses)
    assert {target.transport for target in evidence.before[0].targets} == {"port-forward"}
    assert [(pod.problem, pod.transport) for pod in evidence.resume.pods] == [("", "port-forward")] * 3
    assert deployment.catalog.open_pauses() == ()
