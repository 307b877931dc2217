"""Settings of a DB instance: each is read, given to the restore, put right when the restore forgot it, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from shared.databases.rds.instance_compare import COMPARED, IDENTITY, LOST, OF_THE_DATA, differences, of_the_data
from shared.databases.rds.instance_parameters import autoscaling_limit, of_restore
from shared.model.errors import NotReady
from shared.model.instance_settings import DirectoryDomain, InstanceSettings, StorageVolume
from shared.model.records import from_record, replace, to_record
from tests.unit.databases.fake_rds import _NOT_SETTINGS
from tests.unit.databases.rds_world import FULL, NAME, SIDE, RdsWorld

VOLUME = StorageVolume(name="rdsdbdata2", allocated_gib=200)


def _another(name: str, value: Any) -> Any:
    """A value of the field's type that is not its own, and not one that growth or an upgrade explains."""
    if name == "engine_version":
        return "8.0.9"
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value - 1
    if value is None or isinstance(value, DirectoryDomain):
        return {"domain": DirectoryDomain(domain="d-9")}.get(name, 9)
    if isinstance(value, str):
        return f"{value}-other"
    if isinstance(value, Mapping):
        return {"other": "1"}
    return (VOLUME,) if name == "additional_volumes" else ("other",)


@pytest.mark.parametrize("name", COMPARED)
def test_a_difference_in_any_single_setting_is_found(name: str) -> None:
    wanted = RdsWorld().settings()
    found = replace(wanted, **{name: _another(name, getattr(wanted, name))})
    assert set(differences(wanted, found)) == {name}


def test_every_field_is_compared_or_said_to_be_identity_or_lost() -> None:
    fields = {field.name for field in msgspec.structs.fields(InstanceSettings)}
    assert fields == set(COMPARED) | IDENTITY | LOST
    assert set(COMPARED) >= OF_THE_DATA


def test_storage_that_has_grown_and_a_newer_minor_version_are_no_difference() -> None:
    wanted = replace(RdsWorld().settings(), additional_volumes=(VOLUME,))
    grown = replace(VOLUME, allocated_gib=400)
    found = replace(wanted, allocated_gib=900, engine_version="8.0.100", additional_volumes=(grown,))
    assert differences(wanted, found) == {}
    assert set(differences(found, wanted)) == {"allocated_gib", "engine_version", "additional_volumes"}


def test_the_settings_survive_the_catalog() -> None:
    settings = replace(RdsWorld().settings(), additional_volumes=(VOLUME,))
    assert from_record(to_record(settings), InstanceSettings) == settings


def test_the_world_of_these_tests_has_every_setting_away_from_its_default() -> None:
    settings = RdsWorld().settings()
    only_others = {
        "availability_zone",  # of a single instance
        "additional_volumes",  # of Oracle and SQL Server, as are the next ones
        "character_set",
        "multi_tenant",
        "nchar_character_set",
        "tde_credential_arn",
        "throughput_mib",  # of gp3
        "timezone",
        "auto_minor_version_upgrade",  # on by default in RDS, off by default in the value
    }
    unset = {
        field.name
        for field in msgspec.structs.fields(InstanceSettings)
        if field.name in COMPARED and getattr(settings, field.name) in ("", None, (), {}, False, 0)
    }
    assert unset <= only_others


UNMODIFIABLE = {"BackupTarget"}


def _restore_parameters() -> list[str]:
    settings = RdsWorld().settings()
    return sorted({*of_restore(settings, {}), *autoscaling_limit(settings)} - {"DeletionProtection"})


@pytest.mark.parametrize("parameter", _restore_parameters())
def test_a_setting_that_the_restore_forgets_is_put_right_or_refused_and_never_passes(parameter: str) -> None:
    world = RdsWorld()
    before = world.settings()
    account, real = world.account, world.account._restore_db_instance_to_point_in_time

    def forgetful(**given: Any) -> dict[str, Any]:
        return real(**{name: value for name, value in given.items() if name != parameter})

    account._restore_db_instance_to_point_in_time = forgetful  # type: ignore[method-assign]
    if parameter == "Tags":  # without our mark it is somebody else's instance
        with pytest.raises(NotReady, match="has not made"):
            world.prepare(world.order())
        return
    if parameter in UNMODIFIABLE:
        with pytest.raises(NotReady, match="No modification can change this"):
            world.prepare(world.order())
        return
    world.prepare(world.order())
    assert differences(before, world.settings(SIDE)) == {}


MODIFIED_ONLY = {"EnablePerformanceInsights", "MonitoringInterval", "PreferredMaintenanceWindow"}
COME_WITHOUT_BEING_GIVEN = {"BackupRetentionPeriod", "Tags"}


@pytest.mark.parametrize("parameter", sorted({*_restore_parameters(), *MODIFIED_ONLY} - COME_WITHOUT_BEING_GIVEN))
def test_a_setting_that_neither_restore_nor_modification_can_set_ends_with_its_name(parameter: str) -> None:
    world = RdsWorld()
    world.account.forget = {parameter, *_ALSO.get(parameter, ())}
    with pytest.raises(NotReady, match=NAME):
        world.prepare(world.order())


_ALSO = {
    "EnableCloudwatchLogsExports": ["CloudwatchLogsExportConfiguration"],
    "Port": ["DBPortNumber"],
}


def test_the_modification_sets_what_the_restore_cannot_be_told() -> None:
    world = RdsWorld()
    world.prepare(world.order())
    (given,) = [given for name, given in world.account.asked if name == "modify_db_instance" and "MonitoringInterval" in given]
    assert {"MonitoringRoleArn", "EnablePerformanceInsights", "PreferredMaintenanceWindow"} <= set(given)
    last = [given for name, given in world.account.asked if name == "modify_db_instance"][-1]
    assert set(last) - _NOT_SETTINGS == {"DeletionProtection"}


def test_a_parameter_group_given_by_a_modification_is_rebooted_into_force() -> None:
    world = RdsWorld()
    real = world.account._restore_db_instance_to_point_in_time
    world.account._restore_db_instance_to_point_in_time = (  # type: ignore[method-assign]
        lambda **given: real(**{name: value for name, value in given.items() if name != "DBParameterGroupName"})
    )
    world.prepare(world.order())
    assert world.account.calls["reboot_db_instance"] == 1


def test_gp3_without_provisioning_names_neither_type_nor_iops() -> None:
    settings = RdsWorld().settings()
    base = replace(settings, storage_type="gp3", iops=3000, throughput_mib=125)
    assert {"StorageType", "Iops", "StorageThroughput"} & set(of_restore(base, {})) == set()
    more = replace(base, iops=13000, throughput_mib=600)
    assert of_restore(more, {})["StorageThroughput"] == 600
    assert of_restore(more, {})["StorageType"] == "gp3"


def test_autoscaling_at_its_limit_gives_no_limit() -> None:
    assert autoscaling_limit(replace(RdsWorld().settings(), allocated_gib=1000)) == {}


def test_sql_server_is_made_multi_az_after_the_restore() -> None:
    settings = replace(RdsWorld().settings(), engine="sqlserver-se")
    assert "MultiAZ" not in of_restore(settings, {})


def test_a_single_instance_comes_back_in_its_own_zone() -> None:
    world = RdsWorld(MultiAZ=False, AvailabilityZone="ap-northeast-1c")
    assert of_restore(world.settings(), {})["AvailabilityZone"] == "ap-northeast-1c"


def test_tags_of_aws_and_of_this_product_are_not_its_owners() -> None:
    assert RdsWorld().settings().tags == {"team": "payments"}
    assert {tag["Key"] for tag in FULL["TagList"]} == {"team", "aws:stack"}


@pytest.mark.parametrize("field", ["timezone", "character_set", "kms_key_id"])
def test_what_belongs_to_the_data_is_told_apart(field: str) -> None:
    settings = RdsWorld().settings()
    assert set(of_the_data(settings, replace(settings, **{field: "other"}))) == {field}
