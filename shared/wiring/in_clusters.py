"""The rooms that are about clusters and their pods, which a deployment puts together in the same way on every cloud."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.model.plan import Cluster, Database, Release
from shared.model.secret_text import SecretText
from shared.system_clock import SystemClock

if TYPE_CHECKING:
    from shared.clusters.api import KubernetesApi
    from shared.clusters.port_forward import PortForwards
    from shared.model.schema_repair import RepairSource
    from shared.scalar.port_forward import PortForward
    from shared.steps.ports import Admin, Applications, Clock, DatabaseAccess, Endpoints, Releases, SchemaRepair
    from shared.wiring.serving import ServingPods


class RoomsInClusters(ABC):
    """What a cloud's rooms inherit. Each room is made when it is first used, and only then is its SDK imported.

    A cloud says how a cluster is opened and a database reached. `read_credential` gives the key that belongs to a new endpoint,
    where a database has keys of its own.
    """

    def __init__(self, read_credential: Callable[[str], SecretText] | None = None) -> None:
        self._read_credential = read_credential
        self.clock: Clock = SystemClock()
        self._databases: dict[str, DatabaseAccess] = {}

    @abstractmethod
    def _open_cluster(self, cluster: Cluster) -> KubernetesApi:
        """Called at each use: that is what notices a cluster that was made anew. Raises InvalidRequest for another cloud's."""

    @abstractmethod
    def _open_database(self, kind: str) -> Any:
        """By the class of the database's section in the plan, which is all that the access takes: not every `Database`, as the
        port has it, so that no type says so. Raises InvalidRequest for another cloud's."""

    def database(self, database: Database) -> DatabaseAccess:
        kind = type(database).__name__
        if kind not in self._databases:
            self._databases[kind] = self._open_database(kind)
        return self._databases[kind]

    @cached_property
    def releases(self) -> Releases:
        from shared.scalar.releases import ReleasesInClusters

        return ReleasesInClusters(self._open_cluster, self.clock)

    @cached_property
    def admin(self) -> Admin:
        from shared.scalar.admin import AdminClient

        return AdminClient(self.clock, open_forward=self._open_forward)

    @cached_property
    def applications(self) -> Applications:
        from shared.clusters.applications import ApplicationsInClusters

        return ApplicationsInClusters(self._open_cluster, self._find_deployment, self._serving, self.clock)

    @cached_property
    def endpoints(self) -> Endpoints:
        from shared.scalar.endpoints import EndpointsInClusters

        return EndpointsInClusters(self._open_cluster, self.clock, read_credential=self._read_credential)

    @cached_property
    def schema_repair(self) -> SchemaRepair:
        from shared.clusters.schema_repair import SchemaRepairInClusters

        return SchemaRepairInClusters(self._open_cluster, self._find_repair_source, self.clock)

    def _find_repair_source(self, release: Release) -> RepairSource:
        from shared.scalar.repair_source import find_repair_source

        return find_repair_source(self._open_cluster(release.cluster), release)

    def _find_deployment(self, release: Release) -> tuple[str, str]:
        from shared.scalar.stoppable import find_stoppable

        metadata = find_stoppable(self._open_cluster(release.cluster), release)["metadata"]
        return metadata["namespace"], metadata["name"]

    def _serving(self, release: Release) -> ServingPods:
        from shared.wiring.serving import ServingPods

        return ServingPods(release, self.releases, self.admin)

    async def _open_forward(self, cluster: Cluster, namespace: str, pod: str, port: int) -> PortForward:
        return await self._port_forwards.open(cluster, namespace, pod, port)

    @cached_property
    def _port_forwards(self) -> PortForwards:
        """Made on the event loop of the first forward, and only where pods cannot be reached directly."""
        from shared.clusters.port_forward import PortForwards

        return PortForwards(self._open_cluster)
