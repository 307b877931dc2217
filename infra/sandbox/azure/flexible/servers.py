"""A flexible server: its settings, its rows, its recovery window, and how the API shows it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.azure.arm.operations import Operations, utc
from infra.sandbox.azure.arm.requests import Request
from infra.sandbox.azure.flexible.engines import Engine
from infra.sandbox.azure.refusals import RefusedError
from infra.sandbox.azure.settings import Settings
from infra.sandbox.relational.statements import ConnectionRefused, Session
from infra.sandbox.relational.volume import Volume

Json = dict[str, Any]
READY, UPDATING, DROPPING, DISABLED, STOPPED = "Ready", "Updating", "Dropping", "Disabled", "Stopped"
AZURE_SERVICES = ("0.0.0.0", "0.0.0.0")
"""The firewall rule that lets in whatever runs in Azure."""
_CLIENT = ipaddress.ip_address("20.40.0.10")
"""Where the sandbox's pods come from."""
_SECONDS_PER_DAY = 86_400
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass
class Server:
    """`settings`: sku, storage, backup, highAvailability, network, version, availabilityZone, maintenanceWindow and so on, as
    the API names them. `first_backup_at`: nothing can be restored before. `parameters`: only what users have set."""

    engine: Engine
    subscription: str
    group: str
    name: str
    location: str
    login: str
    settings: Json
    tags: dict[str, str]
    identity: Json | None
    volume: Volume
    created_at: float
    state: str
    first_backup_at: float | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    pending_restart: set[str] = field(default_factory=set)
    firewall: dict[str, tuple[str, str]] = field(default_factory=dict)
    backups: dict[str, float] = field(default_factory=dict)
    administrators: dict[str, Json] = field(default_factory=dict)

    @property
    def id(self) -> str:
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/{self.engine.namespace}/flexibleServers/{self.name}"

    @property
    def host(self) -> str:
        return f"{self.name}.{self.engine.domain}"

    @property
    def is_private(self) -> bool:
        """In a subnet of the customer's; the firewall rules of public access do not exist then."""
        return bool(self.settings["network"].get("delegatedSubnetResourceId"))

    @property
    def is_replica(self) -> bool:
        return self.settings.get("replicationRole") == "Replica"

    @property
    def is_burstable(self) -> bool:
        return bool(self.settings["sku"]["tier"] == "Burstable")

    def earliest_restore(self, now: float) -> float | None:
        if self.first_backup_at is None or self.first_backup_at > now:
            return None
        return max(self.first_backup_at, self.forget_before(now))

    def forget_before(self, now: float) -> float:
        days: int = self.settings["backup"]["backupRetentionDays"]
        return now - days * _SECONDS_PER_DAY

    def session(self, port: int, user: str, password: str, now: float) -> Session:
        """Raises ConnectionRefused."""
        if self.state not in (READY, UPDATING):
            raise ConnectionRefused("NotAvailable", f"No database answers at {self.host}: the server is {self.state}.")
        if not self._lets_in():
            raise ConnectionRefused("NotAvailable", f"Connection to {self.host} timed out: no firewall rule lets {_CLIENT} in.")
        if port != self.engine.port:
            raise ConnectionRefused("WrongPort", f"Connection refused: {self.host} does not listen on port {port}.")
        if user != self.login or password != self.volume.password:
            raise ConnectionRefused("AccessDenied", f"Access denied for user '{user}' at {self.host}.")
        return Session(self.volume, self.forget_before(now), writable=not self.is_replica)

    def _lets_in(self) -> bool:
        if self.is_private:
            return True
        if self.settings["network"].get("publicNetworkAccess", "Enabled") == "Disabled":
            return False
        ranges = self.firewall.values()
        return any(
            each == AZURE_SERVICES or ipaddress.ip_address(each[0]) <= _CLIENT <= ipaddress.ip_address(each[1])  # type: ignore[operator]
            for each in ranges
        )

    def shown(self, now: float) -> Json:
        earliest = self.earliest_restore(now)
        settings = {name: value for name, value in self.settings.items() if name != "sku"}
        backup = dict(settings["backup"])
        if earliest is not None:
            backup["earliestRestoreDate"] = utc(earliest)
        availability = settings["highAvailability"]
        state = "NotEnabled" if availability["mode"] == "Disabled" else "Healthy"
        shown: Json = {
            "id": self.id,
            "name": self.name,
            "type": f"{self.engine.namespace}/flexibleServers",
            "location": self.location,
            "tags": self.tags,
            "sku": self.settings["sku"],
            "systemData": {"createdAt": utc(self.created_at)},
            "properties": {
                **settings,
                "administratorLogin": self.login,
                "state": self.state,
                "fullyQualifiedDomainName": self.host,
                "backup": backup,
                "highAvailability": {**availability, "state": state},
                "network": {"publicNetworkAccess": "Disabled" if self.is_private else "Enabled", **settings["network"]},
            },
        }
        if self.identity is not None:
            shown["identity"] = self.identity
        return shown


@dataclass
class Inventory:
    """The servers of one engine, by name; `taken_names` are servers of other people."""

    engine: Engine
    settings: Settings
    operations: Operations
    servers: dict[str, Server] = field(default_factory=dict)
    taken_names: set[str] = field(default_factory=set)

    def find(self, group: str, name: str) -> Server | None:
        found = self.servers.get(name.lower())
        return found if found is not None and found.group.lower() == group.lower() else None

    def server(self, request: Request) -> Server:
        """The one that the path names. RefusedError when there is none."""
        found = self.find(request.names["group"], request.names["server"])
        if found is None:
            what = f"{self.engine.namespace}/flexibleServers/{request.names['server']}"
            message = f"The Resource '{what}' under resource group '{request.names['group']}' was not found."
            raise RefusedError(404, "ResourceNotFound", message)
        return found

    def ready_server(self, request: Request, *states: str) -> Server:
        """One in these states, Ready if none is named, of which nothing is being changed."""
        found = self.server(request)
        if self.operations.running(found.id) or found.state not in (states or (READY,)):
            raise RefusedError(409, "ServerIsBusy", f"Cannot complete the operation: server {found.name} is {found.state}.")
        return found

    def check_new(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            message = f"The server name '{name}' is not valid: 3 to 63 lower-case letters, digits and inner hyphens."
            raise RefusedError(400, "InvalidServerName", message)
        if name in self.servers or name in self.taken_names:
            message = f"Specified server name '{name}' is already used: {name}.{self.engine.domain} exists."
            raise RefusedError(409, "ServerNameAlreadyExists", message)
        if len(self.servers) >= self.settings.servers_max:
            message = (
                f"Operation could not be completed as it results in exceeding the quota of {self.settings.servers_max:.0f}."
            )
            raise RefusedError(409, "QuotaExceeded", message)
