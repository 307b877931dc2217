"""Where the Admin port comes from: the first of plan, properties, Service and default that says something."""

from __future__ import annotations

import pytest

from shared.model.errors import NotReady
from shared.scalar.releases import ReleasesInClusters
from tests.unit.scalar.cluster import Cluster, FixedClock, release_named

DEDICATED = "scalar.db.cluster.node.admin.port"


@pytest.fixture
def cluster():
    return Cluster()


def port_of(cluster, release=None):
    (snapshot,) = ReleasesInClusters(cluster, FixedClock()).observe([release or release_named()])
    ports = {(target.port, target.port_source) for target in snapshot.targets}
    assert len(ports) == 1
    return ports.pop()


def test_the_plan_decides_and_no_service_is_asked(cluster):
    cluster.install("scalardb-cluster", properties=f"{DEDICATED}=60055")
    assert port_of(cluster, release_named(admin_port=7)) == (7, "the plan")
    assert not {kind for kind, _ in cluster.reads} & {"services", "secrets"}


@pytest.mark.parametrize(
    ("app", "name"),
    [
        ("scalardb-cluster", DEDICATED),
        ("ledger", "scalar.dl.ledger.server.admin_port"),
        ("auditor", "scalar.dl.auditor.server.admin_port"),
    ],
)
def test_the_properties_come_before_the_service(cluster, app, name):
    cluster.install(app, properties=f"{name} = 61000")
    number, source = port_of(cluster)
    assert number == 61000
    assert source.startswith(f"{name} in ConfigMap orders-{app}-properties, key ")


def test_a_port_from_the_environment_is_resolved(cluster):
    cluster.install(
        "auditor",
        properties='scalar.dl.auditor.server.admin_port={{ default .Env.HELM_SCALAR_DL_AUDITOR_SERVER_ADMIN_PORT "" }}',
        container={"env": [{"name": "HELM_SCALAR_DL_AUDITOR_SERVER_ADMIN_PORT", "value": "40063"}]},
    )
    assert port_of(cluster)[0] == 40063


def test_an_empty_property_leaves_it_to_the_service_whose_target_port_is_a_name(cluster):
    container = {"ports": [{"name": "scalardb-cluster", "containerPort": 60099}]}
    cluster.install("scalardb-cluster", properties=f"{DEDICATED}=", container=container)
    assert port_of(cluster) == (60099, "port scalardb-cluster of Service orders-scalardb-cluster-node-headless")


@pytest.mark.parametrize(("port", "number"), [({"targetPort": 60077}, 60077), ({}, 60066)])
def test_a_target_port_may_be_a_number_or_left_out(cluster, port, number):
    cluster.install("scalardb-cluster")
    service = cluster.objects["services"]["orders-scalardb-cluster-node-headless"]
    service["spec"]["ports"] = [{"name": "scalardb-cluster", "port": 60066} | port]
    assert port_of(cluster)[0] == number


def test_the_headless_service_comes_before_others_with_the_same_port_name(cluster):
    cluster.install("scalardb-cluster")
    labels = cluster.objects["services"]["orders-scalardb-cluster-node-headless"]["metadata"]["labels"]
    ports = [{"name": "scalardb-cluster", "port": 80, "targetPort": 80}]
    cluster.add(
        "services", {"metadata": {"name": "a-endpoint", "labels": labels}, "spec": {"clusterIP": "10.1.0.1", "ports": ports}}
    )
    assert port_of(cluster)[0] == 60053


def test_without_any_of_them_the_products_default_applies(cluster):
    cluster.install("ledger")
    cluster.objects["services"].clear()
    cluster.objects["configmaps"].clear()
    assert port_of(cluster) == (50053, "the default of ScalarDL Ledger")


@pytest.mark.parametrize("value", ["${env:FROM_SECRET}", "0", "65536", "abc", "٣"])
def test_a_port_that_is_none_is_refused_with_the_property(cluster, value):
    cluster.install("scalardb-cluster", properties=f"{DEDICATED}={value}")
    with pytest.raises(NotReady, match=DEDICATED) as caught:
        port_of(cluster)
    assert "set admin_port of the release in the plan" in caught.value.hint


def test_pods_with_ipv6_addresses_are_dialled_in_brackets(cluster):
    cluster.install("ledger", replicas=1)
    cluster.objects["pods"]["orders-ledger-node-5d4f-0"]["status"]["podIP"] = "fd00::1"
    (snapshot,) = ReleasesInClusters(cluster, FixedClock()).observe([release_named()])
    assert snapshot.targets[0].address == "[fd00::1]:50053"
