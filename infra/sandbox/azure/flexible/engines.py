"""What the two engines have different: names, ports, API versions and their bodies, parameters, limits of backups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import azure.mgmt.mysqlflexibleservers.models as mysql
import azure.mgmt.postgresqlflexibleservers.models as postgresql
import azure.mgmt.rdbms.mysql_flexibleservers.models as old_mysql
import azure.mgmt.rdbms.postgresql_flexibleservers.models as old_postgresql

ON, OFF = "ON", "OFF"


@dataclass(frozen=True)
class Parameter:
    """A server parameter. `allowed` empty: anything. `static`: takes effect with the next restart."""

    default: str
    allowed: tuple[str, ...] = ()
    static: bool = False
    read_only: bool = False
    reset_by_restore: bool = False


@dataclass(frozen=True)
class Engine:
    """`old` and `new` are the API versions of azure-mgmt-rdbms and of its successor. `restore_time` and `dns_zone` are names of
    properties. `keeps_parameters`: a restore does, but for those that say otherwise."""

    name: str
    namespace: str
    domain: str
    port: int
    old: str
    new: str
    old_models: Any
    new_models: Any
    restore_time: str
    dns_zone: str
    version: str
    least_retention_days: int
    most_on_demand_backups: int
    on_demand_on_burstable: bool
    keeps_parameters: bool
    inherits_network: bool
    parameters: Mapping[str, Parameter]
    ha_modes: Mapping[str, tuple[str, ...]]

    @property
    def versions(self) -> tuple[str, str]:
        return self.old, self.new

    @cached_property
    def server_bodies(self) -> dict[str, type]:
        return {self.old: self.old_models.Server, self.new: self.new_models.Server}

    @cached_property
    def update_bodies(self) -> dict[str, type]:
        new = self.new_models.ServerForUpdate if self.name == "mysql" else self.new_models.ServerForPatch
        return {self.old: self.old_models.ServerForUpdate, self.new: new}

    @cached_property
    def parameter_bodies(self) -> dict[str, type]:
        new = self.new_models.Configuration if self.name == "mysql" else self.new_models.ConfigurationForUpdate
        return {self.old: self.old_models.Configuration, self.new: new}

    @cached_property
    def firewall_bodies(self) -> dict[str, type]:
        return {self.old: self.old_models.FirewallRule, self.new: self.new_models.FirewallRule}

    @cached_property
    def restart_bodies(self) -> dict[str, type]:
        name = "ServerRestartParameter" if self.name == "mysql" else "RestartParameter"
        return {self.old: getattr(self.old_models, name), self.new: getattr(self.new_models, name)}

    def state_while_created(self, version: str) -> str:
        """Only PostgreSQL's new API knows Provisioning."""
        return "Provisioning" if self.name == "postgresql" and version == self.new else "Starting"


MYSQL = Engine(
    name="mysql",
    namespace="Microsoft.DBforMySQL",
    domain="mysql.database.azure.com",
    port=3306,
    old="2021-05-01",
    new="2024-12-30",
    old_models=old_mysql,
    new_models=mysql,
    restore_time="restorePointInTime",
    dns_zone="privateDnsZoneResourceId",
    version="8.0.21",
    least_retention_days=1,
    most_on_demand_backups=50,
    on_demand_on_burstable=True,
    keeps_parameters=True,
    inherits_network=True,
    parameters={
        "binlog_row_image": Parameter("MINIMAL", ("FULL", "MINIMAL", "NOBLOB")),
        "event_scheduler": Parameter(OFF, (ON, OFF), reset_by_restore=True),
        "innodb_buffer_pool_instances": Parameter("8", static=True),
        "lower_case_table_names": Parameter("1", ("1", "2"), static=True),
        "max_connections": Parameter("683"),
        "require_secure_transport": Parameter(ON, (ON, OFF)),
        "sql_mode": Parameter("STRICT_TRANS_TABLES"),
        "time_zone": Parameter("SYSTEM", reset_by_restore=True),
        "version_comment": Parameter("Source distribution", read_only=True),
    },
    ha_modes={
        "2021-05-01": ("Disabled", "SameZone", "ZoneRedundant"),
        "2024-12-30": ("Disabled", "SameZone", "ZoneRedundant"),
    },
)
POSTGRESQL = Engine(
    name="postgresql",
    namespace="Microsoft.DBforPostgreSQL",
    domain="postgres.database.azure.com",
    port=5432,
    old="2021-06-01",
    new="2026-10-01",
    old_models=old_postgresql,
    new_models=postgresql,
    restore_time="pointInTimeUTC",
    dns_zone="privateDnsZoneArmResourceId",
    version="16",
    least_retention_days=7,
    most_on_demand_backups=7,
    on_demand_on_burstable=False,
    keeps_parameters=False,
    inherits_network=False,
    parameters={
        "azure.extensions": Parameter(""),
        "default_transaction_isolation": Parameter(
            "read committed", ("serializable", "repeatable read", "read committed", "read uncommitted")
        ),
        "log_min_duration_statement": Parameter("-1"),
        "max_connections": Parameter("859", static=True),
        "max_prepared_transactions": Parameter("0", static=True),
        "server_version_num": Parameter("160009", read_only=True),
        "shared_preload_libraries": Parameter("pg_cron,pg_stat_statements", static=True),
        "timezone": Parameter("UTC"),
        "work_mem": Parameter("4096"),
    },
    ha_modes={"2021-06-01": ("Disabled", "ZoneRedundant"), "2026-10-01": ("Disabled", "SameZone", "ZoneRedundant")},
)
