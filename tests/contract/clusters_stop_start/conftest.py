"""A release with real Admin ports on either control plane, and the product signed in to it with the rights of a restore."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.credentials import Credentials

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import DEPLOYMENTS, PODS
from infra.sandbox.cluster.charts import release_objects
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.process import REAL, STAND_IN
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, find_assets
from shared.clusters.api import KubernetesApi
from shared.clusters.deployments import advance_start, advance_stop
from shared.clusters.eks_token import EksTokens
from shared.model.plan import EksCluster, Release
from shared.model.records import from_record, to_record
from shared.model.stop_start import StartProgress, StopProgress
from shared.scalar.admin import AdminClient
from shared.scalar.releases import ReleasesInClusters
from shared.system_clock import SystemClock
from shared.wiring.serving import ServingPods
from tests.contract.clusters.fake_sts import SECRET_KEY, fake_sts

CLUSTER, REGION = "prod-tokyo", "ap-northeast-1"
NAMESPACE, HELM_RELEASE = "scalar", "orders"
ROLE_ARN = "arn:aws:iam::123456789012:role/scalar-backup-restore"
RBAC = Path(__file__).parents[3] / "infra" / "kubernetes" / "rbac.yaml"
IMAGE = "ghcr.io/scalar-labs/scalardb-cluster-node-byol-standard:3.16.1"
PROPERTIES = "scalar.db.storage=dynamo\nscalar.db.contact_points=ap-northeast-1\n"
SHUTDOWN_SECONDS = "1.2"
PATIENCE_SECONDS = 60.0


@dataclass
class LiveRelease:
    """`api` is under test; `admin` does what others do in the meantime."""

    api: KubernetesApi
    admin: ClusterClient
    deployment: str

    @property
    def release(self) -> Release:
        return Release(cluster=EksCluster(name=CLUSTER, region=REGION), namespace=NAMESPACE, helm_release=HELM_RELEASE)

    @property
    def replicas(self) -> int:
        found: int = self.deployment_object["spec"]["replicas"]
        return found

    @property
    def deployment_object(self) -> dict[str, Any]:
        return self.admin.get(DEPLOYMENTS, NAMESPACE, self.deployment)

    def pods(self) -> list[dict[str, Any]]:
        return self.admin.list_objects(PODS, NAMESPACE, f"app.kubernetes.io/instance={HELM_RELEASE}")

    def stop(self, previous: StopProgress | None = None, now: datetime | None = None) -> StopProgress:
        stored = from_record(to_record(previous), StopProgress) if previous else None
        return advance_stop(self.api, NAMESPACE, self.deployment, now or datetime.now(UTC), stored)

    def stopping(self) -> StopProgress:
        """Advances until the Deployment is at 0; its pods may still be there."""
        return self._advanced(lambda progress: progress.asked)

    def stopped(self) -> StopProgress:
        """Advances until done, as an engine does."""
        return self._advanced(lambda progress: progress.done)

    def _advanced(self, is_enough: Callable[[StopProgress], bool]) -> StopProgress:
        progress = self.stop()
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while not is_enough(progress):
            assert time.monotonic() < ends_at, progress.message
            time.sleep(min(progress.wait_seconds, 0.1))
            progress = self.stop(progress)
        return progress

    async def start(self, stopped: StopProgress, serving: AdminPorts, previous: StartProgress | None = None) -> StartProgress:
        stored = from_record(to_record(previous), StartProgress) if previous else None
        return await advance_start(self.api, stopped, serving, stored)

    async def started(self, stopped: StopProgress, serving: AdminPorts) -> StartProgress:
        progress = await self.start(stopped, serving)
        ends_at = time.monotonic() + PATIENCE_SECONDS
        while not progress.done:
            assert time.monotonic() < ends_at, progress.message
            time.sleep(min(progress.wait_seconds, 0.2))
            progress = await self.start(stopped, serving, progress)
        return progress


class AdminPorts:
    """Asks the pods themselves, as the wiring does: what a restore hands in as `Serving`."""

    def __init__(self, live: LiveRelease) -> None:
        self.live, self.admin = live, AdminClient(SystemClock())
        self._releases = ReleasesInClusters(lambda _: live.api, SystemClock())
        self._serving = ServingPods(live.release, self._releases, self.admin)
        self.asked: list[list[str]] = []

    def targets(self) -> Any:
        (snapshot,) = self._releases.observe([self.live.release])
        return snapshot.targets

    async def __call__(self, pods: Sequence[dict[str, Any]]) -> Mapping[str, str]:
        self.asked.append(sorted(pod["metadata"]["name"] for pod in pods))
        return await self._serving(pods)


@pytest.fixture(scope="module", params=[STAND_IN, REAL])
def live(request: pytest.FixtureRequest) -> Iterator[LiveRelease]:
    if request.param == REAL and find_assets() is None:
        pytest.skip(f"not held against a real control plane: {ASSETS_VARIABLE} names no folder with kube-apiserver and etcd")
    arns = {"session": "arn:aws:sts::123456789012:assumed-role/scalar-backup-restore/lambda"}
    with ExitStack() as stack:
        sts_url = stack.enter_context(fake_sts(arns))
        running = stack.enter_context(process.start(CLUSTER, sts_url, control_plane=request.param))
        admin = running.administrator()
        stack.callback(admin.close)
        environment = {"BANK_WORKERS": "0", "SANDBOX_DECOMMISSIONING_SECONDS": SHUTDOWN_SECONDS}
        objects = release_objects("scalardb-cluster", HELM_RELEASE, NAMESPACE, PROPERTIES, 2, IMAGE, env=environment)
        admin.apply(objects)
        admin.apply(yaml.safe_load_all(RBAC.read_text()))
        admin.grant_access(ROLE_ARN, "scalar-backup", "scalar-restore")
        tokens = EksTokens(CLUSTER, REGION, f"sts.{REGION}.amazonaws.com", Credentials("AKIDEXAMPLE", SECRET_KEY, "session"))
        api = KubernetesApi(running.url, running.ca_pem, tokens, name=f"EKS cluster {CLUSTER}")
        stack.callback(api.close)
        deployment = next(item["metadata"]["name"] for item in objects if item["kind"] == "Deployment")
        yield LiveRelease(api, admin, deployment)


@pytest.fixture(autouse=True)
def running_release(live: LiveRelease) -> None:
    """Every test begins with two pods that are Ready, whatever the one before has left."""
    if live.replicas != 2:
        live.admin.scale(NAMESPACE, live.deployment, 2)
    live.admin.wait_until(
        PODS, NAMESPACE, lambda pods: not any("deletionTimestamp" in pod["metadata"] for pod in pods), "no pod is ending"
    )
    live.admin.wait_until_ready(NAMESPACE, live.deployment, 60)


@pytest.fixture
async def admin_ports(live: LiveRelease) -> Any:
    ports = AdminPorts(live)
    yield ports
    await ports.admin.close()
