"""What the sandbox's worlds have in common, whichever cloud is beside it: a cluster, releases of Scalar products in it, and
processes that begin and end together."""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from infra.sandbox.bank.opening import Opening
from infra.sandbox.cluster import process as cluster_process
from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.charts import release_objects
from infra.sandbox.cluster.client import ClusterClient
from infra.sandbox.cluster.process import RunningCluster

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "infra" / "kubernetes"
RBAC = KUBERNETES / "rbac.yaml"
PORT_FORWARD = KUBERNETES / "port-forward.yaml"
SCHEMA_REPAIR = KUBERNETES / "schema-repair.yaml"
NAMESPACE, RELEASE = "scalar", "orders"
PLAN_NAME = "orders-prod"
TIMEZONE = "Asia/Tokyo"
GROUP, RESTORE_GROUP = "scalar-backup", "scalar-restore"
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


class ReleasesWorld(ABC):
    """Enter it to start everything. `kube` are hands on the cluster; `control_plane` is one of
    `infra.sandbox.cluster.process.CONTROL_PLANES`."""

    kube: ClusterClient

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

    @abstractmethod
    def _start(self) -> None:
        """Starts the processes, each with its end in `_exit`."""

    @property
    @abstractmethod
    def variables(self) -> dict[str, str]:
        """Of an operator's shell, that lead the command line to the sandbox."""

    @property
    @abstractmethod
    def _database_properties(self) -> Mapping[str, str]:
        """What a release says to work on the world's first bank."""

    @property
    @abstractmethod
    def _data_planes(self) -> Mapping[str, str]:
        """Variables by which the bank's pods find the data of the cloud."""

    @abstractmethod
    def plan_document(self, name: str = PLAN_NAME, helm_release: str = RELEASE, **pause: Any) -> dict[str, Any]:
        """The plan as an operator writes it."""

    def _start_process(self, name: str, state_dir: Path, *, identity_url: str, overlay: bool = False) -> RunningCluster:
        return self._exit.enter_context(
            cluster_process.start(name, identity_url, state_dir=state_dir, control_plane=self.control_plane, overlay=overlay)
        )

    def _administrator(self, running: RunningCluster) -> ClusterClient:
        kube = running.administrator()
        self._exit.callback(kube.close)
        return kube

    def _group_names(self) -> Mapping[str, str]:
        """What the cluster calls the groups of infra/kubernetes/rbac.yaml, where that is another name."""
        return {}

    def _documents(self, file: Path) -> Iterable[dict[str, Any]]:
        """Of a file with rights, bound to the groups as this cluster knows them."""
        names = self._group_names()
        for document in yaml.safe_load_all(file.read_text()):
            for subject in document.get("subjects", ()):
                subject["name"] = names.get(subject["name"], subject["name"])
            yield document

    # -- what tests and the demo do with it

    def allow_leading(self, *config_maps: str) -> None:
        """Writes names of ConfigMaps into the Role scalar-restore-endpoints, beside those of earlier calls."""
        self._led |= set(config_maps)
        roles = [document for document in self._documents(RBAC) if document["kind"] == "Role"]
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
        where they are not those of the world's first bank (see bank_worlds). `properties` and `environment` come on top of
        the usual ones, `chart` are further values of `release_objects`."""
        kube = kube or self.kube
        variables = {
            "BANK_WORKERS": str(workers),
            "BANK_ACCOUNTS": str(self.scale.opening.accounts),
            "BANK_CRASH_RATE": str(self.scale.crash_rate),
            **self._data_planes,
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

    def _properties(self, database: Mapping[str, str] | None, more: Mapping[str, str]) -> str:
        properties = {
            **(database or self._database_properties),
            "scalar.db.consensus_commit.coordinator.namespace": "coordinator",
            **more,
        }
        return "\n".join(f"{name}={value}" for name, value in properties.items())

    @property
    def pods(self) -> list[dict[str, Any]]:
        return self.pods_of(RELEASE)

    def pods_of(self, helm_release: str) -> list[dict[str, Any]]:
        """As the API has them, those on their way out included."""
        return self.kube.list_objects(PODS, NAMESPACE, f"app.kubernetes.io/instance={helm_release}")

    @contextmanager
    def environment(self) -> Iterator[None]:
        """This process's environment leads to the sandbox, as an operator's shell leads to their account."""
        changes = self.variables
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
