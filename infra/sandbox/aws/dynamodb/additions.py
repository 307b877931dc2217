"""Table settings whose operations moto does not have: contributor insights and Kinesis destinations. A restore loses both."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.dynamodb.life import Life
from infra.sandbox.aws.dynamodb.refusals import table_missing, validation
from infra.sandbox.aws.moto_names import DynamoHandler, DynamoResult


def install() -> None:
    """Adds the operations to moto's handler, which finds them by name."""
    DynamoHandler.describe_contributor_insights = _describe_insights
    DynamoHandler.update_contributor_insights = _update_insights
    DynamoHandler.describe_kinesis_streaming_destination = _describe_destinations
    DynamoHandler.enable_kinesis_streaming_destination = _enable_destination
    DynamoHandler.disable_kinesis_streaming_destination = _disable_destination


def _describe_insights(handler: Any) -> Any:
    name, life = _table(handler)
    status = "ENABLED" if life.contributor_insights else "DISABLED"
    return DynamoResult({"TableName": name, "ContributorInsightsStatus": status, "ContributorInsightsRuleList": []})


def _update_insights(handler: Any) -> Any:
    name, life = _table(handler)
    action = handler.body["ContributorInsightsAction"]
    if action not in ("ENABLE", "DISABLE"):
        raise validation(f"ContributorInsightsAction must be ENABLE or DISABLE, it is {action}")
    life.contributor_insights = action == "ENABLE"
    return DynamoResult({"TableName": name, "ContributorInsightsStatus": f"{action[:-1]}ING"})


def _describe_destinations(handler: Any) -> Any:
    name, life = _table(handler)
    destinations = [{"StreamArn": arn, "DestinationStatus": "ACTIVE"} for arn in sorted(life.kinesis_streams)]
    return DynamoResult({"TableName": name, "KinesisDataStreamDestinations": destinations})


def _enable_destination(handler: Any) -> Any:
    name, life = _table(handler)
    life.kinesis_streams.add(handler.body["StreamArn"])
    return DynamoResult({"TableName": name, "StreamArn": handler.body["StreamArn"], "DestinationStatus": "ENABLING"})


def _disable_destination(handler: Any) -> Any:
    name, life = _table(handler)
    life.kinesis_streams.discard(handler.body["StreamArn"])
    return DynamoResult({"TableName": name, "StreamArn": handler.body["StreamArn"], "DestinationStatus": "DISABLING"})


def _table(handler: Any) -> tuple[str, Life]:
    name = handler.body["TableName"].split("/")[-1]
    table = handler.dynamodb_backend.tables.get(name)
    if table is None:
        raise table_missing(name)
    life: Life = table.life
    return name, life
