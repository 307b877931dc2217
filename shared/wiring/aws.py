"""The rooms of a deployment on AWS. Each is made when it is first used, and only then is its SDK imported."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.model.errors import InvalidRequest, Misconfigured
from shared.model.plan import Cluster, Database, EksCluster, Release
from shared.system_clock import SystemClock

if TYPE_CHECKING:
    from shared.clusters.api import KubernetesApi
    from shared.clusters.eks import EksClusters
    from shared.clusters.port_forward import PortForwards
    from shared.model.schema_repair import RepairSource
    from shared.scalar.port_forward import PortForward
    from shared.steps.ports import (
        Admin,
        Applications,
        Catalog,
        DatabaseAccess,
        Endpoints,
        Executions,
        Releases,
        SchemaRepair,
        Signals,
    )
    from shared.wiring.serving import ServingPods

RESTORE_MACHINE_VARIABLE = "RESTORE_STATE_MACHINE"
"""Names the restore state machine to the one function that starts it."""


class AwsRooms:
    """The rooms of a deployment on AWS (port `Rooms`).

    Make one per process: connections, clock bounds and tokens are kept in it from one call to the next.
    `catalog_table` and `event_bus` name the deployment's table and event bus; `region` is its region. `restore_machine` is the
    ARN of the restore state machine, where restores are started. `safety_quiet_seconds` is how long a DynamoDB table has had no
    writers before its safety backup is asked for; None leaves that to the room.
    """

    def __init__(
        self,
        catalog_table: str,
        event_bus: str,
        region: str,
        *,
        restore_machine: str = "",
        safety_quiet_seconds: float | None = None,
    ) -> None:
        self._catalog_table, self._event_bus, self._region = catalog_table, event_bus, region
        self._restore_machine, self._safety_quiet_seconds = restore_machine, safety_quiet_seconds
        self._databases: dict[str, DatabaseAccess] = {}
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

    @cached_property
    def applications(self) -> Applications:
        from shared.clusters.applications import ApplicationsInClusters

        return ApplicationsInClusters(self._open_cluster, self._find_deployment, self._serving, self.clock)

    @cached_property
    def endpoints(self) -> Endpoints:
        from shared.scalar.endpoints import EndpointsInClusters

        return EndpointsInClusters(self._open_cluster, self.clock)

    @cached_property
    def executions(self) -> Executions:
        from shared.executions.step_functions import StepFunctionsExecutions

        if not self._restore_machine:
            raise Misconfigured(
                f"No restore can be started here: {RESTORE_MACHINE_VARIABLE}, the ARN of the state machine, is not set.",
                hint="The template infra/aws/template.yaml sets it for the restore function; deploy it again.",
            )
        return StepFunctionsExecutions(self._restore_machine, self._session)

    def database(self, database: Database) -> DatabaseAccess:
        kind = type(database).__name__
        if kind not in self._databases:
            self._databases[kind] = self._open_database(kind)
        return self._databases[kind]

    def _open_database(self, kind: str) -> Any:
        """By the class of the database's section in the plan, which is all that the access takes: not every `Database`, as the
        port has it, so that no type says so."""
        match kind:
            case "DynamoDb":
                from shared.databases.dynamodb import DynamoDbAccess

                quiet = self._safety_quiet_seconds
                if quiet is None:
                    return DynamoDbAccess(self._session, self.clock)
                return DynamoDbAccess(self._session, self.clock, quiet_seconds=quiet)
            case "RdsInstance":
                from shared.databases.rds import RdsInstanceAccess

                return RdsInstanceAccess(self._session, self.clock)
            case "RdsCluster":
                from shared.databases.rds import RdsClusterAccess

                return RdsClusterAccess(self._session, self.clock)
            case "AuroraCluster":
                from shared.databases.rds import AuroraAccess

                return AuroraAccess(self._session, self.clock)
        raise InvalidRequest(f"{kind} is no database of AWS.", hint="It belongs to a deployment on Azure.")

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
