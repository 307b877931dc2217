"""The port `Servers` for Azure Database for MySQL."""

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
from shared.databases.flexible_servers.engines import MYSQL
from shared.databases.flexible_servers.servers import Backup, Parameter
from shared.model.errors import Misconfigured
from shared.model.server_settings import EntraAdministrator

ADMINISTRATOR = "ActiveDirectory"
"""A server has at most one, under this name."""


class MySqlServers(ArmServers):
    engine = MYSQL
    _no_failover = "Disabled"

    def _older_class(self) -> type:
        from azure.mgmt.rdbms.mysql_flexibleservers import MySQLManagementClient

        return MySQLManagementClient

    def _newer_class(self) -> type:
        from azure.mgmt.mysqlflexibleservers import MySQLManagementClient

        return MySQLManagementClient

    def _put_server(self, name: str, body: bytes) -> None:
        self.newer.servers.begin_create(self.group, name, body, polling=False)

    def begin_set_parameters(self, name: str, changes: Sequence[Parameter]) -> int:
        """All in one request."""
        given = [{"name": change.name, "properties": parameter_body(change)} for change in changes]
        with in_our_words(self._action("updateConfigurations/action"), name):
            self.older.configurations.begin_batch_update(self.group, name, body({"value": given}), polling=False)
        return len(given)

    def administrators(self, name: str) -> tuple[EntraAdministrator, ...]:
        found = [item["properties"] for item in self._administrators(self.newer.azure_ad_administrators, name)]
        return administrator_sort(
            EntraAdministrator(
                object_id=str(item.get("sid") or ""),
                name=str(item.get("login") or ""),
                tenant=str(item.get("tenantId") or ""),
                identity=str(item.get("identityResourceId") or ""),
            )
            for item in found
        )

    def begin_put_administrator(self, name: str, administrator: EntraAdministrator) -> None:
        given = {
            "administratorType": ADMINISTRATOR,
            "login": administrator.name,
            "sid": administrator.object_id,
            "tenantId": administrator.tenant,
            "identityResourceId": administrator.identity,
        }
        with in_our_words(self._action("administrators/write"), f"{name}/{administrator.name}"):
            self.newer.azure_ad_administrators.begin_create_or_update(
                self.group, name, ADMINISTRATOR, body({"properties": given}), polling=False
            )

    def begin_delete_administrator(self, name: str, administrator: EntraAdministrator) -> None:
        with in_our_words(self._action("administrators/delete"), f"{name}/{administrator.name}"):
            self.newer.azure_ad_administrators.begin_delete(self.group, name, ADMINISTRATOR, polling=False)

    def backups(self, name: str) -> tuple[Backup, ...]:
        with in_our_words(self._action("backupsV2/read"), name):
            return tuple(backup_of(item) for item in documents(self.newer.long_running_backups.list(self.group, name)))

    def begin_backup(self, name: str, backup: str) -> None:
        with in_our_words(self._action("backupsV2/write"), f"{name}/{backup}"):
            self.newer.long_running_backup.begin_create(
                self.group, name, backup, body({"properties": {"backupNameV2": backup}}), polling=False
            )

    def begin_delete_backup(self, name: str, backup: str) -> None:
        raise Misconfigured(f"{name}/{backup}: MySQL's API deletes no backups.", hint="It ends with the retention.")
