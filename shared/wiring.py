"""The one place that chooses implementations. Each room is made when it is first used, and only then is its SDK imported."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.model.errors import InvalidRequest
from shared.model.plan import Cluster, Database, EksCluster
from shared.system_clock import SystemClock

if TYPE_CHECKING:
    from shared.clusters.api import KubernetesApi
    from shared.clusters.eks import EksClusters
    from shared.clusters.port_forward import PortForwards
    from shared.scalar.port_forward import PortForward
    from shared.steps.ports import Admin, Catalog, DatabaseAccess, Releases, Signals


class AwsRooms:
    """The rooms of a deployment on AWS (port `Rooms`).

    Make one per process: connections, clock bounds and tokens are kept in it from one call to the next.
    `catalog_table` and `event_bus` name the deployment's table and event bus; `region` is its region.
    """

    def __init__(self, catalog_table: str, event_bus: str, region: str) -> None:
        self._catalog_table, self._event_bus, self._region = catalog_table, event_bus, region
        self.clock = SystemClock()

    @cached_property
    def catalog(self) -> Catalog:
        from shared.catalog.dynamodb import DynamoDbCatalog

        return DynamoDbCatalog(self._catalog_table, self._session)

    @cached_property
    def releases(self) -> Releases:
        from shared.scalar.releases import ReleasesInClusters

        return ReleasesInClusters(self._open_cluster, self.clock)

    @cached_property
    def admin(self) -> Admin:
        from shared.scalar.admin import AdminClient

        return AdminClient(self.clock, open_forward=self._open_forward)

    @cached_property
    def signals(self) -> Signals:
        from shared.signals.eventbridge import EventBridgeSignals

        return EventBridgeSignals(self._event_bus, self._session)

    def database(self, database: Database) -> DatabaseAccess:
        access: DatabaseAccess = self._databases[type(database).__name__]
        return access

    @cached_property
    def _databases(self) -> dict[str, Any]:
        """One `DatabaseAccess` per managed database, by the class of its section in the plan, which is what it takes."""
        from shared.databases.dynamodb import DynamoDbAccess

        return {"DynamoDb": DynamoDbAccess(self._session, self.clock)}

    async def _open_forward(self, cluster: Cluster, namespace: str, pod: str, port: int) -> PortForward:
        return await self._port_forwards.open(cluster, namespace, pod, port)

    @cached_property
    def _port_forwards(self) -> PortForwards:
        """Made on the event loop of the first forward, and only where pods cannot be reached directly."""
        from shared.clusters.port_forward import PortForwards

        return PortForwards(self._open_cluster)

    def _open_cluster(self, cluster: Cluster) -> KubernetesApi:
        """Called at each use: that is what notices a cluster that was made anew."""
        if isinstance(cluster, EksCluster):
            return self._eks(cluster)
        raise InvalidRequest(f"{cluster.key} cannot be reached from AWS.", hint="AKS clusters belong to a deployment on Azure.")

    @cached_property
    def _eks(self) -> EksClusters:
        from shared.clusters.eks import EksClusters

        return EksClusters(self._session)

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.session.Session(region_name=self._region)


def operator_rooms(catalog_table: str, event_bus: str, region: str) -> AwsRooms:
    """The rooms as the command line uses them, with the operator's own credentials and network."""
    return AwsRooms(catalog_table, event_bus, region)
