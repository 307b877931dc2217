"""Microsoft.DBforMySQL and Microsoft.DBforPostgreSQL as a whole, and the databases behind their host names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infra.sandbox.azure.arm.faults import Faults
from infra.sandbox.azure.arm.operations import Operations
from infra.sandbox.azure.flexible.access import Access
from infra.sandbox.azure.flexible.backups import Backups
from infra.sandbox.azure.flexible.engines import Engine
from infra.sandbox.azure.flexible.parameters import Parameters
from infra.sandbox.azure.flexible.server_operations import ServerOperations
from infra.sandbox.azure.flexible.servers import Inventory
from infra.sandbox.azure.settings import Settings
from infra.sandbox.relational.statements import ConnectionRefused, Statement, text_of


class FlexibleServers:
    """A Provider, of one engine."""

    def __init__(self, engine: Engine, settings: Settings, faults: Faults) -> None:
        self.namespace, self.api_versions = engine.namespace, frozenset(engine.versions)
        operations = Operations(engine.namespace, faults, lambda: settings.retry_after_seconds)
        self.inventory = Inventory(engine, settings, operations)
        self.routes = [
            *operations.routes(self.api_versions),
            *ServerOperations(self.inventory).routes,
            *Parameters(self.inventory).routes,
            *Access(self.inventory).routes,
            *Backups(self.inventory).routes,
        ]

    def settle(self, now: float) -> None:
        self.inventory.operations.settle(now)


def run_statement(providers: Iterable[FlexibleServers], given: dict[str, Any], now: float) -> dict[str, Any]:
    """One statement of the data plane. Raises SqlError and ConnectionRefused."""
    host, user, password = (text_of(given, name) for name in ("host", "user", "password"))
    for provider in providers:
        name, _, domain = host.lower().partition(".")
        server = provider.inventory.servers.get(name)
        if server is not None and domain == provider.inventory.engine.domain:
            return Statement(server.session(given.get("port", 0), user, password, now), given, now).run()
    raise ConnectionRefused("UnknownHost", f"Name or service not known: {host}. No server has that host name now.")
