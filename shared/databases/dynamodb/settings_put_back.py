"""Which requests give a table the settings that it shall have, and in which order. Decides only; `putting_back` asks.

UpdateTable makes one kind of change per call and none while the table is UPDATING (API reference), so of those one is due at a
time. Time to live comes late, because it deletes; deletion protection comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.databases.dynamodb.settings_compare import comparable, differences, is_unknown, targets_by_place
from shared.model.table_settings import Capacity, ScalingTarget, TableSettings

UPDATE_TABLE = "update_table"


@dataclass(frozen=True)
class Change:
    """One request, without the table's name. `setting` is the field of `TableSettings` that it is for."""

    setting: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    is_scaling: bool = False
    is_optional: bool = False


Put = Callable[[TableSettings, TableSettings], Iterable[Change]]


def changes(wanted: TableSettings, current: TableSettings) -> tuple[Change, ...]:
    """All changes that are missing, in order. A difference that no request can put right, or that cannot be seen, has none."""
    different = {found.field for found in differences(wanted, current) if not is_unknown(current, found.field)}
    fields = [setting for stage in STAGES for setting in stage if setting in different and setting in PUT_BACK]
    return tuple(change for setting in fields for change in PUT_BACK[setting](wanted, current))


def due(pending: Sequence[Change]) -> tuple[Change, ...]:
    """What may be asked for now: all of the first stage, then what is missing of the next one; UpdateTable only once."""
    now = [change for change in pending if change.setting in STAGES[0]]
    for stage in STAGES[1:]:
        if missing := [change for change in pending if change.setting in stage]:
            return (*now, *([missing[0]] if missing[0].operation == UPDATE_TABLE else missing))
    return tuple(now)


def _recovery(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    """Both fields in one request; asked for under the first of them that differs."""
    specification: dict[str, Any] = {"PointInTimeRecoveryEnabled": wanted.point_in_time_recovery}
    if wanted.point_in_time_recovery and wanted.recovery_period_days is not None:
        specification["RecoveryPeriodInDays"] = wanted.recovery_period_days
    given = {"PointInTimeRecoverySpecification": specification}
    yield Change("point_in_time_recovery", "update_continuous_backups", given)


def _recovery_period(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    if wanted.point_in_time_recovery and current.point_in_time_recovery:
        given = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": wanted.recovery_period_days}
        yield Change("recovery_period_days", "update_continuous_backups", {"PointInTimeRecoverySpecification": given})


def _tags(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    missing = {key: value for key, value in wanted.tags.items() if current.tags.get(key) != value}
    if missing:
        given = [{"Key": key, "Value": value} for key, value in sorted(missing.items())]
        yield Change("tags", "tag_resource", {"Tags": given})
    if extra := sorted(current.tags.keys() - wanted.tags.keys()):
        yield Change("tags", "untag_resource", {"TagKeys": extra})


def _policy(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    if wanted.resource_policy:
        yield Change("resource_policy", "put_resource_policy", {"Policy": wanted.resource_policy})
    else:
        yield Change("resource_policy", "delete_resource_policy")


def _insights(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    for index in sorted(wanted.contributor_insights.keys() | current.contributor_insights.keys()):
        where = {"IndexName": index} if index else {}
        mode = wanted.contributor_insights.get(index)
        if mode and current.contributor_insights.get(index) != mode:
            given = {**where, "ContributorInsightsAction": "ENABLE", "ContributorInsightsMode": mode}
            yield Change("contributor_insights", "update_contributor_insights", given)
        elif not mode:
            yield Change(
                "contributor_insights", "update_contributor_insights", {**where, "ContributorInsightsAction": "DISABLE"}
            )


def _destinations(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    """Another precision needs the destination off first; it is then missing, and the next look asks for it."""
    for arn in sorted(wanted.kinesis_destinations.keys() | current.kinesis_destinations.keys()):
        if arn in current.kinesis_destinations and wanted.kinesis_destinations.get(arn) != current.kinesis_destinations[arn]:
            yield Change("kinesis_destinations", "disable_kinesis_streaming_destination", {"StreamArn": arn})
        elif arn not in current.kinesis_destinations:
            precision = wanted.kinesis_destinations[arn]
            how = {"EnableKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": precision}}
            given = {"StreamArn": arn, **(how if precision else {})}
            yield Change("kinesis_destinations", "enable_kinesis_streaming_destination", given)


def _billing(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    """To provisioned mode, units of the table and of every index come with it."""
    given: dict[str, Any] = {"BillingMode": wanted.billing_mode}
    if wanted.billing_mode == "PROVISIONED":
        given["ProvisionedThroughput"] = _units(wanted.capacity)
        indexes = [_index_update(index, "ProvisionedThroughput", _units(to)) for index, to in wanted.index_capacity.items()]
        given |= {"GlobalSecondaryIndexUpdates": indexes} if indexes else {}
    yield Change("billing_mode", UPDATE_TABLE, given)


def _table_capacity(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    for kind, given, is_optional in _throughputs(wanted, current, wanted.capacity, current.capacity):
        yield Change("capacity", UPDATE_TABLE, {kind: given}, is_optional=is_optional)


def _index_capacity(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    for index in sorted(wanted.index_capacity.keys() & current.index_capacity.keys()):
        shall, is_now = wanted.index_capacity[index], current.index_capacity[index]
        for kind, given, is_optional in _throughputs(wanted, current, shall, is_now):
            updates = {"GlobalSecondaryIndexUpdates": [_index_update(index, kind, given)]}
            yield Change("index_capacity", UPDATE_TABLE, updates, is_optional=is_optional)


def _throughputs(
    settings: TableSettings, now: TableSettings, wanted: Capacity, current: Capacity
) -> Iterable[tuple[str, Mapping[str, int], bool]]:
    """(parameter, value, whether the service may refuse it), for what is not as wanted."""
    if settings.billing_mode != now.billing_mode:
        return  # comes with the mode, or is looked at when it is changed
    if settings.billing_mode == "PROVISIONED" and _units(wanted) != _units(current):
        yield "ProvisionedThroughput", _units(wanted), False
    if settings.billing_mode != "PROVISIONED" and _limits(wanted) != _limits(current):
        yield "OnDemandThroughput", _limits(wanted), False
    warm = {
        "ReadUnitsPerSecond": max(wanted.warm_read_units_per_second or 0, current.warm_read_units_per_second or 0),
        "WriteUnitsPerSecond": max(wanted.warm_write_units_per_second or 0, current.warm_write_units_per_second or 0),
    }
    is_warm = {
        "ReadUnitsPerSecond": current.warm_read_units_per_second or 0,
        "WriteUnitsPerSecond": current.warm_write_units_per_second or 0,
    }
    if warm != is_warm:
        yield "WarmThroughput", {name: units for name, units in warm.items() if units}, True


def _units(capacity: Capacity) -> dict[str, int]:
    return {"ReadCapacityUnits": capacity.read_units or 1, "WriteCapacityUnits": capacity.write_units or 1}


def _limits(capacity: Capacity) -> dict[str, int]:
    """-1 takes a limit away (API reference of OnDemandThroughput)."""
    return {
        "MaxReadRequestUnits": capacity.max_read_request_units or -1,
        "MaxWriteRequestUnits": capacity.max_write_request_units or -1,
    }


def _index_update(index: str, kind: str, given: Mapping[str, int]) -> dict[str, Any]:
    return {"Update": {"IndexName": index, kind: given}}


def _table_class(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    yield Change("table_class", UPDATE_TABLE, {"TableClass": wanted.table_class})


def _encryption(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    key = {"KMSMasterKeyId": wanted.kms_key_arn} if wanted.kms_key_arn else {}
    specification = {"Enabled": True, "SSEType": wanted.sse_type, **key} if wanted.sse_type else {"Enabled": False}
    yield Change("sse_type", UPDATE_TABLE, {"SSESpecification": specification})


def _encryption_key(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    if wanted.sse_type == current.sse_type:
        given = {"Enabled": True, "SSEType": wanted.sse_type, "KMSMasterKeyId": wanted.kms_key_arn}
        yield Change("kms_key_arn", UPDATE_TABLE, {"SSESpecification": given})


def _stream(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    """A stream of another view has to be off first; the next look turns it on."""
    if current.stream_view_type:
        yield Change("stream_view_type", UPDATE_TABLE, {"StreamSpecification": {"StreamEnabled": False}})
    else:
        given = {"StreamEnabled": True, "StreamViewType": wanted.stream_view_type}
        yield Change("stream_view_type", UPDATE_TABLE, {"StreamSpecification": given})


def _scaling(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    shall, is_now = targets_by_place(wanted), targets_by_place(current)
    for place in sorted(shall.keys() | is_now.keys()):
        target, found = shall.get(place), is_now.get(place)
        if target is None:
            yield _scaling_change("deregister_scalable_target", place)
        elif comparable(target) != comparable(found):
            yield from _one_target(place, target, found)


def _one_target(place: tuple[str, str], target: ScalingTarget, found: ScalingTarget | None) -> Iterable[Change]:
    own_role = target.role_arn and ":role/aws-service-role/" not in target.role_arn
    limits = {"MinCapacity": target.min_capacity, "MaxCapacity": target.max_capacity}
    role = {"RoleARN": target.role_arn} if own_role else {}
    suspended = {"SuspendedState": dict(target.suspended)} if target.suspended else {}
    yield _scaling_change("register_scalable_target", place, **limits, **role, **suspended)
    names = {policy["PolicyName"] for policy in target.policies}
    for policy in target.policies:
        yield _scaling_change("put_scaling_policy", place, **policy)
    for policy in found.policies if found else ():
        if policy["PolicyName"] not in names:
            yield _scaling_change("delete_scaling_policy", place, PolicyName=policy["PolicyName"])


def _scaling_change(operation: str, place: tuple[str, str], **given: Any) -> Change:
    where = {"ResourceId": place[0], "ScalableDimension": place[1]}
    return Change("scaling_targets", operation, {**where, **given}, is_scaling=True)


def _time_to_live(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    """One attribute cannot be changed into another: the first has to be off, and an hour later the second can be on."""
    is_on = not current.time_to_live_attribute
    given = {"Enabled": is_on, "AttributeName": wanted.time_to_live_attribute if is_on else current.time_to_live_attribute}
    yield Change("time_to_live_attribute", "update_time_to_live", {"TimeToLiveSpecification": given})


def _deletion_protection(wanted: TableSettings, current: TableSettings) -> Iterable[Change]:
    yield Change("deletion_protection", UPDATE_TABLE, {"DeletionProtectionEnabled": wanted.deletion_protection})


STAGES: tuple[tuple[str, ...], ...] = (
    (
        "point_in_time_recovery",
        "recovery_period_days",
        "tags",
        "resource_policy",
        "contributor_insights",
        "kinesis_destinations",
    ),
    ("billing_mode", "capacity", "index_capacity", "table_class", "sse_type", "kms_key_arn", "stream_view_type"),
    ("scaling_targets",),
    ("time_to_live_attribute",),
    ("deletion_protection",),
)
PUT_BACK: Mapping[str, Put] = {
    "point_in_time_recovery": _recovery,
    "recovery_period_days": _recovery_period,
    "tags": _tags,
    "resource_policy": _policy,
    "contributor_insights": _insights,
    "kinesis_destinations": _destinations,
    "billing_mode": _billing,
    "capacity": _table_capacity,
    "index_capacity": _index_capacity,
    "table_class": _table_class,
    "sse_type": _encryption,
    "kms_key_arn": _encryption_key,
    "stream_view_type": _stream,
    "scaling_targets": _scaling,
    "time_to_live_attribute": _time_to_live,
    "deletion_protection": _deletion_protection,
}
CANNOT_BE_PUT_BACK = {"replica_regions": "a restored table has no replicas, so a table that has some is not restored"}
"""The other settings, and why. Both together are every setting there is; a test holds them against the model."""
