"""API servers for the contract: the sandbox's always, a real one when KUBEBUILDER_ASSETS names its binaries."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import CONFIG_MAPS, DEPLOYMENTS, PODS
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, RealControlPlane, find_assets

NOWHERE = "http://127.0.0.1:9"  # an identity service that no test of these fixtures signs in at
LABELS = {"app.kubernetes.io/instance": "orders", "app.kubernetes.io/app": "ledger"}
_numbers = itertools.count()


@dataclass(frozen=True)
class Kube:
    """An administrator's client and a namespace of the test's own."""

    client: ClusterClient
    namespace: str
    ca_pem: str
    compact: Callable[[], None]
    others: contextlib.ExitStack

    def client_with(self, token: str | None, **headers: str) -> ClusterClient:
        """A client with another token, closed after the test."""
        client = ClusterClient(self.client.url, self.ca_pem, token, headers)
        self.others.callback(client.close)
        return client

    def create_pod(self, name: str, **labels: str) -> dict[str, Any]:
        """A pod bound to a node, so that its deletion is graceful."""
        spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "x:1"}]}
        metadata = {"name": name, "labels": LABELS | labels}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        return self.client.create(body, self.namespace)

    def create_config_map(self, name: str, **data: str) -> dict[str, Any]:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        return self.client.create(body, self.namespace)

    def create_deployment(self, name: str, replicas: int = 2) -> dict[str, Any]:
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": LABELS}, "spec": spec}
        return self.client.create(body, self.namespace)

    def patch_config_map(self, name: str, patch: Any, **options: Any) -> dict[str, Any]:
        return self.client.patch(CONFIG_MAPS, self.namespace, name, patch, **options)

    def patch_deployment(self, name: str, patch: Any, **options: Any) -> dict[str, Any]:
        return self.client.patch(DEPLOYMENTS, self.namespace, name, patch, **options)

    def pod_names(self, **query: str) -> list[str]:
        items = self.client.call("GET", PODS.path(self.namespace), query=query)["items"]
        return [item["metadata"]["name"] for item in items]


class Api(Protocol):
    """What both kinds of API server offer."""

    @property
    def url(self) -> str: ...
    @property
    def ca_pem(self) -> str: ...
    @property
    def admin_token(self) -> str: ...


@contextlib.contextmanager
def _new_namespace(api: Api) -> Iterator[Kube]:
    with contextlib.ExitStack() as others:
        client = ClusterClient(api.url, api.ca_pem, api.admin_token)
        others.callback(client.close)
        namespace = f"t{next(_numbers)}"
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        compact = api.compact if isinstance(api, RealControlPlane) else client.compact
        yield Kube(client, namespace, api.ca_pem, compact, others)


@pytest.fixture(scope="session")
def sandbox_api() -> Iterator[process.RunningCluster]:
    with process.start("contract", NOWHERE, api_only=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def real_api() -> Iterator[RealControlPlane]:
    assets = find_assets()
    if assets is None:
        pytest.skip(
            f"the contract was not held against a real kube-apiserver: {ASSETS_VARIABLE} names no folder with "
            "kube-apiserver and etcd"
        )
    with RealControlPlane(assets) as plane:
        yield plane


@pytest.fixture(params=["sandbox", "real"])
def kube(request: pytest.FixtureRequest) -> Iterator[Kube]:
    """One API server without controllers, and a namespace in it."""
    api = request.getfixturevalue(f"{request.param}_api")
    with _new_namespace(api) as kube:
        yield kube


@pytest.fixture
def sandbox(sandbox_api: process.RunningCluster) -> Iterator[Kube]:
    """The sandbox's API server alone, for what a real one cannot be told to do; as it was again afterwards."""
    with _new_namespace(sandbox_api) as kube:
        yield kube
        kube.client.clear_faults()
        kube.client.set_clock_offset(0)


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.RunningCluster]:
    program = [sys.executable, "-m", "tests.contract.kubernetes.tiny_program"]
    state: Path = tmp_path_factory.mktemp("cluster")
    with process.start("with-node", NOWHERE, state_dir=state, pod_command=program) as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster: process.RunningCluster) -> Iterator[Kube]:
    """A cluster with controllers and a node whose containers are `tiny_program`."""
    with _new_namespace(running_cluster) as kube:
        yield kube
        for deployment in kube.client.list_objects(DEPLOYMENTS, kube.namespace):
            kube.client.delete(DEPLOYMENTS, kube.namespace, deployment["metadata"]["name"])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the binaries the contract runs on the sandbox alone; `test_real_control_plane` says so in the report."""
    if find_assets() is None:
        real = [item for item in items if "real" in getattr(getattr(item, "callspec", None), "params", {}).values()]
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in real]
