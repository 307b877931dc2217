"""The CloudFormation resource types that moto lacks, made through the APIs of their services."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException, ValidationError

from infra.sandbox.aws.functions import Clients
from infra.sandbox.aws.moto_names import CloudFormationModel, cloudformation_parsing

Properties = dict[str, Any]

_kept: list[type] = []
"""moto finds models through __subclasses__(), which does not keep them alive."""


@dataclass(frozen=True)
class ResourceType:
    """One CloudFormation type made through the service's own API.

    `create` gets a client, the properties and the physical name, and returns the physical id; an update deletes and
    creates again. `attributes` give the values of Fn::GetAtt from client and physical id.
    """

    name: str
    service: str
    create: Callable[[Any, Properties, str], str]
    delete: Callable[[Any, str], object]
    name_property: str = ""
    attributes: dict[str, Callable[[Any, str], str]] = field(default_factory=dict)


def install(clients: Clients) -> None:
    """Add the types to those of moto."""
    _kept.extend(_model(resource_type, clients) for resource_type in _types())
    for cached in ("get_model_list", "get_model_map", "get_name_type_map"):
        getattr(cloudformation_parsing, cached).cache_clear()


def _types() -> list[ResourceType]:
    return [
        ResourceType(
            "AWS::CloudWatch::Alarm",
            "cloudwatch",
            _named("put_metric_alarm", "AlarmName"),
            lambda client, name: client.delete_alarms(AlarmNames=[name]),
            "AlarmName",
            {"Arn": lambda client, name: client.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["AlarmArn"]},
        ),
        ResourceType(
            "AWS::Scheduler::ScheduleGroup",
            "scheduler",
            _named("create_schedule_group", "Name"),
            lambda client, name: client.delete_schedule_group(Name=name),
            "Name",
            {"Arn": lambda client, name: client.get_schedule_group(Name=name)["Arn"]},
        ),
        ResourceType(
            "AWS::Scheduler::Schedule",
            "scheduler",
            _create_schedule,
            lambda client, name: client.delete_schedule(**_schedule_key(name)),
            "Name",
            {"Arn": lambda client, name: client.get_schedule(**_schedule_key(name))["Arn"]},
        ),
        ResourceType("AWS::SQS::QueuePolicy", "sqs", _create_queue_policy, _nothing_to_delete),
        ResourceType("AWS::SNS::TopicPolicy", "sns", _create_topic_policy, _nothing_to_delete),
        ResourceType(
            "AWS::SNS::Subscription",
            "sns",
            _subscribe,
            lambda client, arn: client.unsubscribe(SubscriptionArn=arn),
        ),
        ResourceType("AWS::Lambda::EventInvokeConfig", "lambda", _configure_invocation, _remove_invocation),
        ResourceType("AWS::Lambda::Alias", "lambda", _create_alias, _delete_alias),
    ]


def _named(operation: str, name_property: str) -> Callable[[Any, Properties, str], str]:
    def create(client: Any, properties: Properties, name: str) -> str:
        getattr(client, operation)(**{**properties, name_property: name})
        return name

    return create


def _create_schedule(client: Any, properties: Properties, name: str) -> str:
    client.create_schedule(**{**properties, "Name": name})
    group = properties.get("GroupName")
    return f"{group}|{name}" if group and group != "default" else name


def _schedule_key(physical_id: str) -> dict[str, str]:
    group, _, name = physical_id.rpartition("|")
    return {"Name": name, "GroupName": group} if group else {"Name": name}


def _create_queue_policy(client: Any, properties: Properties, name: str) -> str:
    for queue in properties["Queues"]:
        client.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(properties["PolicyDocument"])})
    return name


def _create_topic_policy(client: Any, properties: Properties, name: str) -> str:
    for topic in properties["Topics"]:
        document = json.dumps(properties["PolicyDocument"])
        client.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document)
    return name


def _nothing_to_delete(_client: Any, _name: str) -> None:
    """The policy goes with its queue or topic."""


def _subscribe(client: Any, properties: Properties, _name: str) -> str:
    known = {name: properties[name] for name in ("TopicArn", "Protocol", "Endpoint")}
    attributes = {name: properties[name] for name in ("RawMessageDelivery", "FilterPolicy") if name in properties}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}
    answer = client.subscribe(**known, Attributes=texts, ReturnSubscriptionArn=True)
    return str(answer["SubscriptionArn"])


def _configure_invocation(client: Any, properties: Properties, _name: str) -> str:
    if properties.get("DestinationConfig"):
        raise ValidationError(
            message="AWS::Lambda::EventInvokeConfig DestinationConfig is not implemented by the sandbox: "
            "use the function's DeadLetterConfig"
        )
    known = ("FunctionName", "MaximumEventAgeInSeconds", "MaximumRetryAttempts")
    client.put_function_event_invoke_config(**{name: properties[name] for name in known if name in properties})
    return str(properties["FunctionName"])


def _remove_invocation(client: Any, function: str) -> None:
    client.delete_function_event_invoke_config(FunctionName=function)


def _create_alias(client: Any, properties: Properties, _name: str) -> str:
    return str(client.create_alias(**properties)["AliasArn"])


def _delete_alias(client: Any, arn: str) -> None:
    function, _, alias = arn.rpartition(":")
    client.delete_alias(FunctionName=function.rpartition(":")[2], Name=alias)


def _model(resource_type: ResourceType, clients: Clients) -> type:
    class Model(CloudFormationModel):  # type: ignore[misc]
        # moto derives the name of a service from the third part of the module's path.
        __module__ = f"moto.cloudformation.{resource_type.service}"

        def __init__(self, physical_id: str) -> None:
            self.physical_resource_id = physical_id

        @staticmethod
        def cloudformation_name_type() -> str:
            return resource_type.name_property

        @staticmethod
        def cloudformation_type() -> str:
            return resource_type.name

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return attr in resource_type.attributes

        def get_cfn_attribute(self, attribute_name: str) -> str:
            if attribute_name not in resource_type.attributes:
                raise UnformattedGetAttTemplateException
            return resource_type.attributes[attribute_name](clients(resource_type.service), self.physical_resource_id)

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
        ) -> Any:
            del account_id, region_name, kwargs
            properties = _typed(cloudformation_json.get("Properties", {}))
            # Names of these types are shorter than what CloudFormation makes of stack and logical name at its longest.
            name = properties.get(resource_type.name_property) or resource_name[-64:]
            try:
                return cls(resource_type.create(clients(resource_type.service), properties, name))
            except botocore.exceptions.ClientError as error:
                raise ValidationError(message=f"{resource_type.name} {name}: {error}") from error

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Any,
            new_resource_name: str,
            cloudformation_json: Any,
            account_id: str,
            region_name: str,
        ) -> Any:
            original_resource.delete(account_id, region_name)
            return cls.create_from_cloudformation_json(new_resource_name, cloudformation_json, account_id, region_name)

        def delete(self, account_id: str, region_name: str) -> None:
            del account_id, region_name
            try:
                resource_type.delete(clients(resource_type.service), self.physical_resource_id)
            except botocore.exceptions.ClientError as error:
                # Stacks are deleted in any order: a schedule may have gone with its group.
                if "NotFound" not in error.response["Error"]["Code"]:
                    raise

    Model.__name__ = resource_type.name.replace("::", "")
    return Model


_NUMBERS = {
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Period",
    "Threshold",
    "MaximumEventAgeInSeconds",
    "MaximumRetryAttempts",
    "MaximumWindowInMinutes",
}
_BOOLEANS = {"ActionsEnabled"}


def _typed(value: Any, name: str = "") -> Any:
    """Templates may write numbers and booleans as text; the services' APIs do not take that."""
    if isinstance(value, dict):
        return {key: _typed(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item, name) for item in value]
    if isinstance(value, str) and name in _NUMBERS:
        return float(value) if "." in value else int(value)
    if isinstance(value, str) and name in _BOOLEANS:
        return value == "true"
    return value
