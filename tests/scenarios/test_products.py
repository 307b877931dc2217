"""Every product and generation, groups over two clusters, and TLS: one restore point, or a refusal that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.sandbox.cluster.certificates import Certificates, create_certificates
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.world import GROUP, NAMESPACE
from shared.model.plan_document import parse_plan
from shared.model.run import AttemptStatus, RunStatus
from shared.steps.evidence import load_evidence
from tests.scenarios.deployment import SHORT, Deployment, codes, is_paused, unpause_by_hand

OSAKA = "prod-osaka"
CLUSTER_IMAGE = "ghcr.io/scalar-labs/scalardb-cluster-node"
SERVER_IMAGE = "ghcr.io/scalar-labs/scalardb-server"
LEDGER_IMAGE = "ghcr.io/scalar-labs/scalar-ledger"
AUDITOR_IMAGE = "ghcr.io/scalar-labs/scalar-auditor"
DEDICATED = "scalar.db.cluster.node.admin.port"
STUCK = "SANDBOX_STUCK_TRANSACTION_SECONDS"


@pytest.fixture(scope="module")
def osaka(shared_deployment: Deployment) -> Iterator[ClusterClient]:
    """A second cluster beside the one that every scenario has."""
    with shared_deployment.world.environment():
        yield shared_deployment.world.add_cluster(OSAKA)


def apply(deployment: Deployment, name: str, *releases: dict[str, Any], participants: Any = (), **pause: Any) -> str:
    """A plan over several releases, each a name with what the test adds to it."""
    document = deployment.world.plan_document(name, **(SHORT | pause))
    (pattern,) = document["releases"]
    document["releases"] = [pattern | release for release in releases]
    if participants:
        document["participants"] = list(participants)
    document["backup"] = {"kept_copy": False}
    deployment.catalog.put_plan(parse_plan(document), datetime.now(UTC))
    return name


def in_osaka(deployment: Deployment, **more: Any) -> dict[str, Any]:
    return {"cluster": {"eks": OSAKA, "region": deployment.world.aws.region}, **more}


def install_application(kube: ClusterClient, name: str, image: str, config_map: str) -> None:
    """An application with the embedded library: no Helm chart of a Scalar product, labels of its own."""
    key = "scalardb-cluster-node.properties"
    container = {
        "name": "api",
        "image": image,
        "volumeMounts": [{"name": "properties", "mountPath": f"/scalardb-cluster/node/{key}", "subPath": key}],
        "startupProbe": {"tcpSocket": {"port": 60053}, "periodSeconds": 1, "failureThreshold": 60},
    }
    spec = {"containers": [container], "volumes": [{"name": "properties", "configMap": {"name": config_map}}]}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    document = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
    }
    kube.apply([document])
    kube.wait_until_ready(NAMESPACE, name, timeout_seconds=60)


def test_three_products_and_an_application_in_two_clusters_give_one_restore_point(
    deployment: Deployment, osaka: ClusterClient
) -> None:
    world = deployment.world
    world.install("group-ledger", product="scalardl", image=f"{LEDGER_IMAGE}:3.14.0", pods=2)
    world.install("group-auditor", product="scalardl-audit", image=f"{AUDITOR_IMAGE}:3.14.0", kube=osaka)
    node = world.install("group-cluster", image=f"{CLUSTER_IMAGE}:3.19.0", kube=osaka, fullname_override="renamed")
    install_application(osaka, "orders-api", f"{CLUSTER_IMAGE}:3.19.0", f"{node}-properties")
    plan = apply(
        deployment,
        "group",
        {"helm_release": "group-ledger"},
        in_osaka(deployment, helm_release="group-auditor"),
        in_osaka(deployment, helm_release="group-cluster"),
        participants=[
            in_osaka(deployment, name="orders-api", namespace=NAMESPACE, selector="app=orders-api", admin_port=60053)
        ],
        drain="3s",
    )

    run = deployment.back_up(plan)

    assert (run.status, codes(run)) == (RunStatus.SUCCEEDED, [""])
    point = deployment.catalog.point(plan, "latest")
    assert point.window is not None
    assert (point.id, point.at, point.window.pods) == (run.id, run.attempts[0].point, 5)
    found = load_evidence(deployment.catalog, run.id, 1)
    assert found.pause is not None
    assert found.resume is not None
    assert found.capture is not None
    assert {sample.paused for sample in found.capture.samples} == {5}
    callers_first = [item.pod for item in found.pause.acknowledgements][:2]
    callers_last = [item.pod for item in found.resume.pods][:-3:-1]
    assert callers_first == callers_last
    assert [name in pod for name, pod in zip(("orders-api", "auditor"), callers_first, strict=True)] == [True, True]
    journal = deployment.catalog.pause_journal(run.id, 1)
    assert journal is not None
    assert [len(stage) for stage in journal.pause_stages] == [1, 1, 3]
    assert not any(is_paused(target.host, target.port) for stage in journal.pause_stages for target in stage)


def test_an_auditor_without_its_ledger_is_refused_with_the_reason(deployment: Deployment) -> None:
    deployment.world.install("lone-auditor", product="scalardl-audit", image=f"{AUDITOR_IMAGE}:3.14.0")
    plan = apply(deployment, "lone-auditor", {"helm_release": "lone-auditor"})
    (failure,) = deployment.failed_checks(plan)
    assert failure.name == "ledger-included"
    assert "With Auditor, Ledger is always paused" in failure.detail


def test_older_generations_and_a_dedicated_admin_port_are_paused_together(deployment: Deployment) -> None:
    world = deployment.world
    world.install("old-server", product="scalardb", image=f"{SERVER_IMAGE}:3.9.7")
    world.install("old-ledger", product="scalardl", image=f"{LEDGER_IMAGE}:3.13.0", envoy_image="envoyproxy/envoy:v1.30.0")
    world.install("old-cluster", image=f"{CLUSTER_IMAGE}:3.18.0", properties={DEDICATED: "60055"}, name_override="named")
    releases = [{"helm_release": name} for name in ("old-server", "old-ledger", "old-cluster")]
    plan = apply(deployment, "generations", *releases)

    run = deployment.back_up(plan)

    assert (run.status, codes(run)) == (RunStatus.SUCCEEDED, [""])
    journal = deployment.catalog.pause_journal(run.id, 1)
    assert journal is not None
    assert [target.port for target in journal.to_resume] == [60051, 50053, 60055]
    assert not any(is_paused(target.host, target.port) for target in journal.to_resume)


def test_a_server_without_check_paused_is_refused_as_too_old(deployment: Deployment) -> None:
    deployment.world.install("ancient", product="scalardb", image=f"{SERVER_IMAGE}:3.5.3")
    (failure,) = deployment.failed_checks(apply(deployment, "ancient", {"helm_release": "ancient"}))
    assert failure.name == "admin-port"
    assert "has an Admin service without CheckPaused" in failure.detail
    assert "too old: upgrade the release" in failure.hint


def test_a_stuck_transaction_ends_the_attempt_with_the_way_out(deployment: Deployment) -> None:
    deployment.world.install("stuck", environment={STUCK: "300"})
    run = deployment.back_up(apply(deployment, "stuck", {"helm_release": "stuck"}, drain="1s", attempts=1))
    (attempt,) = run.attempts
    assert attempt.cause is not None
    assert attempt.cause.code == "pause-refused"
    assert "TIMED_OUT" in attempt.cause.message
    assert "Raise pause.drain above the longest transaction" in attempt.cause.hint
    assert deployment.paused_pods("stuck") == []


def test_an_older_server_that_says_paused_with_an_open_gate_is_not_believed(deployment: Deployment) -> None:
    """Up to ScalarDB Cluster 3.18.0 an Unpause during the drain goes unnoticed by the Pause that drains."""
    deployment.world.install("racing", image=f"{CLUSTER_IMAGE}:3.18.0", environment={STUCK: "14"})
    (address,) = deployment.addresses("racing").values()
    plan = apply(deployment, "racing", {"helm_release": "racing"}, drain="20s", max_pause="60s", attempts=1)
    execution = deployment.start(plan)
    deployment.await_pause("racing")
    unpause_by_hand(address)
    deployment.finish(execution)
    (attempt,) = deployment.run_of(execution).attempts
    assert attempt.status is AttemptStatus.INVALID
    assert attempt.cause is not None
    assert attempt.cause.code == "pause-not-confirmed"
    assert not is_paused(address)


# -- TLS

TLS_PROPERTIES = {
    "scalar.dl.ledger.server.tls.enabled": "true",
    "scalar.dl.ledger.server.tls.private_key_path": "/tls/scalardl-ledger/certs/tls.key",
    "scalar.dl.ledger.server.tls.cert_chain_path": "/tls/scalardl-ledger/certs/tls.crt",
}


def install_with_tls(deployment: Deployment, name: str) -> Certificates:
    """As the chart does with ledger.tls.enabled and cert-manager: a Secret `<fullname>-tls-cert`, and probes that verify it."""
    issued = create_certificates(name)
    data = {"ca.crt": issued.ca_pem, "tls.crt": issued.server_pem, "tls.key": issued.server_key_pem}
    metadata = {"name": f"{name}-tls-cert", "namespace": NAMESPACE}
    deployment.world.kube.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}])
    directory = "/tls/scalardl-ledger/certs"
    command = [
        "/usr/local/bin/grpc_health_probe", "-addr=localhost:50051", "-tls", f"-tls-ca-cert={directory}/ca.crt",
    ]  # fmt: skip
    container = {
        "name": "scalardl-ledger",
        "volumeMounts": [{"name": "scalardl-ledger-tls-volume", "mountPath": directory}],
        "startupProbe": {"exec": {"command": command}},
        "livenessProbe": {"exec": {"command": command}},
    }
    volume = {"name": "scalardl-ledger-tls-volume", "secret": {"secretName": f"{name}-tls-cert"}}
    template = {"spec": {"containers": [container], "volumes": [volume]}}
    deployment.world.install(
        name,
        product="scalardl",
        image=f"{LEDGER_IMAGE}:3.14.0",
        properties=TLS_PROPERTIES,
        deployment_overrides={"spec": {"template": template}},
    )
    return issued


def allow_secret(kube: ClusterClient, secret: str) -> None:
    """What the hint of the refusal says."""
    api, name = "rbac.authorization.k8s.io", "scalar-backup-ca"
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": ["get"]}
    metadata = {"name": name, "namespace": NAMESPACE}
    subject = {"apiGroup": api, "kind": "Group", "name": GROUP}
    kube.apply(
        [
            {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
            {
                "apiVersion": f"{api}/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "subjects": [subject],
                "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
            },
        ]
    )


def test_tls_is_found_in_the_release_once_its_one_secret_may_be_read(deployment: Deployment) -> None:
    issued = install_with_tls(deployment, "secured")
    plan = apply(deployment, "secured", {"helm_release": "secured"})
    (failure,) = deployment.failed_checks(plan)
    assert "--verb=get --resource=secrets --resource-name=secured-tls-cert" in failure.hint

    allow_secret(deployment.world.kube, "secured-tls-cert")
    run = deployment.back_up(plan)

    assert (run.status, codes(run)) == (RunStatus.SUCCEEDED, [""])
    journal = deployment.catalog.pause_journal(run.id, 1)
    assert journal is not None
    (target,) = journal.to_resume
    assert target.tls is not None
    assert (target.tls.ca_pem.strip(), target.tls.server_name) == (issued.ca_pem.strip(), "localhost")
