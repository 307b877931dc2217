"""Settings of a restored flexible server: every one compared, put right, or refused where nothing can put it right."""

from __future__ import annotations

from typing import Any

import pytest

from shared.databases.flexible_servers.compare import CONTENTS, IDENTITY, LOST, OF_SERVER, ON_CREATION, differences
from shared.databases.flexible_servers.documents import CHANGEABLE
from shared.databases.flexible_servers.servers import Parameter
from shared.model.errors import NotReady
from shared.model.records import replace
from shared.model.server_settings import EntraAdministrator, MaintenanceWindow, ServerSettings
from tests.unit.databases.fake_servers import LOST as LOST_BY_A_RESTORE
from tests.unit.databases.servers_world import FULL, SIDE, ServersWorld

OTHER: dict[str, Any] = {
    "administrator_login": "other",
    "auto_grow": False,
    "auto_io_scaling": False,
    "backup_interval_hours": 24,
    "dns_zone": "/zones/other",
    "encryption": "",
    "engine": "mysql",
    "entra_auth": False,
    "geo_key_identity": "/identities/other",
    "geo_key_uri": "other",
    "geo_redundant_backup": False,
    "ha_mode": "SameZone",
    "identity_kind": "",
    "iops": 3000,
    "key_identity": "/identities/other",
    "key_uri": "other",
    "location": "northeurope",
    "log_on_disk": False,
    "maintenance": MaintenanceWindow(day=0, hour=2, minute=30),
    "password_auth": True,
    "public_access": False,
    "retention_days": 10,
    "sku": "Standard_D2ds_v5",
    "standby_zone": "1",
    "storage_gib": 128,
    "storage_tier": "P30",
    "storage_type": "Premium_LRS",
    "subnet": "/subnets/other",
    "tags": {"team": "other"},
    "tenant": "other",
    "throughput_mib": 125,
    "tier": "MemoryOptimized",
    "user_identities": (),
    "version": "15",
    "zone": "1",
}


def test_the_world_has_no_setting_at_its_default_and_a_restore_loses_all_that_an_update_can_put_right() -> None:
    defaults = ServerSettings(server="", resource_id="")
    private = {"subnet", "dns_zone"}
    same = {name for name in OF_SERVER if getattr(FULL, name) == getattr(defaults, name)} - {"tags"} - private
    assert same == set()
    assert set(LOST_BY_A_RESTORE) - LOST == CHANGEABLE - {"storage_gib"}


def test_every_setting_is_looked_at_or_said_to_be_lost() -> None:
    assert set(OF_SERVER) == ON_CREATION | CHANGEABLE
    assert set(ServerSettings.__struct_fields__) == set(OF_SERVER) | IDENTITY | LOST | CONTENTS


@pytest.mark.parametrize("name", OF_SERVER)
def test_a_setting_that_is_another_is_a_difference_by_its_name(name: str) -> None:
    base = replace(FULL, subnet="/subnets/one", dns_zone="/zones/one", tags={"team": "payments"})
    told = differences(base, replace(base, **{name: OTHER[name]}))
    assert len(told) == 1
    assert told[0].startswith(name.replace("_", " "))


@pytest.mark.parametrize("name", sorted(CHANGEABLE - {"tags", "storage_gib"}))
def test_what_somebody_changes_on_the_prepared_server_is_put_right_before_the_cut_over(name: str) -> None:
    world = ServersWorld()
    prepared = world.prepare(world.order())
    world.side.settings = replace(world.side.settings, **{name: OTHER[name]})
    world.cut_over(world.order(), prepared)
    assert differences(replace(FULL, tags={"team": "payments"}), replace(world.settings(SIDE), **_contents())) == ()


def _contents() -> dict[str, Any]:
    return {name: getattr(FULL, name) for name in CONTENTS}


@pytest.mark.parametrize("name", sorted(ON_CREATION - {"subnet", "dns_zone"}))
def test_what_only_a_restore_can_bring_and_did_not_is_refused_with_both_values(name: str) -> None:
    world = ServersWorld()
    order = world.order()
    begun = world.access.restore(order, None)
    world.later(1)
    world.side.settings = replace(world.side.settings, **{name: OTHER[name]})
    with pytest.raises(NotReady, match=f"{name.replace('_', ' ')} is .* wanted"):
        world.prepare(order, begun)


def test_parameters_rules_and_administrators_that_should_not_be_there_go_away() -> None:
    world = ServersWorld()
    prepared = world.prepare(world.order())
    world.side.parameters["timezone"] = Parameter("timezone", "CET", "UTC", is_override=True)
    world.side.firewall["everybody"] = ("0.0.0.0", "255.255.255.255")
    world.side.people["66"] = EntraAdministrator(object_id="66", name="stranger")
    world.cut_over(world.order(), prepared)
    assert differences(world.settings(), world.settings(SIDE)) == ()
    assert world.side.parameters["timezone"].value == "UTC"


def test_a_static_parameter_is_in_force_after_one_restart() -> None:
    world = ServersWorld()
    world.restore(world.order())
    assert world.servers.calls.count("begin_restart") == 1
    assert not any(one.is_pending for one in world.side.parameters.values())


def test_a_restart_that_shows_late_is_not_asked_for_again() -> None:
    world = ServersWorld()
    world.servers.shows_restart_after = 300
    world.prepare(world.order())
    assert world.servers.calls.count("begin_restart") == 1


def test_the_standby_comes_last_and_is_waited_for_until_it_is_healthy() -> None:
    world = ServersWorld()
    prepared = world.prepare(world.order())
    changes = [call for call in world.servers.calls if call.startswith("begin_")]
    assert changes[-1] == "begin_update"
    assert world.side.ha_state == "Healthy"
    assert prepared.done
