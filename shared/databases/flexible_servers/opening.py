"""Opens the way to the servers of a plan's section, as their engine wants it."""

from __future__ import annotations

from typing import Any

from shared.databases.flexible_servers.arm_servers import client_options
from shared.databases.flexible_servers.engines import MYSQL, engine_named
from shared.databases.flexible_servers.mysql import MySqlServers
from shared.databases.flexible_servers.postgresql import PostgreSqlServers
from shared.databases.flexible_servers.servers import Servers
from shared.model.plan import FlexibleServer

PUBLIC_CLOUD = "https://management.azure.com"


def open_servers(credential: Any, database: FlexibleServer, resource_manager: str = PUBLIC_CLOUD, **options: Any) -> Servers:
    """`credential` signs in to Azure, `resource_manager` is its cloud's address; `options` are those of Azure's clients."""
    address = resource_manager.rstrip("/")
    given = {"base_url": address, "credential_scopes": [f"{address}/.default"], **client_options(), **options}

    def open_client(kind: type) -> Any:
        return kind(credential, database.subscription, **given)

    kind = MySqlServers if engine_named(database.engine) is MYSQL else PostgreSqlServers
    return kind(open_client, database.resource_group)
