"""A whole world: AWS with the product deployed into it, a cluster with one release of ScalarDB Cluster, and the bank at work.

Everything is a process of its own and ends with this one. See docs/adr/0002.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.sandbox.aws import deploy
from infra.sandbox.aws import process as aws_process
from infra.sandbox.aws.process import RunningAws
from infra.sandbox.bank.schema import create_tables, seed
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.releases_world import (
    GROUP,
    NAMESPACE,
    PLAN_NAME,
    PORT_FORWARD,
    RBAC,
    RELEASE,
    RESTORE_GROUP,
    ROOT,
    TIMEZONE,
    ReleasesWorld,
    Scale,
)
from shared.model.plan import Plan
from shared.model.plan_document import parse_plan
from shared.wiring import AwsRooms, operator_rooms

__all__ = [
    "GROUP",
    "NAMESPACE",
    "PLAN_NAME",
    "PORT_FORWARD",
    "RELEASE",
    "ROOT",
    "TIMEZONE",
    "Scale",
    "World",
]

TEMPLATE = ROOT / "infra" / "aws" / "template.yaml"
STACK = "scalar-backup"
CLUSTER = "prod-tokyo"
PARAMETERS = {"PlanName": PLAN_NAME, "ScheduleTimezone": TIMEZONE, "SafetyQuietSeconds": "3"}
"""Of the template. What is a minute in AWS is `Settings.backup_skew_seconds` here: a writer has to be gone longer than that."""
CLUSTER_ROLES = ("CheckRoleArn", "WindowRoleArn", "WatchdogRoleArn")
"""Outputs of the stack: the roles of the functions of a backup that talk to the cluster."""
RESTORE_ROLES = ("RestoreRoleArn", "ApplicationsRoleArn")
"""Those of a restore, which belong to both groups."""


class World(ReleasesWorld):
    """`aws` and `rooms` are hands on it; `rooms` are the product's own, as an operator with network access to the pods has
    them."""

    def _start(self) -> None:
        self.aws: RunningAws = self._exit.enter_context(aws_process.start(ROOT, log_file=self.state_dir / "aws.log"))
        self.kube = self._start_cluster(CLUSTER, self.state_dir / "cluster")
        self.outputs = deploy.deploy(TEMPLATE, STACK, PARAMETERS, self.aws.client)
        self.aws.settings(restore_precision_seconds=1.0)
        self._open_bank()
        self.deployment = self.install(RELEASE, pods=self.scale.pods, workers=self.scale.workers)
        self._grant_access(self.kube)

    def _start_cluster(self, name: str, state_dir: Path, *, overlay: bool = False) -> ClusterClient:
        running = self._start_process(name, state_dir, identity_url=self.aws.url, overlay=overlay)
        self.aws.register_cluster(name, running.url, running.ca_pem)
        return self._administrator(running)

    def _open_bank(self) -> None:
        dynamodb = self.aws.client("dynamodb")
        create_tables(dynamodb)
        seed(dynamodb, self.scale.opening)

    @property
    def _database_properties(self) -> Mapping[str, str]:
        return {
            "scalar.db.storage": "dynamo",
            "scalar.db.contact_points": self.aws.region,
            "scalar.db.username": "sandbox",
            "scalar.db.password": "sandbox",
            "scalar.db.dynamo.endpoint_override": self.aws.url,
        }

    @property
    def _data_planes(self) -> Mapping[str, str]:
        return {"BANK_SQL_URL": self.aws.url}

    def _grant_access(self, kube: ClusterClient) -> None:
        """What infra/kubernetes/rbac.yaml tells an operator to do."""
        kube.apply(self._documents(RBAC))
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

    def plan_document(self, name: str = PLAN_NAME, helm_release: str = RELEASE, **pause: Any) -> dict[str, Any]:
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

    @property
    def variables(self) -> dict[str, str]:
        return self.aws.environment() | {"SCALAR_BACKUP_STACK": STACK}

    @property
    def rooms(self) -> AwsRooms:
        """Use inside `environment()`."""
        return operator_rooms(self.outputs["CatalogTable"], self.outputs["EventBusName"], self.aws.region)
