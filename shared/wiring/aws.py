"""The rooms of a deployment on AWS. Each is made when it is first used, and only then is its SDK imported."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.model.errors import InvalidRequest, Misconfigured
from shared.model.plan import Cluster, EksCluster
from shared.wiring.in_clusters import RoomsInClusters

if TYPE_CHECKING:
    from shared.clusters.api import KubernetesApi
    from shared.clusters.eks import EksClusters
    from shared.steps.ports import Catalog, Executions, Signals

RESTORE_MACHINE_VARIABLE = "RESTORE_STATE_MACHINE"
"""Names the restore state machine to the one function that starts it."""


class AwsRooms(RoomsInClusters):
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
        super().__init__()
        self._catalog_table, self._event_bus, self._region = catalog_table, event_bus, region
        self._restore_machine, self._safety_quiet_seconds = restore_machine, safety_quiet_seconds

    @cached_property
    def catalog(self) -> Catalog:
        from shared.catalog.dynamodb import DynamoDbCatalog

        return DynamoDbCatalog(self._catalog_table, self._session)

    @cached_property
    def signals(self) -> Signals:
        from shared.signals.eventbridge import EventBridgeSignals

        return EventBridgeSignals(self._event_bus, self._session)

    @cached_property
    def executions(self) -> Executions:
        from shared.executions.step_functions import StepFunctionsExecutions

        if not self._restore_machine:
            raise Misconfigured(
                f"No restore can be started here: {RESTORE_MACHINE_VARIABLE}, the ARN of the state machine, is not set.",
                hint="The template infra/aws/template.yaml sets it for the restore function; deploy it again.",
            )
        return StepFunctionsExecutions(self._restore_machine, self._session)

    def _open_database(self, kind: str) -> Any:
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

    def _open_cluster(self, cluster: Cluster) -> KubernetesApi:
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
