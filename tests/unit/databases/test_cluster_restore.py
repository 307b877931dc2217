"""A restore of a cluster in virtual time: every setting, every name, and a kill at every call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.databases.rds import cluster_actions as actions
from shared.databases.rds.cluster_compare import MEMBER_NOT_COMPARED, NOT_COMPARED, differences
from shared.databases.rds.names import bears_stamp
from shared.model.checks import failures
from shared.model.cluster_settings import ClusterSettings, MemberSettings
from shared.model.errors import Conflict, NotReady
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import replace
from shared.model.restore import RestoreStage, Target
from shared.model.storage import ReleaseStorage, Storage
from tests.unit.databases.cluster_world import OLD, RUN, SIDE, STAMP, ClusterWorld
from tests.unit.databases.fake_rds_clusters import SUFFIX, FakeClusters


@pytest.mark.parametrize("aurora", [True, False])
def test_a_restored_cluster_has_the_data_of_the_point_under_the_old_names_and_every_setting(aurora: bool) -> None:
    world = ClusterWorld(aurora=aurora)
    before = world.settings()
    restored = world.restore(world.order())
    assert restored.stage is RestoreStage.DONE
    assert restored.endpoints == ()
    assert world.account.names()["orders"] == "first"
    assert world.account.names()[OLD] == "second"
    assert differences(before, world.settings()) == ()
    assert not failures(world.access.verify(world.order(), restored))
    if aurora:
        assert {name: world.account.names()[name] for name in ("orders-0", "orders-1", "orders-2")} == dict.fromkeys(
            ("orders-0", "orders-1", "orders-2"), "first"
        )
        assert world.account.endpoints["reports"]["of"].data == "first"


def test_the_first_half_touches_nothing_live() -> None:
    world = ClusterWorld()
    before = world.settings()
    prepared = world.prepare(world.order())
    assert prepared.stage is RestoreStage.PREPARED
    assert not prepared.changed_live
    assert world.settings().resource_id == before.resource_id
    assert differences(before, world.settings()) == ()
    assert world.account.names()[SIDE] == "first"
    assert world.account.named(SIDE).settings["DeletionProtection"] is False


def test_changed_live_is_said_by_a_call_that_changes_nothing() -> None:
    world = ClusterWorld()
    prepared = world.prepare(world.order())
    world.account.calls.clear()
    said = world.access.cut_over(world.order(), prepared)
    assert said.changed_live
    assert set(world.account.calls) <= {"describe_db_clusters", "describe_db_instances"}


@pytest.mark.parametrize("aurora", [True, False])
def test_an_undo_brings_the_old_cluster_back_under_its_names(aurora: bool) -> None:
    world = ClusterWorld(aurora=aurora)
    before, names = world.settings(), {name for name in world.account.names() if name.startswith("orders-")}
    restored = world.restore(world.order())
    back = world.restore(world.undo_order(restored))
    assert world.account.names()["orders"] == "second"
    assert names <= set(world.account.names())
    assert world.settings().resource_id == before.resource_id
    assert differences(before, world.settings()) == ()
    again = replace(world.undo_order(back), stamp="20261124t060000z", run=f"{RUN}-again")
    world.restore(again)
    assert world.account.names()["orders"] == "first"


@pytest.mark.parametrize("calls", range(0, 60, 7))
def test_a_cut_over_that_stopped_anywhere_can_be_undone(calls: int) -> None:
    world = ClusterWorld()
    reached = world.prepare(world.order())
    for _ in range(calls):
        reached = world.access.cut_over(world.order(), reached)
        if reached.done:
            break
        world.clock.advance(max(1.0, reached.wait_seconds))
    world.clock.advance(3600)
    back = world.restore(world.undo_order(reached))
    assert back.stage is RestoreStage.DONE
    names = world.account.names()
    assert {names[name] for name in ("orders", "orders-0", "orders-1", "orders-2")} == {"second"}
    assert world.account.endpoints["reports"]["of"].data == "second"


@pytest.mark.parametrize("aurora", [True, False])
def test_a_kill_after_any_change_ends_in_the_same_world(aurora: bool) -> None:
    """A kill before a change is one after the change before it: only looks lie between."""
    smooth = ClusterWorld(aurora=aurora)
    wanted, order = smooth.settings(), smooth.order()
    smooth.discard(order, smooth.restore(order))
    assert smooth.account.changes > 5
    for kill_at in range(1, smooth.account.changes + 1):
        world = ClusterWorld(aurora=aurora)
        world.account.kill_at = kill_at
        restored = world.restore(order)
        assert world.account.names()["orders"] == "first", kill_at
        assert differences(wanted, world.settings()) == (), kill_at
        world.discard(order, restored)
        assert OLD not in world.account.names()
        if aurora:
            assert not [name for name in world.account.names() if bears_stamp(name, STAMP)]


def test_a_copy_that_was_given_up_is_deleted_and_nothing_else() -> None:
    world = ClusterWorld()
    before = world.account.names()
    prepared = world.prepare(world.order())
    world.discard(world.order(), prepared)
    assert world.account.names() == before


@pytest.mark.parametrize("host", [f"{OLD}.cluster-{SUFFIX}", f"{OLD}.cluster-ro-{SUFFIX}"])
def test_a_cluster_that_a_release_leads_to_is_never_deleted(host: str) -> None:
    world = ClusterWorld()
    order = world.order()
    restored = world.restore(order)
    url = Storage(name="default", kind="jdbc", contact_point=f"jdbc:mysql://{host}:3306/")
    led = replace(order, storages=(ReleaseStorage(release="prod/orders", source="ConfigMap", storages=(url,)),))
    with pytest.raises(NotReady, match="properties of a release lead to"):
        world.access.discard(led, restored)


def test_a_halted_cut_over_whose_names_are_free_is_not_discarded() -> None:
    world = ClusterWorld()
    reached = world.prepare(world.order())
    while "orders" in world.account.names():
        reached = world.access.cut_over(world.order(), reached)
        world.clock.advance(max(1.0, reached.wait_seconds))
    with pytest.raises(NotReady, match="may be the only copy"):
        world.access.discard(world.order(), reached)


def test_side_by_side_is_done_after_the_first_half() -> None:
    world = ClusterWorld()
    order = world.order(target=Target.SIDE_BY_SIDE)
    restored = world.prepare(order)
    assert restored.stage is RestoreStage.DONE
    assert not failures(world.access.verify(order, restored))
    world.discard(order, restored)
    assert SIDE not in world.account.names()


def test_a_name_that_somebody_took_meanwhile_stops_the_cut_over_and_names_it() -> None:
    world = ClusterWorld()
    reached = world.prepare(world.order())
    while OLD not in world.account.names():
        reached = world.access.cut_over(world.order(), reached)
        world.clock.advance(max(1.0, reached.wait_seconds))
    world.account.add_cluster("orders", "stranger", Engine="aurora-mysql")
    with pytest.raises(Conflict, match="another cluster now"):
        world.until(lambda so_far: world.access.cut_over(world.order(), so_far or reached), reached)


def test_a_copy_that_bears_our_name_but_not_our_mark_is_refused() -> None:
    world = ClusterWorld()
    world.account.add_cluster(SIDE, "stranger", Engine="aurora-mysql")
    assert [check.name for check in failures(world.access.forecast(world.order()).checks)] == ["aurora-name"]
    with pytest.raises(Conflict, match="was not made by this restore"):
        world.prepare(world.order())


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"GlobalClusterIdentifier": "world"}, "aurora-global"),
        ({"EngineMode": "serverless"}, "aurora-engine"),
        ({"Engine": "mysql"}, "aurora-engine"),
        ({"ReplicationSourceIdentifier": "arn:other"}, "aurora-replica"),
    ],
)
def test_what_cannot_be_restored_is_refused_by_name(settings: dict[str, Any], name: str) -> None:
    world = ClusterWorld()
    world.account.named("orders").settings.update(settings)
    assert name in [check.name for check in failures(world.access.forecast(world.order()).checks)]
    assert name in [check.name for check in failures(world.access.check(world.database, ()))]


def test_a_forecast_changes_with_a_setting_and_not_with_time() -> None:
    world = ClusterWorld()
    first = world.access.forecast(world.order()).observed
    world.clock.advance(60)
    assert world.access.forecast(world.order()).observed == first
    world.account.named("orders-1").settings["PromotionTier"] = 9
    assert world.access.forecast(world.order()).observed != first


def test_a_point_before_the_window_is_refused_and_the_window_named() -> None:
    world = ClusterWorld()
    order = world.order(at=world.point.replace(year=2020))
    assert [check.name for check in failures(world.access.forecast(order).checks)] == ["aurora-source"]
    with pytest.raises(NotReady, match="can be restored from"):
        world.access.restore(order, None)


def test_protect_waits_until_the_window_has_reached_the_point_and_notes_the_settings() -> None:
    world = ClusterWorld()
    point = world.clock.now().replace(microsecond=0)
    waiting = world.access.protect(world.database, (), point, True, None)
    assert not waiting.done
    assert waiting.items[0].settings["identifier"] == "orders"
    world.clock.advance(400)
    covered = world.access.protect(world.database, (), point, True, waiting)
    assert covered.done
    assert covered.items[0].phase is ItemPhase.COVERED
    assert covered.items[0].restorable_until == point + timedelta(days=7)


def test_why_no_snapshot_was_begun_stays_in_the_point_however_often_it_is_looked_at() -> None:
    world = ClusterWorld()
    database, point = replace(world.database, snapshot=True), world.clock.now().replace(microsecond=0)
    item = ItemProtection(name="orders", phase=ItemPhase.WAITING, note="The quota is reached.")
    begun = DatabaseProtection(database=database.key, point=point, items=(item,))
    waiting = world.access.protect(database, (), point, True, begun)
    world.clock.advance(400)
    covered = world.access.protect(database, (), point, True, waiting)
    assert covered.done
    assert covered.items[0].note == "The quota is reached. The point lives as long as the automated backups."


def test_protect_refuses_a_cluster_that_another_one_has_replaced_and_says_where_it_is() -> None:
    world = ClusterWorld()
    point = world.clock.now().replace(microsecond=0)
    waiting = world.access.protect(world.database, (), point, True, None)
    world.account.named("orders").name = "orders-before"
    world.account.add_cluster("orders", "stranger", Engine="aurora-mysql")
    with pytest.raises(NotReady, match="It is called orders-before now"):
        world.access.protect(world.database, (), point, True, waiting)


def test_after_a_restore_an_earlier_point_is_restored_from_the_cluster_that_had_it() -> None:
    world = ClusterWorld()
    protection = world.access.protect(world.database, (), world.point, True, None)
    world.restore(world.order(protection=protection))
    again = world.order(stamp="20261124t050000z", run=f"{RUN}-2", protection=protection)
    foretold = world.access.forecast(again)
    assert not failures(foretold.checks)
    assert foretold.observed["from"] == OLD
    world.restore(again)
    assert world.account.names()["orders"] == "first"


FORGETTABLE = {
    "port": "Port",
    "security_groups": "VpcSecurityGroupIds",
    "subnet_group": "DBSubnetGroupName",
    "parameter_group": "DBClusterParameterGroupName",
    "network_type": "NetworkType",
    "storage_type": "StorageType",
    "iam_authentication": "EnableIAMDatabaseAuthentication",
    "copy_tags_to_snapshot": "CopyTagsToSnapshot",
    "deletion_protection": "DeletionProtection",
    "maintenance_window": "PreferredMaintenanceWindow",
    "log_exports": ("EnableCloudwatchLogsExports", "CloudwatchLogsExportConfiguration"),
    "backtrack_window_seconds": "BacktrackWindow",
    "serverless_scaling": "ServerlessV2ScalingConfiguration",
    "associated_roles": "AssociatedRoles",
    "data_api": "HttpEndpointEnabled",
    "local_write_forwarding": "EnableLocalWriteForwarding",
    "domain": "Domain",
    "domain_role": "DomainIAMRoleName",
    "monitoring_interval_seconds": "MonitoringInterval",
    "monitoring_role_arn": "MonitoringRoleArn",
    "performance_insights": "EnablePerformanceInsights",
    "performance_insights_kms_key_id": "PerformanceInsightsKMSKeyId",
    "performance_insights_retention_days": "PerformanceInsightsRetentionPeriod",
    "database_insights_mode": "DatabaseInsightsMode",
    "lifecycle_support": "EngineLifecycleSupport",
    "managed_master_password": ("ManageMasterUserPassword", "MasterUserSecretKmsKeyId"),
    "master_secret_kms_key_id": "MasterUserSecretKmsKeyId",
}


@pytest.mark.parametrize(("field", "parameters"), list(FORGETTABLE.items()))
def test_a_setting_that_the_service_forgets_never_passes_for_restored(field: str, parameters: Any) -> None:
    world = ClusterWorld()
    world.account.forget = {parameters} if isinstance(parameters, str) else set(parameters)
    with pytest.raises(NotReady, match=field.replace("_", " ")):
        world.restore(world.order())


@pytest.mark.parametrize("aurora", [True, False])
def test_every_field_of_the_manifest_that_differs_is_found(aurora: bool) -> None:
    settings = ClusterWorld(aurora=aurora).settings()
    for field in ClusterSettings.__struct_fields__:
        other = replace(settings, **{field: _other(getattr(settings, field))})
        if field in NOT_COMPARED or other == settings:
            continue
        assert differences(settings, other), field
        assert differences(other, settings), field


def test_every_field_of_an_instance_that_differs_is_found() -> None:
    settings = ClusterWorld().settings()
    for field in MemberSettings.__struct_fields__:
        if field in MEMBER_NOT_COMPARED:
            continue
        one = replace(settings.members[1], **{field: _other(getattr(settings.members[1], field))})
        other = replace(settings, members=(settings.members[0], one, settings.members[2]))
        assert differences(settings, other), field


@pytest.mark.parametrize("aurora", [True, False])
def test_the_world_of_these_tests_has_every_field_set(aurora: bool) -> None:
    """Otherwise the tests above would compare nothing with nothing."""
    of_aurora_only = {"members", "custom_endpoints", "replica_scaling", "backtrack_window_seconds", "serverless_scaling"}
    of_aurora_only |= {"associated_roles", "data_api", "local_write_forwarding"}
    of_multi_az_only = {"iops", "instance_class", "publicly_accessible", "ca_certificate", "auto_minor_version_upgrade"}
    settings = ClusterWorld(aurora=aurora).settings()
    default = ClusterSettings(taken_at=settings.taken_at, identifier="", engine="")
    for field in set(ClusterSettings.__struct_fields__) - set(NOT_COMPARED):
        if field not in (of_multi_az_only if aurora else of_aurora_only):
            assert getattr(settings, field) != getattr(default, field), field


def test_every_right_that_is_used_is_listed_and_every_listed_one_is_known() -> None:
    listed = {*actions.CHECK_ACTIONS, *actions.RESTORE_ACTIONS, *actions.SCALING_ACTIONS, *actions.DISCARD_ACTIONS}
    world = ClusterWorld()
    order = world.order()
    world.access.forecast(order)
    restored = world.restore(order)
    world.access.verify(order, restored)
    world.discard(order, restored)
    assert {_action(world.account, operation) for operation in world.account.calls} <= listed


def _action(account: FakeClusters, operation: str) -> str:
    for service in ("rds", "application-autoscaling"):
        known = account.session().client(service, "", None).meta.method_to_api_mapping
        if operation in known:
            return f"{service}:{known[operation]}"
    raise AssertionError(operation)


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}-other"
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, tuple):
        return ()
    if isinstance(value, dict):
        return {**value, "other": "other"}
    return None if value is not None else 1
