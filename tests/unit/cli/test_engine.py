"""What AWS is asked for, and what its answers become."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
    TokenRetrievalError,
)

from shared.cli.aws_errors import calling
from shared.cli.deployment import Deployment, find_deployment
from shared.cli.engine import Execution, StepFunctionsEngine
from shared.model.errors import (
    BackupError,
    Forbidden,
    InvalidRequest,
    Misconfigured,
    PodsMayBePaused,
    Throttled,
    Unreachable,
)

OUTPUTS = {
    "CatalogTable": "table",
    "BackupStateMachineArn": "arn:aws:states:ap-northeast-1:1:stateMachine:backup",
    "WatchdogStateMachineArn": "arn:aws:states:ap-northeast-1:1:stateMachine:watchdog",
    "CheckFunctionName": "check",
    "RestoreFunctionName": "restore",
    "WatchdogFunctionName": "watchdog",
    "EventBusName": "bus",
}
DEPLOYMENT = Deployment("scalar-backup", "ap-northeast-1", *OUTPUTS.values())


def refused(code: str, message: str = "said") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


class FakeAws:
    """A boto3 session, of which each client is this same object; it remembers the calls and how clients were configured."""

    region_name = "ap-northeast-1"

    def __init__(self, endpoint: str = "https://states.ap-northeast-1.amazonaws.com", **answers: Any) -> None:
        self.answers, self.calls, self.configurations = answers, list[tuple[str, dict[str, Any]]](), dict[str, Any]()
        self.meta = type("Meta", (), {"endpoint_url": endpoint})()

    def client(self, service: str, config: Any) -> Any:
        self.configurations[service] = config
        return self

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append((operation, arguments))
            answer = self.answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def stack(outputs: dict[str, str]) -> dict[str, Any]:
    listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    return {"Stacks": [{"StackStatus": "CREATE_IN_PROGRESS", "Outputs": listed}]}


def answered(document: Any, error: str = "") -> dict[str, Any]:
    return {"Payload": io.BytesIO(json.dumps(document).encode()), **({"FunctionError": error} if error else {})}


def test_the_parts_of_a_stack_are_found_by_its_outputs() -> None:
    assert find_deployment(FakeAws(describe_stacks=stack(OUTPUTS)), "scalar-backup") == DEPLOYMENT


def test_a_stack_that_does_not_exist_is_wrong_input() -> None:
    with pytest.raises(InvalidRequest, match="no stack 'x' in ap-northeast-1"):
        find_deployment(FakeAws(describe_stacks=refused("ValidationError")), "x")


def test_a_stack_that_is_not_complete_names_what_is_missing() -> None:
    with pytest.raises(Misconfigured, match=r"CREATE_IN_PROGRESS.*no output BackupStateMachineArn, .*EventBusName"):
        find_deployment(FakeAws(describe_stacks=stack({"CatalogTable": "t"})), "x")


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (NoRegionError(), InvalidRequest),
        (NoCredentialsError(), InvalidRequest),
        (TokenRetrievalError(provider="sso", error_msg="expired"), InvalidRequest),
        (refused("ExpiredToken"), InvalidRequest),
        (refused("AccessDeniedException"), Forbidden),
        (refused("ThrottlingException"), Throttled),
        (refused("ServiceUnavailable"), Unreachable),
        (EndpointConnectionError(endpoint_url="https://x"), Unreachable),
        (ConnectTimeoutError(endpoint_url="https://x"), Unreachable),
        (ReadTimeoutError(endpoint_url="https://x"), Unreachable),
        (refused("StateMachineDoesNotExist"), Misconfigured),
    ],
)
def test_every_refusal_of_aws_is_an_error_of_the_product_with_its_cause(raised: Exception, kind: type[BackupError]) -> None:
    with pytest.raises(BackupError) as told, calling("states:StartExecution"):
        raise raised
    assert type(told.value) is kind
    assert told.value.__cause__ is raised


def test_the_restore_function_is_given_the_payload_and_the_time_it_needs() -> None:
    session = FakeAws(invoke=answered({"ok": True}))
    payload = {"action": "restore", "plan": "orders-prod"}
    assert StepFunctionsEngine(session, DEPLOYMENT).restore(payload) == {"ok": True}
    ((_, arguments),) = session.calls
    assert (arguments["FunctionName"], json.loads(arguments["Payload"])) == ("restore", payload)
    assert session.configurations["lambda"].read_timeout > 900
    assert session.configurations["lambda"].retries["total_max_attempts"] == 1


def test_a_missing_right_is_named() -> None:
    with pytest.raises(Forbidden, match="need the right states:StartExecution"):
        StepFunctionsEngine(FakeAws(start_execution=refused("AccessDenied")), DEPLOYMENT).start_backup(
            "orders-prod", "on-demand"
        )


def test_a_backup_is_one_named_execution_of_the_backup_machine() -> None:
    aws = FakeAws(start_execution={"executionArn": "arn:x"})
    execution = StepFunctionsEngine(aws, DEPLOYMENT).start_backup("orders-prod", "pre-upgrade")
    ((_, asked),) = aws.calls
    assert asked["stateMachineArn"] == OUTPUTS["BackupStateMachineArn"]
    assert json.loads(asked["input"]) == {"action": "backup", "plan": "orders-prod", "reason": "pre-upgrade"}
    assert asked["name"].startswith("orders-prod-by-hand-")
    assert len(asked["name"]) <= 80
    assert execution.console == (
        "https://ap-northeast-1.console.aws.amazon.com/states/home?region=ap-northeast-1#/v2/executions/details/arn:x"
    )


def test_elsewhere_than_aws_there_is_no_console() -> None:
    aws = FakeAws("http://127.0.0.1:5000", start_execution={"executionArn": "arn:x"})
    assert StepFunctionsEngine(aws, DEPLOYMENT).start_backup("orders-prod", "on-demand").console == ""


def test_an_execution_is_looked_at() -> None:
    aws = FakeAws(describe_execution={"status": "FAILED", "error": "NotReady", "cause": "why"})
    assert StepFunctionsEngine(aws, DEPLOYMENT).look(Execution("arn:x", "RUNNING")) == Execution(
        "arn:x", "FAILED", "NotReady", "why"
    )


def test_every_client_has_time_outs_and_an_invocation_is_never_repeated() -> None:
    aws = FakeAws(invoke=answered({"ok": True}), describe_execution={"status": "RUNNING"})
    engine = StepFunctionsEngine(aws, DEPLOYMENT)
    engine.check("orders-prod")
    engine.look(Execution("arn:x", "RUNNING"))
    assert aws.configurations["lambda"].retries["total_max_attempts"] == 1
    for configuration in aws.configurations.values():
        assert configuration.connect_timeout == 3
        assert configuration.read_timeout <= 310


def test_functions_are_asked_for_one_step() -> None:
    aws = FakeAws(invoke=answered({"ok": True}))
    StepFunctionsEngine(aws, DEPLOYMENT).check("orders-prod")
    aws.answers["invoke"] = answered({"runs": [], "resumed": 0})
    StepFunctionsEngine(aws, DEPLOYMENT).unpause({"run": "r"})
    assert [(asked["FunctionName"], json.loads(asked["Payload"])) for _, asked in aws.calls] == [
        ("check", {"step": "check", "plan": "orders-prod"}),
        ("watchdog", {"step": "unpause", "run": "r"}),
    ]


@pytest.mark.parametrize(
    ("name", "kind"), [("PodsMayBePaused", PodsMayBePaused), ("Unreachable", Unreachable), ("KeyError", BackupError)]
)
def test_an_error_of_a_function_keeps_its_kind(name: str, kind: type[BackupError]) -> None:
    aws = FakeAws(invoke=answered({"errorType": name, "errorMessage": "said"}, error="Unhandled"))
    with pytest.raises(BackupError, match="said") as told:
        StepFunctionsEngine(aws, DEPLOYMENT).check("orders-prod")
    assert type(told.value) is kind


@pytest.mark.parametrize(
    "document",
    [
        {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error: Task timed out after 60.00 seconds"},
        {"errorMessage": "2026-11-24T03:00:00Z 1 Task timed out after 60.00 seconds"},
        {"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"},
    ],
)
def test_a_function_that_was_ended_says_where_to_look(document: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="ended without an answer"):
        StepFunctionsEngine(FakeAws(invoke=answered(document, error="Unhandled")), DEPLOYMENT).check("orders-prod")


def test_an_answer_that_is_no_object_is_refused() -> None:
    with pytest.raises(Misconfigured, match="not with an object"):
        StepFunctionsEngine(FakeAws(invoke=answered([1])), DEPLOYMENT).check("orders-prod")
    with pytest.raises(Misconfigured, match="did not answer with JSON"):
        StepFunctionsEngine(FakeAws(invoke={"Payload": io.BytesIO(b"<html>")}), DEPLOYMENT).check("orders-prod")
