"""Between the API's JSON and our values: every setting is read, and what an update asks for is what is read afterwards."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.databases.flexible_servers.compare import OF_SERVER
from shared.databases.flexible_servers.documents import CHANGEABLE, restore_document, server_of, update_document
from shared.databases.flexible_servers.engines import MYSQL, POSTGRESQL, Engine, engine_named
from shared.databases.flexible_servers.servers import POINT, RUN, RestoreCall
from shared.model.errors import InvalidRequest
from shared.model.records import replace
from shared.model.server_settings import MaintenanceWindow, ServerSettings

AT = datetime(2026, 11, 24, 4, 0, 0, tzinfo=UTC)
SHARED: dict[str, Any] = {
    "administratorLogin": "root",
    "availabilityZone": "2",
    "state": "Ready",
    "fullyQualifiedDomainName": "orders.example.azure.com",
    "sourceServerResourceId": "/servers/first",
    "dataEncryption": {
        "type": "AzureKeyVault",
        "primaryKeyURI": "https://vault/1",
        "primaryUserAssignedIdentityId": "/identities/1",
        "geoBackupKeyURI": "https://vault/2",
        "geoBackupUserAssignedIdentityId": "/identities/2",
    },
    "highAvailability": {"mode": "ZoneRedundant", "standbyAvailabilityZone": "3", "state": "Healthy"},
    "maintenanceWindow": {"customWindow": "Enabled", "dayOfWeek": 6, "startHour": 2, "startMinute": 30},
    "privateEndpointConnections": [{"properties": {"privateEndpoint": {"id": "/endpoints/1"}}}],
}
NETWORK = {"delegatedSubnetResourceId": "/subnets/db", "publicNetworkAccess": "Enabled"}
OWN: Mapping[Engine, dict[str, Any]] = {
    MYSQL: {
        "version": "8.0.21",
        "databasePort": 3307,
        "storage": {
            "storageSizeGB": 256,
            "iops": 900,
            "autoGrow": "Enabled",
            "logOnDisk": "Enabled",
            "autoIoScaling": "Disabled",
            "storageSku": "Premium_LRS",
        },
        "backup": {
            "backupRetentionDays": 14,
            "backupIntervalHours": 12,
            "geoRedundantBackup": "Enabled",
            "earliestRestoreDate": "2026-11-20T00:00:00Z",
        },
        "network": {**NETWORK, "privateDnsZoneResourceId": "/zones/db"},
    },
    POSTGRESQL: {
        "version": "16",
        "storage": {
            "storageSizeGB": 256,
            "autoGrow": "Enabled",
            "tier": "P20",
            "iops": 4000,
            "throughput": 250,
            "type": "PremiumV2_LRS",
        },
        "backup": {
            "backupRetentionDays": 14,
            "geoRedundantBackup": "Enabled",
            "earliestRestoreDate": "2026-11-20T00:00:00Z",
        },
        "network": {**NETWORK, "privateDnsZoneArmResourceId": "/zones/db"},
        "authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled", "tenantId": "t"},
    },
}
NOT_OFFERED = {
    MYSQL: {"auto_io_scaling", "entra_auth", "password_auth", "storage_tier", "tenant", "throughput_mib"},
    POSTGRESQL: {"auto_io_scaling", "backup_interval_hours", "log_on_disk"},
}
"""With the servers above `auto_io_scaling` is off, so that there is a number of IOPS that its owner chose."""
OTHER: dict[str, Any] = {
    "auto_grow": False,
    "backup_interval_hours": 24,
    "entra_auth": False,
    "ha_mode": "",
    "identity_kind": "SystemAssigned",
    "iops": 3000,
    "log_on_disk": False,
    "maintenance": None,
    "password_auth": True,
    "public_access": False,
    "retention_days": 10,
    "sku": "Standard_D2ds_v5",
    "standby_zone": "1",
    "storage_gib": 512,
    "storage_tier": "P30",
    "tags": {"team": "other"},
    "tenant": "other",
    "throughput_mib": 125,
    "tier": "MemoryOptimized",
    "user_identities": ("/identities/1", "/identities/9"),
}
ENGINES = pytest.mark.parametrize("engine", [MYSQL, POSTGRESQL], ids=lambda engine: engine.name)


def described(engine: Engine) -> dict[str, Any]:
    return {
        "id": "/servers/orders",
        "name": "orders",
        "location": "West Europe",
        "tags": {"team": "payments", RUN: "a run", POINT: "a second"},
        "sku": {"name": "Standard_D4ds_v5", "tier": "GeneralPurpose"},
        "systemData": {"createdAt": "2026-01-01T00:00:00Z"},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"/identities/1": {}}},
        "properties": copy.deepcopy({**SHARED, **OWN[engine]}),
    }


@ENGINES
def test_every_setting_that_the_engine_offers_is_read(engine: Engine) -> None:
    server = server_of(described(engine), engine)
    nothing = ServerSettings(server="", resource_id="")
    unread = {name for name in OF_SERVER if getattr(server.settings, name) == getattr(nothing, name)}
    assert unread == NOT_OFFERED[engine]
    assert server.settings.maintenance == MaintenanceWindow(day=6, hour=2, minute=30)
    assert server.settings.tags == {"team": "payments"}
    assert server.settings.private_endpoints == ("/endpoints/1",)
    assert server.settings.port == (3307 if engine is MYSQL else 5432)
    assert server.was_made_by("a run")
    assert (server.state, server.ha_state, server.source_id) == ("Ready", "Healthy", "/servers/first")
    assert server.earliest_restore == datetime(2026, 11, 20, tzinfo=UTC)


def test_a_nearly_empty_description_is_read_too() -> None:
    server = server_of({"name": "orders", "properties": {"state": "Provisioning"}}, POSTGRESQL)
    assert (server.is_ready, server.earliest_restore, server.settings.password_auth) == (False, None, True)


@pytest.mark.parametrize(
    ("role", "is_replica"), [("None", False), ("Primary", False), ("Source", False), ("Replica", True), ("AsyncReplica", True)]
)
def test_a_replica_is_known_by_its_role(role: str, is_replica: bool) -> None:
    found = described(POSTGRESQL)
    found["properties"]["replicationRole"] = role
    assert bool(server_of(found, POSTGRESQL).replica_of) == is_replica


def test_iops_that_scale_by_themselves_or_follow_from_the_size_are_no_setting() -> None:
    mysql, postgresql = described(MYSQL), described(POSTGRESQL)
    mysql["properties"]["storage"]["autoIoScaling"] = "Enabled"
    postgresql["properties"]["storage"]["type"] = "Premium_LRS"
    assert server_of(mysql, MYSQL).settings.iops is None
    assert server_of(postgresql, POSTGRESQL).settings.iops is None


def patched(document: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """As Resource Manager does it: what is not given stays."""
    result = copy.deepcopy(document)
    for name, value in patch.get("properties", {}).items():
        result["properties"][name] = {**result["properties"].get(name, {}), **value}
    return {**result, **{name: value for name, value in patch.items() if name != "properties"}}


OFFERED = [(engine, name) for engine in (MYSQL, POSTGRESQL) for name in sorted(CHANGEABLE - NOT_OFFERED[engine])]


@pytest.mark.parametrize(("engine", "name"), OFFERED, ids=[f"{engine.name}-{name}" for engine, name in OFFERED])
def test_what_an_update_asks_for_is_what_is_read_afterwards(engine: Engine, name: str) -> None:
    before = described(engine)
    before["properties"]["network"].pop("delegatedSubnetResourceId")
    wanted = replace(server_of(before, engine).settings, **{name: OTHER[name]})
    patch, covered = update_document({name}, wanted, wanted.tags, engine)
    after = server_of(patched(before, patch), engine).settings
    assert covered == (name,)
    assert getattr(after, name) == OTHER[name]


@ENGINES
def test_changes_are_made_one_kind_at_a_time_and_the_standby_last(engine: Engine) -> None:
    wanted, left, kinds = server_of(described(engine), engine).settings, set(CHANGEABLE), []
    while left:
        patch, covered = update_document(left, wanted, {}, engine)
        kinds.append(next(iter(patch.get("properties", patch))))
        left -= set(covered)
    assert kinds == [
        "tags",
        "identity",
        "sku",
        "storage",
        "backup",
        "maintenanceWindow",
        "authConfig",
        "network",
        "highAvailability",
    ]
    assert update_document({"version"}, wanted, {}, engine) == ({}, ())


@ENGINES
def test_a_restore_names_the_second_the_network_the_key_and_the_zone(engine: Engine) -> None:
    settings = server_of(described(engine), engine).settings
    document = restore_document(RestoreCall("orders-r1", "/servers/orders", AT, settings, {"a": "b"}), engine)
    properties = document["properties"]
    assert properties["createMode"] == "PointInTimeRestore"
    assert properties["restorePointInTime" if engine is MYSQL else "pointInTimeUTC"] == "2026-11-24T04:00:00Z"
    zone = "privateDnsZoneResourceId" if engine is MYSQL else "privateDnsZoneArmResourceId"
    assert properties["network"] == {"delegatedSubnetResourceId": "/subnets/db", zone: "/zones/db"}
    assert properties["dataEncryption"]["primaryKeyURI"] == "https://vault/1"
    assert document["identity"]["userAssignedIdentities"] == {"/identities/1": {}}
    assert (document["tags"], properties["availabilityZone"]) == ({"a": "b"}, "2")


def test_a_restore_of_a_public_server_stays_public_and_names_no_key_of_the_service() -> None:
    found = described(MYSQL)
    found["properties"]["network"] = {"publicNetworkAccess": "Disabled"}
    found["properties"]["dataEncryption"] = {"type": "SystemManaged"}
    settings = server_of(found, MYSQL).settings
    document = restore_document(RestoreCall("orders-r1", "/servers/orders", AT, settings, {}), MYSQL)
    assert document["properties"]["network"] == {"publicNetworkAccess": "Disabled"}
    assert "identity" not in document
    assert "dataEncryption" not in document["properties"]


def test_an_engine_without_flexible_servers_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no flexible servers of 'oracle'"):
        engine_named("oracle")
