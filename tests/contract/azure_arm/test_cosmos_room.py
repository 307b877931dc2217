"""The product's own way to Cosmos DB over TLS, with exactly the rights that it says it needs: protect, restore, key, undo."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.mgmt.cosmosdb import CosmosDBManagementClient

from infra.sandbox.azure.arm.rights import RoleAssignment
from infra.sandbox.azure.cosmos.client import CosmosClient
from infra.sandbox.azure.server import SUBSCRIPTION
from shared.databases.cosmos import CosmosAccess
from shared.databases.cosmos import actions as rights
from shared.databases.cosmos.calls import open_client
from shared.model.checks import failures
from shared.model.plan import CosmosAccount
from shared.model.restore import DatabaseRestore, RestoreOrder, RestoreStage, Target
from shared.model.storage import ReleaseStorage, Storage
from tests.contract.azure_arm.conftest import (
    AUDIENCE,
    GROUP,
    Azure,
    Credential,
    create_account,
    create_container,
    create_procedure,
    document,
    documents_of,
)

CONTAINERS = (("bank", "checking"), ("coordinator", "state"), ("scalardb", "metadata"))
STAMP = "20261124t040000z"
SIDE = f"orders-r{STAMP}"
DATABASE = CosmosAccount(subscription=SUBSCRIPTION, resource_group=GROUP, account="orders")


class AzureClock:
    """The sandbox's, which tests set ahead."""

    process = "test"

    def __init__(self, azure: Azure) -> None:
        self._azure = azure

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._azure.now, UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


@pytest.fixture
def room(azure: Azure, cosmos: CosmosDBManagementClient) -> CosmosAccess:
    """Account `orders` in use, and the room with the rights of its own lists."""
    create_account(cosmos, "orders", ipRules=[{"ipAddressOrRange": "203.0.113.7"}])
    for database, name in CONTAINERS:
        create_container(cosmos, "orders", database, name, **({"defaultTtl": 86_400} if database == "bank" else {}))
        create_procedure(cosmos, "orders", database, name)
    documents_of(azure, cosmos, "orders").upsert("bank", "checking", document(1, balance=10))
    azure.pass_time(10)
    manager, who = azure.running.resource_manager, azure.identity.object_id
    of_group = frozenset({*rights.RESTORE_ACTIONS, *rights.LEAD_ACTIONS, *rights.DISCARD_ACTIONS})
    subscription = f"/subscriptions/{SUBSCRIPTION}"
    manager.roles = [
        RoleAssignment(who, f"{subscription}/resourceGroups/{GROUP}", of_group),
        RoleAssignment(who, subscription, frozenset(rights.SUBSCRIPTION_ACTIONS)),
    ]

    def open_management(credential: Any, of_subscription: str) -> Any:
        return open_client(
            credential,
            of_subscription,
            base_url=azure.running.url,
            credential_scopes=[f"{AUDIENCE}.default"],
            connection_verify=str(azure.running.ca_file),
            polling_interval=0.02,
        )

    return CosmosAccess(Credential(azure.running.entra, azure.identity), AzureClock(azure), open_management=open_management)


def until(azure: Azure, call: Callable[[Any], Any]) -> Any:
    reached = None
    for _ in range(100):
        reached = call(reached)
        if reached.done:
            return reached
        azure.pass_time(61)
    raise AssertionError(f"not done: {reached}")


def storages() -> tuple[ReleaseStorage, ...]:
    storage = Storage(name="default", kind="cosmos", contact_point="https://orders.documents.azure.com:443/")
    return (ReleaseStorage(release="orders", source="ConfigMap", storages=(storage,)),)


def test_there_and_back_with_the_listed_rights_and_the_new_accounts_own_key(
    azure: Azure, cosmos: CosmosDBManagementClient, room: CosmosAccess
) -> None:
    assert failures(room.check(DATABASE, storages())) == ()
    point = datetime.fromtimestamp(int(azure.now), UTC)
    azure.pass_time(5)
    protected = until(azure, lambda so_far: room.protect(DATABASE, storages(), point, True, so_far))
    order = RestoreOrder(database=DATABASE, run="run-1", stamp=STAMP, target=Target.IN_PLACE, at=point, protection=protected)
    assert failures(room.forecast(order).checks) == ()
    prepared = until(azure, lambda so_far: room.restore(order, so_far))
    restored = until(azure, lambda so_far: room.cut_over(order, so_far or prepared))
    (move,) = restored.endpoints
    data = CosmosClient(azure.running.data_url).connect(
        f"https://{move.new}:443/", room.primary_key(move.credential_source).reveal()
    )
    assert data.read("bank", "checking", "1", "1")["values"] == {"balance": 10}
    assert [check.name for check in failures(room.verify(order, restored))] == ["cosmos-stored-procedures"]
    undo = RestoreOrder(database=DATABASE, run="run-2", stamp="20261124t050000z", target=Target.IN_PLACE, undo=restored)
    undone = until(azure, lambda so_far: room.cut_over(undo, so_far or until(azure, lambda so_far: room.restore(undo, so_far))))
    assert undone.endpoints[0].new == move.old
    assert failures(room.verify(undo, undone)) == ()


def test_a_restore_that_is_given_up_leaves_nothing_behind(azure: Azure, room: CosmosAccess) -> None:
    at = datetime.fromtimestamp(int(azure.now) - 5, UTC)
    order = RestoreOrder(database=DATABASE, run="run-1", stamp=STAMP, target=Target.IN_PLACE, at=at)
    begun: DatabaseRestore = room.restore(order, None)
    assert SIDE in azure.running.databases.cosmos.inventory.accounts
    azure.pass_time(61)
    done = until(azure, lambda so_far: room.discard(order, so_far or begun))
    assert done.stage is RestoreStage.DISCARDED
    azure.running.resource_manager.settle()
    assert set(azure.running.databases.cosmos.inventory.accounts) == {"orders"}
