"""A whole world: AWS with the product deployed into it, a cluster with one release of ScalarDB Cluster, and the bank at work.

Everything is a process of its own and ends with this one. See docs/adr/0002.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from infra.sandbox.aws import deploy
from infra.sandbox.aws import process as aws_process
from infra.sandbox.aws.process import RunningAws
from infra.sandbox.bank.schema import Opening, create_tables, seed
from infra.sandbox.cluster import process as cluster_process
from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.charts import release_objects
from infra.sandbox.cluster.client import ClusterClient
from shared.model.plan import Plan
from shared.model.plan_document import parse_plan
from shared.wiring import AwsRooms, operator_rooms

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "aws" / "template.yaml"
RBAC = ROOT / "infra" / "kubernetes" / "rbac.yaml"
PORT_FORWARD = ROOT / "infra" / "kubernetes" / "port-forward.yaml"
STACK = "scalar-backup"
CLUSTER, NAMESPACE, RELEASE = "prod-tokyo", "scalar", "orders"
PLAN_NAME = "orders-prod"
TIMEZONE = "Asia/Tokyo"
PARAMETERS = {"PlanName": PLAN_NAME, "ScheduleTimezone": TIMEZONE, "SafetyQuietSeconds": "3"}
"""Of the template. What is a minute in AWS is `Settings.backup_skew_seconds` here: a writer has to be gone longer than that."""
GROUP, RESTORE_GROUP = "scalar-backup", "scalar-restore"
CLUSTER_ROLES = ("CheckRoleArn", "WindowRoleArn", "WatchdogRoleArn")
"""Outputs of the stack: the roles of the functions of a backup that talk to the cluster."""
RESTORE_ROLES = ("RestoreRoleArn", "ApplicationsRoleArn")
"""Those of a restore, which belong to both groups."""
ENDPOINTS_ROLE = "scalar-restore-endpoints"


@dataclass(frozen=True)
class Scale:
    """How large the world is and how busy. `image` decides the generation of the pods' Admin behaviour."""

    pods: int = 3
    opening: Opening = field(default_factory=lambda: Opening(accounts=20))
    workers: int = 4
    crash_rate: float = 0.02
    image: str = "ghcr.io/scalar-labs/scalardb-cluster-node:3.19.0"
    environment: Mapping[str, str] = field(default_factory=dict)


class World:
    """Enter it to start everything. `aws`, `kube` and `rooms` are hands on it; `rooms` are the product's own, as an operator
    with network access to the pods has them. `control_plane` is one of `infra.sandbox.cluster.process.CONTROL_PLANES`."""

    def __init__(
        self, scale: Scale | None = None, state_dir: Path | None = None, control_plane: str = cluster_process.STAND_IN
    ) -> None:
        self.scale, self.control_plane = scale or Scale(), control_plane
        self.state_dir = state_dir or Path(tempfile.mkdtemp(prefix="scalar-backup-sandbox-"))
        self._exit = ExitStack()
        self._led: set[str] = set()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._exit.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._exit.close()

    def _start(self) -> None:
        self.aws: RunningAws = self._exit.enter_context(aws_process.start(ROOT, log_file=self.state_dir / "aws.log"))
        self.kube = self._start_cluster(CLUSTER, self.state_dir / "cluster")
        self.outputs = deploy.deploy(TEMPLATE, STACK, PARAMETERS, self.aws.client)
        self.aws.settings(restore_precision_seconds=1.0)
        self._open_bank()
        self.deployment = self.install(RELEASE, pods=self.scale.pods, workers=self.scale.workers)
        self._grant_access(self.kube)

    def _start_cluster(self, name: str, state_dir: Path, *, overlay: bool = False) -> ClusterClient:
        running = self._exit.enter_context(
            cluster_process.start(name, self.aws.url, state_dir=state_dir, control_plane=self.control_plane, overlay=overlay)
        )
        kube = running.administrator()
        self._exit.callback(kube.close)
        self.aws.register_cluster(name, running.url, running.ca_pem)
        return kube

    def _open_bank(self) -> None:
        dynamodb = self.aws.client("dynamodb")
        create_tables(dynamodb)
        seed(dynamodb, self.scale.opening)

    def _properties(self, database: Mapping[str, str] | None, more: Mapping[str, str]) -> str:
        first_bank = {
            "scalar.db.storage": "dynamo",
            "scalar.db.contact_points": self.aws.region,
            "scalar.db.username": "sandbox",
            "scalar.db.password": "sandbox",
            "scalar.db.dynamo.endpoint_override": self.aws.url,
        }
        properties = {
            **(database or first_bank),
            "scalar.db.consensus_commit.coordinator.namespace": "coordinator",
            **more,
        }
        return "\n".join(f"{name}={value}" for name, value in properties.items())

    def _grant_access(self, kube: ClusterClient) -> None:
        """What infra/kubernetes/rbac.yaml tells an operator to do."""
        kube.apply(document for document in yaml.safe_load_all(RBAC.read_text()))
        operator = self.aws.client("sts").get_caller_identity()["Arn"]
        for principal in [*(self.outputs[role] for role in CLUSTER_ROLES), operator]:
            kube.grant_access(principal, GROUP)
        for role in RESTORE_ROLES:
            kube.grant_access(self.outputs[role], GROUP, RESTORE_GROUP)

    # -- what tests and the demo do with it

    def add_cluster(self, name: str, *, overlay: bool = False) -> ClusterClient:
        """One more EKS cluster, with access for the product; it ends with the world. Nothing is installed in it. With `overlay`
        the addresses of its pods lead nowhere outside it; the rights for that, PORT_FORWARD, are not granted yet."""
        kube = self._start_cluster(name, self.state_dir / name, overlay=overlay)
        self._grant_access(kube)
        return kube

    def allow_leading(self, *config_maps: str) -> None:
        """Writes names of ConfigMaps into the Role scalar-restore-endpoints, beside those of earlier calls."""
        self._led |= set(config_maps)
        roles = [document for document in yaml.safe_load_all(RBAC.read_text()) if document["kind"] == "Role"]
        (role,) = (item for item in roles if item["metadata"]["name"] == ENDPOINTS_ROLE)
        for rule in role["rules"]:
            if rule["resources"] == ["configmaps"]:
                rule["resourceNames"] = sorted(self._led)
        self.kube.apply([role])

    def install(
        self,
        helm_release: str,
        *,
        product: str = "scalardb-cluster",
        image: str = "",
        kube: ClusterClient | None = None,
        pods: int = 1,
        workers: int = 0,
        database: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        wait: bool = True,
        **chart: Any,
    ) -> str:
        """Installs a release on the bank's tables; its Deployment's name. `product` is the chart's name, `image` what its pods
        run, and `kube` the cluster, where it is not the first one. `database` are the properties that name the databases,
        where they are not the world's first DynamoDB tables (see bank_worlds). `properties` and `environment` come on top of
        the usual ones, `chart` are further values of `release_objects`."""
        kube = kube or self.kube
        variables = {
            "BANK_WORKERS": str(workers),
            "BANK_ACCOUNTS": str(self.scale.opening.accounts),
            "BANK_CRASH_RATE": str(self.scale.crash_rate),
            "BANK_SQL_URL": self.aws.url,
            **self.scale.environment,
            **(environment or {}),
        }
        text = self._properties(database, properties or {})
        objects = release_objects(
            product, helm_release, NAMESPACE, text, pods, image or self.scale.image, env=variables, **chart
        )
        kube.apply(objects)
        deployment: str = next(item["metadata"]["name"] for item in objects if item["kind"] == "Deployment")
        if wait:
            kube.wait_until_ready(NAMESPACE, deployment, timeout_seconds=60)
        return deployment

    @property
    def pods(self) -> list[dict[str, Any]]:
        return self.pods_of(RELEASE)

    def pods_of(self, helm_release: str) -> list[dict[str, Any]]:
        """As the API has them, those on their way out included."""
        return self.kube.list_objects(PODS, NAMESPACE, f"app.kubernetes.io/instance={helm_release}")

    def plan_document(self, name: str = PLAN_NAME, helm_release: str = RELEASE, **pause: Any) -> dict[str, Any]:
        """The plan as an operator writes it."""
        return {
            "name": name,
            "releases": [
                {
                    "cluster": {"eks": CLUSTER, "region": self.aws.region},
                    "namespace": NAMESPACE,
                    "helm_release": helm_release,
                }
            ],
            "databases": [{"dynamodb": {"region": self.aws.region}}],
            "pause": {"hold": "10s", "drain": "20s", "max_pause": "60s", "attempts": 3, **pause},
            "schedule": {"cron": "0 3 * * *", "timezone": TIMEZONE},
        }

    def plan(self, **pause: Any) -> Plan:
        return parse_plan(self.plan_document(**pause))

    @contextmanager
    def environment(self) -> Iterator[None]:
        """This process's environment leads to the sandbox, as an operator's shell leads to their account."""
        changes = self.aws.environment() | {"SCALAR_BACKUP_STACK": STACK}
        before = {name: os.environ.get(name) for name in changes}
        os.environ.update(changes)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    @property
    def rooms(self) -> AwsRooms:
        """Use inside `environment()`."""
        return operator_rooms(self.outputs["CatalogTable"], self.outputs["EventBusName"], self.aws.region)
