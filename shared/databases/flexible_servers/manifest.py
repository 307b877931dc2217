"""Reads all settings of a server, as they are now: what is said of the server itself by one call, the rest by a few."""

from __future__ import annotations

from datetime import datetime

from shared.databases.flexible_servers.servers import Parameter, Server, Servers
from shared.model.records import replace
from shared.model.server_settings import ServerSettings


def read(server: Server, now: datetime, servers: Servers) -> ServerSettings:
    """Raises Unreachable, Throttled, Forbidden: the service."""
    settings = server.settings
    return replace(
        settings,
        taken_at=now,
        configurations=overrides(servers.parameters(server.name)),
        firewall_rules={} if settings.is_private else servers.firewall_rules(server.name),
        administrators=servers.administrators(server.name),
        replicas=servers.replicas(server.name),
    )


def overrides(parameters: tuple[Parameter, ...]) -> dict[str, str]:
    """Those that somebody has set and that can be set: read-only ones follow from something else."""
    return {one.name: one.value for one in parameters if one.is_override and not one.is_read_only}
