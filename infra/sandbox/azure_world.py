"""A whole world on Azure: the function app on a host of its own, an AKS cluster with one release of ScalarDB Cluster, and the
bank at work on Cosmos DB.

Everything is a process of its own and ends with this one. See docs/adr/0002.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from infra.sandbox.azure import process as azure_process
from infra.sandbox.azure.durable import process as durable_process
from infra.sandbox.azure.durable.keys import DURABLE_TASK
from infra.sandbox.azure.durable.name_resolution import VARIABLE
from infra.sandbox.azure.durable.process import RunningHost
from infra.sandbox.azure.process import AzureProcess
from infra.sandbox.azure.server import DOCUMENTS_DOMAIN
from infra.sandbox.azure_databases import RESOURCE_GROUP, AzureDatabases
from infra.sandbox.bank import layouts
from infra.sandbox.bank.cosmos import Cosmos
from infra.sandbox.bank.layouts import BankLayout
from infra.sandbox.bank.schema_file import schema_file
from infra.sandbox.bank.tables import BANK_TABLES
from infra.sandbox.cluster.charts import CHARTS, full_name
from infra.sandbox.releases_world import (
    GROUP,
    NAMESPACE,
    PLAN_NAME,
    RBAC,
    RELEASE,
    RESTORE_GROUP,
    ROOT,
    SCHEMA_REPAIR,
    TIMEZONE,
    ReleasesWorld,
)
from shared.wiring.azure import AzureRooms

APP = "functions_azure"
CLUSTER = "prod-japaneast"
ACCOUNT = "orders-cosmos"
CATALOG_TABLE = "scalarbackup"
RIGHTS = ROOT / "infra" / "azure" / "rights.json"
NO_STS = "http://127.0.0.1:9"
"""Nobody signs in to this cluster with a token of EKS."""
GROUP_IDS = {
    GROUP: "5d1f0c0e-0000-4000-8000-000000000001",
    RESTORE_GROUP: "5d1f0c0e-0000-4000-8000-000000000002",
}
"""Object ids of the groups in Microsoft Entra."""
LOG_DELAY_SECONDS = "4"
"""Longer than the sandbox's servers take for what are minutes in Azure: `servers_lag_seconds` of its settings."""
SCHEMA = "bank-schema/schema.json"
"""The ConfigMap and key with the schema file that was applied last."""


class AzureWorld(ReleasesWorld):
    """`azure` is the subscription, `host` the function app's, `databases` make more databases; `rooms` are the product's own,
    as an operator with network access to the pods has them."""

    host: RunningHost
    storage: Cosmos

    def _start(self) -> None:
        self.azure: AzureProcess = self._exit.enter_context(azure_process.start(self.state_dir / "azure.log"))
        self.azure.settings(cosmos_restore_spread_seconds=1.0)
        self._be_granted_rights()
        self.kube = self._start_cluster()
        self.azure.create_table(CATALOG_TABLE)
        with self.environment():
            self.databases = AzureDatabases(self.azure)
            self.storage = self.databases.create_cosmos(ACCOUNT)
        self._open_bank()
        self.deployment = self.install(RELEASE, pods=self.scale.pods, workers=self.scale.workers, wait=False)
        self.allow_leading(full_name(CHARTS["scalardb-cluster"].name, RELEASE) + CHARTS["scalardb-cluster"].config_map_suffix)
        self.host = self._start_host()
        self.kube.wait_until_ready(NAMESPACE, self.deployment, timeout_seconds=60)

    def _start_host(self) -> RunningHost:
        return self._exit.enter_context(
            durable_process.start(
                APP, self.state_dir / "host.sqlite", settings=self.app_settings, log_file=self.state_dir / "host.log"
            )
        )

    def _be_granted_rights(self) -> None:
        """What infra/azure/rights.json says, in the scopes that main.bicep takes, and nothing else."""
        rights = json.loads(RIGHTS.read_text())
        subscription = f"/subscriptions/{self.azure.subscription}"
        self.azure.add_resource_group(RESOURCE_GROUP)
        self.azure.assign_identity(*GROUP_IDS.values())
        self.azure.grant(subscription, *_actions(rights["subscription"]))
        for engine in rights["resourceGroup"].values():
            self.azure.grant(f"{subscription}/resourceGroups/{RESOURCE_GROUP}", *_actions(engine))

    def _start_cluster(self) -> Any:
        running = self._start_process(CLUSTER, self.state_dir / "cluster", identity_url=NO_STS)
        kube = self._administrator(running)
        kube.trust_entra(self.azure.issuer, self.azure.jwks)
        for file in (RBAC, SCHEMA_REPAIR):
            kube.apply(self._documents(file))
        self.azure.add_cluster(CLUSTER, RESOURCE_GROUP, running.url, running.ca_pem)
        return kube

    def _group_names(self) -> Mapping[str, str]:
        return GROUP_IDS

    def _open_bank(self) -> None:
        layout = self.layout
        layouts.create(layout)
        layouts.seed(layout, self.scale.opening)
        self.add_schema(SCHEMA, BANK_TABLES)

    @property
    def layout(self) -> BankLayout:
        """The first bank as it was opened."""
        return layouts.on_cosmos(self.storage)[0]

    @property
    def app_settings(self) -> dict[str, str]:
        """What main.bicep sets, and what leads a process on this machine to the sandbox."""
        return {
            **self.azure.environment(),
            "CATALOG_ENDPOINT": self.azure.tables_url,
            "CATALOG_TABLE": CATALOG_TABLE,
            "EVENT_TOPIC_ENDPOINT": self.azure.topic_url,
            "AZURE_RESOURCE_MANAGER": self.azure.url,
            "SERVERS_LOG_DELAY_SECONDS": LOG_DELAY_SECONDS,
            VARIABLE: f"{DOCUMENTS_DOMAIN}={urlsplit(self.azure.url).netloc}",
        }

    @property
    def _database_properties(self) -> Mapping[str, str]:
        return layouts.on_cosmos(self.storage)[1].properties

    @property
    def _data_planes(self) -> Mapping[str, str]:
        return {"BANK_SQL_URL": self.azure.data_url, "BANK_DOCUMENTS_URL": self.azure.data_url}

    # -- what tests and the demo do with it

    def plan_document(self, name: str = PLAN_NAME, helm_release: str = RELEASE, **pause: Any) -> dict[str, Any]:
        cluster = {"aks": CLUSTER, "resource_group": RESOURCE_GROUP, "subscription": self.azure.subscription}
        return {
            "name": name,
            "releases": [
                {
                    "cluster": cluster,
                    "namespace": NAMESPACE,
                    "helm_release": helm_release,
                    "schema_loader": {"schema_file": SCHEMA},
                }
            ],
            "databases": [self.cosmos_entry(ACCOUNT)],
            "pause": {"hold": "10s", "drain": "20s", "max_pause": "60s", "attempts": 3, **pause},
            "schedule": {"cron": "0 3 * * *", "timezone": TIMEZONE},
        }

    def add_schema(self, name: str, tables: Iterable[str]) -> None:
        """The schema file of a bank with these tables in a ConfigMap, as `kubectl create configmap --from-file` makes it.
        `name` as a plan has it."""
        config_map, _, key = name.partition("/")
        metadata = {"name": config_map, "namespace": NAMESPACE}
        data = {key: schema_file(tables)}
        self.kube.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}])

    def cosmos_entry(self, account: str) -> dict[str, Any]:
        """Of a plan's databases."""
        return {"cosmos": {"account": account, **self._place}}

    def server_entry(self, engine: str, server: str) -> dict[str, Any]:
        return {engine: {"server": server, **self._place}}

    @property
    def _place(self) -> dict[str, str]:
        return {"resource_group": RESOURCE_GROUP, "subscription": self.azure.subscription}

    @property
    def variables(self) -> dict[str, str]:
        """The operator is signed in as the app's own identity."""
        found = self.azure.environment() | {"AZURE_RESOURCE_MANAGER": self.azure.url}
        if hasattr(self, "host"):
            found["SCALAR_BACKUP_APP"] = self.host.url
            found["SCALAR_BACKUP_APP_KEY"] = self.host.keys.systems[DURABLE_TASK]
        return found

    @property
    def rooms(self) -> AzureRooms:
        """Use inside `environment()`."""
        return AzureRooms(self.azure.tables_url, CATALOG_TABLE, self.azure.topic_url, resource_manager=self.azure.url)


def _actions(rights: Mapping[str, list[str]]) -> list[str]:
    return [action for purpose in rights.values() for action in purpose]
