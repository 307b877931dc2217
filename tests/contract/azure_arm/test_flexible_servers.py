"""Flexible servers of both engines through both generations of the SDK: rows, restores, and what a restore does not bring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from infra.sandbox.azure.arm.faults import Fault
from infra.sandbox.azure.arm.rights import RoleAssignment
from infra.sandbox.azure.server import SUBSCRIPTION
from infra.sandbox.relational.client import Connection, DatabaseError, DatabaseUnreachable, SqlClient
from tests.contract.azure_arm.conftest import GROUP, Azure
from tests.contract.azure_arm.dialects import DIALECTS, LOGIN, MYSQL, OLD_MYSQL, OLD_POSTGRESQL, PASSWORD, POSTGRESQL, Dialect

NETWORKS = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-network/providers/Microsoft.Network"
SUBNET, ZONE = f"{NETWORKS}/virtualNetworks/v/subnets/db", f"{NETWORKS}/privateDnsZones/z"
EVERYWHERE = ("0.0.0.0", "255.255.255.255")


@dataclass
class Bank:
    azure: Azure
    dialect: Dialect
    client: Any

    def connect(self, server: str) -> Connection:
        host = f"{server}.{self.dialect.host_domain}"
        return SqlClient(self.azure.running.data_url).connect(host, self.dialect.port, LOGIN, PASSWORD)

    def restore(self, name: str, seconds_ago: float = 5, **more: Any) -> Any:
        return self.dialect.restore(self.client, "orders", name, self.azure.now - seconds_ago, **more)

    def balance(self, server: str) -> Any:
        row = self.connect(server).get("accounts", "1")
        return row and row["balance"]

    def rules(self, server: str) -> list[str]:
        return [rule.name for rule in self.client.firewall_rules.list_by_server(GROUP, server)]

    def parameter(self, server: str, name: str) -> Any:
        return self.dialect.properties(self.client.configurations.get(GROUP, server, name))


@pytest.fixture(scope="session", params=DIALECTS, ids=lambda each: each.name)
def spoken(request: pytest.FixtureRequest, session_azure: Azure) -> Iterator[tuple[Dialect, Any]]:
    with session_azure.sdk(request.param.client_class) as client:
        yield request.param, client


def opened(azure: Azure, dialect: Dialect, client: Any, **more: Any) -> Bank:
    """Server `orders` whose row 1 had balance 10 before a moment that is restorable."""
    bank = Bank(azure, dialect, client)
    dialect.create(client, "orders", tags={"team": "payments"}, **more)
    dialect.allow(client, "orders", "all", *EVERYWHERE)
    connection = bank.connect("orders")
    connection.create_table("accounts")
    connection.put("accounts", "1", {"balance": 10})
    azure.pass_time(10)
    return bank


@pytest.fixture
def bank(azure: Azure, spoken: tuple[Dialect, Any]) -> Bank:
    return opened(azure, *spoken)


def test_a_restore_makes_a_new_server_with_the_rows_of_the_second(bank: Bank) -> None:
    bank.connect("orders").put("accounts", "1", {"balance": 99})
    restored = bank.restore("orders-r1")
    bank.dialect.allow(bank.client, "orders-r1", "all", *EVERYWHERE)
    assert bank.dialect.state(restored) == "Ready"
    assert (bank.balance("orders-r1"), bank.balance("orders")) == (10, 99)
    assert bank.dialect.properties(restored).fully_qualified_domain_name == f"orders-r1.{bank.dialect.host_domain}"


def test_a_restored_server_has_no_firewall_rules_and_no_tags_so_nobody_gets_in(bank: Bank) -> None:
    restored = bank.restore("orders-r1")
    assert (bank.rules("orders-r1"), restored.tags or {}) == ([], {})
    with pytest.raises(DatabaseUnreachable, match="no firewall rule"):
        bank.balance("orders-r1")


def test_by_the_other_reading_of_the_documentation_they_come_along(bank: Bank) -> None:
    bank.azure.settings(servers_restore_inherits=1)
    assert bank.restore("orders-r1").tags == {"team": "payments"}
    assert bank.balance("orders-r1") == 10


def test_high_availability_is_off_after_a_restore(bank: Bank) -> None:
    mode = bank.dialect.models.HighAvailability(mode="ZoneRedundant")
    changed = bank.dialect.update(bank.client, "orders", high_availability=mode)
    assert bank.dialect.properties(changed).high_availability.mode == "ZoneRedundant"
    restored = bank.restore("orders-r1")
    assert bank.dialect.properties(restored).high_availability.mode == "Disabled"


def test_a_tag_is_changed(bank: Bank) -> None:
    assert bank.dialect.update(bank.client, "orders", tags={"a": "b"}).tags == {"a": "b"}


def test_a_parameter_is_changed_and_what_a_restore_keeps_of_it_depends_on_the_engine(bank: Bank) -> None:
    name, value = ("max_connections", "100") if bank.dialect.engine == "mysql" else ("work_mem", "8192")
    bank.dialect.set_parameter(bank.client, "orders", name, value)
    assert (bank.parameter("orders", name).value, bank.parameter("orders", name).source) == (value, "user-override")
    bank.restore("orders-r1")
    restored = bank.parameter("orders-r1", name)
    assert (restored.value == value) == (bank.dialect.engine == "mysql")


@pytest.mark.parametrize("seconds_ago", [0, 3600], ids=["not in the logs yet", "before the first backup"])
def test_a_moment_outside_the_window_is_refused(bank: Bank, seconds_ago: float) -> None:
    with pytest.raises(HttpResponseError, match="InvalidRestorePointInTime"):
        bank.restore("orders-r1", seconds_ago)


def test_the_earliest_restore_moment_is_told(bank: Bank) -> None:
    earliest = bank.dialect.properties(bank.client.servers.get(GROUP, "orders")).backup.earliest_restore_date
    assert earliest.timestamp() == pytest.approx(bank.azure.now - 10, abs=3)


def test_names_are_the_worlds_and_a_restore_takes_none_that_exists(bank: Bank) -> None:
    bank.azure.running.databases.mysql.inventory.taken_names.add("elsewhere")
    bank.azure.running.databases.postgresql.inventory.taken_names.add("elsewhere")
    for name in ("elsewhere", "orders"):
        with pytest.raises(HttpResponseError, match="ServerNameAlreadyExists"):
            bank.restore(name)


def test_while_a_server_is_restored_it_is_not_ready_and_the_busy_refuse_changes(bank: Bank) -> None:
    bank.azure.settings(servers_update_seconds=3600)
    bank.client.servers.begin_stop(GROUP, "orders", polling=False)
    assert bank.dialect.state(bank.client.servers.get(GROUP, "orders")) == "Stopping"
    with pytest.raises(HttpResponseError, match="ServerIsBusy"):
        bank.dialect.update(bank.client, "orders", tags={})
    bank.azure.pass_time(3600)
    assert bank.dialect.state(bank.client.servers.get(GROUP, "orders")) == "Stopped"
    with pytest.raises(DatabaseUnreachable, match="Stopped"):
        bank.balance("orders")


def test_a_deleted_server_is_gone_and_deleting_it_again_is_no_error(bank: Bank) -> None:
    bank.client.servers.begin_delete(GROUP, "orders").result()
    bank.client.servers.begin_delete(GROUP, "orders").result()
    with pytest.raises(ResourceNotFoundError):
        bank.client.servers.get(GROUP, "orders")
    with pytest.raises(DatabaseError, match="UnknownHost"):
        bank.balance("orders")


def test_a_parameter_that_does_not_exist_or_takes_no_such_value_is_refused(bank: Bank) -> None:
    with pytest.raises(HttpResponseError, match="ConfigurationNotExists"):
        bank.dialect.set_parameter(bank.client, "orders", "no_such_parameter", "1")
    name = "binlog_row_image" if bank.dialect.engine == "mysql" else "default_transaction_isolation"
    with pytest.raises(HttpResponseError, match="InvalidParameterValue"):
        bank.dialect.set_parameter(bank.client, "orders", name, "nonsense")


def test_static_parameters_wait_for_a_restart(bank: Bank) -> None:
    name = "lower_case_table_names" if bank.dialect.engine == "mysql" else "max_connections"
    bank.dialect.set_parameter(bank.client, "orders", name, "2")
    assert str(bank.parameter("orders", name).is_config_pending_restart) == "True"
    bank.client.servers.begin_restart(
        GROUP,
        "orders",
        bank.dialect.models.RestartParameter()
        if bank.dialect.engine == "postgresql"
        else bank.dialect.models.ServerRestartParameter(),
    ).result()
    assert str(bank.parameter("orders", name).is_config_pending_restart) == "False"


# -- one API only


@pytest.fixture
def new_mysql(azure: Azure) -> Iterator[Bank]:
    with azure.sdk(MYSQL.client_class) as client:
        yield opened(azure, MYSQL, client)


@pytest.fixture
def new_postgresql(azure: Azure) -> Iterator[Bank]:
    with azure.sdk(POSTGRESQL.client_class) as client:
        yield opened(azure, POSTGRESQL, client)


def test_mysql_takes_on_demand_backups_both_ways(new_mysql: Bank) -> None:
    client, models = new_mysql.client, MYSQL.models
    assert client.backups.put(GROUP, "orders", "before-upgrade").backup_type == "Full"
    client.long_running_backup.begin_create(GROUP, "orders", "second", models.ServerBackupV2()).result()
    found = {backup.name: backup.source for backup in client.backups.list_by_server(GROUP, "orders")}
    assert {name: source for name, source in found.items() if source == "On-Demand"} == {
        "before-upgrade": "On-Demand",
        "second": "On-Demand",
    }
    assert "Automatic" in found.values()


def test_mysql_parameters_can_be_changed_together_and_two_are_reset_by_a_restore(new_mysql: Bank) -> None:
    client, models = new_mysql.client, MYSQL.models
    wishes = {"event_scheduler": "ON", "time_zone": "+09:00", "sql_mode": "ANSI"}
    values = [
        models.ConfigurationForBatchUpdate(name=name, value=value, source="user-override") for name, value in wishes.items()
    ]
    client.configurations.begin_batch_update(GROUP, "orders", models.ConfigurationListForBatchUpdate(value=values)).result()
    new_mysql.restore("orders-r1")
    restored = {name: new_mysql.parameter("orders-r1", name).value for name in wishes}
    assert restored == {"event_scheduler": "OFF", "time_zone": "SYSTEM", "sql_mode": "ANSI"}


def test_postgresql_has_seven_on_demand_backups_and_only_users_delete_them(new_postgresql: Bank) -> None:
    backups = new_postgresql.client.backups_automatic_and_on_demand
    for number in range(7):
        backups.begin_create(GROUP, "orders", f"b{number}").result()
    with pytest.raises(HttpResponseError, match="OnDemandBackupLimitReached"):
        backups.begin_create(GROUP, "orders", "b7")
    backups.begin_delete(GROUP, "orders", "b0").result()
    backups.begin_create(GROUP, "orders", "b7").result()
    names = [backup.name for backup in backups.list_by_server(GROUP, "orders")]
    assert [name for name in names if name.startswith("b") and "_" not in name] == [f"b{number}" for number in range(1, 8)]


def test_burstable_postgresql_takes_no_on_demand_backup(azure: Azure) -> None:
    with azure.sdk(POSTGRESQL.client_class) as client:
        POSTGRESQL.create(client, "small", sku=POSTGRESQL.models.Sku(name="Standard_B1ms", tier="Burstable"))
        with pytest.raises(HttpResponseError, match="OnDemandBackupNotSupported"):
            client.backups_automatic_and_on_demand.begin_create(GROUP, "small", "b0")


def test_postgresql_administrators_are_not_restored(new_postgresql: Bank) -> None:
    client, models = new_postgresql.client, POSTGRESQL.models
    properties = models.AdministratorMicrosoftEntraPropertiesForAdd(principal_type="Group", principal_name="dba", tenant_id="t")
    add = models.AdministratorMicrosoftEntraAdd(properties=properties)
    administrators = client.administrators_microsoft_entra
    administrators.begin_create_or_update(GROUP, "orders", "0001", add).result()
    assert [each.properties.principal_name for each in administrators.list_by_server(GROUP, "orders")] == ["dba"]
    new_postgresql.restore("orders-r1")
    assert list(administrators.list_by_server(GROUP, "orders-r1")) == []


def test_a_restore_does_not_cross_from_private_to_public_access(azure: Azure) -> None:
    network = POSTGRESQL.models.Network(delegated_subnet_resource_id=SUBNET, private_dns_zone_arm_resource_id=ZONE)
    with azure.sdk(POSTGRESQL.client_class) as client:
        POSTGRESQL.create(client, "orders", network=network)
        azure.pass_time(10)
        with pytest.raises(HttpResponseError, match="FirewallRulesNotSupported"):
            POSTGRESQL.allow(client, "orders", "all", *EVERYWHERE)
        with pytest.raises(HttpResponseError, match="NetworkMismatch"):
            POSTGRESQL.restore(client, "orders", "orders-r1", azure.now - 5)
        restored = POSTGRESQL.restore(client, "orders", "orders-r1", azure.now - 5, network=network)
    assert restored.properties.network.public_network_access == "Disabled"


def test_a_subnet_takes_the_right_to_join_it(azure: Azure) -> None:
    operator = azure.running.entra.add()
    scope = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    azure.running.resource_manager.roles.append(RoleAssignment(operator.object_id, scope, frozenset({"*"})))
    network = MYSQL.models.Network(delegated_subnet_resource_id=SUBNET, private_dns_zone_resource_id=ZONE)
    with azure.sdk(MYSQL.client_class, operator) as client, pytest.raises(HttpResponseError, match="subnets/join/action"):
        MYSQL.create(client, "orders", network=network)


def test_a_replica_shows_its_sources_rows_takes_no_writes_and_is_no_source_of_a_restore(new_mysql: Bank) -> None:
    client = new_mysql.client
    source = client.servers.get(GROUP, "orders").id
    MYSQL.put(client, "orders-read", MYSQL.server(create_mode="Replica", source_server_resource_id=source))
    assert [each.name for each in client.replicas.list_by_server(GROUP, "orders")] == ["orders-read"]
    assert new_mysql.balance("orders-read") == 10
    with pytest.raises(DatabaseError, match="ReadOnly"):
        new_mysql.connect("orders-read").put("accounts", "1", {"balance": 0})
    with pytest.raises(HttpResponseError, match="ReplicaNotSupported"):
        MYSQL.restore(client, "orders-read", "orders-r1", new_mysql.azure.now - 5)
    new_mysql.restore("orders-r1")
    assert list(client.replicas.list_by_server(GROUP, "orders-r1")) == []


def test_mysql_brings_its_subnet_along(azure: Azure) -> None:
    network = MYSQL.models.Network(delegated_subnet_resource_id=SUBNET, private_dns_zone_resource_id=ZONE)
    with azure.sdk(MYSQL.client_class) as client:
        MYSQL.create(client, "orders", network=network)
        azure.pass_time(10)
        restored = MYSQL.restore(client, "orders", "orders-r1", azure.now - 5)
    assert restored.network.delegated_subnet_resource_id == SUBNET


def test_each_version_knows_its_own_properties_only(azure: Azure) -> None:
    path = f"/subscriptions/{azure.running.resource_manager.subscription}/resourceGroups/{GROUP}/providers"
    target = f"{path}/Microsoft.DBforPostgreSQL/flexibleServers/orders"
    body = b'{"location": "japaneast", "properties": {"authConfig": {}}}'
    status, answer = azure.raw("PUT", f"{target}?api-version=2021-06-01", body)
    assert (status, answer["error"]["code"]) == (400, "InvalidRequestContent")
    assert azure.raw("GET", f"{target}/backups?api-version=2021-06-01")[0] == 400


def test_the_old_api_of_postgresql_knows_no_standby_in_the_same_zone(azure: Azure) -> None:
    with azure.sdk(OLD_POSTGRESQL.client_class) as client, pytest.raises(HttpResponseError, match="InvalidParameterValue"):
        OLD_POSTGRESQL.create(client, "orders", high_availability=OLD_POSTGRESQL.models.HighAvailability(mode="SameZone"))


def test_a_restore_can_fail_late(azure: Azure) -> None:
    with azure.sdk(OLD_MYSQL.client_class) as client:
        bank = opened(azure, OLD_MYSQL, client)
        fault = Fault("operation", "/orders-r1", "PUT", code="OperationFailed", message="No capacity.")
        azure.running.resource_manager.faults.arm(fault)
        with pytest.raises(HttpResponseError, match=r"No capacity\."):
            bank.restore("orders-r1")
        assert client.servers.get(GROUP, "orders-r1").state == "Disabled"


def test_while_a_parameter_is_being_changed_a_server_takes_no_other_change(bank: Bank) -> None:
    bank.azure.settings(servers_update_seconds=3600)
    name, value = ("max_connections", "100") if bank.dialect.engine == "mysql" else ("work_mem", "8192")
    with pytest.raises(HttpResponseError, match="ServerIsBusy"):
        for _ in range(2):
            bank.dialect.set_parameter(bank.client, "orders", name, value, wait=False)
    bank.azure.pass_time(3600)
    assert bank.parameter("orders", name).value == value
