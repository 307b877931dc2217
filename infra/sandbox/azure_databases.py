"""Databases of Azure for banks: made through Resource Manager, with the settings that a careful owner gives them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from infra.sandbox.azure.process import AzureProcess
from infra.sandbox.bank.cosmos import Cosmos
from infra.sandbox.bank.jdbc_url import jdbc_url
from infra.sandbox.bank.relational import Relational

RESOURCE_GROUP, REGION = "rg-prod", "japaneast"
USER, PASSWORD = "bank", "Sandbox-passw0rd"
EVERYWHERE = {"start_ip_address": "0.0.0.0", "end_ip_address": "255.255.255.255"}
MYSQL, POSTGRESQL = "mysql", "postgresql"
_DOMAINS = {MYSQL: "mysql.database.azure.com", POSTGRESQL: "postgres.database.azure.com"}
_JDBC = {MYSQL: ("mysql", 3306), POSTGRESQL: ("postgres", 5432)}
_POLL_SECONDS = 0.05


class AzureDatabases:
    """Makes databases in one subscription, as its owner. Use where REQUESTS_CA_BUNDLE leads to the sandbox's CA."""

    def __init__(self, azure: AzureProcess) -> None:
        self._azure, self._credential = azure, azure.owner()

    def create_cosmos(self, account: str, **properties: Any) -> Cosmos:
        """An account for NoSQL with continuous backup of 7 days and strong consistency; back when it is online. `properties`
        are more of its body."""
        from azure.mgmt.cosmosdb import CosmosDBManagementClient

        body = {
            "location": REGION,
            "kind": "GlobalDocumentDB",
            "properties": {
                "locations": [{"locationName": REGION, "failoverPriority": 0, "isZoneRedundant": False}],
                "databaseAccountOfferType": "Standard",
                "consistencyPolicy": {"defaultConsistencyLevel": "Strong"},
                "backupPolicy": {"type": "Continuous", "continuousModeProperties": {"tier": "Continuous7Days"}},
                **properties,
            },
        }
        with self._client(CosmosDBManagementClient) as cosmos:
            made: Any = cosmos.database_accounts.begin_create_or_update(RESOURCE_GROUP, account, body).result()
            key = cosmos.database_accounts.list_keys(RESOURCE_GROUP, account).primary_master_key
        return Cosmos(made.document_endpoint, key, self._azure.data_url)

    def accounts(self) -> list[str]:
        """Names of the Cosmos DB accounts there are."""
        from azure.mgmt.cosmosdb import CosmosDBManagementClient

        with self._client(CosmosDBManagementClient) as cosmos:
            return [str(account.name) for account in cosmos.database_accounts.list_by_resource_group(RESOURCE_GROUP)]

    @contextmanager
    def restored(self, account: str, target: str, at: datetime) -> Iterator[Cosmos]:
        """An account as it was at `at`, restored into another one that is deleted when the context ends."""
        from azure.mgmt.cosmosdb import CosmosDBManagementClient

        with self._client(CosmosDBManagementClient) as cosmos:
            sources = [each for each in cosmos.restorable_database_accounts.list() if each.account_name == account]
            parameters = {
                "restoreMode": "PointInTime",
                "restoreSource": sources[0].id,
                "restoreTimestampInUtc": at.isoformat(),
            }
            body = {
                "location": REGION,
                "properties": {
                    "locations": [{"locationName": REGION, "failoverPriority": 0}],
                    "databaseAccountOfferType": "Standard",
                    "createMode": "Restore",
                    "restoreParameters": parameters,
                },
            }
            made: Any = cosmos.database_accounts.begin_create_or_update(RESOURCE_GROUP, target, body).result()
            key = cosmos.database_accounts.list_keys(RESOURCE_GROUP, target).primary_master_key
            yield Cosmos(made.document_endpoint, key, self._azure.data_url)
            cosmos.database_accounts.begin_delete(RESOURCE_GROUP, target).result()

    def create_server(self, engine: str, name: str, **properties: Any) -> Relational:
        """A flexible server with public access, that everybody may connect to; back when it is ready."""
        login = {"administrator_login": USER, "administrator_login_password": PASSWORD, **properties}
        client: Any
        with self._client(_sdk(engine)) as client:
            if engine == MYSQL:
                from azure.mgmt.mysqlflexibleservers import models

                client.servers.begin_create(RESOURCE_GROUP, name, models.Server(location=REGION, **login)).result()
                rule: Any = models.FirewallRule(**EVERYWHERE)
            else:
                from azure.mgmt.postgresqlflexibleservers import models as postgresql

                server = postgresql.Server(location=REGION, properties=postgresql.ServerProperties(**login))
                client.servers.begin_create_or_update(RESOURCE_GROUP, name, server).result()
                rule = postgresql.FirewallRule(properties=postgresql.FirewallRuleProperties(**EVERYWHERE))
            client.firewall_rules.begin_create_or_update(RESOURCE_GROUP, name, "everywhere", rule).result()
        return self.relational(engine, name)

    def relational(self, engine: str, name: str) -> Relational:
        """The database on a server of that name."""
        dialect, port = _JDBC[engine]
        return Relational(jdbc_url(dialect, f"{name}.{_DOMAINS[engine]}", port), USER, PASSWORD, self._azure.data_url)

    def _client(self, kind: Any) -> Any:
        return kind(
            self._credential,
            self._azure.subscription,
            base_url=self._azure.url,
            credential_scopes=[f"{self._azure.url}/.default"],
            connection_verify=str(self._azure.ca_file),
            polling_interval=_POLL_SECONDS,
        )


def _sdk(engine: str) -> Any:
    if engine == MYSQL:
        from azure.mgmt.mysqlflexibleservers import MySQLManagementClient

        return MySQLManagementClient
    from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

    return PostgreSQLManagementClient
