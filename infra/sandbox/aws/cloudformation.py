"""CloudFormation without silent gaps: the resource types that moto lacks, and a refusal of those nobody implements."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions
from moto.cloudformation.exceptions import CloudFormationError, UnformattedGetAttTemplateException, ValidationError

from infra.sandbox.aws.functions import Clients
from infra.sandbox.aws.moto_names import CloudFormationModel, EventBus, LambdaVersion, cloudformation_parsing

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
    """Add the types; unknown types fail the stack by name."""
    _kept.extend(_model(resource_type, clients) for resource_type in _types())
    for cached in ("get_model_list", "get_model_map", "get_name_type_map"):
        getattr(cloudformation_parsing, cached).cache_clear()
    _refuse_unknown_types()
    _fail_by_name()
    _give_physical_ids()


def _refuse_unknown_types() -> None:
    known = cloudformation_parsing.resource_class_from_type

    def resource_class_from_type(resource_type: str) -> Any:
        found = known(resource_type)
        if found is None:
            raise ValidationError(
                resource_type,
                f"Template format error: Unrecognized resource types: [{resource_type}]. The sandbox does not "
                "implement this type: add it to infra/sandbox/aws/cloudformation.py, or leave it out by a condition.",
            )
        return found

    cloudformation_parsing.resource_class_from_type = resource_class_from_type


def _fail_by_name() -> None:
    """What goes wrong with one resource fails the stack with the resource's name; moto answers HTTP 500, or carries on."""

    def named(original: Callable[..., Any]) -> Callable[..., Any]:
        def parse(logical_id: str, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(logical_id, *args, **kwargs)
            except CloudFormationError:
                raise
            except Exception as error:
                reason = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
                raise ValidationError(message=f"Resource {logical_id} failed: {reason}") from error

        return parse

    for name in ("parse_and_create_resource", "parse_and_update_resource"):
        setattr(cloudformation_parsing, name, named(getattr(cloudformation_parsing, name)))
    clean = cloudformation_parsing.parse_resource

    def parse_resource(resource_json: Any, resources_map: Any) -> Any:
        found = clean(resource_json, resources_map)
        if unresolved := _unresolved(found[1].get("Properties")):
            raise ValidationError(
                message=f"{found[2]} uses {unresolved}, an attribute that the sandbox does not implement for that type"
            )
        return found

    cloudformation_parsing.parse_resource = parse_resource


def _unresolved(value: Any) -> str | None:
    """The first Fn::GetAtt that moto left as it was, written as in a template."""
    if isinstance(value, dict):
        if set(value) == {"Fn::GetAtt"}:
            return f"!GetAtt {'.'.join(value['Fn::GetAtt'])}"
        value = list(value.values())
    if isinstance(value, list):
        return next((found for item in value if (found := _unresolved(item))), None)
    return None


def _give_physical_ids() -> None:
    """What Ref and Fn::GetAtt answer for types of moto that have no answer: buses, versions of functions."""
    EventBus.physical_resource_id = property(lambda bus: bus.name)
    create = LambdaVersion.create_from_cloudformation_json.__func__

    def create_from_cloudformation_json(
        cls: Any, resource_name: str, cloudformation_json: Any, *args: Any, **kwargs: Any
    ) -> Any:
        made = create(cls, resource_name, cloudformation_json, *args, **kwargs)
        function = cloudformation_json["Properties"]["FunctionName"]
        made.physical_resource_id = f"arn:aws:lambda:{args[1]}:{args[0]}:function:{function}:{made.version}"
        return made

    LambdaVersion.create_from_cloudformation_json = classmethod(create_from_cloudformation_json)
    LambdaVersion.has_cfn_attr = classmethod(lambda _cls, name: name == "Version")
    LambdaVersion.get_cfn_attribute = lambda version, _name: str(version.version)
    LambdaVersion.delete = lambda *_: None  # it goes with its function


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
    if "DestinationConfig" in properties:
        raise ValidationError(
            message="AWS::Lambda::EventInvokeConfig DestinationConfig is not implemented by the sandbox: "
            "use the function's DeadLetterConfig"
        )
    client.put_function_event_invoke_config(**{**properties, "Qualifier": "$LATEST"})
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
            resource_type.delete(clients(resource_type.service), self.physical_resource_id)

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
