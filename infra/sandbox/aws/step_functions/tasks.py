"""Task states: field names as AWS has them, clients that reach this sandbox, nested executions that end together."""

from __future__ import annotations

import datetime as dt
import functools
import types
from typing import Any

import botocore
import botocore.session
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import StateTaskService
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.utils import boto_client

from infra.sandbox.aws.functions import Clients
from infra.sandbox.aws.step_functions.times import text

_CHILD_POLL_SECONDS = 0.05
_ERROR_PREFIXES = {"stepfunctions": "Sfn", "cloudwatch": "CloudWatch", "dynamodb": "DynamoDb"}


def install(clients: Clients) -> None:
    """Replace moto's field handling and clients."""
    # moto makes a client for every task, which costs 20 ms each.
    boto_client.boto3 = types.SimpleNamespace(client=lambda service_name, **_: clients(service_name))
    state_task_service_callback._DELAY_SECONDS_SYNC_CONDITION_CHECK = _CHILD_POLL_SECONDS
    _translate_fields()
    _stop_children_with_their_parent(clients)
    _name_sdk_errors()


def _translate_fields() -> None:
    """PascalCase in a definition, boto3's names in the call, PascalCase again and times as text in the result."""

    def translate(task: Any, fields: Any, service: str | None, action: str | None, *, to_boto: bool) -> None:
        operation = _operation(task._get_boto_service_name(service), task._get_boto_service_action(action))
        if operation is None or not isinstance(fields, dict):
            return
        renamed = _renamed(fields, operation.input_shape if to_boto else operation.output_shape, to_boto)
        fields.clear()
        fields.update(renamed)

    def normalise_parameters(
        task: Any, parameters: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        translate(task, parameters, boto_service_name, service_action_name, to_boto=True)

    def normalise_response(
        task: Any, response: Any, boto_service_name: str | None = None, service_action_name: str | None = None
    ) -> None:
        translate(task, response, boto_service_name, service_action_name, to_boto=False)

    # Classes that prepare parameters of their own call these after it.
    StateTaskService._normalise_parameters = normalise_parameters
    StateTaskService._normalise_response = normalise_response


@functools.cache
def _operation(service: str, action: str) -> Any:
    """botocore's model of the operation whose boto3 method is `action`; None when there is none."""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return None
    model = session.get_service_model(service)
    names = {botocore.xform_name(name): name for name in model.operation_names}
    return model.operation_model(names[action]) if action in names else None


def _renamed(value: Any, shape: Any, to_boto: bool) -> Any:
    if isinstance(value, dt.datetime):
        return text(value)
    kind = None if shape is None else shape.type_name
    if isinstance(value, list) and kind == "list":
        return [_renamed(item, shape.member, to_boto) for item in value]
    if isinstance(value, dict) and kind == "map":
        return {key: _renamed(item, shape.value, to_boto) for key, item in value.items()}
    if isinstance(value, dict) and kind == "structure":
        members = {_pascal(name): name for name in shape.members}
        renamed = {}
        for key, item in value.items():
            name = members.get(_pascal(key), key)
            renamed[name if to_boto else _pascal(key)] = _renamed(item, shape.members.get(name), to_boto)
        return renamed
    return value


def _pascal(name: str) -> str:
    return name[:1].upper() + name[1:]


def _stop_children_with_their_parent(clients: Clients) -> None:
    """A parent that is stopped or times out stops the child it waits for (.sync), as AWS does."""
    original = StateTaskServiceSfn._eval_integration_pattern

    def eval_integration_pattern(task: Any, env: Any, *args: Any, **kwargs: Any) -> None:
        submitted = env.stack[-1]
        try:
            original(task, env, *args, **kwargs)
        finally:
            waits_for_child = task.resource.condition in (ResourceCondition.Sync, ResourceCondition.Sync2)
            if waits_for_child and not env.is_running():
                clients("stepfunctions").stop_execution(
                    executionArn=submitted["ExecutionArn"], cause="The parent execution ended"
                )

    StateTaskServiceSfn._eval_integration_pattern = eval_integration_pattern


def _name_sdk_errors() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html: Service.ErrorException."""

    def service_name(boto_service_name: str) -> str:
        return _ERROR_PREFIXES.get(boto_service_name) or _pascal(boto_service_name)

    def exception_name(norm_service_name: str, error: Any) -> str:
        code = error.response["Error"]["Code"].rpartition("#")[2] or norm_service_name
        return f"{norm_service_name}.{code}" + ("" if code.endswith("Exception") else "Exception")

    StateTaskServiceAwsSdk._normalise_service_error_name = staticmethod(service_name)
    StateTaskServiceAwsSdk._normalise_exception_name = staticmethod(exception_name)
