"""Microsoft.DocumentDB as a whole."""

from __future__ import annotations

from infra.sandbox.azure.arm.faults import Faults
from infra.sandbox.azure.arm.operations import Operations
from infra.sandbox.azure.cosmos.account_operations import AccountOperations
from infra.sandbox.azure.cosmos.accounts import NAMESPACE
from infra.sandbox.azure.cosmos.data_access import DataAccess
from infra.sandbox.azure.cosmos.inventory import API_VERSION, Inventory
from infra.sandbox.azure.cosmos.restorable import Restorable
from infra.sandbox.azure.cosmos.sql_resources import SqlResources
from infra.sandbox.azure.settings import Settings


class CosmosDb:
    """A Provider."""

    namespace = NAMESPACE
    api_versions = frozenset({API_VERSION})

    def __init__(self, settings: Settings, faults: Faults) -> None:
        operations = Operations(NAMESPACE, faults, lambda: settings.retry_after_seconds)
        self.inventory = Inventory(settings, operations)
        self.routes = [
            *operations.routes(self.api_versions),
            *AccountOperations(self.inventory).routes,
            *Restorable(self.inventory).routes,
            *SqlResources(self.inventory).routes,
            *DataAccess(self.inventory).routes,
        ]

    def settle(self, now: float) -> None:
        self.inventory.operations.settle(now)
