"""A cluster with one running release, on either control plane, and the product's own cluster rooms signed in to it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.credentials import Credentials

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.charts import release_objects
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.process import REAL, STAND_IN
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, find_assets
from shared.clusters.api import KubernetesApi
from shared.clusters.eks_token import EksTokens
from shared.model.plan import EksCluster, Release
from shared.scalar.releases import ReleasesInClusters
from shared.system_clock import SystemClock
from tests.contract.clusters.fake_sts import SECRET_KEY, fake_sts

REGION = "ap-northeast-1"
NAMESPACE, HELM_RELEASE = "scalar", "orders"
PARTICIPANT = "orders-api"
PRODUCT, POD_COUNT = "scalardb-cluster", 2
CONTROL_PLANES = [STAND_IN, REAL]
SECRET = "orders-credentials"
PROPERTIES = """\
scalar.db.storage=jdbc
scalar.db.contact_points=jdbc:postgresql://orders-db:5432/orders
scalar.db.username=${env:SCALAR_DB_USERNAME}
scalar.db.password=${env:SCALAR_DB_PASSWORD}
"""
"""The endpoint stands in the ConfigMap, the user name in the pod template and the password in a Secret."""
_PROGRAM = [sys.executable, "-m", "tests.contract.kubernetes.tiny_program"]


@dataclass
class LiveCluster:
    """`admin` may do everything; the product signs in as roles with EKS tokens and may do what their groups are granted."""

    name: str
    admin: ClusterClient
    running: process.RunningCluster
    deployment: str
    config_map: str
    arns: dict[str, str]
    _stack: ExitStack
    _roles: Iterator[int] = field(default_factory=itertools.count)

    @property
    def release(self) -> Release:
        return Release(
            cluster=EksCluster(name=self.name, region=REGION), namespace=NAMESPACE, helm_release=HELM_RELEASE, admin_port=None
        )

    @property
    def participant(self) -> Release:
        """An application with the library inside, known by its labels."""
        return Release(
            cluster=EksCluster(name=self.name, region=REGION),
            namespace=NAMESPACE,
            helm_release=PARTICIPANT,
            admin_port=60053,
            selector=f"app={PARTICIPANT}",
        )

    def sign_in(self, *groups: str) -> KubernetesApi:
        """As a new role whose access entry has these groups."""
        role = f"role-{next(self._roles)}"
        self.admin.grant_access(f"arn:aws:iam::123456789012:role/{role}", *groups)
        self.arns[role] = f"arn:aws:sts::123456789012:assumed-role/{role}/lambda"
        tokens = EksTokens(self.name, REGION, f"sts.{REGION}.amazonaws.com", Credentials("AKIDEXAMPLE", SECRET_KEY, role))
        api = KubernetesApi(self.running.url, self.running.ca_pem, tokens, name=f"cluster {self.name}")
        self._stack.callback(api.close)
        return api

    def pods(self) -> list[dict[str, Any]]:
        return self.admin.list_objects(PODS, NAMESPACE, f"app.kubernetes.io/instance={HELM_RELEASE}")

    def settle(self) -> None:
        """Until the release has its pods again, and none on its way out."""
        self.admin.wait_until(
            PODS,
            NAMESPACE,
            lambda pods: not any("deletionTimestamp" in pod["metadata"] for pod in pods),
            "no pod is ending",
            60,
        )
        self.admin.wait_until_ready(NAMESPACE, self.deployment, 60)


def rooms(api: KubernetesApi) -> ReleasesInClusters:
    return ReleasesInClusters(lambda _: api, SystemClock())


@contextmanager
def live_cluster(control_plane: str) -> Iterator[LiveCluster]:
    """Skips, with a word in the report, when the binaries of a real control plane are not there."""
    if control_plane == REAL and find_assets() is None:
        pytest.skip(f"not held against a real control plane: {ASSETS_VARIABLE} names no folder with kube-apiserver and etcd")
    name, arns = f"prod-{control_plane}", dict[str, str]()
    with ExitStack() as stack:
        sts_url = stack.enter_context(fake_sts(arns))
        running = stack.enter_context(process.start(name, sts_url, pod_command=_PROGRAM, control_plane=control_plane))
        admin = running.administrator()
        stack.callback(admin.close)
        objects = release_objects(
            PRODUCT,
            HELM_RELEASE,
            NAMESPACE,
            PROPERTIES,
            POD_COUNT,
            "tiny:1",
            env={"SCALAR_DB_USERNAME": "app"},
            user_secret=(SECRET, {"SCALAR_DB_PASSWORD": "first"}),
        )
        admin.apply([*objects, _participant()])
        deployment, config_map = (
            next(item["metadata"]["name"] for item in objects if item["kind"] == kind) for kind in ("Deployment", "ConfigMap")
        )
        for each in (deployment, PARTICIPANT):
            admin.wait_until_ready(NAMESPACE, each, 60)
        yield LiveCluster(name, admin, running, deployment, config_map, arns, stack)


def _participant() -> dict[str, Any]:
    labels = {"app": PARTICIPANT}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "api", "image": "tiny:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": PARTICIPANT, "namespace": NAMESPACE, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
