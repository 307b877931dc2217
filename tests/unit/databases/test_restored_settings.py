"""A restore that forgets any one setting is found by its own comparison; and each setting is put back by its own request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from shared.databases.dynamodb import settings_put_back
from shared.databases.dynamodb.restore_overrides import overrides
from shared.databases.dynamodb.settings_compare import IDENTITY, SETTINGS, completed, differences, remarks
from shared.databases.dynamodb.settings_put_back import CANNOT_BE_PUT_BACK, PUT_BACK, STAGES, Change, changes, due
from shared.model.errors import NotReady
from shared.model.records import from_record, replace
from shared.model.table_settings import Capacity, ScalingTarget, TableSettings
from tests.unit.databases.fake_dynamodb import Table
from tests.unit.databases.restore_world import AT_POINT, PLACE, STREAM, RestoreWorld

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
TARGET = ScalingTarget(
    resource="table/t/index/by-owner",
    dimension="dynamodb:index:ReadCapacityUnits",
    min_capacity=3,
    max_capacity=30,
    policies=({"PolicyName": "read", "PolicyType": "TargetTrackingScaling"},),
)
FULL = TableSettings(
    taken_at=NOW,
    table_id="id",
    billing_mode="PAY_PER_REQUEST",
    capacity=Capacity(max_read_request_units=500),
    index_capacity={"by-owner": Capacity(max_read_request_units=100)},
    table_class="STANDARD_INFREQUENT_ACCESS",
    time_to_live_attribute="expires",
    stream_view_type="NEW_IMAGE",
    tags={"team": "orders"},
    point_in_time_recovery=True,
    recovery_period_days=14,
    deletion_protection=True,
    sse_type="KMS",
    kms_key_arn="arn:aws:kms:::key/1",
    resource_policy='{"Statement": []}',
    scaling_targets=(TARGET,),
    contributor_insights={"": "THROTTLED_KEYS"},
    kinesis_destinations={STREAM: "MILLISECOND"},
    replica_regions=("us-east-1",),
    unknown={},
)
DEFAULTS = {each.name: each.default for each in msgspec.structs.fields(TableSettings)}


def default_of(field: str) -> Any:
    return getattr(TableSettings(taken_at=NOW), field)


def test_the_full_settings_differ_from_the_default_in_every_setting_so_that_none_is_left_out_below() -> None:
    assert [field for field in SETTINGS if getattr(FULL, field) == default_of(field)] == []
    assert set(SETTINGS) | IDENTITY == set(DEFAULTS)


def test_equal_settings_have_no_difference() -> None:
    assert differences(FULL, FULL) == ()


@pytest.mark.parametrize("field", SETTINGS)
def test_a_setting_that_was_not_put_back_is_named_and_no_other(field: str) -> None:
    found = differences(FULL, replace(FULL, **{field: default_of(field)}))
    assert {each.field for each in found} == {field}
    assert all(each.text.endswith(".") for each in found)


@pytest.mark.parametrize("field", SETTINGS)
def test_a_setting_that_nobody_wanted_is_named_too(field: str) -> None:
    """Of what comes with it only: `None` days of recovery mean that any number is right."""
    wanted = replace(FULL, **{field: default_of(field)})
    expected = set() if field == "recovery_period_days" else {field}
    assert {each.field for each in differences(wanted, FULL)} == expected


def test_every_setting_can_be_put_back_or_is_said_not_to_be() -> None:
    assert set(PUT_BACK) | set(CANNOT_BE_PUT_BACK) == set(SETTINGS)
    assert not set(PUT_BACK) & set(CANNOT_BE_PUT_BACK)
    assert sorted(field for stage in STAGES for field in stage) == sorted(PUT_BACK)


LOST: dict[str, Callable[[Table], object]] = {
    "billing_mode": lambda table: table.described.update(BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"}),
    "capacity": lambda table: table.described.update(ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}),
    "index_capacity": lambda table: table.described["GlobalSecondaryIndexes"][0].update(
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    ),
    "table_class": lambda table: table.described.pop("TableClassSummary"),
    "time_to_live_attribute": lambda table: setattr(table, "time_to_live", ""),
    "stream_view_type": lambda table: table.described.pop("StreamSpecification"),
    "tags": lambda table: table.tags.clear(),
    "point_in_time_recovery": lambda table: setattr(table, "recovery_since", None),
    "recovery_period_days": lambda table: setattr(table, "period_days", 35),
    "deletion_protection": lambda table: setattr(table, "protected", False),
    "sse_type": lambda table: table.described.pop("SSEDescription"),
    "kms_key_arn": lambda table: table.described["SSEDescription"].update(KMSMasterKeyArn="arn:aws:kms:::key/2"),
    "resource_policy": lambda table: setattr(table, "policy", ""),
    "contributor_insights": lambda table: table.insights.clear(),
    "kinesis_destinations": lambda table: table.streams.clear(),
}
"""How a service would lose exactly this setting of `bank.accounts`."""


def world_that_loses(field: str) -> tuple[RestoreWorld, dict[str, Any]]:
    """Every restored table comes with all settings but the one."""
    world = RestoreWorld()
    before = world.settings()

    def lose(table: Table) -> None:
        if table.name == "bank.accounts":
            world.give_all_settings()
            table.recovery_since = world.clock.now()
            if field == "scaling_targets":
                world.account.targets = []
                world.account.policies = []
            else:
                LOST[field](table)

    world.account.after_restore = lose
    return world, before


@pytest.mark.parametrize("field", sorted(PUT_BACK))
def test_each_setting_is_put_back(field: str) -> None:
    world, before = world_that_loses(field)
    restored = world.restore()
    assert not [item for item in restored.items if item.differences]
    after = world.settings()
    for settings in (before, after):
        settings["described"].setdefault("BillingModeSummary", {"BillingMode": "PROVISIONED"})
    assert after == before


@pytest.mark.parametrize("field", sorted(PUT_BACK))
def test_a_restore_that_forgets_one_setting_is_never_done_and_names_it(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = world_that_loses(field)
    monkeypatch.setattr(settings_put_back, "PUT_BACK", {name: put for name, put in PUT_BACK.items() if name != field})
    prepared = world.prepare()
    with pytest.raises(NotReady, match=r"bank\.accounts is restored, but not all of its settings can be put back") as raised:
        world.cut_over(prepared)
    words = "auto scaling" if field == "scaling_targets" else field.replace("_", " ")
    named = {"capacity": "capacity units", "index_capacity": "of index by-owner"}.get(field, words)
    said = str(raised.value).replace("read units", "capacity units").replace("write units", "capacity units")
    assert named in said
    assert world.account.data()["bank.accounts"] == AT_POINT


def test_what_verify_sees_of_a_setting_that_was_lost_afterwards() -> None:
    world = RestoreWorld()
    restored = world.restore()
    world.account.tables["bank.accounts"].tags.clear()
    (found,) = [check for check in world.access.verify(world.order(), restored) if check.name == "dynamodb-restored-settings"]
    assert found.status == "failed"
    assert "tags: is not set" in found.detail


def test_units_that_auto_scaling_chose_are_right_within_its_limits() -> None:
    bounds = replace(TARGET, resource="table/t", dimension="dynamodb:table:ReadCapacityUnits")
    wanted = replace(
        FULL, billing_mode="PROVISIONED", capacity=Capacity(read_units=9, write_units=2), scaling_targets=(bounds,)
    )
    assert not differences(wanted, replace(wanted, capacity=Capacity(read_units=30, write_units=2)))
    assert differences(wanted, replace(wanted, capacity=Capacity(read_units=31, write_units=2)))
    assert differences(wanted, replace(wanted, capacity=Capacity(read_units=9, write_units=3)))


def test_more_warm_throughput_than_wanted_is_right_and_less_is_optional() -> None:
    wanted = replace(FULL, capacity=Capacity(warm_read_units_per_second=12000))
    assert not differences(wanted, replace(wanted, capacity=Capacity(warm_read_units_per_second=13000)))
    (less,) = differences(wanted, replace(wanted, capacity=Capacity(warm_read_units_per_second=4000)))
    assert less.is_optional


def test_warm_throughput_that_the_service_refuses_does_not_keep_a_table_from_its_end() -> None:
    world = RestoreWorld()

    def refuse(operation: str, parameters: dict[str, Any]) -> None:
        if operation == "update_table" and "WarmThroughput" in parameters:
            world.account.faults["update_table"] = ["ValidationException"]

    world.account.before = refuse
    restored = world.restore()
    (item,) = [item for item in restored.items if item.name == "bank.accounts"]
    assert item.differences == (
        "warm read units per second: is not set, shall be 12000.",
        "warm write units per second: is not set, shall be 4000.",
    )
    assert world.settings()["protected"]


def test_a_policy_is_compared_as_json() -> None:
    assert not differences(FULL, replace(FULL, resource_policy='{\n"Statement":[]}'))


def test_what_was_unknown_is_taken_from_the_live_table_and_what_stays_unknown_is_only_remarked() -> None:
    of_point = replace(FULL, tags={}, resource_policy="", unknown={"tags": "no right", "resource_policy": "no right"})
    of_live = replace(FULL, unknown={"resource_policy": "no right either"})
    wanted = completed(of_point, of_live)
    assert wanted.tags == {"team": "orders"}
    assert list(wanted.unknown) == ["resource_policy"]
    assert not differences(wanted, replace(FULL, resource_policy="{}"))
    assert remarks(wanted) == ("resource policy: not known (no right), so look at them.",)


def test_a_table_of_which_nothing_was_noted_gets_the_live_tables_settings() -> None:
    of_point = TableSettings(taken_at=NOW, unknown={"*": "the table was deleted"})
    assert replace(completed(of_point, FULL), unknown={}) == replace(FULL, table_id="")
    assert completed(of_point, None) == of_point
    assert differences(of_point, FULL) == ()
    assert overrides(of_point, {}) == {}


def test_a_setting_that_cannot_be_read_back_is_a_difference_without_a_request() -> None:
    blind = replace(FULL, tags={}, unknown={"tags": "Forbidden: no right"})
    (found,) = differences(FULL, blind)
    assert found.text == "tags: cannot be read back (Forbidden: no right)."
    assert changes(FULL, blind) == ()


def test_one_kind_of_change_at_a_time_time_to_live_late_and_deletion_protection_last() -> None:
    current = TableSettings(taken_at=NOW, index_capacity={"by-owner": Capacity()})
    pending = list(changes(replace(FULL, replica_regions=()), current))
    order: list[list[str]] = []
    while now := due(pending):
        order.append([change.operation for change in now])
        pending = [change for change in pending if change not in now]
    assert sum(operations.count("update_table") > 1 for operations in order) == 0
    assert order[0][0] == "update_continuous_backups"
    assert [operations[0] for operations in order[-3:]] == ["register_scalable_target", "update_time_to_live", "update_table"]


def test_a_stream_of_another_view_is_turned_off_first() -> None:
    (change,) = changes(FULL, replace(FULL, stream_view_type="KEYS_ONLY"))
    assert change == Change("stream_view_type", "update_table", {"StreamSpecification": {"StreamEnabled": False}})


def test_extra_settings_are_taken_away() -> None:
    wanted = replace(FULL, tags={}, resource_policy="", scaling_targets=(), contributor_insights={}, kinesis_destinations={})
    assert [change.operation for change in changes(wanted, FULL)] == [
        "untag_resource",
        "delete_resource_policy",
        "update_contributor_insights",
        "disable_kinesis_streaming_destination",
        "deregister_scalable_target",
    ]


BACKUP = {
    "SourceTableDetails": {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
    "SourceTableFeatureDetails": {
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "by-owner",
                "KeySchema": ["key"],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            }
        ]
    },
}


def test_a_restore_is_told_the_capacity_and_encryption_that_the_backup_does_not_have() -> None:
    wanted = replace(
        FULL,
        billing_mode="PROVISIONED",
        capacity=Capacity(read_units=5, write_units=6),
        index_capacity={"by-owner": Capacity(read_units=7, write_units=8)},
    )
    given = overrides(wanted, BACKUP)
    assert given["ProvisionedThroughputOverride"] == {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    (index,) = given["GlobalSecondaryIndexOverride"]
    assert index["ProvisionedThroughput"] == {"ReadCapacityUnits": 7, "WriteCapacityUnits": 8}
    assert (index["KeySchema"], index["Projection"]) == (["key"], {"ProjectionType": "ALL"})
    assert given["SSESpecificationOverride"]["KMSMasterKeyId"] == "arn:aws:kms:::key/1"
    assert "BillingModeOverride" not in given


def test_a_restore_is_told_the_billing_mode_when_it_has_changed_since_and_nothing_that_is_right_already() -> None:
    on_demand = replace(FULL, sse_type="", kms_key_arn="")
    given = overrides(on_demand, BACKUP)
    assert given == {"BillingModeOverride": "PAY_PER_REQUEST", "OnDemandThroughputOverride": {"MaxReadRequestUnits": 500}}
    same = TableSettings(taken_at=NOW, capacity=Capacity(read_units=1, write_units=1))
    assert overrides(same, BACKUP) == {}


def test_the_settings_of_a_restored_table_are_those_of_the_point_not_of_the_live_one() -> None:
    world = RestoreWorld()
    world.account.tables["bank.accounts"].tags = {"team": "somebody else"}
    restored = world.restore()
    assert world.settings()["tags"] == {"team": "orders"}
    (item,) = [item for item in restored.items if item.name == "bank.accounts"]
    assert from_record(item.kept_settings, TableSettings).tags == {"team": "somebody else"}


def test_scaling_with_its_policies_comes_back_when_the_table_took_it_along() -> None:
    world, _ = world_that_loses("scaling_targets")
    world.restore()
    (target,) = world.account.targets
    (policy,) = world.account.policies
    assert (target["MaxCapacity"], policy["PolicyName"]) == (30, "read")
    assert {name: policy[name] for name in PLACE} == PLACE
