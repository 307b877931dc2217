"""The private names of moto that the sandbox replaces or reads, in one place, checked when the server starts.

moto promises nothing about them. `verify` fails with the list of what is gone, instead of a sandbox that is
silently as lenient as plain moto.
"""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version

from moto.awslambda.models import LambdaFunction, LambdaVersion
from moto.cloudformation import parsing as cloudformation_parsing
from moto.core.common_models import CloudFormationModel
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler, DynamoResult
from moto.ec2.models import ec2_backends
from moto.eks.models import eks_backends
from moto.events.models import EventBus, Rule, events_backends
from moto.rds.models import RDSBackend, rds_backends
from moto.rds.responses import RDSResponse
from moto.scheduler.models import EventBridgeSchedulerBackend, Schedule, scheduler_backends
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends
from moto.stepfunctions.responses import StepFunctionResponse

__all__ = [
    "ActionResult",
    "CloudFormationModel",
    "DynamoDBBackend",
    "DynamoHandler",
    "DynamoResult",
    "DynamoType",
    "EventBridgeSchedulerBackend",
    "EventBus",
    "LambdaFunction",
    "LambdaVersion",
    "RDSBackend",
    "RDSResponse",
    "Rule",
    "Schedule",
    "ServiceException",
    "StateMachine",
    "StepFunctionResponse",
    "StepFunctionsParserBackend",
    "Table",
    "cloudformation_parsing",
    "dynamodb_backends",
    "ec2_backends",
    "eks_backends",
    "events_backends",
    "rds_backends",
    "scheduler_backends",
    "stepfunctions_parser_backends",
    "verify",
]

TESTED_VERSION = "5.2.5"

_PARSER = "moto.stepfunctions.parser"
_TASK_SERVICE = f"{_PARSER}.asl.component.state.exec.state_task.service"
_EXPECTED = {
    "moto.awslambda.models:LambdaFunction.get_configuration": ["self", "on_create"],
    "moto.awslambda.models:LambdaFunction.update_configuration": ["self", "config_updates"],
    "moto.cloudformation.parsing:resource_class_from_type": ["resource_type"],
    "moto.cloudformation.parsing:parse_and_create_resource": None,
    "moto.cloudformation.parsing:parse_and_update_resource": None,
    "moto.cloudformation.parsing:ResourceMap.build_resource_diff": ["self", "other_template", "parameters"],
    "moto.cloudformation.parsing:ResourceMap.update": ["self", "template", "parameters"],
    "moto.cloudformation.parsing:ResourceMap._delete_resource": ["self", "parsed_resource", "resource_json"],
    "moto.cloudformation.parsing:parse_resource": ["resource_json", "resources_map"],
    "moto.cloudformation.parsing:get_model_list": [],
    "moto.cloudformation.parsing:get_model_map": [],
    "moto.cloudformation.parsing:get_name_type_map": [],
    "moto.dynamodb.models:DynamoDBBackend.update_item": None,
    "moto.dynamodb.models:DynamoDBBackend.transact_write_items": ["self", "transact_items"],
    "moto.dynamodb.models.table:Table.put_item": None,
    "moto.dynamodb.models.table:Table.delete_item": ["self", "hash_key", "range_key"],
    "moto.dynamodb.models.table:Table.describe": ["self", "base_key"],
    "moto.dynamodb.models.table:Table.create_from_cloudformation_json": None,
    "moto.dynamodb.responses:DynamoHandler.call_action": ["self"],
    "moto.events.models:Rule.send_to_targets": ["self", "original_event", "transform_input"],
    "moto.ec2.models.security_groups:SecurityGroupBackend.get_default_security_group": ["self", "vpc_id"],
    "moto.ec2.models.security_groups:SecurityGroupBackend.get_security_group_from_id": ["self", "group_id"],
    "moto.rds.models:RDSBackend.__init__": ["self", "region_name", "account_id"],
    "moto.rds.responses:RDSResponse.call_action": ["self"],
    "moto.rds.responses:RDSResponse.serialized": ["self", "action_result"],
    "moto.scheduler.models:EventBridgeSchedulerBackend.create_schedule": None,
    "moto.secretsmanager.models:SecretsManagerBackend.create_managed_secret": None,
    "moto.secretsmanager.models:SecretsManagerBackend.delete_secret": None,
    "moto.stepfunctions.parser.models:StepFunctionsParserBackend.start_execution": None,
    "moto.stepfunctions.parser.models:StepFunctionsParserBackend._validate_definition": ["definition"],
    "moto.stepfunctions.responses:StepFunctionResponse.describe_execution": ["self"],
    f"{_PARSER}.backend.execution:Execution.stop": ["self", "stop_date", "error", "cause"],
    f"{_PARSER}.backend.execution:BaseExecutionWorkerCommunication._reflect_execution_status": ["self"],
    f"{_PARSER}.backend.execution_worker:ExecutionWorker._get_evaluation_environment": ["self"],
    f"{_PARSER}.asl.component.common.retry.retrier_decl:RetrierDecl._eval_body": ["self", "env"],
    f"{_PARSER}.asl.component.common.error_name.error_equals_decl:ErrorEqualsDecl._eval_body": ["self", "env"],
    f"{_PARSER}.asl.component.state.exec.state_map.iteration.iteration_worker:CustomErrorName": ["error_name"],
    f"{_PARSER}.asl.component.state.exec.state_parallel.branches_decl:CustomErrorName": ["error_name"],
    f"{_PARSER}.asl.component.state.wait.wait_function.wait_function:WaitFunction._wait_interval": None,
    f"{_PARSER}.asl.component.state.wait.wait_function.timestamp:Timestamp._get_wait_seconds": ["self", "env"],
    f"{_PARSER}.asl.utils.encoding:_DateTimeEncoder.default": ["self", "o"],
    f"{_PARSER}.asl.utils.boto_client:boto_client_for": None,
    f"{_TASK_SERVICE}.state_task_service:StateTaskService._normalise_parameters": None,
    f"{_TASK_SERVICE}.state_task_service:StateTaskService._normalise_response": None,
    f"{_TASK_SERVICE}.state_task_service_callback:StateTaskServiceCallback._eval_integration_pattern": None,
    f"{_TASK_SERVICE}.state_task_service_callback:_DELAY_SECONDS_SYNC_CONDITION_CHECK": None,
}
"""Name and, where the replacement depends on them, its parameters."""


def verify() -> None:
    """RuntimeError names every expected name that this moto lacks or that takes other parameters."""
    problems = [problem for name, parameters in _EXPECTED.items() if (problem := _problem(name, parameters))]
    if problems:
        raise RuntimeError(
            f"The sandbox's AWS rests on names inside moto {TESTED_VERSION}, and the installed moto {version('moto')} "
            f"differs: {'; '.join(problems)}. Install moto {TESTED_VERSION}, or adapt infra/sandbox/aws and this list."
        )


def _problem(name: str, parameters: list[str] | None) -> str | None:
    module, _, path = name.partition(":")
    try:
        found = importlib.import_module(module)
        for attribute in path.split("."):
            found = getattr(found, attribute)
    except (ImportError, AttributeError):
        return f"{name} is gone"
    if parameters is not None and (actual := list(inspect.signature(found).parameters)) != parameters:
        return f"{name} takes {actual}, not {parameters}"
    return None
