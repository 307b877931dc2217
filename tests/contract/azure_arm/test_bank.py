"""The bank on Azure's databases: money moves, a restore brings it back whole, and what a restore forgets is seen."""

from __future__ import annotations

import pytest
from azure.mgmt.cosmosdb import CosmosDBManagementClient

from infra.sandbox.bank import layouts
from infra.sandbox.bank.cosmos import Cosmos
from infra.sandbox.bank.jdbc_url import jdbc_url
from infra.sandbox.bank.layouts import BankLayout, BankRelease
from infra.sandbox.bank.records import Account
from infra.sandbox.bank.relational import Relational
from infra.sandbox.bank.release_storages import storages_of
from infra.sandbox.bank.store import StorageError, Store
from infra.sandbox.bank.tables import ACCOUNT_TABLES, BANK_TABLES
from infra.sandbox.bank.transfer import transfer
from tests.contract.azure_arm.conftest import GROUP, Azure, create_account
from tests.contract.azure_arm.dialects import LOGIN, MYSQL, PASSWORD, POSTGRESQL, Dialect
from tests.contract.azure_arm.test_cosmos_restore import restore

EVERYWHERE = ("0.0.0.0", "255.255.255.255")


def cosmos_storage(azure: Azure, cosmos: CosmosDBManagementClient, account: str) -> Cosmos:
    found = cosmos.database_accounts.get(GROUP, account)
    key = cosmos.database_accounts.list_keys(GROUP, account).primary_master_key
    return Cosmos(found.document_endpoint, key, azure.running.data_url)


def new_cosmos(azure: Azure, cosmos: CosmosDBManagementClient) -> Cosmos:
    create_account(cosmos, "orders")
    return cosmos_storage(azure, cosmos, "orders")


def new_relational(azure: Azure, dialect: Dialect) -> Relational:
    with azure.sdk(dialect.client_class) as client:
        dialect.create(client, "orders-db")
        dialect.allow(client, "orders-db", "all", *EVERYWHERE)
    url = jdbc_url("mysql" if dialect.engine == "mysql" else "postgres", f"orders-db.{dialect.host_domain}", dialect.port)
    return Relational(url, LOGIN, PASSWORD, azure.running.data_url)


@pytest.fixture(params=["cosmos", "mysql", "postgresql", "cosmos and postgresql"])
def bank(
    request: pytest.FixtureRequest, azure: Azure, cosmos: CosmosDBManagementClient
) -> tuple[Azure, BankLayout, BankRelease]:
    if request.param == "cosmos":
        made = layouts.on_cosmos(new_cosmos(azure, cosmos))
    elif request.param == "cosmos and postgresql":
        made = layouts.on_cosmos_and_relational(new_cosmos(azure, cosmos), new_relational(azure, POSTGRESQL))
    else:
        made = layouts.on_relational(new_relational(azure, MYSQL if request.param == "mysql" else POSTGRESQL))
    return azure, *made


def store_of(azure: Azure, release: BankRelease) -> Store:
    found = storages_of(release.properties, azure.running.data_url, azure.running.data_url)
    assert found is not None
    return found.store(1)


def move(store: Store, tables: tuple[str, ...], amount: int = 100) -> None:
    for source, target in zip(tables, (*tables[1:], tables[0]), strict=True):
        for _ in transfer(store, Account(source, 0), Account(target, 1), amount):
            pass


def test_money_moves_and_none_is_lost(bank: tuple[Azure, BankLayout, BankRelease]) -> None:
    azure, layout, release = bank
    opening = layout.opening(accounts=2, balance=1_000)
    layouts.create(layout)
    layouts.seed(layout, opening)
    fresh = layouts.audit_live(layout, opening)
    move(store_of(azure, release), release.tables)
    moved = layouts.audit_live(layout, opening)
    assert fresh.is_consistent, fresh.explain()
    assert moved.is_consistent, moved.explain()
    assert moved.resolved_total == opening.total
    assert moved.coordinator_states["COMMITTED"] == 1 + len(release.tables)


def test_a_restored_bank_has_the_state_of_the_second_and_takes_transfers_after_its_repair_only(
    azure: Azure, cosmos: CosmosDBManagementClient
) -> None:
    layout, release = layouts.on_cosmos(new_cosmos(azure, cosmos))
    opening = layout.opening(accounts=2, balance=1_000)
    layouts.create(layout)
    layouts.seed(layout, opening)
    move(store_of(azure, release), ACCOUNT_TABLES)
    before = layouts.fingerprint(layout)
    azure.pass_time(10)
    at = azure.now - 5
    move(store_of(azure, release), ACCOUNT_TABLES)
    restore(cosmos, "orders", "orders-r1", at)
    copy = cosmos_storage(azure, cosmos, "orders-r1")
    copied, released = layouts.on_cosmos(copy)
    assert layouts.fingerprint(copied) == before
    store = store_of(azure, released)
    with pytest.raises(StorageError, match=r"NotFound: Stored procedure mutate\.js does not exist"):
        move(store, ACCOUNT_TABLES)
    copy.repair(BANK_TABLES)
    move(store, ACCOUNT_TABLES)
    audit = layouts.audit_live(copied, opening)
    assert audit.is_consistent, audit.explain()


def test_the_old_key_is_refused_by_the_restored_account(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    live = new_cosmos(azure, cosmos)
    live.create(BANK_TABLES)
    azure.pass_time(10)
    restore(cosmos, "orders", "orders-r1", azure.now - 5)
    mixed = Cosmos(cosmos_storage(azure, cosmos, "orders-r1").endpoint, live.key, azure.running.data_url)
    with pytest.raises(StorageError, match="Unauthorized") as refused:
        mixed.store(1).read(Account("bank.checking", 0))
    assert live.key not in str(refused.value)
    assert live.key not in repr(mixed)


def test_without_cosmos_db_in_the_world_its_properties_give_no_bank() -> None:
    properties = {"scalar.db.storage": "cosmos", "scalar.db.contact_points": "https://a", "scalar.db.password": "k"}
    assert storages_of(properties, "http://127.0.0.1:1") is None
