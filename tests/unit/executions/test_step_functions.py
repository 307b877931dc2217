"""Starting the restore machine: under a name that finds it again, and with refusals in words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber

from shared.executions.console import console_link
from shared.executions.step_functions import StepFunctionsExecutions
from shared.model.errors import Conflict, Forbidden, InvalidRequest, Misconfigured, Throttled, Unreachable

MACHINE = "arn:aws:states:ap-northeast-1:123456789012:stateMachine:scalar-backup-restore"
ARN = "arn:aws:states:ap-northeast-1:123456789012:execution:scalar-backup-restore:orders-1"


def a_client() -> Any:
    return boto3.client("stepfunctions", region_name="ap-northeast-1", aws_access_key_id="none", aws_secret_access_key="none")


def test_an_execution_is_started_with_its_name_and_input_and_answers_with_its_link() -> None:
    client = a_client()
    with Stubber(client) as stub:
        stub.add_response(
            "start_execution",
            {"executionArn": ARN, "startDate": "2026-11-24T03:00:00Z"},
            {"stateMachineArn": MACHINE, "name": "orders-1", "input": '{"a": 1, "b": 2}'},
        )
        started = StepFunctionsExecutions(MACHINE, client).start_restore("orders-1", {"b": 2, "a": 1})
    assert started.id == ARN
    assert started.console == (
        f"https://ap-northeast-1.console.aws.amazon.com/states/home?region=ap-northeast-1#/v2/executions/details/{ARN}"
    )


class Refusing:
    meta = SimpleNamespace(endpoint_url="http://127.0.0.1:4566", region_name="ap-northeast-1")

    def __init__(self, error: Exception) -> None:
        self._error = error

    def start_execution(self, **given: Any) -> Any:
        json.loads(given["input"])
        raise self._error


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said the service"}}, "StartExecution")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (refusal("ExecutionAlreadyExists"), Conflict, "an execution named orders-1 exists already"),
        (refusal("InvalidName"), InvalidRequest, "cannot be the name"),
        (refusal("StateMachineDoesNotExist"), Misconfigured, "no such state machine"),
        (refusal("InvalidArn"), Misconfigured, "no such state machine"),
        (refusal("ExecutionLimitExceeded"), Throttled, "throttles"),
        (refusal("ThrottlingException"), Throttled, "throttles"),
        (refusal("AccessDeniedException"), Forbidden, "states:StartExecution"),
        (EndpointConnectionError(endpoint_url="https://states"), Unreachable, "no answer"),
        (NoCredentialsError(), Misconfigured, "could not be signed"),
    ],
)
def test_each_refusal_has_its_error_and_names_the_state_machine(error: Exception, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as raised:
        StepFunctionsExecutions(MACHINE, Refusing(error)).start_restore("orders-1", {})
    assert "scalar-backup-restore" in str(raised.value)
    assert raised.value.__cause__ is error


def test_there_is_no_link_where_there_is_no_console() -> None:
    assert console_link(ARN, "http://127.0.0.1:4566", "ap-northeast-1") == ""
