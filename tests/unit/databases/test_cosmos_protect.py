"""Checks of a Cosmos DB account, and how a point in it is protected: when the slowest container has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.sandbox.azure.arm.faults import Fault
from shared.databases.cosmos.calls import restorable_time
from shared.databases.cosmos.names import LONGEST_NAME, bears_stamp, side_name
from shared.model.checks import CheckStatus, failures
from shared.model.errors import InvalidRequest, Misconfigured, NotReady, Throttled
from shared.model.protection import ItemPhase
from shared.model.records import replace
from shared.model.storage import Storage
from tests.unit.databases.cosmos_world import GROUP, NAME, STAMP, CosmosWorld


def test_a_point_is_covered_when_the_last_container_has_it_and_until_the_tier_ends() -> None:
    world = CosmosWorld()
    world.point = world.clock.now().replace(microsecond=0)
    world.azure.accounts[NAME].extra_lag_seconds["coordinator", "state"] = 600.0
    first = world.access.protect(world.database, (), world.point, True, None)
    assert not first.done
    world.clock.advance(120)
    then = world.access.protect(world.database, (), world.point, True, first)
    phases = {item.name: item.phase for item in then.items}
    assert phases.pop("coordinator/state") is phases.pop(NAME) is ItemPhase.WAITING
    assert set(phases.values()) == {ItemPhase.COVERED}
    assert "in 1 of 5 containers. coordinator/state is restorable up to" in then.message
    done = world.protect()
    assert world.clock.now() >= world.point + timedelta(seconds=690)
    assert done.items[0].restorable_until == world.point + timedelta(days=7)


def test_a_container_that_has_the_point_is_not_asked_again() -> None:
    world = CosmosWorld()
    world.azure.accounts[NAME].extra_lag_seconds["coordinator", "state"] = 6000.0
    first = world.access.protect(world.database, (), world.point, True, None)
    world.azure.asked.clear()
    world.access.protect(world.database, (), world.point, True, first)
    assert len([path for _, path in world.azure.asked if path.endswith("/retrieveContinuousBackupInformation")]) == 1


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10/26/2021 5:27:45 PM", datetime(2021, 10, 26, 17, 27, 45, tzinfo=UTC)),
        ("1/2/2026 12:00:00 AM", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
    ],
)
def test_the_services_own_form_of_time_is_read(text: str, moment: datetime) -> None:
    assert restorable_time(text) == moment


def test_a_time_in_no_known_form_is_told() -> None:
    with pytest.raises(Misconfigured, match=r"26\.10\.2021"):
        restorable_time("26.10.2021")


def test_a_point_with_fractions_and_an_account_without_continuous_backup_are_refused() -> None:
    world = CosmosWorld()
    with pytest.raises(InvalidRequest, match="whole second"):
        world.access.protect(world.database, (), world.point.replace(microsecond=1), True, None)
    world.azure.accounts[NAME].properties["backupPolicy"] = {"type": "Periodic"}
    with pytest.raises(NotReady, match="Periodic mode"):
        world.access.protect(world.database, (), world.point, True, None)


def test_an_account_that_was_replaced_since_the_point_is_told() -> None:
    world = CosmosWorld()
    world.azure.accounts[NAME].extra_lag_seconds["coordinator", "state"] = 6000.0
    first = world.access.protect(world.database, (), world.point, True, None)
    world.azure.accounts[NAME].instance_id = "another"
    with pytest.raises(NotReady, match="another one than at the restore point"):
        world.access.protect(world.database, (), world.point, True, first)


def test_a_good_account_passes_every_check() -> None:
    world = CosmosWorld()
    results = world.access.check(world.database, world.storages())
    assert {check.status for check in results} == {CheckStatus.OK}
    assert world.azure.sent == []


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        ({"consistencyPolicy": {"defaultConsistencyLevel": "Session"}}, "cosmos-consistency"),
        ({"capabilities": [{"name": "EnableServerless"}]}, "cosmos-capacity"),
        ({"capabilities": [{"name": "EnableTable"}]}, "cosmos-api"),
        ({"backupPolicy": {"type": "Periodic"}}, "cosmos-backup-mode"),
        ({"disableLocalAuth": True}, "cosmos-keys"),
        ({"disableKeyBasedMetadataWriteAccess": True}, "cosmos-keys"),
    ],
)
def test_each_misconfiguration_fails_by_name_with_what_to_do(properties: dict[str, Any], name: str) -> None:
    world = CosmosWorld()
    world.azure.accounts[NAME].properties.update(properties)
    (failed,) = failures(world.access.check(world.database, world.storages()))
    assert failed.name == name
    assert failed.hint


def test_writes_in_several_regions_fail_since_they_exclude_strong() -> None:
    world = CosmosWorld(enableMultipleWriteLocations=True, consistencyPolicy={"defaultConsistencyLevel": "Session"})
    names = {check.name for check in failures(world.access.check(world.database, world.storages()))}
    assert names == {"cosmos-write-regions", "cosmos-consistency"}
    assert "cosmos-write-regions" in {check.name for check in failures(world.access.forecast(world.order()).checks)}


def test_private_endpoints_are_told_before_and_in_the_forecast() -> None:
    world = CosmosWorld()
    world.azure.accounts[NAME].private_endpoints = [{"properties": {"privateEndpoint": {"id": "/endpoints/one"}}}]
    results = {check.name: check for check in world.access.check(world.database, world.storages())}
    assert results["cosmos-private-endpoints"].status is CheckStatus.WARNING
    assert "Private endpoints, which you make anew: /endpoints/one." in world.access.forecast(world.order()).loses


def test_a_namespace_a_coordinator_and_an_account_that_are_not_where_the_properties_say_fail() -> None:
    world = CosmosWorld()
    storages = world.storages(namespaces=("bank", "shop"), coordinator_namespace="shop", system_namespace="meta")
    (failed,) = failures(world.access.check(world.database, storages))
    assert "lacks meta/metadata, shop (namespace), shop/state" in failed.detail
    (failed,) = failures(world.access.check(world.database, world.storages("other")))
    assert failed.name == "cosmos-endpoint"


def test_the_coordinator_of_multi_storage_is_looked_for_only_where_it_is() -> None:
    world = CosmosWorld()
    (release,) = world.storages(name="cosmos", coordinator_namespace="elsewhere")
    sql = Storage(name="sql", kind="jdbc", contact_point="jdbc:mysql://db/", namespaces=("elsewhere",))
    release = replace(release, storages=(*release.storages, sql), default_storage="cosmos")
    assert failures(world.access.check(world.database, (release,))) == ()


def test_a_missing_account_names_those_alike_and_a_missing_right_is_named() -> None:
    world = CosmosWorld()
    (failed,) = world.access.check(replace(world.database, account="bankk"), ())
    assert "There are: bank." in failed.detail
    world.azure.denied.add("Microsoft.DocumentDB/locations/restorableDatabaseAccounts/read")
    (failed,) = world.access.check(world.database, world.storages())
    assert (failed.name, "CosmosRestoreOperator" in failed.hint) == ("cosmos-rights", True)


def test_throttling_is_told_with_its_time() -> None:
    world = CosmosWorld()
    world.azure.faults.arm(Fault("refuse", NAME, "GET", status=429, code="TooManyRequests", retry_after_seconds=9))
    with pytest.raises(Throttled) as raised:
        world.access.check(world.database, ())
    assert raised.value.retry_after_seconds == 9


def test_a_deleted_account_is_no_state_that_raises_in_a_forecast() -> None:
    world = CosmosWorld()
    world.client.database_accounts.begin_delete(GROUP, NAME, polling=False)
    world.later(1)
    (failed,) = failures(world.access.forecast(world.order()).checks)
    assert failed.name == "cosmos-source"


@pytest.mark.parametrize("account", ["bank", "b" * 26, "b" * 27, "b" * 44, f"bank-r{STAMP}"])
def test_names_fit_are_told_apart_and_do_not_grow_from_restore_to_restore(account: str) -> None:
    stamp = "20270101t000000z"
    name = side_name(account, stamp)
    assert len(name) <= LONGEST_NAME
    assert bears_stamp(name, stamp)
    assert not bears_stamp(name, STAMP)
    assert (STAMP not in name, side_name("b" * 43, stamp) != side_name("b" * 44, stamp)) == (True, True)


async def test_the_clock_of_an_account_that_cannot_be_asked_is_unmeasured_and_nothing_raises() -> None:
    world = CosmosWorld()
    bounds = await world.access.measure_clock(replace(world.database, account="none"), world.clock)
    assert "does not exist" in bounds.problem
    with pytest.raises(InvalidRequest, match="no snapshots"):
        world.access.begin_snapshot(world.database, "run", 1)
    assert world.access.clean_up(world.database, frozenset()) == ()
    assert world.access.with_tables(world.database, ()) == world.database


def test_an_account_with_more_containers_than_may_be_read_at_once_is_read_with_patience() -> None:
    world = CosmosWorld()
    fault = Fault("refuse", "/containers/", "GET", status=429, code="TooManyRequests", retry_after_seconds=3, times=7)
    world.azure.faults.arm(fault)
    assert failures(world.access.check(world.database, world.storages())) == ()
    assert world.waited == [3.0] * 7


def test_patience_with_a_service_that_asks_for_much_more_of_it_has_an_end() -> None:
    world = CosmosWorld()
    fault = Fault("refuse", "/containers/", "GET", status=429, code="TooManyRequests", retry_after_seconds=600, times=1)
    world.azure.faults.arm(fault)
    with pytest.raises(Throttled):
        world.access.check(world.database, ())
    assert world.waited == []
