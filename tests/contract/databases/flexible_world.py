"""A flexible server with rows in the sandbox's Azure, and the room in front of it with Azure's own packages. Things take as
long as in Azure; the clock of both sides jumps over the waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from infra.sandbox.azure.arm.faults import Fault
from infra.sandbox.azure.arm.requests import action_of
from infra.sandbox.azure.arm.rights import RoleAssignment
from infra.sandbox.azure.flexible.provider import FlexibleServers
from infra.sandbox.azure.flexible.servers import Server
from infra.sandbox.azure.server import SUBSCRIPTION
from infra.sandbox.relational.client import Connection, SqlClient
from shared.databases.flexible_servers import FlexibleServerAccess
from shared.databases.flexible_servers.engines import Engine
from shared.databases.flexible_servers.manifest import read
from shared.databases.flexible_servers.opening import open_servers
from shared.model.plan import FlexibleServer
from shared.model.protection import DatabaseProtection
from shared.model.records import from_record, to_record
from shared.model.restore import DatabaseRestore, RestoreOrder, Target
from shared.model.server_settings import ServerSettings
from tests.contract.azure_arm.conftest import AUDIENCE, GROUP, Azure, Credential

NAME, STAMP, RUN = "orders", "20261124t040000z", "orders-20261124T040000Z-1f2e3d4c"
SIDE = f"{NAME}-r{STAMP}"
LOCATION, LOGIN, PASSWORD = "japaneast", "bank", "Sandbox-passw0rd"
AS_IN_AZURE = {
    "servers_lag_seconds": 300,
    "servers_create_seconds": 300,
    "servers_restore_seconds": 1_200,
    "servers_update_seconds": 60,
    "servers_delete_seconds": 60,
    "servers_first_backup_seconds": 600,
    "servers_backup_seconds": 5,
}
LEAST_WAIT_SECONDS = 61
"""An engine may come later than asked to: by then, what was begun has ended."""
PLACE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers"
SUBNET = f"{PLACE}/Microsoft.Network/virtualNetworks/net/subnets/db"
ZONE = f"{PLACE}/Microsoft.Network/privateDnsZones/private.example.com"
IDENTITY = f"{PLACE}/Microsoft.ManagedIdentity/userAssignedIdentities/people"
RULES = {"office": ("10.0.0.1", "10.0.0.9"), "azure": ("0.0.0.0", "0.0.0.0")}
PARAMETERS = {
    "mysql": {"time_zone": "+09:00", "event_scheduler": "ON", "innodb_buffer_pool_instances": "4", "max_connections": "100"},
    "postgresql": {"max_connections": "500", "work_mem": "8192", "timezone": "Asia/Tokyo"},
}


@dataclass
class SandboxClock:
    azure: Azure
    process: str = "test"

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.azure.now, UTC)

    def monotonic(self) -> float:
        return self.azure.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("only the probe sleeps, and it has a clock of its own")


@dataclass
class FlexibleWorld:
    azure: Azure
    engine: Engine
    snapshot: bool = False
    point: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.azure.settings(**AS_IN_AZURE)
        self.clock = SandboxClock(self.azure)
        self.database = FlexibleServer(
            engine=self.engine.name, subscription=SUBSCRIPTION, resource_group=GROUP, server=NAME, snapshot=self.snapshot
        )
        self.servers: Any = self._open(Credential(self.azure.running.entra, self.azure.identity), self.database)
        self.access = self.new_process()
        self._create()

    def new_process(self) -> FlexibleServerAccess:
        credential = Credential(self.azure.running.entra, self.azure.identity)
        return FlexibleServerAccess(credential, self.clock, resource_manager=self.azure.running.url, open_servers=self._open)

    def _open(self, credential: Any, database: FlexibleServer, resource_manager: str = "") -> Any:
        opening = partial(
            open_servers, connection_verify=str(self.azure.running.ca_file), credential_scopes=[f"{AUDIENCE}.default"]
        )
        return opening(credential, database, resource_manager or self.azure.running.url)

    # -- the server, made as its owner would

    def _create(self) -> None:
        document: dict[str, Any] = {
            "location": LOCATION,
            "tags": {"team": "payments"},
            "sku": {"name": "Standard_D4ds_v4", "tier": "GeneralPurpose"},
            "properties": {
                "administratorLogin": LOGIN,
                "administratorLoginPassword": PASSWORD,
                "storage": {"storageSizeGB": 64, "autoGrow": "Enabled"},
                "backup": {"backupRetentionDays": 14, "geoRedundantBackup": "Disabled"},
                "network": {"publicNetworkAccess": "Enabled"},
                "highAvailability": {"mode": "SameZone"},
                "maintenanceWindow": {"customWindow": "Enabled", "dayOfWeek": 6, "startHour": 2, "startMinute": 30},
            },
        }
        if self.engine.name == "postgresql":
            document["properties"]["authConfig"] = {"activeDirectoryAuth": "Enabled", "passwordAuth": "Enabled"}
            document["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}
        put = self.servers.newer.servers
        begin = put.begin_create_or_update if self.engine.name == "postgresql" else put.begin_create
        begin(GROUP, NAME, json.dumps(document).encode(), polling=False)
        self.azure.pass_time(301)
        self.servers.server(NAME)
        self.live.parameters = dict(PARAMETERS[self.engine.name])
        self.live.firewall = dict(RULES)
        self.live.administrators = self._administrators()
        connection = self.connect(NAME)
        connection.create_table("accounts")
        connection.put("accounts", "1", {"balance": 10})
        self.azure.pass_time(1_000)
        self.point = self.clock.now().replace(microsecond=0)
        self.azure.pass_time(10)
        self.connect(NAME).put("accounts", "1", {"balance": 99})
        self.azure.pass_time(600)

    def _administrators(self) -> dict[str, Any]:
        if self.engine.name == "postgresql":
            return {"11": {"principalType": "Group", "principalName": "dba", "tenantId": "t"}}
        one = {
            "administratorType": "ActiveDirectory",
            "login": "dba",
            "sid": "11",
            "tenantId": "t",
            "identityResourceId": IDENTITY,
        }
        return {"ActiveDirectory": one}

    # -- looking

    @property
    def provider(self) -> FlexibleServers:
        databases = self.azure.running.databases
        return databases.postgresql if self.engine.name == "postgresql" else databases.mysql

    @property
    def live(self) -> Server:
        return self.provider.inventory.servers[NAME]

    @property
    def names(self) -> list[str]:
        self.azure.running.resource_manager.settle()
        return sorted(self.provider.inventory.servers)

    def connect(self, name: str) -> Connection:
        host = self.provider.inventory.servers[name].host
        return SqlClient(self.azure.running.data_url).connect(host, self.engine.port, LOGIN, PASSWORD)

    def balance(self, name: str) -> Any:
        row = self.connect(name).get("accounts", "1")
        return row and row["balance"]

    def settings(self, name: str = NAME) -> ServerSettings:
        server = self.servers.server(name)
        assert server is not None
        return read(server, self.clock.now(), self.servers)

    def asked(self) -> list[tuple[str, str]]:
        """Method and path of every request since it was looked at last."""
        calls = self.azure.running.resource_manager.calls
        found = [(call.method, call.path) for call in calls]
        calls.clear()
        return found

    def used(self) -> set[str]:
        """The ARM actions of these requests."""
        return {action_of(method, path) for method, path in self.asked()}

    # -- what the engine does

    def arm(self, **fault: Any) -> None:
        self.azure.running.resource_manager.faults.arm(Fault(**fault))

    def allow(self, actions: Iterable[str]) -> None:
        role = RoleAssignment(self.azure.identity.object_id, f"/subscriptions/{SUBSCRIPTION}", frozenset(actions))
        self.azure.running.resource_manager.roles = [role]

    def order(self, protection: DatabaseProtection | None = None, **more: Any) -> RestoreOrder:
        given: dict[str, Any] = {
            "database": self.database,
            "run": RUN,
            "stamp": STAMP,
            "target": Target.IN_PLACE,
            "at": protection.point if protection else self.point,
            "protection": protection,
        }
        return RestoreOrder(**{**given, **more})

    def until(
        self,
        call: Callable[[DatabaseRestore | None], DatabaseRestore],
        reached: DatabaseRestore | None = None,
        forgive: tuple[type[Exception], ...] = (),
    ) -> DatabaseRestore:
        """Calls until done, also after errors that are `forgive`n, then in a new process."""
        for _ in range(1_000):
            try:
                reached = from_record(to_record(call(reached)), DatabaseRestore)
            except forgive:
                self.access = self.new_process()
                continue
            if reached.done:
                return reached
            self.azure.pass_time(max(LEAST_WAIT_SECONDS, reached.wait_seconds))
        raise AssertionError(f"not done after 1,000 calls: {reached}")

    def prepare(self, order: RestoreOrder, **more: Any) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.restore(order, so_far), **more)

    def cut_over(self, order: RestoreOrder, prepared: DatabaseRestore, **more: Any) -> DatabaseRestore:
        return self.until(lambda so_far: self.access.cut_over(order, so_far or prepared), **more)

    def restore(self, order: RestoreOrder, **more: Any) -> DatabaseRestore:
        return self.cut_over(order, self.prepare(order, **more), **more)

    def protect(self, previous: DatabaseProtection | None = None, point: datetime | None = None) -> DatabaseProtection:
        for _ in range(100):
            previous = self.access.protect(self.database, (), point or self.point, True, previous)
            previous = from_record(to_record(previous), DatabaseProtection)
            if previous.done:
                return previous
            self.azure.pass_time(previous.wait_seconds)
        raise AssertionError(f"not done: {previous}")
