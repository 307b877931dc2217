"""Banks on other databases than a world's first one: makes the database, installs releases on it, and finds the bank again from
what the releases' properties say at the moment.

    rds = create_instance(world.aws, "orders-db", "postgres")
    layout, release = layouts.on_multi_storage(dynamodb_of(world.aws, prefix="m_"), rds)
    opening = open_bank(layout)
    install(world, "orders-multi", release, opening, workers=4)
    ...
    audit_live(live_layout(world, "orders-multi"), opening)
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any

from infra.sandbox.aws.process import RunningAws
from infra.sandbox.bank import layouts
from infra.sandbox.bank.jdbc_url import jdbc_url
from infra.sandbox.bank.layouts import BankLayout, BankRelease
from infra.sandbox.bank.opening import Opening
from infra.sandbox.bank.relational import Relational
from infra.sandbox.bank.release_storages import storages_of
from infra.sandbox.bank.storages import DynamoDb
from infra.sandbox.bank.workers import BankSettings
from infra.sandbox.cluster.api.resources import CONFIG_MAPS, DEPLOYMENTS, SECRETS
from infra.sandbox.cluster.charts import CHARTS, full_name
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.pods import properties
from infra.sandbox.pods.properties import Properties
from infra.sandbox.releases_world import NAMESPACE, ReleasesWorld

USER, PASSWORD = "bank", "sandbox-password"
RETENTION_DAYS = 7
AVAILABLE_SECONDS = 60.0
_POLL_SECONDS = 0.05
_PEER_DIRECTORY = "/bank/peer"
_PEER_VOLUME = "bank-peer"
_CHART = CHARTS["scalardb-cluster"]


# -- databases


def dynamodb_of(aws: RunningAws, prefix: str = "") -> DynamoDb:
    """A prefix of its own keeps a further bank apart from the world's first one, as ScalarDB's users do."""
    return DynamoDb(aws.region, "sandbox", "sandbox", aws.url, prefix)


def create_instance(aws: RunningAws, identifier: str, engine: str = "postgres", **parameters: Any) -> Relational:
    """An RDS instance with automated backups; back when it is available. `parameters` are more of CreateDBInstance."""
    rds = aws.client("rds")
    request = {
        "DBInstanceIdentifier": identifier,
        "Engine": engine,
        "DBInstanceClass": "db.m6g.large",
        "AllocatedStorage": 100,
        "MasterUsername": USER,
        "MasterUserPassword": PASSWORD,
        "BackupRetentionPeriod": RETENTION_DAYS,
        **parameters,
    }
    rds.create_db_instance(**request)
    return relational_of(aws, engine, _available_instance(rds, identifier)["Endpoint"], request)


def create_multi_az_cluster(aws: RunningAws, identifier: str, engine: str = "postgres", **parameters: Any) -> Relational:
    """A Multi-AZ DB cluster of RDS; the service makes its three instances. `parameters` are more of CreateDBCluster."""
    request = {
        "DBClusterInstanceClass": "db.m6gd.large",
        "StorageType": "io1",
        "AllocatedStorage": 100,
        "Iops": 1000,
        **parameters,
    }
    return _create_cluster(aws, identifier, engine, request)


def create_aurora(
    aws: RunningAws,
    identifier: str,
    engine: str = "aurora-postgresql",
    *,
    instances: int = 2,
    instance_class: str = "db.r6g.large",
    **parameters: Any,
) -> Relational:
    """An Aurora cluster with a writer and `instances` - 1 readers, named `<identifier>-1` and so on. `parameters` are more of
    CreateDBCluster, which a class of `db.serverless` needs."""
    rds = aws.client("rds")
    found = _create_cluster(aws, identifier, engine, parameters)
    for number in range(1, instances + 1):
        # One after the other: the first to be there is the writer.
        rds.create_db_instance(
            DBInstanceIdentifier=f"{identifier}-{number}",
            DBClusterIdentifier=identifier,
            Engine=engine,
            DBInstanceClass=instance_class,
            PromotionTier=number,
        )
        _available_instance(rds, f"{identifier}-{number}")
    return found


def relational_of(
    aws: RunningAws, engine: str, endpoint: Mapping[str, Any], request: Mapping[str, Any] | None = None
) -> Relational:
    """The database at an endpoint as the API describes it ({"Address": ..., "Port": ...}); the master user is that of
    `request`, else the one that the databases here are created with."""
    user, password = (request or {}).get("MasterUsername", USER), (request or {}).get("MasterUserPassword", PASSWORD)
    return Relational(jdbc_url(engine, endpoint["Address"], endpoint["Port"]), user, password, aws.url)


def _create_cluster(aws: RunningAws, identifier: str, engine: str, parameters: Mapping[str, Any]) -> Relational:
    rds = aws.client("rds")
    request = {
        "DBClusterIdentifier": identifier,
        "Engine": engine,
        "MasterUsername": USER,
        "MasterUserPassword": PASSWORD,
        "BackupRetentionPeriod": RETENTION_DAYS,
        **parameters,
    }
    rds.create_db_cluster(**request)

    def cluster() -> Mapping[str, Any]:
        (described,) = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"]
        return described

    found = _await_available(cluster, "Status", f"DB cluster {identifier}")
    return relational_of(aws, engine, {"Address": found["Endpoint"], "Port": found["Port"]}, request)


def _available_instance(rds: Any, identifier: str) -> Mapping[str, Any]:
    def instance() -> Mapping[str, Any]:
        (described,) = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
        return described

    return _await_available(instance, "DBInstanceStatus", f"DB instance {identifier}")


def _await_available(describe: Callable[[], Mapping[str, Any]], status: str, what: str) -> Mapping[str, Any]:
    ends_at = time.monotonic() + AVAILABLE_SECONDS
    while (found := describe())[status] != "available":
        if time.monotonic() > ends_at:
            raise TimeoutError(f"{what} is still {found[status]} after {AVAILABLE_SECONDS:.0f} s.")
        time.sleep(_POLL_SECONDS)
    return found


# -- banks and their releases


def open_bank(layout: BankLayout, accounts: int = 20, balance: int = 100_000) -> Opening:
    """Makes and fills the tables."""
    opening = layout.opening(accounts, balance)
    layouts.create(layout)
    layouts.seed(layout, opening)
    return opening


def install(world: ReleasesWorld, helm_release: str, release: BankRelease, opening: Opening, **more: Any) -> str:
    """Installs a release that works on a bank; its Deployment's name. `more` are parameters of World.install."""
    environment = {**release.environment, "BANK_ACCOUNTS": str(opening.accounts), **more.pop("environment", {})}
    return world.install(helm_release, database=release.properties, environment=environment, **more)


def install_two(
    world: ReleasesWorld, first: tuple[str, BankRelease], second: tuple[str, BankRelease], opening: Opening, **more: Any
) -> tuple[str, str]:
    """Installs two releases of ScalarDB Cluster that share transactions, each as its name and what it needs; the names of their
    Deployments. Each one's pods have the other one's ConfigMap mounted: an endpoint that is changed there reaches both."""
    environment, names = more.pop("environment", {}), []
    for (helm_release, release), (peer, _) in ((first, second), (second, first)):
        variables = {"BANK_PEER_PROPERTIES": f"{_PEER_DIRECTORY}/{_CHART.properties_key}", **environment}
        # The first one's pods cannot start before the second one's ConfigMap is there.
        name = install(
            world,
            helm_release,
            release,
            opening,
            environment=variables,
            deployment_overrides=_mounted_config_map(peer),
            wait=False,
            **more,
        )
        names.append(name)
    for name in names:
        world.kube.wait_until_ready(NAMESPACE, name, timeout_seconds=60)
    return names[0], names[1]


def _mounted_config_map(peer: str) -> dict[str, Any]:
    """A patch of the Deployment. Mounted as a directory: the one file that is mounted by `subPath` stays the release's own."""
    config_map = full_name(_CHART.name, peer) + _CHART.config_map_suffix
    mounted = {"name": _CHART.container, "volumeMounts": [{"name": _PEER_VOLUME, "mountPath": _PEER_DIRECTORY}]}
    pod = {"containers": [mounted], "volumes": [{"name": _PEER_VOLUME, "configMap": {"name": config_map}}]}
    return {"spec": {"template": {"spec": pod}}}


# -- the bank where its releases say it is


def live_layout(world: ReleasesWorld, *helm_releases: str) -> BankLayout:
    """The bank that pods of these releases would work on if they started now: a restore that leads them elsewhere, or fails to,
    is seen here. Raises ValueError when they disagree where the Coordinator is."""
    found = []
    for helm_release in helm_releases:
        settings, environment = _started_with(world.kube, helm_release)
        bank = BankSettings.from_environment(environment)
        storages = storages_of(settings, bank.sql_url, bank.documents_url)
        if storages is None:
            raise ValueError(f"The properties of {helm_release} name a database that the bank does not speak to.")
        found.append((storages, bank.tables))
    return layouts.as_configured(*found)


def _started_with(kube: ClusterClient, helm_release: str) -> tuple[Properties, dict[str, str]]:
    """Properties and environment of a container that the release's Deployment would start now."""
    deployments = kube.list_objects(DEPLOYMENTS, NAMESPACE, f"app.kubernetes.io/instance={helm_release}")
    specs = [deployment["spec"]["template"]["spec"] for deployment in deployments]
    for spec in specs:
        for container in spec["containers"]:
            for mount in container.get("volumeMounts", ()):
                if mount.get("subPath", "").endswith((".properties", ".properties.tmpl")):
                    environment = _environment(kube, container)
                    return _mounted(kube, spec, mount, environment), environment
    raise LookupError(f"No Deployment of {helm_release} in {NAMESPACE} mounts a properties file.")


def _mounted(
    kube: ClusterClient, spec: Mapping[str, Any], mount: Mapping[str, Any], environment: Mapping[str, str]
) -> Properties:
    (volume,) = (volume for volume in spec["volumes"] if volume["name"] == mount["name"])
    text = kube.get(CONFIG_MAPS, NAMESPACE, volume["configMap"]["name"])["data"][mount["subPath"]]
    return properties.read(text, environment, is_template=mount["subPath"].endswith(".tmpl"))


def _environment(kube: ClusterClient, container: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= _secret(kube, source["secretRef"]["name"])
    for variable in container.get("env", ()):
        if "valueFrom" in variable:
            reference = variable["valueFrom"]["secretKeyRef"]
            found[variable["name"]] = _secret(kube, reference["name"])[reference["key"]]
        else:
            found[variable["name"]] = variable.get("value", "")
    return found


def _secret(kube: ClusterClient, name: str) -> dict[str, str]:
    data = kube.get(SECRETS, NAMESPACE, name).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
