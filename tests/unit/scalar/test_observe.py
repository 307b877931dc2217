"""What is found of a release, and what is said when something else is found."""

from __future__ import annotations

import pytest

from shared.model.errors import Forbidden, NotReady, Unreachable
from shared.model.pods import unfit
from shared.scalar.products import APP_LABEL, INSTANCE_LABEL, PRODUCTS
from shared.scalar.releases import ReleasesInClusters
from tests.unit.scalar.cluster import NOW, Cluster, FixedClock, pod, release_named


@pytest.fixture
def cluster():
    return Cluster()


def observe(cluster, *releases):
    return ReleasesInClusters(cluster, FixedClock()).observe(releases or (release_named(),))


def not_ready(cluster, *releases):
    with pytest.raises(NotReady) as caught:
        observe(cluster, *releases)
    return caught.value


@pytest.mark.parametrize("app", PRODUCTS)
def test_each_product_is_found_with_its_pods_and_admin_targets(cluster, app):
    cluster.install(app)
    (snapshot,) = observe(cluster)
    assert snapshot.product == app
    assert [item.name for item in snapshot.pods] == [f"orders-{app}-node-5d4f-{number}" for number in range(3)]
    assert [target.address for target in snapshot.targets] == [
        f"10.0.0.{number}:{PRODUCTS[app].admin_port}" for number in (1, 2, 3)
    ]
    assert (snapshot.taken_at, unfit(snapshot)) == (NOW, ())
    assert snapshot.resource_version == cluster.list("pods", "scalar", {}).resource_version


def test_envoy_of_the_same_release_is_neither_paused_nor_watched(cluster):
    cluster.install("scalardb-cluster", replicas=1)
    cluster.install_envoy()
    (snapshot,) = observe(cluster)
    assert [target.pod for target in snapshot.targets] == ["orders-scalardb-cluster-node-5d4f-0"]


def test_several_releases_are_observed_in_their_order(cluster):
    cluster.install("auditor", "audit", replicas=2)
    cluster.install("ledger", "ledger", replicas=1)
    found = observe(cluster, release_named("ledger"), release_named("audit"))
    assert [(snapshot.release.helm_release, len(snapshot.targets)) for snapshot in found] == [("ledger", 1), ("audit", 2)]


def test_no_releases_are_no_snapshots(cluster):
    assert ReleasesInClusters(cluster, FixedClock()).observe(()) == ()


def test_a_release_that_does_not_exist_is_answered_with_those_that_do(cluster):
    cluster.install("scalardb-cluster", "orders")
    cluster.install("scalardb-cluster", "payments")
    error = not_ready(cluster, release_named("oders"))
    assert "prod-tokyo/scalar/oders was not found" in error.message
    assert "Did you mean orders?" in error.hint
    assert "Releases in namespace scalar: orders, payments." in error.hint


def test_a_namespace_without_scalar_products_is_told_as_such(cluster):
    error = not_ready(cluster)
    assert "namespace scalar of cluster prod-tokyo has no release of a Scalar product" in error.message


def test_a_release_of_something_else_is_told_with_what_it_is(cluster):
    cluster.install_envoy()
    assert "none of a product that can be paused" in (message := not_ready(cluster).message)
    assert "envoy" in message


def test_two_products_under_one_release_name_are_ambiguous(cluster):
    cluster.install("ledger")
    cluster.install("auditor")
    assert "release name of ScalarDL Auditor and ScalarDL Ledger" in not_ready(cluster).message


def test_two_deployments_of_one_product_are_ambiguous_and_named(cluster):
    deployment = cluster.install("scalardb-cluster")
    cluster.add("deployments", {**deployment, "metadata": {**deployment["metadata"], "name": "copy", "uid": "other"}})
    assert "copy, orders-scalardb-cluster-node" in not_ready(cluster).message


def test_a_pod_without_an_address_fails_the_check_by_name(cluster):
    cluster.install("scalardb-cluster", replicas=2)
    pending = cluster.objects["pods"]["orders-scalardb-cluster-node-5d4f-1"]
    waiting = {"name": "server", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    pending["status"] = {"phase": "Pending", "containerStatuses": [waiting]}
    error = not_ready(cluster)
    assert "1 of 2 pods have no IP address" in error.message
    assert "orders-scalardb-cluster-node-5d4f-1 (Pending, container server: ImagePullBackOff)" in error.message


def test_a_finished_pod_without_an_address_is_not_left_out_either(cluster):
    cluster.install("scalardb-cluster", replicas=1)
    cluster.objects["pods"]["orders-scalardb-cluster-node-5d4f-0"]["status"] = {"phase": "Failed", "reason": "Evicted"}
    assert "orders-scalardb-cluster-node-5d4f-0 (Failed)" in not_ready(cluster).message


def test_a_pod_with_the_labels_that_is_not_the_deployments_is_never_left_unpaused_unnoticed(cluster):
    cluster.install("scalardb-cluster", replicas=1)
    labels = {INSTANCE_LABEL: "orders", APP_LABEL: "scalardb-cluster"}
    cluster.add("pods", pod("by-hand", labels, None, 7))
    error = not_ready(cluster)
    assert "by-hand carry the labels of ScalarDB Cluster but do not belong to Deployment" in error.message


def test_a_pod_of_another_deployments_replica_set_is_not_this_ones(cluster):
    cluster.install("scalardb-cluster", replicas=1)
    replica_set = cluster.objects["replicasets"]["orders-scalardb-cluster-node-5d4f"]
    replica_set["metadata"]["ownerReferences"][0]["uid"] = "another"
    assert "orders-scalardb-cluster-node-5d4f-0 carry the labels" in not_ready(cluster).message


def test_a_replica_set_that_is_gone_already_is_known_by_its_name(cluster):
    cluster.install("scalardb-cluster", replicas=1)
    cluster.objects["replicasets"].clear()
    (snapshot,) = observe(cluster)
    assert len(snapshot.targets) == 1


def test_a_release_scaled_to_zero_is_found_and_judged_by_its_deployment(cluster):
    cluster.install("scalardb-cluster", replicas=0)
    (snapshot,) = observe(cluster)
    assert [change.code for change in unfit(snapshot)] == ["no-pods"]


def test_all_releases_that_are_not_ready_are_named_at_once(cluster):
    cluster.install("ledger", "ledger", replicas=1)
    cluster.objects["pods"]["ledger-ledger-node-5d4f-0"]["status"].pop("podIP")
    error = not_ready(cluster, release_named("ledger"), release_named("audit"))
    assert "1 of 1 pods have no IP address" in error.message
    assert "prod-tokyo/scalar/audit was not found" in error.message


@pytest.mark.parametrize("error", [Unreachable("no answer"), Forbidden("pods is forbidden")], ids=lambda error: error.code)
def test_an_error_of_the_cluster_comes_through_unchanged(cluster, error):
    cluster.install("scalardb-cluster")
    cluster.unreadable["pods"] = error
    with pytest.raises(type(error)) as caught:
        observe(cluster, release_named("nowhere"), release_named())
    assert caught.value is error


def test_the_spec_digest_follows_replicas_and_template_and_nothing_else(cluster):
    deployment = cluster.install("scalardb-cluster")
    (before,) = observe(cluster)
    stored = cluster.objects["deployments"][deployment["metadata"]["name"]]
    stored["metadata"]["annotations"] = {"note": "by a person"}
    stored["status"]["readyReplicas"] = 2
    assert observe(cluster)[0].deployment.spec_digest == before.deployment.spec_digest
    stored["spec"]["template"]["metadata"]["annotations"]["checksum/config"] = "def"
    (changed,) = observe(cluster)
    assert changed.deployment.spec_digest != before.deployment.spec_digest
    stored["spec"]["replicas"] = 4
    assert observe(cluster)[0].deployment.spec_digest != changed.deployment.spec_digest


def test_a_pod_state_holds_every_container_with_what_a_restart_changes(cluster):
    cluster.install("scalardb-cluster", replicas=1)
    stored = cluster.objects["pods"]["orders-scalardb-cluster-node-5d4f-0"]
    stored["spec"]["initContainers"] = [{"name": "init"}]
    stored["spec"]["containers"].append({"name": "sidecar"})
    finished = {"terminated": {"startedAt": "2026-11-24T01:59:00Z", "exitCode": 0}}
    stored["status"]["initContainerStatuses"] = [{"name": "init", "containerID": "c-init", "state": finished}]
    stored["metadata"]["deletionTimestamp"] = "2026-11-24T03:00:00Z"
    (state,) = observe(cluster)[0].pods
    init, server, sidecar = state.containers
    assert (init.name, init.id, init.started_at.isoformat()) == ("init", "c-init", "2026-11-24T01:59:00+00:00")
    assert (server.id, server.restarts) == ("containerd://orders-scalardb-cluster-node-5d4f-0", 0)
    assert (sidecar.name, sidecar.id, sidecar.started_at) == ("sidecar", "", None)
    assert (state.template_hash, state.node, state.ready, state.deleting) == ("5d4f", "node-1", True, True)
