"""The databases of the sandbox's Azure behind their resource providers, with what is settable about them."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.sandbox.azure.cosmos.documents import Documents
from infra.sandbox.azure.cosmos.provider import CosmosDb
from infra.sandbox.azure.flexible.engines import MYSQL, POSTGRESQL
from infra.sandbox.azure.flexible.provider import FlexibleServers
from infra.sandbox.azure.resource_manager import ResourceManager
from infra.sandbox.azure.settings import Settings


@dataclass
class Databases:
    """Those of one subscription, known to its Resource Manager."""

    resource_manager: ResourceManager
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Everything back to empty; resource groups, roles and clusters stay."""
        self.settings.reset()
        self.resource_manager.faults.clear()
        self.resource_manager.calls.clear()
        self.cosmos = CosmosDb(self.settings, self.resource_manager.faults)
        self.documents = Documents(self.cosmos.inventory)
        self.mysql = FlexibleServers(MYSQL, self.settings, self.resource_manager.faults)
        self.postgresql = FlexibleServers(POSTGRESQL, self.settings, self.resource_manager.faults)
        for provider in (self.cosmos, self.mysql, self.postgresql):
            self.resource_manager.providers[provider.namespace.lower()] = provider
