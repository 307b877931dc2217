"""Notes what a restore of a table loses, from the live table: the record behind `ItemProtection.settings`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.errors import aws_code
from shared.model.errors import BackupError, Throttled
from shared.model.table_settings import Capacity, ScalingTarget, TableSettings

T = TypeVar("T")

POLICY_FIELDS = (
    "PolicyName",
    "PolicyType",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScalingPolicyConfiguration",
)
INSIGHTS_ON = ("ENABLED", "ENABLING")
STREAMING_ON = ("ACTIVE", "ENABLING", "UPDATING")


@dataclass(frozen=True)
class _Scaling:
    by_table: Mapping[str, tuple[ScalingTarget, ...]]
    problem: str = ""


class Manifests:
    """Reads the settings of many tables within one public call: scaling is listed once for all of them.

    A part that the role may not read, or that the endpoint does not offer, is `unknown` with the reason. Being throttled is no
    reason: it is raised, and a later call reads the table again.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._scaling: _Scaling | None = None
        self._scaling_lock = Lock()

    def read(self, table: Mapping[str, Any], recovery: Mapping[str, Any], at: datetime) -> TableSettings:
        """`table` is DescribeTable's answer, `recovery` the PointInTimeRecoveryDescription; both just read.

        Raises:
            Throttled: by the service, or out of time.
        """
        name, arn = table["TableName"], table["TableArn"]
        indexes = table.get("GlobalSecondaryIndexes", [])
        encryption = table.get("SSEDescription", {})
        encrypted = encryption.get("Status") in ("ENABLED", "UPDATING")
        stream = table.get("StreamSpecification", {})
        unknown: dict[str, str] = {}

        def part(field: str, read: Callable[[], T], otherwise: T) -> T:
            try:
                return read()
            except Throttled:
                raise
            except BackupError as error:
                unknown[field] = _reason(error)
                return otherwise

        no_names: dict[str, str] = {}
        tags = part("tags", lambda: self._tags(name, arn), no_names)
        time_to_live = part("time_to_live_attribute", lambda: self._time_to_live(name), "")
        policy = part("resource_policy", lambda: self._resource_policy(name, arn), "")
        insights = part("contributor_insights", lambda: self._insights(name, [i["IndexName"] for i in indexes]), no_names)
        destinations = part("kinesis_destinations", lambda: self._destinations(name), no_names)
        scaling = self._scaling_once()
        if scaling.problem:
            unknown["scaling_targets"] = scaling.problem
        return TableSettings(
            taken_at=at,
            table_id=table.get("TableId", ""),
            billing_mode=table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            capacity=_capacity(table),
            index_capacity={index["IndexName"]: _capacity(index) for index in indexes},
            table_class=table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
            time_to_live_attribute=time_to_live,
            stream_view_type=stream.get("StreamViewType", "") if stream.get("StreamEnabled") else "",
            tags=tags,
            point_in_time_recovery=recovery.get("PointInTimeRecoveryStatus") == "ENABLED",
            recovery_period_days=recovery.get("RecoveryPeriodInDays"),
            deletion_protection=bool(table.get("DeletionProtectionEnabled")),
            sse_type=encryption.get("SSEType", "") if encrypted else "",
            kms_key_arn=encryption.get("KMSMasterKeyArn", "") if encrypted else "",
            resource_policy=policy,
            scaling_targets=scaling.by_table.get(name, ()),
            contributor_insights=insights,
            kinesis_destinations=destinations,
            replica_regions=tuple(sorted(replica["RegionName"] for replica in table.get("Replicas", []))),
            unknown=unknown,
        )

    def _tags(self, name: str, arn: str) -> dict[str, str]:
        """Without `aws:` tags, which only AWS can set."""
        pages = self._calls.dynamodb_pages("list_tags_of_resource", name, ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page.get("Tags", [])}
        return {key: value for key, value in tags.items() if not key.startswith("aws:")}

    def _time_to_live(self, name: str) -> str:
        found = self._calls.dynamodb("describe_time_to_live", name, TableName=name)["TimeToLiveDescription"]
        return str(found.get("AttributeName", "")) if found.get("TimeToLiveStatus") in ("ENABLED", "ENABLING") else ""

    def _resource_policy(self, name: str, arn: str) -> str:
        try:
            return str(self._calls.dynamodb("get_resource_policy", name, ResourceArn=arn).get("Policy", ""))
        except BackupError as error:
            if aws_code(error) == "PolicyNotFoundException":
                return ""
            raise

    def _insights(self, name: str, indexes: Iterable[str]) -> dict[str, str]:
        modes: dict[str, str] = {}
        for index in ("", *indexes):
            where = {"IndexName": index} if index else {}
            found = self._calls.dynamodb("describe_contributor_insights", name, TableName=name, **where)
            if found.get("ContributorInsightsStatus") in INSIGHTS_ON:
                modes[index] = found.get("ContributorInsightsMode", "ACCESSED_AND_THROTTLED_KEYS")
        return modes

    def _destinations(self, name: str) -> dict[str, str]:
        found = self._calls.dynamodb("describe_kinesis_streaming_destination", name, TableName=name)
        return {
            destination["StreamArn"]: destination.get("ApproximateCreationDateTimePrecision", "")
            for destination in found.get("KinesisDataStreamDestinations", [])
            if destination.get("DestinationStatus") in STREAMING_ON
        }

    def _scaling_once(self) -> _Scaling:
        """A failure to list is every table's failure: an endpoint that cannot be reached costs its time-outs only once."""
        with self._scaling_lock:
            if self._scaling is None:
                try:
                    self._scaling = _Scaling(self._list_scaling())
                except Throttled:
                    raise
                except BackupError as error:
                    self._scaling = _Scaling({}, _reason(error))
            return self._scaling

    def _list_scaling(self) -> dict[str, tuple[ScalingTarget, ...]]:
        """Targets with their policies, by table. Resource ids: `table/<name>` and `table/<name>/index/<index>`."""
        policies: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for page in self._calls.autoscaling_pages("describe_scaling_policies", MaxResults=50):
            for policy in page["ScalingPolicies"]:
                kept = {field: policy[field] for field in POLICY_FIELDS if field in policy}
                policies.setdefault((policy["ResourceId"], policy["ScalableDimension"]), []).append(kept)
        targets: dict[str, list[ScalingTarget]] = {}
        for page in self._calls.autoscaling_pages("describe_scalable_targets", MaxResults=50):
            for target in page["ScalableTargets"]:
                resource, dimension = target["ResourceId"], target["ScalableDimension"]
                targets.setdefault(resource.split("/")[1], []).append(
                    ScalingTarget(
                        resource=resource,
                        dimension=dimension,
                        min_capacity=target["MinCapacity"],
                        max_capacity=target["MaxCapacity"],
                        role_arn=target.get("RoleARN", ""),
                        suspended=target.get("SuspendedState", {}),
                        policies=tuple(policies.get((resource, dimension), ())),
                    )
                )
        return {
            name: tuple(sorted(found, key=lambda target: (target.resource, target.dimension)))
            for name, found in targets.items()
        }


def _reason(error: BackupError) -> str:
    return f"{error.code}: {error.message}"


def _capacity(described: Mapping[str, Any]) -> Capacity:
    """Of a table or an index. DescribeTable shows zero units in on-demand mode and -1 for an unset limit: both mean not set."""
    provisioned, on_demand = described.get("ProvisionedThroughput", {}), described.get("OnDemandThroughput", {})
    warm = described.get("WarmThroughput", {})
    return Capacity(
        read_units=_set(provisioned.get("ReadCapacityUnits")),
        write_units=_set(provisioned.get("WriteCapacityUnits")),
        max_read_request_units=_set(on_demand.get("MaxReadRequestUnits")),
        max_write_request_units=_set(on_demand.get("MaxWriteRequestUnits")),
        warm_read_units_per_second=_set(warm.get("ReadUnitsPerSecond")),
        warm_write_units_per_second=_set(warm.get("WriteUnitsPerSecond")),
    )


def _set(units: int | None) -> int | None:
    return units if units and units > 0 else None
