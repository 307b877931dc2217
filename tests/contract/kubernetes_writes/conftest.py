"""API servers to write to: the sandbox's always, a real one when KUBEBUILDER_ASSETS names its binaries."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from infra.sandbox.cluster import process
from infra.sandbox.cluster.api.resources import of_object
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.real_control_plane import ASSETS_VARIABLE, RealControlPlane, find_assets
from shared.clusters.api import KubernetesApi

NOWHERE = "http://127.0.0.1:9"  # an identity service that no test here signs in at
_numbers = itertools.count()
_DESELECTED = pytest.StashKey[int]()


@dataclass
class AdminToken:
    text: str

    def token(self) -> str:
        return self.text

    def renewed(self, rejected: str) -> str:
        return rejected


@dataclass
class Kube:
    """A namespace of the test's own: `api` is under test, `admin` does what others do in the meantime."""

    api: KubernetesApi
    admin: ClusterClient
    namespace: str
    records_managers: bool

    def create(self, kind: str, name: str, **parts: Any) -> dict[str, Any]:
        version = "apps/v1" if kind == "Deployment" else "v1"
        document = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": self.namespace}, **parts}
        return self.admin.create(document)

    def change(self, document: dict[str, Any], patch: dict[str, Any]) -> None:
        self.admin.patch(of_object(document), self.namespace, document["metadata"]["name"], patch)


def _opened(server: process.RunningCluster | RealControlPlane) -> Iterator[Kube]:
    with ExitStack() as stack:
        admin = ClusterClient(server.url, server.ca_pem, server.admin_token)
        stack.callback(admin.close)
        api = KubernetesApi(server.url, server.ca_pem, AdminToken(server.admin_token), name="cluster prod")
        stack.callback(api.close)
        namespace = f"writing-{next(_numbers)}"
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield Kube(api, admin, namespace, isinstance(server, RealControlPlane))


@pytest.fixture(scope="session")
def sandbox_api_server() -> Iterator[process.RunningCluster]:
    with process.start("writes", NOWHERE, api_only=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def real_api_server() -> Iterator[RealControlPlane]:
    assets = find_assets()
    assert assets is not None
    with RealControlPlane(assets) as plane:
        yield plane


@pytest.fixture(params=["sandbox", "real"])
def kube(request: pytest.FixtureRequest) -> Iterator[Kube]:
    yield from _opened(request.getfixturevalue(f"{request.param}_api_server"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if find_assets() is not None:
        return
    here = __name__.rpartition(".")[0]
    real = [item for item in items if item.nodeid.startswith(here.replace(".", "/")) and _is_real(item)]
    if real:
        config.hook.pytest_deselected(items=real)
        items[:] = [item for item in items if item not in real]
        config.stash[_DESELECTED] = len(real)


def _is_real(item: Any) -> bool:
    return "real" in getattr(getattr(item, "callspec", None), "params", {}).values()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if count := config.stash.get(_DESELECTED, 0):
        terminalreporter.write_line(
            f"{count} tests of writes to a real kube-apiserver deselected: {ASSETS_VARIABLE} names no folder with "
            "kube-apiserver and etcd."
        )
