"""Cosmos DB through the SDK's own client: continuous backup, what a restore brings back and what it does not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.cosmosdb import CosmosDBManagementClient

from infra.sandbox.azure.cosmos.client import ABSENT, CosmosError, CosmosUnreachable
from tests.contract.azure_arm.conftest import (
    GROUP,
    PROCEDURE,
    REGION,
    Azure,
    create_account,
    create_container,
    create_procedure,
    document,
    documents_of,
    restore_body,
)

US_FORMAT = "%m/%d/%Y %I:%M:%S %p"


def utc(moment: float) -> str:
    return dt.datetime.fromtimestamp(int(moment), dt.UTC).isoformat()


def source_of(cosmos: CosmosDBManagementClient, account: str) -> Any:
    (found,) = [each for each in cosmos.restorable_database_accounts.list() if each.account_name == account]
    return found


def restore(cosmos: CosmosDBManagementClient, account: str, target: str, at: float, **parameters: Any) -> Any:
    body = restore_body(source_of(cosmos, account), utc(at), **parameters)
    return cosmos.database_accounts.begin_create_or_update(GROUP, target, body).result()


@pytest.fixture
def bank(azure: Azure, cosmos: CosmosDBManagementClient) -> Azure:
    """Account `orders` with container bank/checking, where document 1 had balance 10 before a moment that is restorable."""
    create_account(cosmos, "orders")
    create_container(cosmos, "orders", "bank", "checking", defaultTtl=3600)
    create_procedure(cosmos, "orders", "bank", "checking")
    documents_of(azure, cosmos, "orders").upsert("bank", "checking", document(1, balance=10))
    azure.pass_time(10)
    return azure


def test_a_restore_makes_a_new_account_with_the_documents_of_the_second(bank: Azure, cosmos: CosmosDBManagementClient) -> None:
    at = bank.now - 5
    live = documents_of(bank, cosmos, "orders")
    live.upsert("bank", "checking", document(1, balance=99))
    live.upsert("bank", "checking", document(2, balance=99))
    restored = restore(cosmos, "orders", "orders-r1", at)
    assert restored.provisioning_state == "Succeeded"
    documents = documents_of(bank, cosmos, "orders-r1").query("bank", "checking")
    assert [each["values"] for each in documents] == [{"balance": 10}]
    assert len(live.query("bank", "checking")) == 2


def test_a_restore_brings_no_scripts_so_scalardb_cannot_write(bank: Azure, cosmos: CosmosDBManagementClient) -> None:
    mutation = {"id": "1", "document": document(1, balance=11), "expect": {"values.balance": 10}}
    restore(cosmos, "orders", "orders-r1", bank.now - 5)
    copy = documents_of(bank, cosmos, "orders-r1")
    with pytest.raises(CosmosError, match=f"NotFound: Stored procedure {PROCEDURE}"):
        copy.execute("bank", "checking", PROCEDURE, "1", [mutation])
    copy.create_procedure("bank", "checking", PROCEDURE, "function mutate() {}")
    assert copy.execute("bank", "checking", PROCEDURE, "1", [mutation])
    assert not copy.execute("bank", "checking", PROCEDURE, "1", [mutation])


def test_a_restored_account_has_keys_and_an_endpoint_of_its_own(bank: Azure, cosmos: CosmosDBManagementClient) -> None:
    restore(cosmos, "orders", "orders-r1", bank.now - 5)
    old, new = (cosmos.database_accounts.list_keys(GROUP, name) for name in ("orders", "orders-r1"))
    assert old.primary_master_key != new.primary_master_key
    connection = documents_of(bank, cosmos, "orders-r1")
    connection._credentials["key"] = old.primary_master_key
    with pytest.raises(CosmosError, match="Unauthorized"):
        connection.query("bank", "checking")


def test_a_restore_loses_consistency_firewall_regions_roles_and_endpoints(
    azure: Azure, cosmos: CosmosDBManagementClient
) -> None:
    create_account(
        cosmos,
        "orders",
        ipRules=[{"ipAddressOrRange": "10.0.0.0/24"}],
        enableAutomaticFailover=True,
        locations=[
            {"locationName": REGION, "failoverPriority": 0},
            {"locationName": "East US", "failoverPriority": 1},
        ],
    )
    create_container(cosmos, "orders", "bank", "checking")
    account = cosmos.database_accounts.get(GROUP, "orders")
    role = f"{account.id}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002"
    assignment = {"properties": {"roleDefinitionId": role, "scope": account.id, "principalId": "p"}}
    cosmos.sql_resources.begin_create_update_sql_role_assignment("a1", GROUP, "orders", assignment).result()
    azure.pass_time(10)
    restored = restore(cosmos, "orders", "orders-r1", azure.now - 5)
    assert restored.consistency_policy.default_consistency_level == "Session"
    assert not restored.ip_rules
    assert not restored.enable_automatic_failover
    assert [region.location_name for region in restored.read_locations] == [REGION]
    assert list(cosmos.sql_resources.list_sql_role_assignments(GROUP, "orders")) != []
    assert list(cosmos.sql_resources.list_sql_role_assignments(GROUP, "orders-r1")) == []
    assert restored.backup_policy.continuous_mode_properties.tier == "Continuous7Days"


def test_documents_older_than_their_time_to_live_vanish_from_a_restored_account_unless_it_is_disabled(
    bank: Azure, cosmos: CosmosDBManagementClient
) -> None:
    at = bank.now - 5
    bank.pass_time(4000)
    restore(cosmos, "orders", "orders-r1", at)
    restore(cosmos, "orders", "orders-r2", at, restoreWithTtlDisabled=True)
    assert documents_of(bank, cosmos, "orders-r1").query("bank", "checking") == []
    assert len(documents_of(bank, cosmos, "orders-r2").query("bank", "checking")) == 1
    container = cosmos.sql_resources.get_sql_container(GROUP, "orders-r2", "bank", "checking")
    assert container.resource.default_ttl is None


def test_the_latest_restorable_moment_is_a_text_in_us_format_and_each_container_has_its_own(
    bank: Azure, cosmos: CosmosDBManagementClient
) -> None:
    create_container(cosmos, "orders", "bank", "savings")
    bank.settings(cosmos_lag_seconds=60)
    account = bank.running.databases.cosmos.inventory.accounts["orders"]
    account.extra_lag_seconds["bank", "savings"] = 40

    def behind(container: str) -> float:
        answer = cosmos.sql_resources.begin_retrieve_continuous_backup_information(
            GROUP, "orders", "bank", container, {"location": REGION}
        ).result()
        text = answer.continuous_backup_information.latest_restorable_timestamp
        return bank.now - dt.datetime.strptime(text, US_FORMAT).replace(tzinfo=dt.UTC).timestamp()

    assert behind("checking") == pytest.approx(60, abs=2)
    assert behind("savings") == pytest.approx(100, abs=2)


@pytest.mark.parametrize("seconds", [-3600, 0], ids=["before the account", "not backed up yet"])
def test_a_moment_outside_the_window_is_refused(bank: Azure, cosmos: CosmosDBManagementClient, seconds: float) -> None:
    with pytest.raises(HttpResponseError, match="cannot be restored to") as refused:
        restore(cosmos, "orders", "orders-r1", bank.now + seconds)
    assert refused.value.status_code == 400


def test_what_to_restore_can_be_named_and_must_have_been_there(bank: Azure, cosmos: CosmosDBManagementClient) -> None:
    create_container(cosmos, "orders", "bank", "savings")
    with pytest.raises(HttpResponseError, match="had no container bank/savings"):
        wanted = [{"databaseName": "bank", "collectionNames": ["savings"]}]
        restore(cosmos, "orders", "orders-r1", bank.now - 5, databasesToRestore=wanted)
    wanted = [{"databaseName": "bank", "collectionNames": ["checking"]}]
    bank.pass_time(10)
    restore(cosmos, "orders", "orders-r1", bank.now - 5, databasesToRestore=wanted)
    assert documents_of(bank, cosmos, "orders-r1").containers() == ["bank/checking"]


def test_a_deleted_account_can_still_be_restored_and_a_dropped_container_comes_back(
    bank: Azure, cosmos: CosmosDBManagementClient
) -> None:
    at = bank.now - 5
    cosmos.sql_resources.begin_delete_sql_container(GROUP, "orders", "bank", "checking").result()
    cosmos.database_accounts.begin_delete(GROUP, "orders").result()
    assert source_of(cosmos, "orders").deletion_time is not None
    restore(cosmos, "orders", "orders-r1", at)
    assert len(documents_of(bank, cosmos, "orders-r1").query("bank", "checking")) == 1


def test_while_a_restore_runs_the_account_is_creating_locked_and_unreachable(
    bank: Azure, cosmos: CosmosDBManagementClient
) -> None:
    bank.settings(cosmos_restore_seconds=3600)
    body = restore_body(source_of(cosmos, "orders"), utc(bank.now - 5))
    cosmos.database_accounts.begin_create_or_update(GROUP, "orders-r1", body, polling=False)
    account = cosmos.database_accounts.get(GROUP, "orders-r1")
    assert (account.provisioning_state, account.document_endpoint) == ("Creating", None)
    with pytest.raises(HttpResponseError, match="exclusive lock"):
        cosmos.database_accounts.begin_update(GROUP, "orders-r1", {"tags": {"a": "b"}})
    connection = documents_of(bank, cosmos, "orders")
    connection._credentials["endpoint"] = "https://orders-r1.documents.azure.com:443/"
    with pytest.raises(CosmosUnreachable):
        connection.query("bank", "checking")
    bank.pass_time(3600)
    assert cosmos.database_accounts.get(GROUP, "orders-r1").provisioning_state == "Succeeded"


def test_the_restorable_side_says_what_was_there(bank: Azure, cosmos: CosmosDBManagementClient) -> None:
    source = source_of(cosmos, "orders")
    found = list(cosmos.restorable_database_accounts.list_by_location(REGION))
    assert [each.id for each in found] == [source.id]
    assert cosmos.restorable_database_accounts.get_by_location(REGION, source.name).account_name == "orders"
    (resource,) = cosmos.restorable_sql_resources.list(
        REGION, source.name, restore_location=REGION, restore_timestamp_in_utc=utc(bank.now)
    )
    assert (resource.database_name, resource.collection_names) == ("bank", ["checking"])
    (database,) = cosmos.restorable_sql_databases.list(REGION, source.name)
    (container,) = cosmos.restorable_sql_containers.list(
        REGION, source.name, restorable_sql_database_rid=database.resource.owner_resource_id
    )
    assert (database.resource.owner_id, container.resource.owner_id) == ("bank", "checking")
    assert container.resource.operation_type == "Create"


def test_an_account_with_periodic_backups_is_not_restorable(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    create_account(cosmos, "orders", backupPolicy={"type": "Periodic"})
    assert list(cosmos.restorable_database_accounts.list()) == []


def test_conditional_writes_hold_by_etag_and_by_values(bank: Azure, cosmos: CosmosDBManagementClient) -> None:
    connection = documents_of(bank, cosmos, "orders")
    first = connection.read("bank", "checking", "1", "1")
    assert first is not None
    connection.replace("bank", "checking", document(1, balance=11), if_match=first["_etag"])
    with pytest.raises(CosmosError, match="PreconditionFailed"):
        connection.replace("bank", "checking", document(1, balance=12), if_match=first["_etag"])
    new = {"id": "2", "document": {**document(2), "concatenatedPartitionKey": "2"}, "expect": ABSENT}
    assert connection.execute("bank", "checking", PROCEDURE, "2", [new])
    assert not connection.execute("bank", "checking", PROCEDURE, "2", [new])


def test_what_its_time_to_live_had_taken_by_then_stays_away_even_without_it(
    bank: Azure, cosmos: CosmosDBManagementClient
) -> None:
    bank.pass_time(4000)
    restore(cosmos, "orders", "orders-r1", bank.now - 5, restoreWithTtlDisabled=True)
    assert documents_of(bank, cosmos, "orders-r1").query("bank", "checking") == []


def test_of_containers_that_share_their_databases_throughput_all_are_restored_or_none(
    azure: Azure, cosmos: CosmosDBManagementClient
) -> None:
    create_account(cosmos, "orders")
    connection = documents_of(azure, cosmos, "orders")
    connection.create_database("bank", 400)
    for name in ("checking", "savings"):
        connection.create_container("bank", name, "/concatenatedPartitionKey")
    azure.pass_time(10)
    with pytest.raises(HttpResponseError, match="shares its throughput"):
        wanted = [{"databaseName": "bank", "collectionNames": ["checking"]}]
        restore(cosmos, "orders", "orders-r1", azure.now - 5, databasesToRestore=wanted)
    restore(cosmos, "orders", "orders-r1", azure.now - 5, databasesToRestore=[{"databaseName": "bank"}])
    assert documents_of(azure, cosmos, "orders-r1").containers() == ["bank/checking", "bank/savings"]


def test_a_read_only_key_reads_only(bank: Azure, cosmos: CosmosDBManagementClient) -> None:
    connection = documents_of(bank, cosmos, "orders")
    connection._credentials["key"] = cosmos.database_accounts.list_keys(GROUP, "orders").primary_readonly_master_key
    assert len(connection.query("bank", "checking")) == 1
    with pytest.raises(CosmosError, match="Forbidden"):
        connection.upsert("bank", "checking", document(1, balance=0))


def test_an_account_without_public_access_is_reached_by_its_private_endpoint_which_a_restore_has_not(
    bank: Azure, cosmos: CosmosDBManagementClient
) -> None:
    cosmos.database_accounts.begin_update(GROUP, "orders", {"properties": {"publicNetworkAccess": "Disabled"}}).result()
    connection = documents_of(bank, cosmos, "orders")
    with pytest.raises(CosmosError, match="no private endpoint"):
        connection.containers()
    bank.admin("POST", "cosmos/private-endpoints", {"account": "orders", "name": "from-aks"})
    assert connection.containers() == ["bank/checking"]
    restored = restore(cosmos, "orders", "orders-r1", bank.now - 5)
    assert not restored.private_endpoint_connections
    assert [each.name for each in cosmos.database_accounts.get(GROUP, "orders").private_endpoint_connections] == ["from-aks"]
