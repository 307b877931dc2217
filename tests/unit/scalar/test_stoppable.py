"""Which Deployment is stopped for a release: also while it has no pods, and never by a guess."""

from __future__ import annotations

import pytest

from shared.model.errors import NotReady
from shared.model.records import replace
from shared.scalar.stoppable import find_stoppable
from tests.unit.scalar.cluster import Cluster, pod, release_named

LABELS = {"app": "orders-api"}
API = replace(release_named("orders-api", 60053), selector="app=orders-api")


@pytest.fixture
def cluster():
    return Cluster()


def name_of(cluster, release=API):
    return find_stoppable(cluster, release)["metadata"]["name"]


def add_deployment(cluster, name="orders-api", labels=LABELS, pods=1, **status):
    template = {"metadata": {"labels": labels}, "spec": {"containers": []}}
    deployment = cluster.add("deployments", {"metadata": {"name": name}, "spec": {"replicas": pods, "template": template}})
    owner = {"kind": "Deployment", "name": name, "uid": deployment["metadata"]["uid"], "controller": True}
    replica_set = cluster.add("replicasets", {"metadata": {"name": f"{name}-6f", "ownerReferences": [owner]}})
    for number in range(pods):
        cluster.add("pods", pod(f"{name}-6f-{number}", labels, replica_set, number, **status))


@pytest.mark.parametrize("replicas", [0, 2])
def test_a_products_deployment_is_found_with_and_without_pods(cluster, replicas):
    deployment = cluster.install("scalardb-cluster", replicas=replicas)
    assert name_of(cluster, release_named()) == deployment["metadata"]["name"]


@pytest.mark.parametrize("pods", [0, 2])
def test_a_participants_deployment_is_found_with_and_without_pods(cluster, pods):
    add_deployment(cluster, pods=pods)
    add_deployment(cluster, "reports", {"app": "reports"}, pods=0)
    assert name_of(cluster) == "orders-api"


def test_pods_that_have_ended_lead_nowhere(cluster):
    add_deployment(cluster, phase="Failed")
    del cluster.objects["replicasets"]["orders-api-6f"]
    assert name_of(cluster) == "orders-api"


def test_pods_of_a_stateful_set_are_refused_by_name_with_what_to_do(cluster):
    item = pod("queue-0", LABELS, None)
    item["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "queue", "uid": "u", "controller": True}]
    cluster.add("pods", item)
    with pytest.raises(NotReady, match=r"belong to StatefulSet queue; a restore can stop and start Deployments only") as error:
        find_stoppable(cluster, API)
    assert "Stop it by hand" in error.value.hint


def test_pods_on_their_own_are_refused(cluster):
    cluster.add("pods", pod("by-hand", LABELS, None))
    with pytest.raises(NotReady, match="belong to no controller"):
        find_stoppable(cluster, API)


def test_pods_of_two_workloads_are_refused(cluster):
    add_deployment(cluster)
    add_deployment(cluster, "orders-worker")
    with pytest.raises(NotReady, match="several workloads: Deployment orders-api, Deployment orders-worker"):
        find_stoppable(cluster, API)


def test_without_pods_several_templates_with_the_labels_are_refused_by_name(cluster):
    add_deployment(cluster, pods=0)
    add_deployment(cluster, "orders-worker", LABELS | {"tier": "b"}, pods=0)
    with pytest.raises(NotReady, match="are: orders-api, orders-worker"):
        find_stoppable(cluster, API)


def test_a_participant_that_is_not_there_at_all_is_refused(cluster):
    with pytest.raises(NotReady, match=r"carries app=orders-api, and the Deployments .* none"):
        find_stoppable(cluster, API)


def test_pods_that_outlive_their_deployment_are_named(cluster):
    add_deployment(cluster)
    del cluster.objects["deployments"]["orders-api"]
    with pytest.raises(NotReady, match="Deployment orders-api is gone, but its pods are still there"):
        find_stoppable(cluster, API)
