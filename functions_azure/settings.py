"""The app's environment, read and validated once, when the first function needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.model.errors import Misconfigured

_HINT = "The template infra/azure/main.bicep sets them; deploy it again."
_REQUIRED = {
    "catalog_endpoint": "CATALOG_ENDPOINT",
    "catalog_table": "CATALOG_TABLE",
    "event_topic": "EVENT_TOPIC_ENDPOINT",
}


@dataclass(frozen=True)
class Settings:
    """`catalog_endpoint` is the Table service of the storage account, such as `https://<account>.table.core.windows.net`,
    `catalog_table` the table's name there; `event_topic` the endpoint of the Event Grid topic. `identity` is the client id of
    the user-assigned identity, empty for the app's own. `resource_manager` names another cloud than the public one.
    `servers_log_delay_seconds` is how long after a second the logs of flexible servers are surely backed up; None: as Azure
    says it, and a margin.
    """

    catalog_endpoint: str
    catalog_table: str
    event_topic: str
    identity: str = ""
    resource_manager: str = ""
    servers_log_delay_seconds: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises Misconfigured, naming everything that is wrong at once."""
        missing = [name for name in _REQUIRED.values() if not environment.get(name)]
        if missing:
            raise Misconfigured(f"The app's settings lack {', '.join(missing)}.", hint=_HINT)
        given = {field: environment[name] for field, name in _REQUIRED.items()}
        resource_manager = environment.get("AZURE_RESOURCE_MANAGER", "")
        addresses = {
            "CATALOG_ENDPOINT": given["catalog_endpoint"],
            "EVENT_TOPIC_ENDPOINT": given["event_topic"],
            "AZURE_RESOURCE_MANAGER": resource_manager or "https://",
        }
        plain = [name for name, address in addresses.items() if not address.startswith("https://")]
        if plain:
            raise Misconfigured(f"In the app's settings, {', '.join(plain)} is no https:// address.", hint=_HINT)
        delay = environment.get("SERVERS_LOG_DELAY_SECONDS", "")
        if delay and not delay.isdecimal():
            raise Misconfigured(f"The app's setting SERVERS_LOG_DELAY_SECONDS is {delay!r}, not whole seconds.", hint=_HINT)
        return cls(
            **given,
            identity=environment.get("AZURE_CLIENT_ID", ""),
            resource_manager=resource_manager,
            servers_log_delay_seconds=float(delay) if delay else None,
        )
