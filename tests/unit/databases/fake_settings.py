"""The settings of the fake DynamoDB's tables: how they are shown, changed, refused, and what of them a restore keeps."""

# ruff: noqa: N803 - the parameters are named as the API names them

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Any

from botocore.exceptions import ClientError

from tests.unit.databases.fake_clock import FakeClock

KEPT = ("BillingModeSummary", "ProvisionedThroughput", "OnDemandThroughput", "GlobalSecondaryIndexes", "SSEDescription")


def refusal(code: str, message: str = "", operation: str = "Operation", status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


def kept_by_restores(table: Any) -> dict[str, Any]:
    """Capacity, indexes and encryption; warm throughput, class, stream and all the rest are lost."""
    kept = {name: deepcopy(table.described[name]) for name in KEPT if name in table.described}
    for index in kept.get("GlobalSecondaryIndexes", []):
        index.pop("WarmThroughput", None)
    return kept


def overridden(described: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    result = deepcopy(dict(described))
    if mode := overrides.get("BillingModeOverride"):
        result["BillingModeSummary"] = {"BillingMode": mode}
    for name in ("ProvisionedThroughput", "OnDemandThroughput"):
        if given := overrides.get(f"{name}Override"):
            result[name] = given
    if indexes := overrides.get("GlobalSecondaryIndexOverride"):
        result["GlobalSecondaryIndexes"] = deepcopy(indexes)
    if encryption := overrides.get("SSESpecificationOverride"):
        result["SSEDescription"] = _encryption(encryption)
    return result


def _encryption(given: Mapping[str, Any]) -> dict[str, Any]:
    if not given["Enabled"]:
        return {}
    return {"Status": "ENABLED", "SSEType": given["SSEType"], "KMSMasterKeyArn": given.get("KMSMasterKeyId", "default")}


class SettingsOfTables:
    """What `FakeDynamoDb` answers about settings; it brings tables and clock."""

    clock: FakeClock
    update_seconds: float
    targets: list[dict[str, Any]]
    policies: list[dict[str, Any]]

    def _table(self, name: str, code: str = "ResourceNotFoundException") -> Any:
        raise NotImplementedError

    def _status(self, table: Any) -> str:
        raise NotImplementedError

    def _changeable(self, name: str) -> Any:
        table = self._table(name)
        if self._status(table) != "ACTIVE":
            raise refusal("ResourceInUseException")
        return table

    def _update_table(self, TableName: str, **changes: Any) -> dict[str, Any]:
        table = self._changeable(TableName)
        if len({"capacity" if name.endswith(("Throughput", "Mode", "Updates")) else name for name in changes}) > 1:
            raise refusal("ValidationException", "one kind of change")
        for name, given in changes.items():
            _CHANGES[name](table, given)
        table.updating_until = self.clock.now() + timedelta(seconds=self.update_seconds)
        return {}

    def _update_continuous_backups(self, TableName: str, PointInTimeRecoverySpecification: dict[str, Any]) -> dict[str, Any]:
        table = self._changeable(TableName)
        is_on = PointInTimeRecoverySpecification["PointInTimeRecoveryEnabled"]
        table.recovery_since = (table.recovery_since or self.clock.now()) if is_on else None
        table.period_days = PointInTimeRecoverySpecification.get("RecoveryPeriodInDays", 35)
        return {}

    def _update_time_to_live(self, TableName: str, TimeToLiveSpecification: dict[str, Any]) -> dict[str, Any]:
        table, now = self._changeable(TableName), self.clock.now()
        if table.time_to_live_changed and now < table.time_to_live_changed + timedelta(hours=1):
            raise refusal("ValidationException", "modified multiple times within a fixed interval")
        table.time_to_live = TimeToLiveSpecification["AttributeName"] if TimeToLiveSpecification["Enabled"] else ""
        table.time_to_live_changed = now
        return {}

    def _tag_resource(self, ResourceArn: str, Tags: list[dict[str, str]]) -> dict[str, Any]:
        self._changeable(ResourceArn).tags |= {tag["Key"]: tag["Value"] for tag in Tags}
        return {}

    def _untag_resource(self, ResourceArn: str, TagKeys: list[str]) -> dict[str, Any]:
        for key in TagKeys:
            self._changeable(ResourceArn).tags.pop(key, None)
        return {}

    def _put_resource_policy(self, ResourceArn: str, Policy: str) -> dict[str, Any]:
        self._changeable(ResourceArn).policy = Policy
        return {}

    def _delete_resource_policy(self, ResourceArn: str) -> dict[str, Any]:
        self._changeable(ResourceArn).policy = ""
        return {}

    def _update_contributor_insights(
        self, TableName: str, ContributorInsightsAction: str, IndexName: str = "", ContributorInsightsMode: str = ""
    ) -> dict[str, Any]:
        insights = self._changeable(TableName).insights
        if ContributorInsightsAction == "ENABLE":
            insights[IndexName] = ContributorInsightsMode
        else:
            insights.pop(IndexName, None)
        return {}

    def _enable_kinesis_streaming_destination(
        self, TableName: str, StreamArn: str, EnableKinesisStreamingConfiguration: dict[str, str] | None = None
    ) -> dict[str, Any]:
        precision = (EnableKinesisStreamingConfiguration or {}).get("ApproximateCreationDateTimePrecision", "")
        self._changeable(TableName).streams[StreamArn] = precision
        return {}

    def _disable_kinesis_streaming_destination(self, TableName: str, StreamArn: str) -> dict[str, Any]:
        self._changeable(TableName).streams.pop(StreamArn, None)
        return {}

    def _register_scalable_target(self, ServiceNamespace: str, **target: Any) -> dict[str, Any]:
        self.targets = [each for each in self.targets if _place(each) != _place(target)] + [target]
        return {}

    def _deregister_scalable_target(self, ServiceNamespace: str, **place: Any) -> dict[str, Any]:
        self.targets = [each for each in self.targets if _place(each) != _place(place)]
        self.policies = [each for each in self.policies if _place(each) != _place(place)]
        return {}

    def _put_scaling_policy(self, ServiceNamespace: str, **policy: Any) -> dict[str, Any]:
        if not any(_place(each) == _place(policy) for each in self.targets):
            raise refusal("ObjectNotFoundException")
        name = (*_place(policy), policy["PolicyName"])
        self.policies = [each for each in self.policies if (*_place(each), each["PolicyName"]) != name]
        self.policies.append({**policy, "PolicyARN": "arn", "Alarms": []})
        return {}

    def _delete_scaling_policy(self, ServiceNamespace: str, PolicyName: str, **place: Any) -> dict[str, Any]:
        name = (*_place(place), PolicyName)
        self.policies = [each for each in self.policies if (*_place(each), each["PolicyName"]) != name]
        return {}

    def _describe_time_to_live(self, TableName: str) -> dict[str, Any]:
        name = self._table(TableName).time_to_live
        found = {"TimeToLiveStatus": "ENABLED", "AttributeName": name} if name else {"TimeToLiveStatus": "DISABLED"}
        return {"TimeToLiveDescription": found}

    def _list_tags_of_resource(self, ResourceArn: str) -> dict[str, Any]:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._table(ResourceArn).tags.items()]}

    def _get_resource_policy(self, ResourceArn: str) -> dict[str, Any]:
        if not (policy := self._table(ResourceArn).policy):
            raise refusal("PolicyNotFoundException")
        return {"Policy": policy}

    def _describe_contributor_insights(self, TableName: str, IndexName: str = "") -> dict[str, Any]:
        mode = self._table(TableName).insights.get(IndexName)
        return {"ContributorInsightsStatus": "ENABLED" if mode else "DISABLED", "ContributorInsightsMode": mode or ""}

    def _describe_kinesis_streaming_destination(self, TableName: str) -> dict[str, Any]:
        return {
            "KinesisDataStreamDestinations": [
                {"StreamArn": arn, "DestinationStatus": "ACTIVE", "ApproximateCreationDateTimePrecision": precision}
                for arn, precision in self._table(TableName).streams.items()
            ]
        }

    def _describe_scalable_targets(self, **_: Any) -> dict[str, Any]:
        return {"ScalableTargets": self.targets}

    def _describe_scaling_policies(self, **_: Any) -> dict[str, Any]:
        return {"ScalingPolicies": self.policies}


def _place(given: Mapping[str, Any]) -> tuple[str, str]:
    return given["ResourceId"], given["ScalableDimension"]


def _protect(table: Any, given: bool) -> None:
    table.protected = given


def _indexes(table: Any, given: list[dict[str, Any]]) -> None:
    for update in (each["Update"] for each in given):
        (index,) = [each for each in table.described["GlobalSecondaryIndexes"] if each["IndexName"] == update["IndexName"]]
        index.update({name: value for name, value in update.items() if name != "IndexName"})


_CHANGES = {
    "DeletionProtectionEnabled": _protect,
    "GlobalSecondaryIndexUpdates": _indexes,
    "BillingMode": lambda table, given: table.described.update(BillingModeSummary={"BillingMode": given}),
    "ProvisionedThroughput": lambda table, given: table.described.update(ProvisionedThroughput=given),
    "OnDemandThroughput": lambda table, given: table.described.update(OnDemandThroughput=given),
    "WarmThroughput": lambda table, given: table.described.update(WarmThroughput=given),
    "TableClass": lambda table, given: table.described.update(TableClassSummary={"TableClass": given}),
    "StreamSpecification": lambda table, given: table.described.update(StreamSpecification=given),
    "SSESpecification": lambda table, given: table.described.update(SSEDescription=_encryption(given)),
}
