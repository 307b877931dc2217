"""API servers to read from: the sandbox's always, a real one when KUBEBUILDER_ASSETS names its binaries."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from infra.sandbox.cluster import process
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, RealControlPlane, find_assets
from shared.clusters.api import KubernetesApi
from shared.clusters.connection import TokenSource
from tests.contract.clusters.fake_sts import fake_sts

CLUSTER_NAME = "prod-tokyo"
LABELS = {"app.kubernetes.io/instance": "orders", "app.kubernetes.io/app": "ledger"}
_namespaces = itertools.count()
_DESELECTED = pytest.StashKey[int]()


@dataclass
class FixedToken:
    """A token that is not renewed."""

    text: str = field(repr=False)

    def token(self) -> str:
        return self.text

    def renewed(self, rejected: str) -> str:
        return rejected


@dataclass
class Kube:
    """A cluster with a namespace of the test's own: `admin` changes it, `api` is under test."""

    admin: ClusterClient
    namespace: str
    ca_pem: str
    compact: Callable[[], None]
    stack: ExitStack
    slept: list[float] = field(default_factory=list)

    def api_with(self, tokens: TokenSource) -> KubernetesApi:
        api = KubernetesApi(
            self.admin.url, self.ca_pem, tokens, name="cluster prod", sign_in_hint="Sign in.", sleep=self.slept.append
        )
        self.stack.callback(api.close)
        return api

    def create(self, kind: str, name: str, labels: dict[str, str] | None = None, **parts: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace, "labels": LABELS if labels is None else labels}
        version = "apps/v1" if kind == "Deployment" else "v1"
        return self.admin.create({"apiVersion": version, "kind": kind, "metadata": metadata, **parts})


@pytest.fixture(scope="session")
def sts_arns() -> dict[str, str]:
    """The ARN of the role behind each session token, as STS knows it."""
    return {}


@pytest.fixture(scope="session")
def sts_url(sts_arns: dict[str, str]) -> Iterator[str]:
    with fake_sts(sts_arns) as url:
        yield url


@pytest.fixture(scope="session")
def sandbox_api_server(sts_url: str) -> Iterator[process.RunningCluster]:
    with process.start(CLUSTER_NAME, sts_url, api_only=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def real_api_server() -> Iterator[RealControlPlane]:
    assets = find_assets()
    assert assets is not None
    with RealControlPlane(assets) as plane:
        yield plane


def _opened(server: process.RunningCluster | RealControlPlane) -> Iterator[Kube]:
    with ExitStack() as stack:
        admin = ClusterClient(server.url, server.ca_pem, server.admin_token)
        stack.callback(admin.close)
        namespace = f"reading-{next(_namespaces)}"
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        compact = server.compact if isinstance(server, RealControlPlane) else admin.compact
        yield Kube(admin, namespace, server.ca_pem, compact, stack)


@pytest.fixture(params=["sandbox", "real"])
def kube(request: pytest.FixtureRequest) -> Iterator[Kube]:
    yield from _opened(request.getfixturevalue(f"{request.param}_api_server"))


@pytest.fixture
def sandbox(sandbox_api_server: process.RunningCluster) -> Iterator[Kube]:
    """The sandbox's alone, for what a real one cannot be told to do."""
    for kube in _opened(sandbox_api_server):
        yield kube
        kube.admin.clear_faults()


@pytest.fixture
def api(kube: Kube, request: pytest.FixtureRequest) -> KubernetesApi:
    """The code under test, with every right."""
    server = request.getfixturevalue(f"{request.node.callspec.params['kube']}_api_server")
    return kube.api_with(FixedToken(server.admin_token))


@pytest.fixture
def sandbox_api(sandbox: Kube, sandbox_api_server: process.RunningCluster) -> KubernetesApi:
    return sandbox.api_with(FixedToken(sandbox_api_server.admin_token))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if find_assets() is not None:
        return
    here = __name__.rpartition(".")[0]
    real = [
        item for item in items if getattr(item, "callspec", None) and _is_real(item) and item.module.__name__.startswith(here)
    ]
    if real:
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in real]
        config.stash[_DESELECTED] = len(real)


def _is_real(item: Any) -> bool:
    return bool(item.callspec.params.get("kube") == "real")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if count := config.stash.get(_DESELECTED, 0):
        terminalreporter.write_line(
            f"{count} tests of shared.clusters on a real kube-apiserver deselected: {ASSETS_VARIABLE} names no folder with "
            "kube-apiserver and etcd."
        )
