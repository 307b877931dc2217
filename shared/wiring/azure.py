"""The rooms of a deployment on Azure. Each is made when it is first used, and only then is its SDK imported."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.model.errors import InvalidRequest, Misconfigured
from shared.model.plan import AksCluster, Cluster
from shared.wiring.in_clusters import RoomsInClusters

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.clusters.aks import AksClusters
    from shared.clusters.api import KubernetesApi
    from shared.databases.cosmos import CosmosAccess
    from shared.steps.ports import Catalog, Executions, Signals

STORAGE_AUDIENCES = {
    "management.usgovcloudapi.net": "https://storage.azure.us",
    "management.chinacloudapi.cn": "https://storage.azure.cn",
}
"""For whom tokens are asked for the catalog, by the cloud's Resource Manager; everywhere else it is the public cloud's storage.
Source: the type `AudienceType` of azure-data-tables."""


class AzureRooms(RoomsInClusters):
    """The rooms of a deployment on Azure (port `Rooms`).

    Connections and tokens are kept from one call to the next; one step at a time may use it. `catalog_endpoint` is the Table
    service of the deployment's storage account and `catalog_table` the table there; `event_topic` is the endpoint of its Event
    Grid topic. `identity` is the client id of a user-assigned identity; without it the app's own is used, or whatever the
    operator is signed in with. `resource_manager` is another cloud's, such as https://management.usgovcloudapi.net; Event Grid
    is asked with the public cloud's audience, as its SDKs do.
    `servers_log_delay_seconds`: see FlexibleServerAccess; None leaves it as it is there.

    `executions` is given by whoever knows the engine: inside the app that is the host, outside the operator's key.
    """

    def __init__(
        self,
        catalog_endpoint: str,
        catalog_table: str,
        event_topic: str,
        *,
        identity: str = "",
        resource_manager: str = "",
        servers_log_delay_seconds: float | None = None,
        executions: Executions | None = None,
    ) -> None:
        super().__init__(read_credential=lambda source: self._cosmos.primary_key(source))
        self._catalog_endpoint, self._catalog_table, self._event_topic = catalog_endpoint, catalog_table, event_topic
        self._identity, self._resource_manager = identity, resource_manager
        self._executions, self._servers_log_delay_seconds = executions, servers_log_delay_seconds

    @property
    def executions(self) -> Executions:
        if self._executions is None:
            raise Misconfigured(
                "No restore can be started here: nothing says where the app's engine is.",
                hint="Only the activity `restore` and the command line start restores.",
            )
        return self._executions

    def started_by(self, executions: Executions | None) -> AzureRooms:
        """These rooms, with the engine that the next step may start orchestrations on."""
        self._executions = executions
        return self

    @cached_property
    def catalog(self) -> Catalog:
        from shared.catalog.azure_table import AzureTableCatalog, open_table

        audience = STORAGE_AUDIENCES.get(urlsplit(self._resource_manager).hostname or "")
        cloud = {"audience": audience} if audience else {}
        return AzureTableCatalog(open_table(self._catalog_endpoint, self._catalog_table, self._credential, **cloud))

    @cached_property
    def signals(self) -> Signals:
        from shared.signals.eventgrid import EventGridSignals

        return EventGridSignals(self._event_topic, self._credential)

    @cached_property
    def _cosmos(self) -> CosmosAccess:
        from shared.databases.cosmos import CosmosAccess
        from shared.databases.cosmos.calls import open_client

        address = self._resource_manager.rstrip("/")
        cloud = {"base_url": address, "credential_scopes": [f"{address}/.default"]} if address else {}
        return CosmosAccess(
            self._credential,
            self.clock,
            open_management=lambda credential, subscription: open_client(credential, subscription, **cloud),
        )

    def _open_database(self, kind: str) -> Any:
        match kind:
            case "CosmosAccount":
                return self._cosmos
            case "FlexibleServer":
                from shared.databases.flexible_servers import FlexibleServerAccess

                options: dict[str, Any] = {}
                if self._resource_manager:
                    options["resource_manager"] = self._resource_manager
                if self._servers_log_delay_seconds is not None:
                    options["log_delay"] = timedelta(seconds=self._servers_log_delay_seconds)
                return FlexibleServerAccess(self._credential, self.clock, **options)
        raise InvalidRequest(f"{kind} is no database of Azure.", hint="It belongs to a deployment on AWS.")

    def _open_cluster(self, cluster: Cluster) -> KubernetesApi:
        if isinstance(cluster, AksCluster):
            return self._aks(cluster)
        raise InvalidRequest(f"{cluster.key} cannot be reached from Azure.", hint="EKS clusters belong to a deployment on AWS.")

    @cached_property
    def _aks(self) -> AksClusters:
        from shared.clusters.aks import PUBLIC_CLOUD, AksClusters, AzureCloud

        address = self._resource_manager.rstrip("/")
        return AksClusters(self._credential, AzureCloud(address, f"{address}/.default") if address else PUBLIC_CLOUD)

    @cached_property
    def _credential(self) -> TokenCredential:
        """Asks no more places for a token than there are: the default chain would try several, each with time-outs."""
        from azure.identity import AzureCliCredential, ChainedTokenCredential, ManagedIdentityCredential

        if self._identity:
            return ManagedIdentityCredential(client_id=self._identity)
        return ChainedTokenCredential(ManagedIdentityCredential(), AzureCliCredential())
