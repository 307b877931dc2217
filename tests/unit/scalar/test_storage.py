"""The properties file is found through the Deployment's mounts, and its placeholders through the container's environment."""

from __future__ import annotations

import pytest

from shared.model.errors import Forbidden, NotReady, Unreachable
from shared.scalar.releases import ReleasesInClusters
from tests.unit.scalar.cluster import PROPERTIES, Cluster, FixedClock, release_named

FROM_ENVIRONMENT = "scalar.db.storage=dynamo\nscalar.db.contact_points=${env:SCALAR_DB_CONTACT_POINTS}\n"


@pytest.fixture
def cluster():
    return Cluster()


def storage(cluster, *releases):
    return ReleasesInClusters(cluster, FixedClock()).storage(releases or [release_named()])


def region(cluster, container=None, properties=FROM_ENVIRONMENT):
    cluster.install("scalardb-cluster", properties=properties, container=container)
    return storage(cluster)[0].storages[0].contact_point


def not_ready(cluster):
    with pytest.raises(NotReady) as caught:
        storage(cluster)
    return caught.value.message


def template_of(cluster):
    return cluster.objects["deployments"]["orders-scalardb-cluster-node"]["spec"]["template"]["spec"]


def variable(value_from):
    return {"env": [{"name": "SCALAR_DB_CONTACT_POINTS"} | value_from]}


def test_the_source_names_the_config_map_and_the_key(cluster):
    cluster.install("ledger")
    (found,) = storage(cluster)
    assert found.release == "ap-northeast-1/prod-tokyo/scalar/orders"
    assert found.source == "ConfigMap orders-ledger-properties, key ledger.properties.tmpl"
    assert found.storages[0].contact_point == "ap-northeast-1"


def test_no_pod_and_no_secret_is_read_for_literal_values(cluster):
    cluster.install("scalardb-cluster", container={"envFrom": [{"secretRef": {"name": "credentials"}}]})
    storage(cluster)
    assert {kind for kind, _ in cluster.reads} == {"deployments", "configmaps"}


def test_a_literal_in_the_deployments_environment(cluster):
    assert region(cluster, variable({"value": "us-east-1"})) == "us-east-1"


def test_a_key_of_a_config_map(cluster):
    cluster.add("configmaps", {"metadata": {"name": "settings"}, "data": {"region": "us-east-1"}})
    assert region(cluster, variable({"valueFrom": {"configMapKeyRef": {"name": "settings", "key": "region"}}})) == "us-east-1"


def test_a_key_of_a_secret_and_a_whole_secret(cluster):
    cluster.add_secret("credentials", region="us-east-1", SCALAR_DB_CONTACT_POINTS="us-west-2")
    reference = {"valueFrom": {"secretKeyRef": {"name": "credentials", "key": "region"}}}
    assert region(cluster, variable(reference)) == "us-east-1"
    assert region(cluster, {"envFrom": [{"secretRef": {"name": "credentials"}}]}) == "us-west-2"


def test_env_wins_over_env_from_and_the_last_source_over_earlier_ones(cluster):
    cluster.add("configmaps", {"metadata": {"name": "one"}, "data": {"SCALAR_DB_CONTACT_POINTS": "one"}})
    cluster.add("configmaps", {"metadata": {"name": "two"}, "data": {"DB_CONTACT_POINTS": "two"}})
    sources = {"envFrom": [{"configMapRef": {"name": "one"}}, {"prefix": "SCALAR_", "configMapRef": {"name": "two"}}]}
    assert region(cluster, sources) == "two"
    assert region(cluster, sources | variable({"value": "literal"})) == "literal"


@pytest.mark.parametrize(
    "container",
    [
        variable({"valueFrom": {"secretKeyRef": {"name": "credentials", "key": "region"}}}),
        {"envFrom": [{"secretRef": {"name": "credentials"}}]},
    ],
    ids=["one key", "whole"],
)
def test_a_secret_that_may_not_be_read_leaves_the_value_unresolved_even_if_there_is_a_default(cluster, container):
    cluster.unreadable["secrets"] = Forbidden("secrets is forbidden")
    properties = FROM_ENVIRONMENT.replace("POINTS}", "POINTS:-ap-northeast-1}")
    assert region(cluster, container, properties) == "unresolved(${env:SCALAR_DB_CONTACT_POINTS})"


def test_a_variable_that_is_nowhere_takes_the_default_or_stays_visible(cluster):
    assert region(cluster) == "unresolved(${env:SCALAR_DB_CONTACT_POINTS})"
    assert region(cluster, properties=FROM_ENVIRONMENT.replace("POINTS}", "POINTS:-eu-west-1}")) == "eu-west-1"


def test_an_optional_key_that_does_not_exist_counts_as_unset(cluster):
    cluster.add("configmaps", {"metadata": {"name": "settings"}, "data": {}})
    reference = {"name": "settings", "key": "region", "optional": True}
    properties = FROM_ENVIRONMENT.replace("POINTS}", "POINTS:-eu-west-1}")
    assert region(cluster, variable({"valueFrom": {"configMapKeyRef": reference}}), properties) == "eu-west-1"


@pytest.mark.parametrize(
    "entry",
    [
        {"value": "$(OTHER)-1"},
        {"valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
        {"valueFrom": {"secretKeyRef": {"name": "missing", "key": "region"}}},
    ],
)
def test_what_only_the_kubelet_knows_is_unresolved(cluster, entry):
    assert region(cluster, variable(entry)) == "unresolved(${env:SCALAR_DB_CONTACT_POINTS})"


def test_a_secret_with_binary_content_is_unresolved(cluster):
    cluster.add("secrets", {"metadata": {"name": "credentials"}, "data": {"region": "/w=="}})
    reference = {"valueFrom": {"secretKeyRef": {"name": "credentials", "key": "region"}}}
    assert region(cluster, variable(reference)) == "unresolved(binary value of region)"


def test_an_unreachable_cluster_is_not_taken_for_an_unreadable_secret(cluster):
    cluster.unreadable["secrets"] = Unreachable("no answer")
    with pytest.raises(Unreachable):
        region(cluster, {"envFrom": [{"secretRef": {"name": "credentials"}}]})


def test_items_of_the_volume_map_the_path_back_to_the_key(cluster):
    cluster.install("scalardb-cluster")
    config_map = cluster.objects["configmaps"]["orders-scalardb-cluster-properties"]
    config_map["data"] = {"database": PROPERTIES}
    volume = template_of(cluster)["volumes"][0]["configMap"]
    volume["items"] = [{"key": "database", "path": "scalardb-cluster-node.properties"}]
    assert storage(cluster)[0].source.endswith("key database")


def test_another_properties_file_beside_the_products_own_is_not_taken_for_it(cluster):
    cluster.install("scalardb-cluster")
    mounts = template_of(cluster)["containers"][0]["volumeMounts"]
    mounts.insert(0, {"name": "logging", "mountPath": "/x", "subPath": "log4j2.properties"})
    assert storage(cluster)[0].source.endswith("key scalardb-cluster-node.properties")


def test_a_file_of_another_name_is_found_when_it_is_the_only_one(cluster):
    cluster.install("scalardb-cluster")
    template_of(cluster)["containers"][0]["volumeMounts"][0]["subPath"] = "database.properties"
    cluster.objects["configmaps"]["orders-scalardb-cluster-properties"]["data"] = {"database.properties": PROPERTIES}
    assert storage(cluster)[0].storages[0].kind == "dynamo"


def test_several_candidates_are_named_instead_of_guessed(cluster):
    cluster.install("scalardb-cluster")
    template_of(cluster)["containers"][0]["volumeMounts"] = [
        {"name": "properties-volume", "subPath": "a.properties"},
        {"name": "properties-volume", "subPath": "b.properties"},
    ]
    assert "properties files that it mounts: a.properties, b.properties" in not_ready(cluster)


def test_no_mount_is_told_with_what_the_chart_would_have_made(cluster):
    cluster.install("scalardb-cluster", container={"volumeMounts": []})
    message = not_ready(cluster)
    assert "by subPath (scalardb-cluster-node.properties)" in message
    assert "mounts: none" in message


def test_properties_in_a_secret_are_told_as_such(cluster):
    cluster.install("scalardb-cluster")
    template_of(cluster)["volumes"][0] = {"name": "properties-volume", "secret": {"secretName": "x"}}
    assert "from volume properties-volume, which is not a ConfigMap" in not_ready(cluster)


def test_a_config_map_that_is_gone_and_a_key_that_is_gone_are_told_apart(cluster):
    cluster.install("scalardb-cluster")
    cluster.objects["configmaps"]["orders-scalardb-cluster-properties"]["data"] = {"other": ""}
    assert "the ConfigMap has only other" in not_ready(cluster)
    cluster.objects["configmaps"].clear()
    assert "does not exist in namespace scalar" in not_ready(cluster)


def test_a_file_that_java_would_refuse_is_refused_with_its_place(cluster):
    cluster.install("scalardb-cluster", properties="scalar.db.storage=\\u12")
    message = not_ready(cluster)
    assert "ConfigMap orders-scalardb-cluster-properties, key scalardb-cluster-node.properties" in message
    assert "property 'scalar.db.storage'" in message


@pytest.mark.parametrize(
    ("value", "is_audited"), [("true", True), ("false", False), ('{{ default .Env.AUDITED "true" }}', True)]
)
def test_a_ledger_says_whether_it_works_with_an_auditor(value, is_audited):
    cluster = Cluster()
    cluster.install("ledger", properties=f"{PROPERTIES}scalar.dl.ledger.auditor.enabled={value}\n")
    (found,) = ReleasesInClusters(cluster, FixedClock()).storage([release_named()])
    assert found.is_audited is is_audited
