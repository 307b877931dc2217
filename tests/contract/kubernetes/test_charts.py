"""The objects of a Helm release: names, labels and mounts of the four charts, and that they really run."""

from __future__ import annotations

import pytest

from infra.sandbox.cluster.api.resources import DEPLOYMENTS
from infra.sandbox.cluster.charts import CHARTS, Object, full_name, release_objects
from tests.contract.kubernetes.conftest import Kube

PRODUCTS = tuple(CHARTS)


def _by_name(objects: list[Object]) -> dict[tuple[str, str], Object]:
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


@pytest.mark.parametrize(
    ("release", "overrides", "expected"),
    [
        ("orders", {}, "orders-scalardl"),
        ("scalardl-ledger", {}, "scalardl-ledger"),
        ("orders", {"name_override": "order"}, "orders"),
        ("orders", {"name_override": "bank"}, "orders-bank"),
        ("orders", {"fullname_override": "mine"}, "mine"),
        ("a" * 70, {}, "a" * 63),
        ("a" * 62, {}, "a" * 62),
    ],
)
def test_the_full_name_follows_the_charts_rule(release: str, overrides: dict[str, str], expected: str) -> None:
    assert full_name("scalardl", release, **overrides) == expected


@pytest.mark.parametrize(
    ("product", "deployment", "config_map", "key", "app", "admin_port"),
    [
        ("scalardb-cluster", "r-scalardb-cluster-node", "r-scalardb-cluster-node-properties",
         "scalardb-cluster-node.properties", "scalardb-cluster", ("scalardb-cluster", 60053)),
        ("scalardb", "r-scalardb", "r-scalardb-database-properties", "database.properties.tmpl", "scalardb",
         ("scalardb", 60051)),
        ("scalardl", "r-scalardl-ledger", "r-scalardl-ledger-properties", "ledger.properties.tmpl", "ledger",
         ("scalardl-admin", 50053)),
        ("scalardl-audit", "r-scalardl-audit-auditor", "r-scalardl-audit-auditor-properties",
         "auditor.properties.tmpl", "auditor", ("scalardl-auditor-admin", 40053)),
    ],
)  # fmt: skip
def test_each_chart_names_its_objects_as_the_vendor_does(
    product: str, deployment: str, config_map: str, key: str, app: str, admin_port: tuple[str, int]
) -> None:
    objects = _by_name(release_objects(product, "r", "ns", "a=b\n", 2, "image:1"))
    full = full_name(product, "r")
    assert set(objects) == {
        ("ConfigMap", config_map),
        ("Service", f"{full}-headless"),
        ("Service", f"{full}-metrics"),
        ("Deployment", deployment),
    }
    assert objects["ConfigMap", config_map]["data"] == {key: "a=b\n"}
    labels = {
        "app.kubernetes.io/app": app,
        "app.kubernetes.io/instance": "r",
        "app.kubernetes.io/name": product,
    }
    template = objects["Deployment", deployment]["spec"]["template"]
    assert template["metadata"]["labels"] == labels
    headless = objects["Service", f"{full}-headless"]["spec"]
    assert (headless["clusterIP"], headless["selector"]) == ("None", labels)
    assert admin_port in [(port["name"], port["targetPort"]) for port in headless["ports"]]
    (mount,) = template["spec"]["containers"][0]["volumeMounts"]
    assert mount["subPath"] == key
    assert mount["mountPath"].endswith(f"/{key}")
    assert template["spec"]["volumes"] == [{"name": mount["name"], "configMap": {"name": config_map}}]


def test_another_properties_file_changes_the_pod_template() -> None:
    def checksum(properties: str) -> str:
        objects = _by_name(release_objects("scalardb", "r", "ns", properties, 1, "image:1"))
        value: str = objects["Deployment", "r-scalardb"]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        return value

    assert checksum("a=1") != checksum("a=2")
    assert checksum("a=1") == checksum("a=1")


def test_credentials_are_in_the_charts_own_secret_and_reach_the_environment_by_key() -> None:
    objects = _by_name(
        release_objects(
            "scalardl", "r", "ns", "", 1, "image:1", contact_points="jdbc:x", credentials=("me", "secret"), env={"A": "1"}
        )
    )
    assert objects["Secret", "r-scalardl-ledger"]["stringData"] == {"db-username": "me", "db-password": "secret"}
    env = objects["Deployment", "r-scalardl-ledger"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[0] == {"name": "HELM_SCALAR_DB_CONTACT_POINTS", "value": "jdbc:x"}
    assert env[1]["valueFrom"] == {"secretKeyRef": {"name": "r-scalardl-ledger", "key": "db-username"}}
    assert env[-1] == {"name": "A", "value": "1"}


def test_a_users_secret_is_environment_as_a_whole() -> None:
    secret = ("orders-credentials", {"SCALAR_DB_USERNAME": "me"})
    objects = _by_name(release_objects("scalardb-cluster", "r", "ns", "", 1, "image:1", user_secret=secret))
    container = objects["Deployment", "r-scalardb-cluster-node"]["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "orders-credentials"}}]


def test_credentials_for_a_chart_without_a_secret_are_refused() -> None:
    with pytest.raises(ValueError, match="Give `user_secret`"):
        release_objects("scalardb-cluster", "r", "ns", "", 1, "image:1", credentials=("me", "secret"))


def test_an_unknown_chart_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="The charts are scalardb-cluster, scalardb, scalardl, scalardl-audit"):
        release_objects("postgres", "r", "ns", "", 1, "image:1")


def test_envoy_shares_the_instance_label_but_not_the_app() -> None:
    objects = _by_name(release_objects("scalardl", "r", "ns", "", 1, "image:1", envoy_image="envoy:1"))
    labels = objects["Deployment", "r-envoy"]["spec"]["template"]["metadata"]["labels"]
    assert (labels["app.kubernetes.io/instance"], labels["app.kubernetes.io/app"]) == ("r", "envoy")


def test_overrides_merge_into_the_deployment_by_container_name() -> None:
    resources = {"limits": {"cpu": "2"}}
    containers = [{"name": "scalardb", "resources": resources}]
    overrides = {"spec": {"template": {"spec": {"containers": containers}}}}
    objects = _by_name(release_objects("scalardb", "r", "ns", "", 1, "image:1", deployment_overrides=overrides))
    (container,) = objects["Deployment", "r-scalardb"]["spec"]["template"]["spec"]["containers"]
    assert (container["resources"], container["image"]) == (resources, "image:1")


def test_a_dedicated_admin_port_is_listed_where_the_user_adds_it() -> None:
    ports = {"scalardb-cluster-admin": 60055}
    objects = _by_name(release_objects("scalardb-cluster", "r", "ns", "", 1, "image:1", extra_ports=ports))
    service = objects["Service", "r-scalardb-cluster-headless"]["spec"]["ports"]
    assert [port["name"] for port in service] == ["scalardb-cluster", "scalardb-cluster-admin"]


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_chart_is_accepted_by_the_api_and_applying_it_again_changes_nothing(kube: Kube, product: str) -> None:
    objects = release_objects(product, "orders", kube.namespace, "a=b", 2, "image:1", envoy_image="envoy:1")
    kube.client.apply(objects)
    before = _generations(kube)
    kube.client.apply(objects)
    assert _generations(kube) == before
    assert len(before) == 2


def _generations(kube: Kube) -> dict[str, int]:
    deployments = kube.client.list_objects(DEPLOYMENTS, kube.namespace)
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in deployments}


def test_a_release_of_each_product_gets_ready(cluster: Kube) -> None:
    for product, chart in CHARTS.items():
        port = str(chart.ports[next(iter(chart.ports))])
        objects = release_objects(product, product, cluster.namespace, "a=b", 1, "tiny:1", env={"PORT": port})
        cluster.client.apply(objects)
    for product, chart in CHARTS.items():
        cluster.client.wait_until_ready(cluster.namespace, full_name(product, product) + chart.suffix)
