"""Which database a JDBC URL leads to."""

from __future__ import annotations

import pytest

from shared.model.coverage import check_coverage
from shared.model.plan import AuroraCluster, EksCluster, Plan, RdsInstance, Release
from shared.model.rds_endpoint import JdbcHost, database_keys, jdbc_host
from shared.model.storage import ReleaseStorage, Storage

INSTANCE = "orders-db.c0ffee.ap-northeast-1.rds.amazonaws.com"
CLUSTER = "orders.cluster-c0ffee.ap-northeast-1.rds.amazonaws.com"
RELEASE = Release(cluster=EksCluster(name="prod", region="ap-northeast-1"), namespace="scalar", helm_release="orders")


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        (f"jdbc:mysql://{INSTANCE}:3306/", INSTANCE, 3306),
        (f"jdbc:mysql://{INSTANCE}/orders?useSSL=true", INSTANCE, None),
        (f"jdbc:postgresql://{CLUSTER}:5432/postgres", CLUSTER, 5432),
        (f"jdbc:oracle:thin:@//{INSTANCE}:1521/ORCL", INSTANCE, 1521),
        (f"jdbc:oracle:thin:@{INSTANCE}:1521:ORCL", INSTANCE, 1521),
        (f"jdbc:sqlserver://{INSTANCE}:1433;databaseName=orders", INSTANCE, 1433),
        (f"jdbc:aws-wrapper:mysql://{CLUSTER}:3306/", CLUSTER, 3306),
    ],
)
def test_the_host_is_read_from_the_url_of_every_driver(url: str, host: str, port: int | None) -> None:
    assert jdbc_host(url) == JdbcHost(host, port)


@pytest.mark.parametrize("text", ["", "ap-northeast-1", "jdbc:sqlite:file.db", "mysql://host/"])
def test_what_is_no_jdbc_url_with_a_host_names_no_host(text: str) -> None:
    assert jdbc_host(text) is None


def test_the_host_of_an_instance_names_that_instance() -> None:
    assert database_keys(f"jdbc:mysql://{INSTANCE}:3306/") == ("rds:ap-northeast-1:orders-db",)


@pytest.mark.parametrize("kind", ["cluster-", "cluster-ro-", "cluster-custom-"])
def test_the_host_of_a_cluster_may_mean_either_kind_of_cluster(kind: str) -> None:
    url = f"jdbc:mysql://orders.{kind}c0ffee.ap-northeast-1.rds.amazonaws.com:3306/"
    assert database_keys(url) == ("aurora:ap-northeast-1:orders", "rds-cluster:ap-northeast-1:orders")


def test_a_name_of_ones_own_is_no_endpoint_of_rds() -> None:
    assert database_keys("jdbc:mysql://db.example.com:3306/") == ()


def _coverage(url: str, plan: Plan) -> list[tuple[str, str]]:
    storages = (Storage(name="default", kind="jdbc", contact_point=url),)
    results = check_coverage(plan, [ReleaseStorage(release=RELEASE.key, source="ConfigMap orders", storages=storages)])
    return [(result.name, result.status.value) for result in results]


def test_a_plan_that_names_the_cluster_of_the_url_covers_it() -> None:
    plan = Plan(name="p", releases=(RELEASE,), databases=(AuroraCluster(region="ap-northeast-1", cluster="orders"),))
    assert _coverage(f"jdbc:mysql://{CLUSTER}:3306/", plan) == [("databases-covered", "ok")]


def test_a_plan_that_names_another_instance_fails_the_check() -> None:
    plan = Plan(name="p", releases=(RELEASE,), databases=(RdsInstance(region="ap-northeast-1", instance="other"),))
    assert _coverage(f"jdbc:mysql://{INSTANCE}:3306/", plan) == [("databases-covered", "failed"), ("database-used", "warning")]
