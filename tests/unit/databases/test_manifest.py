"""What a restore loses is noted from the live table, and what could not be read is said."""

import pytest

from shared.model.records import from_record
from shared.model.table_settings import Capacity, ScalingTarget, TableSettings
from tests.unit.databases.fake_dynamodb import REGION
from tests.unit.databases.world import World

STREAM = f"arn:aws:kinesis:{REGION}:123456789012:stream/changes"
POLICY = {
    "PolicyName": "read",
    "PolicyType": "TargetTrackingScaling",
    "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 70.0},
}


def settings_of(world, name="bank.accounts"):
    world.account.lag = 0
    reached = world.protect(None, kept_copy=False)
    (item,) = [item for item in reached.items if item.name == name]
    return from_record(item.settings, TableSettings), item


def full_table(world):
    table = world.account.tables["bank.accounts"]
    table.described = {
        "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 20},
        "GlobalSecondaryIndexes": [
            {"IndexName": "by-owner", "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}}
        ],
        "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "SSEDescription": {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": "arn:aws:kms:::key/1"},
        "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000},
        "Replicas": [{"RegionName": "us-east-1"}],
    }
    table.time_to_live, table.tags = "expires", {"team": "orders", "aws:cloudformation:stack-name": "x"}
    table.policy, table.insights, table.streams = '{"Statement":[]}', {"by-owner": "THROTTLED_KEYS"}, {STREAM: "MILLISECOND"}
    table.protected, table.period_days = True, 14
    where = {"ResourceId": "table/bank.accounts/index/by-owner", "ScalableDimension": "dynamodb:index:ReadCapacityUnits"}
    world.account.targets = [{**where, "MinCapacity": 3, "MaxCapacity": 30, "RoleARN": "arn:aws:iam:::role/scale"}]
    world.account.policies = [{**where, **POLICY, "PolicyARN": "arn", "Alarms": []}]


def test_everything_that_a_restore_loses_is_noted():
    world = World()
    full_table(world)
    settings, _ = settings_of(world)
    assert settings.capacity == Capacity(
        read_units=10, write_units=20, warm_read_units_per_second=12000, warm_write_units_per_second=4000
    )
    assert settings.index_capacity == {"by-owner": Capacity(read_units=3, write_units=4)}
    assert (settings.table_class, settings.billing_mode) == ("STANDARD_INFREQUENT_ACCESS", "PROVISIONED")
    assert (settings.stream_view_type, settings.time_to_live_attribute) == ("NEW_IMAGE", "expires")
    assert (settings.sse_type, settings.kms_key_arn) == ("KMS", "arn:aws:kms:::key/1")
    assert (settings.point_in_time_recovery, settings.recovery_period_days) == (True, 14)
    assert settings.deletion_protection
    assert settings.resource_policy == '{"Statement":[]}'
    assert settings.contributor_insights == {"by-owner": "THROTTLED_KEYS"}
    assert settings.kinesis_destinations == {STREAM: "MILLISECOND"}
    assert settings.replica_regions == ("us-east-1",)
    assert settings.scaling_targets == (
        ScalingTarget(
            resource="table/bank.accounts/index/by-owner",
            dimension="dynamodb:index:ReadCapacityUnits",
            min_capacity=3,
            max_capacity=30,
            role_arn="arn:aws:iam:::role/scale",
            policies=(POLICY,),
        ),
    )
    assert settings.unknown == {}


def test_tags_that_only_aws_can_set_are_left_out():
    world = World()
    full_table(world)
    assert settings_of(world)[0].tags == {"team": "orders"}


def test_on_demand_mode_has_no_capacity_but_its_limits():
    world = World()
    world.account.tables["bank.accounts"].described = {
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "OnDemandThroughput": {"MaxReadRequestUnits": 500, "MaxWriteRequestUnits": -1},
    }
    settings, _ = settings_of(world)
    assert settings.billing_mode == "PAY_PER_REQUEST"
    assert settings.capacity == Capacity(max_read_request_units=500)


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        ("list_tags_of_resource", "tags"),
        ("describe_time_to_live", "time_to_live_attribute"),
        ("get_resource_policy", "resource_policy"),
        ("describe_contributor_insights", "contributor_insights"),
        ("describe_kinesis_streaming_destination", "kinesis_destinations"),
        ("describe_scaling_policies", "scaling_targets"),
    ],
)
@pytest.mark.parametrize("fault", ["AccessDeniedException", "UnknownOperationException", "no answer"])
def test_a_part_that_cannot_be_read_is_unknown_with_the_reason_and_the_table_says_so(operation, field, fault):
    world = World()
    world.account.faults[operation] = [fault] * 20
    settings, item = settings_of(world)
    assert list(settings.unknown) == [field]
    assert settings.unknown[field]
    assert item.is_done
    assert item.note == f"Settings that could not be read: {field}."


def test_a_service_for_scaling_that_cannot_be_reached_is_asked_once_per_call_and_not_per_table():
    world = World([f"t{number}" for number in range(20)])
    world.account.faults["describe_scaling_policies"] = ["no answer"] * 100
    settings_of(world, "bank.t3")
    assert world.account.calls["describe_scaling_policies"] == 1


def test_throttling_is_no_reason_to_note_less():
    world = World()
    world.account.lag = 0
    world.account.faults["describe_time_to_live"] = ["ThrottlingException"] * 5
    first = world.protect(None, kept_copy=False)
    assert not first.done
    assert all("ThrottlingException" in item.note for item in first.items)
    reached = world.protect(first, kept_copy=False)
    assert reached.done
    assert all(from_record(item.settings, TableSettings).unknown == {} for item in reached.items)
