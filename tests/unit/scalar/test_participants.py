"""Whatever joins a plan by its labels: whose pods they are, how they are watched, and which selectors are refused."""

from __future__ import annotations

import pytest

from shared.model.errors import NotReady
from shared.model.plan import AdminTls, TlsSettings
from shared.model.pods import unfit
from shared.model.records import replace
from shared.scalar.releases import ReleasesInClusters
from tests.unit.scalar.cluster import Cluster, FixedClock, Stream, pod, release_named

LABELS = {"app": "orders-api", "tier": "write"}
API = replace(release_named("orders-api", 60053), selector="app=orders-api,tier=write")
CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def cluster():
    return Cluster()


def observe(cluster, participant=API):
    (snapshot,) = ReleasesInClusters(cluster, FixedClock()).observe([participant])
    return snapshot


def controlled_by(kind, name, uid="uid-owner"):
    return {"kind": kind, "name": name, "uid": uid, "controller": True}


def add_pod(cluster, name, owner=None, number=0, **labels):
    item = pod(name, LABELS | labels, None, number)
    item["metadata"]["ownerReferences"] = [owner] if owner else []
    cluster.add("pods", item)


def install_deployment(cluster, name="orders-api", replicas=2):
    status = {"observedGeneration": 1, "updatedReplicas": replicas, "readyReplicas": replicas}
    deployment = {"metadata": {"name": name, "generation": 1}, "spec": {"replicas": replicas, "template": {}}, "status": status}
    cluster.add("deployments", deployment)
    owner = controlled_by("Deployment", name)
    cluster.add("replicasets", {"metadata": {"name": f"{name}-6f", "ownerReferences": [owner]}})
    for number in range(replicas):
        add_pod(cluster, f"{name}-6f-{number}", controlled_by("ReplicaSet", f"{name}-6f"), number)


def test_the_pods_of_a_deployment_are_found_with_it(cluster):
    install_deployment(cluster)
    snapshot = observe(cluster)
    assert (snapshot.product, snapshot.deployment.name, unfit(snapshot)) == ("participant", "orders-api", ())
    assert [(target.address, target.port_source) for target in snapshot.targets] == [
        ("10.0.0.1:60053", "the plan"),
        ("10.0.0.2:60053", "the plan"),
    ]


def test_the_pods_of_a_stateful_set_are_known_by_its_revision(cluster):
    add_pod(
        cluster, "orders-api-0", controlled_by("StatefulSet", "orders-api"), **{"controller-revision-hash": "orders-api-7c"}
    )
    snapshot = observe(cluster)
    assert (snapshot.deployment, snapshot.pods[0].template_hash, unfit(snapshot)) == (None, "orders-api-7c", ())


def test_pods_that_nothing_controls_join_as_well(cluster):
    add_pod(cluster, "by-hand")
    assert [item.name for item in observe(cluster).pods] == ["by-hand"]


def test_a_replica_set_without_a_deployment_is_a_workload_of_its_own(cluster):
    cluster.add("replicasets", {"metadata": {"name": "orders-api-6f"}})
    add_pod(cluster, "orders-api-6f-0", controlled_by("ReplicaSet", "orders-api-6f"))
    assert observe(cluster).deployment is None


def not_ready(cluster, participant=API):
    with pytest.raises(NotReady) as refused:
        observe(cluster, participant)
    return refused.value


def test_a_selector_that_finds_nothing_is_told_with_the_command_that_shows_it(cluster):
    error = not_ready(cluster)
    assert "no pod in namespace scalar of cluster prod-tokyo carries app=orders-api,tier=write" in error.message
    assert "kubectl -n scalar get pods -l app=orders-api,tier=write" in error.hint


def test_a_selector_that_finds_several_workloads_is_told_with_their_names(cluster):
    install_deployment(cluster, "orders-api")
    install_deployment(cluster, "orders-worker")
    assert "several workloads: Deployment orders-api, Deployment orders-worker" in not_ready(cluster).message


def test_a_selector_that_finds_a_scalar_product_is_led_to_releases(cluster):
    cluster.install("scalardb-cluster", replicas=1)
    participant = replace(API, selector="app.kubernetes.io/instance=orders")
    error = not_ready(cluster, participant)
    assert "which is ScalarDB Cluster" in error.message
    assert "under releases" in error.hint


def test_a_pod_without_an_address_is_never_left_out(cluster):
    add_pod(cluster, "pending")
    cluster.objects["pods"]["pending"]["status"] = {"phase": "Pending"}
    assert "1 of 1 pods have no IP address: pending (Pending)" in not_ready(cluster).message


def test_tls_is_as_the_plan_says(cluster):
    add_pod(cluster, "orders-api-0")
    settings = TlsSettings(enabled=True, ca_pem=CA, server_name="orders-api")
    (target,) = observe(cluster, replace(API, tls=settings)).targets
    assert target.tls == AdminTls(ca_pem=CA, server_name="orders-api")
    assert "TLS is on, and the plan gives no CA" in not_ready(cluster, replace(API, tls=TlsSettings(enabled=True))).message


def test_it_is_watched_by_its_own_labels(cluster):
    add_pod(cluster, "orders-api-0")
    cluster.streams = [Stream(None)]
    releases = ReleasesInClusters(cluster, FixedClock())
    releases.catch_up({}, [observe(cluster)])
    assert [labels for labels, _, _ in cluster.watched] == [LABELS]


def test_it_has_no_properties_that_could_name_a_database(cluster):
    add_pod(cluster, "orders-api-0")
    assert ReleasesInClusters(cluster, FixedClock()).storage([API]) == ()
