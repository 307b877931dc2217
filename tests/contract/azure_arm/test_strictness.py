"""Resource Manager is as strict as Azure's: sign-in, versions, rights, bodies; and its bad days can be asked for."""

from __future__ import annotations

import json
from typing import Any

import azure.mgmt.postgresqlflexibleservers.models as postgresql
import azure.mgmt.rdbms.postgresql_flexibleservers.models as old_postgresql
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.cosmosdb import CosmosDBManagementClient

from infra.sandbox.azure import process
from infra.sandbox.azure.arm import bodies
from infra.sandbox.azure.arm.faults import Fault
from infra.sandbox.azure.arm.rights import RoleAssignment
from infra.sandbox.azure.server import SUBSCRIPTION
from tests.contract.azure_arm.conftest import (
    ACCOUNT_PATH,
    GROUP,
    REGION,
    Azure,
    create_account,
    create_container,
    documents_of,
    new_account,
    restore_body,
)

VERSION = "api-version=2026-03-15"
ORDERS = f"{ACCOUNT_PATH}/orders"


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", ORDERS, (400, "MissingApiVersionParameter")),
        ("GET", f"{ORDERS}?api-version=2021-10-15", (400, "NoRegisteredProviderFound")),
        ("GET", f"{ORDERS}?{VERSION}", (404, "ResourceNotFound")),
        ("POST", f"{ORDERS}?{VERSION}", (405, "MethodNotAllowed")),
        ("GET", f"{ORDERS}/noSuchThing?{VERSION}", (404, "InvalidResourceType")),
        ("GET", f"{ORDERS.replace(GROUP, 'rg-other')}?{VERSION}", (404, "ResourceGroupNotFound")),
    ],
)
def test_a_wrong_request_is_refused_by_code(azure: Azure, method: str, target: str, expected: tuple[int, str]) -> None:
    status, body = azure.raw(method, target)
    assert (status, body["error"]["code"]) == expected


def test_without_a_token_nothing_is_answered(azure: Azure) -> None:
    status, body = azure.raw("GET", f"{ORDERS}?{VERSION}", bearer=False)
    assert (status, body["error"]["code"]) == (401, "AuthenticationFailed")


@pytest.mark.parametrize(
    ("changes", "unknown"),
    [
        ({"consistencyPolicies": {}}, "consistencyPolicies"),
        ({"consistencyPolicy": {"level": "Strong"}}, "level"),
        ({"locations": [{"name": "West US"}]}, "name"),
        ({"backupPolicy": {"type": "Continuous", "tier": "Continuous7Days"}}, "tier"),
    ],
)
def test_a_property_that_the_api_does_not_know_is_refused_by_name(
    azure: Azure, changes: dict[str, object], unknown: str
) -> None:
    body = json.dumps(new_account(**changes)).encode()
    status, answer = azure.raw("PUT", f"{ORDERS}?{VERSION}", body)
    assert (status, answer["error"]["code"]) == (400, "InvalidRequestContent")
    assert f"'{unknown}'" in answer["error"]["message"]


def test_a_name_is_taken_in_the_whole_world_and_until_its_deletion_has_ended(
    azure: Azure, cosmos: CosmosDBManagementClient
) -> None:
    azure.running.databases.cosmos.inventory.taken_names.add("elsewhere")
    create_account(cosmos, "orders")
    azure.settings(cosmos_delete_seconds=3600)
    cosmos.database_accounts.begin_delete(GROUP, "orders", polling=False)
    azure.running.resource_manager.resource_groups.add("rg-second")
    for name, group in (("elsewhere", GROUP), ("orders", "rg-second")):
        with pytest.raises(HttpResponseError, match="already taken"):
            cosmos.database_accounts.begin_create_or_update(group, name, new_account())
    azure.pass_time(3600)
    create_account(cosmos, "orders")


@pytest.mark.parametrize("name", ["Orders", "or", "orders-", "o" * 45])
def test_a_name_that_cannot_be_one_is_refused(azure: Azure, cosmos: CosmosDBManagementClient, name: str) -> None:
    with pytest.raises(HttpResponseError, match="is not valid"):
        cosmos.database_accounts.begin_create_or_update(GROUP, name, new_account())


def test_regions_and_other_properties_are_not_changed_at_once(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    create_account(cosmos, "orders")
    regions = [{"locationName": REGION, "failoverPriority": 0}, {"locationName": "East US", "failoverPriority": 1}]
    with pytest.raises(HttpResponseError, match="at the same time"):
        cosmos.database_accounts.begin_update(
            GROUP, "orders", {"properties": {"locations": regions, "enableAutomaticFailover": True}}
        )
    changed = cosmos.database_accounts.begin_update(GROUP, "orders", {"properties": {"locations": regions}}).result()
    assert [each.location_name for each in changed.locations] == [REGION, "East US"]


def test_a_patch_changes_what_it_names_and_a_put_resets_the_rest(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    create_account(cosmos, "orders", ipRules=[{"ipAddressOrRange": "10.0.0.1"}])
    session = {"properties": {"consistencyPolicy": {"defaultConsistencyLevel": "Session"}}}
    patched = cosmos.database_accounts.begin_update(GROUP, "orders", session).result()
    assert patched.consistency_policy.default_consistency_level == "Session"
    assert [rule.ip_address_or_range for rule in patched.ip_rules] == ["10.0.0.1"]
    put = cosmos.database_accounts.begin_create_or_update(GROUP, "orders", new_account()).result()
    assert not put.ip_rules


def test_the_restore_right_does_not_follow_from_one_on_the_resource_group(
    azure: Azure, cosmos: CosmosDBManagementClient
) -> None:
    create_account(cosmos, "orders")
    create_container(cosmos, "orders", "bank", "checking")
    (source,) = cosmos.restorable_database_accounts.list()
    azure.pass_time(10)
    operator = azure.running.entra.add()
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    roles = azure.running.resource_manager.roles
    roles.append(RoleAssignment(operator.object_id, scope, frozenset({"Microsoft.DocumentDB/*"})))
    with azure.sdk(CosmosDBManagementClient, operator) as client:
        assert client.database_accounts.get(GROUP, "orders").name == "orders"
        with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
            list(client.restorable_database_accounts.list())
        with pytest.raises(HttpResponseError, match="LinkedAuthorizationFailed"):
            client.database_accounts.begin_create_or_update(GROUP, "orders-r1", restore_body(source, "2026-01-01T00:00:00Z"))


def test_requests_can_be_throttled_a_few_times(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    create_account(cosmos, "orders")
    azure.running.resource_manager.faults.arm(Fault("refuse", "/orders", "GET", 429, "TooManyRequests", retry_after_seconds=1))
    status, _ = azure.raw("GET", f"{ORDERS}?{VERSION}")
    assert status == 429
    assert azure.raw("GET", f"{ORDERS}?{VERSION}")[0] == 200


def test_an_operation_can_fail_late_and_leaves_a_failed_account(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    fault = Fault("operation", "/orders", "PUT", code="InternalServerError", message="No capacity.")
    azure.running.resource_manager.faults.arm(fault)
    with pytest.raises(HttpResponseError, match=r"No capacity\."):
        create_account(cosmos, "orders")
    assert cosmos.database_accounts.get(GROUP, "orders").provisioning_state == "Failed"
    cosmos.database_accounts.begin_delete(GROUP, "orders").result()
    with pytest.raises(ResourceNotFoundError):
        cosmos.database_accounts.get(GROUP, "orders")


def test_an_answer_can_be_lost_after_the_work_is_done(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    azure.running.resource_manager.faults.arm(Fault("lose", "/orders", "PUT", 504, "GatewayTimeout"))
    with pytest.raises(HttpResponseError, match="GatewayTimeout"):
        create_account(cosmos, "orders")
    assert cosmos.database_accounts.get(GROUP, "orders").provisioning_state == "Succeeded"


def test_a_subscription_has_only_so_many_accounts(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    azure.settings(cosmos_max_accounts=1)
    create_account(cosmos, "orders")
    with pytest.raises(HttpResponseError, match="QuotaExceeded"):
        create_account(cosmos, "payments")


def test_throughput_is_read_set_and_made_to_scale(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    create_account(cosmos, "orders")
    create_container(cosmos, "orders", "bank", "checking")
    sql, place = cosmos.sql_resources, (GROUP, "orders", "bank", "checking")
    assert sql.get_sql_container_throughput(*place).resource.throughput == 400
    sql.begin_update_sql_container_throughput(*place, {"properties": {"resource": {"throughput": 1200}}}).result()
    sql.begin_migrate_sql_container_to_autoscale(*place).result()
    assert sql.get_sql_container_throughput(*place).resource.autoscale_settings.max_throughput == 1200
    with pytest.raises(ResourceNotFoundError):
        sql.get_sql_database_throughput(GROUP, "orders", "bank")


def test_scripts_of_every_kind_are_listed(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    create_account(cosmos, "orders")
    create_container(cosmos, "orders", "bank", "checking")
    sql, place = cosmos.sql_resources, (GROUP, "orders", "bank", "checking")
    trigger = {"id": "t", "body": "function(){}", "triggerType": "Pre", "triggerOperation": "All"}
    sql.begin_create_update_sql_trigger(*place, "t", {"properties": {"resource": trigger}}).result()
    function = {"properties": {"resource": {"id": "f", "body": "function(){}"}}}
    sql.begin_create_update_sql_user_defined_function(*place, "f", function).result()
    assert [each.name for each in sql.list_sql_triggers(*place)] == ["t"]
    assert [each.name for each in sql.list_sql_user_defined_functions(*place)] == ["f"]
    assert list(sql.list_sql_stored_procedures(*place)) == []


def test_an_account_without_local_authorization_takes_no_key(azure: Azure, cosmos: CosmosDBManagementClient) -> None:
    create_account(cosmos, "orders")
    connection = documents_of(azure, cosmos, "orders")
    assert connection.containers() == []
    cosmos.database_accounts.begin_update(GROUP, "orders", {"properties": {"disableLocalAuth": True}}).result()
    with pytest.raises(Exception, match="Local authorization is disabled"):
        connection.containers()


def test_in_a_process_of_its_own_it_is_reached_with_the_managed_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import ManagedIdentityCredential

    with process.start() as azure:
        for name, value in azure.environment().items():
            monkeypatch.setenv(name, value)
        azure.add_resource_group(GROUP)
        azure.grant(f"/subscriptions/{azure.subscription}", "Microsoft.DocumentDB/*")
        assert azure.settings(cosmos_create_seconds=0)["cosmos_create_seconds"] == 0
        scopes = ["https://management.azure.com/.default"]
        with CosmosDBManagementClient(
            ManagedIdentityCredential(), azure.subscription, base_url=azure.url, credential_scopes=scopes, polling_interval=0.02
        ) as client:
            assert create_account(client, "orders").provisioning_state == "Succeeded"
        with pytest.raises(process.SandboxError, match="Unknown setting"):
            azure.settings(no_such_thing=1)


@pytest.mark.parametrize("models", [old_postgresql, postgresql], ids=["of msrest", "of TypeSpec"])
def test_properties_that_only_the_service_sets_are_ignored(models: Any) -> None:
    given = {"id": "/other", "location": "japaneast", "properties": {"state": "Ready", "version": "16"}}
    assert bodies.checked(given, models.Server) == {"location": "japaneast", "properties": {"version": "16"}}


def test_polls_are_told_how_long_to_wait(azure: Azure) -> None:
    azure.settings(retry_after_seconds=7, cosmos_create_seconds=3600)
    headers = azure.headers("PUT", f"{ORDERS}?{VERSION}", json.dumps(new_account()).encode())
    assert headers["Retry-After"] == "7"
    assert headers["Azure-AsyncOperation"].startswith(azure.running.url)
    assert azure.headers("GET", headers["Azure-AsyncOperation"].removeprefix(azure.running.url))["Retry-After"] == "7"


def test_strong_consistency_and_writes_in_several_regions_do_not_go_together(
    azure: Azure, cosmos: CosmosDBManagementClient
) -> None:
    with pytest.raises(HttpResponseError, match="multiple write locations"):
        create_account(cosmos, "orders", enableMultipleWriteLocations=True)
