"""The four SDK clients for flexible servers, each with its own models, behind the few calls that the tests make."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import azure.mgmt.mysqlflexibleservers as mysql
import azure.mgmt.postgresqlflexibleservers as postgresql
import azure.mgmt.rdbms.mysql_flexibleservers as old_mysql
import azure.mgmt.rdbms.postgresql_flexibleservers as old_postgresql

from tests.contract.azure_arm.conftest import GROUP

LOCATION, LOGIN, PASSWORD = "japaneast", "bank", "Sandbox-passw0rd"


@dataclass(frozen=True)
class Dialect:
    """`package` is an SDK package with a client and models; `nested`: its models have `properties`."""

    engine: str
    package: Any
    client_name: str
    nested: bool = False

    @property
    def name(self) -> str:
        return str(self.package.__name__).removeprefix("azure.mgmt.")

    @property
    def is_old(self) -> bool:
        return "rdbms" in self.name

    @property
    def client_class(self) -> Any:
        return getattr(self.package, self.client_name)

    @property
    def models(self) -> Any:
        return self.package.models

    @property
    def host_domain(self) -> str:
        return "mysql.database.azure.com" if self.engine == "mysql" else "postgres.database.azure.com"

    @property
    def port(self) -> int:
        return 3306 if self.engine == "mysql" else 5432

    def server(self, tags: dict[str, str] | None = None, sku: Any = None, **properties: Any) -> Any:
        if not self.nested:
            return self.models.Server(location=LOCATION, tags=tags, sku=sku, **properties)
        found = self.models.ServerProperties(**properties)
        return self.models.Server(location=LOCATION, tags=tags, sku=sku, properties=found)

    def create(self, client: Any, name: str, **more: Any) -> Any:
        return self.put(client, name, self.server(administrator_login=LOGIN, administrator_login_password=PASSWORD, **more))

    def restore(self, client: Any, source: str, name: str, at: float, **more: Any) -> Any:
        moment = dt.datetime.fromtimestamp(int(at), dt.UTC)
        when = {"restore_point_in_time": moment} if self.engine == "mysql" else {"point_in_time_utc": moment}
        source_id = client.servers.get(GROUP, source).id
        more = {"create_mode": "PointInTimeRestore", "source_server_resource_id": source_id, **when, **more}
        return self.put(client, name, self.server(**more))

    def put(self, client: Any, name: str, body: Any) -> Any:
        servers = client.servers
        begin = servers.begin_create_or_update if self.nested else servers.begin_create
        return begin(GROUP, name, body).result()

    def update(self, client: Any, name: str, tags: dict[str, str] | None = None, **properties: Any) -> Any:
        if self.nested:
            found = self.models.ServerPropertiesForPatch(**properties)
            return client.servers.begin_update(GROUP, name, self.models.ServerForPatch(tags=tags, properties=found)).result()
        return client.servers.begin_update(GROUP, name, self.models.ServerForUpdate(tags=tags, **properties)).result()

    def set_parameter(self, client: Any, server: str, name: str, value: str, *, wait: bool = True) -> Any:
        values = {"value": value, "source": "user-override"}
        if self.nested:
            body = self.models.ConfigurationForUpdate(properties=self.models.ConfigurationProperties(**values))
        else:
            body = self.models.Configuration(**values)
        begun = client.configurations.begin_update(GROUP, server, name, body, polling=wait)
        return begun.result() if wait else None

    def allow(self, client: Any, server: str, name: str, start: str, end: str) -> Any:
        values = {"start_ip_address": start, "end_ip_address": end}
        if self.nested:
            body = self.models.FirewallRule(properties=self.models.FirewallRuleProperties(**values))
        else:
            body = self.models.FirewallRule(**values)
        return client.firewall_rules.begin_create_or_update(GROUP, server, name, body).result()

    def state(self, server: Any) -> str:
        found = self.properties(server).state
        return str(getattr(found, "value", found))  # the newest SDK gives a member of an enumeration

    def properties(self, thing: Any) -> Any:
        return thing.properties if self.nested else thing


DIALECTS = [
    Dialect("mysql", old_mysql, "MySQLManagementClient"),
    Dialect("mysql", mysql, "MySQLManagementClient"),
    Dialect("postgresql", old_postgresql, "PostgreSQLManagementClient"),
    Dialect("postgresql", postgresql, "PostgreSQLManagementClient", nested=True),
]
OLD_MYSQL, MYSQL, OLD_POSTGRESQL, POSTGRESQL = DIALECTS
