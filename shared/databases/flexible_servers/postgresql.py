"""The port `Servers` for Azure Database for PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from shared.databases.azure_errors import in_our_words
from shared.databases.flexible_servers.arm_servers import (
    ArmServers,
    administrator_sort,
    backup_of,
    body,
    documents,
    parameter_body,
)
from shared.databases.flexible_servers.engines import POSTGRESQL
from shared.databases.flexible_servers.servers import Backup, Parameter
from shared.model.errors import Conflict
from shared.model.server_settings import EntraAdministrator


class PostgreSqlServers(ArmServers):
    engine = POSTGRESQL
    _no_failover = False

    def _older_class(self) -> type:
        from azure.mgmt.rdbms.postgresql_flexibleservers import PostgreSQLManagementClient

        return PostgreSQLManagementClient

    def _newer_class(self) -> type:
        from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient

        return PostgreSQLManagementClient

    def _put_server(self, name: str, body: bytes) -> None:
        self.newer.servers.begin_create_or_update(self.group, name, body, polling=False)

    def begin_set_parameters(self, name: str, changes: Sequence[Parameter]) -> int:
        """One request each; a server that is busy with the first takes the others later."""
        for begun, change in enumerate(changes):
            given = body({"properties": parameter_body(change)})
            try:
                with in_our_words(self._action("configurations/write"), f"{name}/{change.name}"):
                    self.older.configurations.begin_update(self.group, name, change.name, given, polling=False)
            except Conflict:
                if begun:
                    return begun
                raise
        return len(changes)

    def administrators(self, name: str) -> tuple[EntraAdministrator, ...]:
        found = self._administrators(self.newer.administrators_microsoft_entra, name)
        return administrator_sort(
            EntraAdministrator(
                object_id=str(item["properties"].get("objectId") or item.get("name") or ""),
                name=str(item["properties"].get("principalName") or ""),
                kind=str(item["properties"].get("principalType") or ""),
                tenant=str(item["properties"].get("tenantId") or ""),
            )
            for item in found
        )

    def begin_put_administrator(self, name: str, administrator: EntraAdministrator) -> None:
        given = {
            "principalType": administrator.kind,
            "principalName": administrator.name,
            "tenantId": administrator.tenant,
        }
        with in_our_words(self._action("administrators/write"), f"{name}/{administrator.name}"):
            self.newer.administrators_microsoft_entra.begin_create_or_update(
                self.group, name, administrator.object_id, body({"properties": given}), polling=False
            )

    def begin_delete_administrator(self, name: str, administrator: EntraAdministrator) -> None:
        with in_our_words(self._action("administrators/delete"), f"{name}/{administrator.name}"):
            self.newer.administrators_microsoft_entra.begin_delete(self.group, name, administrator.object_id, polling=False)

    def backups(self, name: str) -> tuple[Backup, ...]:
        with in_our_words(self._action("backups/read"), name):
            found = documents(self.newer.backups_automatic_and_on_demand.list_by_server(self.group, name))
        return tuple(backup_of(item) for item in found)

    def begin_backup(self, name: str, backup: str) -> None:
        with in_our_words(self._action("backups/write"), f"{name}/{backup}"):
            self.newer.backups_automatic_and_on_demand.begin_create(self.group, name, backup, polling=False)

    def begin_delete_backup(self, name: str, backup: str) -> None:
        with in_our_words(self._action("backups/delete"), f"{name}/{backup}"):
            self.newer.backups_automatic_and_on_demand.begin_delete(self.group, name, backup, polling=False)
