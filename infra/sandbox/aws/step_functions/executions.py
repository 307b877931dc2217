"""StartExecution, DescribeExecution, ListExecutions and StopExecution as AWS answers them, and the status events."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
import time
import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import InvalidExecutionInput, InvalidName
from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution

from infra.sandbox.aws.moto_names import (
    StepFunctionResponse,
    StepFunctionsParserBackend,
    events_backends,
    stepfunctions_parser_backends,
)

_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
_ENDED = {ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.TIMED_OUT, ExecutionStatus.ABORTED}
_LARGEST_INPUT_BYTES = 262_144
_START_SECONDS = 5


def install() -> None:
    """Replace the four operations."""
    _start()
    _end()
    StepFunctionResponse.describe_execution = _describe_execution
    StepFunctionResponse.list_executions = _list_executions
    StepFunctionResponse.stop_execution = _stop_execution


def stop_all() -> None:
    """Abort every running execution of every account and region, so that none outlives a reset."""
    for account in list(stepfunctions_parser_backends.values()):
        for backend in list(account.values()):
            for machine in backend.state_machines:
                for execution in machine.executions:
                    if execution.exec_status == ExecutionStatus.RUNNING:
                        execution.stop(dt.datetime.now(dt.UTC), None, "The sandbox was reset")


def _start() -> None:
    original = StepFunctionsParserBackend.start_execution
    lock = threading.Lock()

    def start_execution(
        backend: Any, state_machine_arn: str, name: str | None = None, execution_input: Any = None, **kwargs: Any
    ) -> Any:
        name = name or str(uuid.uuid4())
        if not _NAME.fullmatch(name):
            raise InvalidName(f"Invalid Name: '{name}'")
        if len((execution_input or "").encode()) > _LARGEST_INPUT_BYTES:
            raise InvalidExecutionInput(f"Invalid State Machine Execution Input: more than {_LARGEST_INPUT_BYTES} bytes")
        with lock:  # two starts with one name at once must not both succeed
            execution = original(backend, state_machine_arn, name, execution_input, **kwargs)
        _announce(execution)
        return execution

    StepFunctionsParserBackend.start_execution = start_execution


def _end() -> None:
    reflect, stop = BaseExecutionWorkerCommunication._reflect_execution_status, Execution.stop

    def reflect_execution_status(communication: Any) -> None:
        if communication.execution.exec_status == ExecutionStatus.ABORTED:
            return  # it was stopped; what its last task returned later changes nothing
        reflect(communication)
        _announce(communication.execution)

    def stop_execution(execution: Any, stop_date: dt.datetime, error: str | None, cause: str | None) -> None:
        """ABORTED at once, as on AWS, although a task that has begun still runs to its end."""
        if execution.exec_status in _ENDED:
            return
        execution.exec_status, execution.stop_date = ExecutionStatus.ABORTED, stop_date
        execution.error, execution.cause = error or None, cause or None
        deadline = time.monotonic() + _START_SECONDS
        while execution.exec_worker.env is None and time.monotonic() < deadline:
            time.sleep(0.005)  # its thread has not begun yet
        stop(execution, stop_date, error, cause)
        _announce(execution)

    BaseExecutionWorkerCommunication._reflect_execution_status = reflect_execution_status
    Execution.stop = stop_execution


def _describe_execution(response: Any) -> Any:
    execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
    return ActionResult(_description(execution))


def _list_executions(response: Any) -> Any:
    arn = response._get_param("stateMachineArn")
    executions, next_token = response.stepfunction_backend.list_executions(
        arn,
        status_filter=response._get_param("statusFilter"),
        max_results=response._get_int_param("maxResults"),
        next_token=response._get_param("nextToken"),
    )
    fields = ("executionArn", "name", "startDate", "stateMachineArn", "status", "stopDate")
    described = [_description(execution) for execution in executions]
    listed = [{field: of[field] for field in fields if field in of} for of in described]
    return ActionResult({"executions": listed, "nextToken": next_token})


def _stop_execution(response: Any) -> Any:
    execution = response.stepfunction_backend.describe_execution(response._get_param("executionArn"))
    execution.stop(dt.datetime.now(dt.UTC), response._get_param("error"), response._get_param("cause"))
    return ActionResult({"stopDate": execution.stop_date})


def _description(execution: Any) -> dict[str, Any]:
    described = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine.arn,
        "name": execution.name,
        "status": execution.exec_status.value,
        "startDate": execution.start_date,
        "input": execution.execution_input or "{}",
        "inputDetails": {"included": True},
        "redriveCount": 0,
    }
    if execution.exec_status in _ENDED:
        described["stopDate"] = execution.stop_date
    if execution.exec_status == ExecutionStatus.SUCCEEDED:
        described["output"] = to_json_str(execution.output, separators=(",", ":"))
        described["outputDetails"] = {"included": True}
    for field in ("error", "cause"):
        if getattr(execution, field) is not None:
            described[field] = getattr(execution, field)
    return described


def _announce(execution: Any) -> None:
    """The event "Step Functions Execution Status Change" on the default bus."""
    described = _description(execution)
    detail = {
        **described,
        "startDate": int(execution.start_date.timestamp() * 1000),
        "stopDate": int(execution.stop_date.timestamp() * 1000) if "stopDate" in described else None,
        "output": described.get("output"),
        "error": described.get("error"),
        "cause": described.get("cause"),
    }
    event = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail, default=str),
        "Resources": [execution.exec_arn],
    }
    events_backends[execution.account_id][execution.region_name].put_events([event])
