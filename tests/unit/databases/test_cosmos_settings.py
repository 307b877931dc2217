"""Settings of a Cosmos DB account: each is read, put right when the restore has lost it, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from shared.databases.cosmos.account import Account
from shared.databases.cosmos.compare import (
    CONTENTS,
    IDENTITY,
    LOST,
    OF_ACCOUNT,
    OF_CONTAINER,
    ON_CREATION,
    ROLES,
    SCRIPTS,
    account_differences,
    content_differences,
    differences,
    role_differences,
)
from shared.databases.cosmos.manifest import read_account
from shared.databases.cosmos.patches import account_patch
from shared.model.cosmos_settings import ContainerSettings, CosmosRegion, CosmosSettings, Throughput
from shared.model.errors import NotReady
from shared.model.records import from_record, replace, to_record
from tests.unit.databases.cosmos_world import NAME, SIDE, CosmosWorld

SETTINGS = CosmosWorld().settings()


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}-other"
    if isinstance(value, Mapping):
        return {"other": True}
    if value is None or isinstance(value, int):
        return 7
    return (CosmosRegion(name="Japan East", priority=0),) if value and isinstance(value[0], CosmosRegion) else ("other",)


@pytest.mark.parametrize("name", OF_ACCOUNT)
def test_a_difference_in_any_single_setting_is_found_and_can_be_patched_or_comes_with_the_restore(name: str) -> None:
    found = replace(SETTINGS, **{name: _another(getattr(SETTINGS, name))})
    assert set(differences(SETTINGS, found)) == {name}
    document, patched = account_patch([name], SETTINGS, {})
    assert (name in patched, bool(document)) == (name not in ON_CREATION, name not in ON_CREATION)


@pytest.mark.parametrize("name", OF_CONTAINER)
def test_a_difference_in_any_single_setting_of_a_container_is_found(name: str) -> None:
    first, *others = SETTINGS.containers
    another = Throughput(fixed=401) if name == "throughput" else _another(getattr(first, name))
    found = replace(SETTINGS, containers=(replace(first, **{name: another}), *others))
    assert set(content_differences(SETTINGS, found)) == {f"{first.path} {name}"}


def test_every_field_is_compared_or_said_to_be_identity_or_lost() -> None:
    fields = {field.name for field in msgspec.structs.fields(CosmosSettings)}
    assert fields == set(OF_ACCOUNT) | IDENTITY | LOST | CONTENTS | ROLES
    fields = {field.name for field in msgspec.structs.fields(ContainerSettings)}
    assert fields == set(OF_CONTAINER) | SCRIPTS | {"database", "name"}


def test_a_missing_database_container_role_or_one_too_many_is_a_difference() -> None:
    without = replace(SETTINGS, databases=SETTINGS.databases[1:], containers=SETTINGS.containers[1:])
    assert set(content_differences(SETTINGS, without)) == {SETTINGS.databases[0].name, SETTINGS.containers[0].path}
    assert set(role_differences(SETTINGS, replace(SETTINGS, roles=(), role_assignments=()))) == {"0000-role", "0000-grant"}
    assert set(role_differences(replace(SETTINGS, role_assignments=()), SETTINGS)) == {"0000-grant"}


def test_a_region_may_be_written_with_spaces_or_without() -> None:
    other = tuple(replace(region, name=region.name.replace(" ", "").lower()) for region in SETTINGS.regions)
    assert account_differences(SETTINGS, replace(SETTINGS, regions=other)) == {}


def test_the_settings_survive_the_catalog() -> None:
    assert from_record(to_record(SETTINGS), CosmosSettings) == SETTINGS


def test_the_world_of_these_tests_has_every_setting_away_from_its_default() -> None:
    elsewhere = {
        "analytical_storage",
        "capabilities",
        "key_metadata_writes_disabled",  # would keep the Schema Loader out
        "key_vault_key",
        "kind",
        "local_auth_disabled",  # would keep ScalarDB out
        "multiple_write_regions",  # excludes Strong
        "private_endpoints",
        "throughput_limit",
    }
    unset = {
        field.name
        for field in msgspec.structs.fields(CosmosSettings)
        if field.default is not msgspec.NODEFAULT and getattr(SETTINGS, field.name) == field.default
    }
    assert unset == elsewhere
    assert {item.throughput.autoscale_most for item in SETTINGS.containers} == {None, 4000}
    assert {item.ttl_seconds for item in SETTINGS.containers} == {None, 3600}


_PROPERTY = {
    "automatic_failover": ("enableAutomaticFailover", False),
    "burst_capacity": ("enableBurstCapacity", False),
    "cors": ("cors", []),
    "ip_rules": ("ipRules", []),
    "minimal_tls": ("minimalTlsVersion", "Tls12"),
    "partition_merge": ("enablePartitionMerge", False),
    "virtual_network_rules": ("virtualNetworkRules", []),
}


@pytest.mark.parametrize("name", sorted(_PROPERTY))
def test_what_changes_between_the_halves_is_put_right_by_the_second(name: str) -> None:
    world = CosmosWorld(regions=1)
    prepared = world.prepare(world.order())
    key, value = _PROPERTY[name]
    world.azure.accounts[SIDE].properties[key] = value
    world.cut_over(world.order(), prepared)
    assert differences(world.settings(NAME), world.settings(SIDE)) == {}


def test_a_setting_that_never_shows_ends_the_wait_with_both_values() -> None:
    world = CosmosWorld(regions=1)
    world.azure.provider.inventory.settings.change({"cosmos_update_seconds": 0.5})
    stubborn = world.prepare(world.order())
    wanted = from_record(stubborn.items[0].settings, CosmosSettings)
    item = replace(stubborn.items[0], settings=to_record(replace(wanted, throughput_limit=4000)))
    with pytest.raises(NotReady, match="throughput limit is not set, wanted 4000"):
        world.cut_over(world.order(), replace(stubborn, items=(item,)))


def test_a_data_role_that_was_added_to_the_restored_account_is_refused_by_name() -> None:
    world = CosmosWorld(regions=1)
    prepared = world.prepare(world.order())
    made = world.azure.accounts[SIDE].role_assignments
    made["stranger"] = {**next(iter(made.values())), "principalId": "stranger"}
    with pytest.raises(NotReady, match="has data roles that it shall not have"):
        world.cut_over(world.order(), prepared)


def test_autoscale_and_fixed_throughput_are_put_back_by_migration_and_number() -> None:
    world = CosmosWorld(regions=1)
    prepared = world.prepare(world.order())
    containers = world.azure.accounts[SIDE].contents.databases["bank"].containers
    containers["account"].throughput, containers["history"].throughput = {"throughput": 500}, {"throughput": 400}
    world.cut_over(world.order(), prepared)
    assert differences(world.settings(NAME), world.settings(SIDE)) == {}


def test_what_an_account_says_is_read_as_it_is() -> None:
    described: dict[str, Any] = {
        "name": "bank",
        "id": "/id",
        "properties": {
            "capacity": {"totalThroughputLimit": -1},
            "privateEndpointConnections": [{"properties": {"privateEndpoint": {"id": "/endpoints/one"}}}],
        },
    }
    found = read_account(Account(described), SETTINGS.taken_at)
    assert (found.throughput_limit, found.private_endpoints) == (None, ("/endpoints/one",))
    described["properties"]["capacity"]["totalThroughputLimit"] = 4000
    assert read_account(Account(described), SETTINGS.taken_at).throughput_limit == 4000
