"""Step Functions: the interpreter behaves as the service where plain moto does not."""

import datetime as dt
import json
import time
from typing import Any

import botocore.exceptions
import pytest

from tests.contract.aws.conftest import ended, make_table, wait_until

INVOKE = "arn:aws:states:::lambda:invoke"
START = "arn:aws:states:::states:startExecution"


def task(resource: str, parameters: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **more}


def caught(*errors: str) -> dict[str, Any]:
    """A definition whose task calls a misbehaving function and catches `errors`."""
    invoke = task(
        INVOKE, {"FunctionName": "misbehave", "Payload.$": "$"}, Catch=[{"ErrorEquals": list(errors), "Next": "Caught"}]
    )
    return {"StartAt": "Call", "States": {"Call": invoke, "Caught": {"Type": "Pass", "End": True}}}


def code_of(call: Any) -> str:
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call()
    return str(error.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({"how": "raise"}, "PodNotReadyError"),
        ({"how": "exit"}, "Runtime.ExitError"),
        ({"how": "sleep", "seconds": 9}, "Sandbox.Timedout"),
    ],
)
@pytest.mark.parametrize("matcher", ["name", "States.TaskFailed", "States.ALL"])
def test_an_error_of_a_function_is_caught_by_its_name_and_by_the_wildcards(
    make_function: Any, make_machine: Any, run: Any, event: dict[str, Any], name: str, matcher: str
) -> None:
    make_function("misbehave", Timeout=1)
    machine = make_machine("catching", definition=caught(name if matcher == "name" else matcher))
    found = run(machine, event)
    assert found["status"] == "SUCCEEDED"
    output = json.loads(found["output"])
    assert output["Error"] == name
    assert json.loads(output["Cause"])["errorType"] == name


def test_another_errors_name_does_not_match(make_function: Any, make_machine: Any, run: Any) -> None:
    make_function("misbehave")
    found = run(make_machine("not-catching", definition=caught("OtherError", "States.Timeout")), {"how": "raise"})
    assert (found["status"], found["error"]) == ("FAILED", "PodNotReadyError")


def test_a_function_that_does_not_exist_can_be_caught(make_machine: Any, run: Any) -> None:
    machine = make_machine("missing", definition=caught("Lambda.ResourceNotFoundException"))
    assert run(machine, {})["status"] == "SUCCEEDED"


def test_the_wildcard_does_not_catch_runtime_errors(make_machine: Any, run: Any) -> None:
    failing = task(
        "arn:aws:states:::aws-sdk:dynamodb:listTables",
        {"Limit.$": "$.missing"},
        Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}],
    )
    states = {"Only": failing, "Caught": {"Type": "Pass", "End": True}}
    found = run(make_machine("runtime-error", definition={"StartAt": "Only", "States": states}))
    assert (found["status"], found["error"]) == ("FAILED", "States.Runtime")


def test_a_retry_by_name_repeats_the_call(make_function: Any, make_machine: Any, run: Any) -> None:
    make_function("fail_twice")
    retry = [{"ErrorEquals": ["PodNotReadyError"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1}]
    found = run(make_machine("retrying", task(INVOKE, {"FunctionName": "fail_twice"}, Retry=retry)))
    assert json.loads(found["output"])["Payload"] == {"attempts": 3}


def test_a_killed_function_is_retried_under_its_error_name(aws: Any, make_function: Any, make_machine: Any, run: Any) -> None:
    make_function("misbehave")
    aws.kill("misbehave", after_seconds=0.1)
    retry = [{"ErrorEquals": ["Runtime.ExitError"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    invoke = task(INVOKE, {"FunctionName": "misbehave", "Payload": {"how": "sleep", "seconds": 0.5}}, Retry=retry)
    assert run(make_machine("surviving", invoke))["status"] == "SUCCEEDED"
    assert len(aws.killed()) == 1


@pytest.mark.parametrize(("resource", "is_json"), [(f"{START}.sync", False), (f"{START}.sync:2", True)])
def test_a_parent_waits_for_its_child(make_machine: Any, run: Any, resource: str, is_json: bool) -> None:
    child = make_machine("child", {"Type": "Wait", "Seconds": 1, "End": True})
    found = run(make_machine("parent", task(resource, {"StateMachineArn": child, "Input": {"table": "t1"}})))
    answer = json.loads(found["output"])
    assert answer["Status"] == "SUCCEEDED"
    assert (answer["Output"] if is_json else json.loads(answer["Output"])) == {"table": "t1"}
    assert answer["StartDate"].endswith("Z")


def test_a_parent_can_start_a_child_and_go_on(sfn: Any, make_machine: Any, run: Any) -> None:
    child = make_machine("child", {"Type": "Wait", "Seconds": 60, "End": True})
    found = run(make_machine("parent", task(START, {"StateMachineArn": child, "Name": "watch"})))
    arn = json.loads(found["output"])["ExecutionArn"]
    assert arn.endswith(":execution:child:watch")
    assert sfn.describe_execution(executionArn=arn)["status"] == "RUNNING"


def test_a_failing_child_fails_its_parent_by_name(make_machine: Any, run: Any) -> None:
    child = make_machine("child", {"Type": "Fail", "Error": "Broken", "Cause": "why"})
    found = run(make_machine("parent", task(f"{START}.sync:2", {"StateMachineArn": child})))
    assert (found["status"], found["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(found["cause"])["Error"] == "Broken"


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_a_failing_child_inside_a_map_or_a_branch_can_be_caught_behind_it(make_machine: Any, run: Any, kind: str) -> None:
    child = make_machine("child", {"Type": "Fail", "Error": "Broken", "Cause": "why"})
    inner = {"StartAt": "Child", "States": {"Child": task(f"{START}.sync:2", {"StateMachineArn": child})}}
    outer: dict[str, Any] = {"Type": kind, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}], "End": True}
    outer |= {"ItemProcessor": inner, "ItemsPath": "$.items"} if kind == "Map" else {"Branches": [inner]}
    definition = {"StartAt": "All", "States": {"All": outer, "Caught": {"Type": "Pass", "End": True}}}
    found = run(make_machine("parent", definition=definition), {"items": [1]})
    assert found["status"] == "SUCCEEDED", found
    output = json.loads(found["output"])
    assert output["Error"] == "States.TaskFailed"
    assert json.loads(output["Cause"])["Error"] == "Broken"


def test_starting_a_child_whose_name_is_taken_has_a_name_to_catch(make_machine: Any, run: Any) -> None:
    child = make_machine("child", {"Type": "Pass", "End": True})
    run(child, name="once")
    found = run(make_machine("parent", task(START, {"StateMachineArn": child, "Name": "once"})))
    assert found["error"] == "StepFunctions.ExecutionAlreadyExistsException"


def test_a_stopped_parent_stops_the_child_it_waits_for(sfn: Any, make_machine: Any) -> None:
    child = make_machine("child", {"Type": "Wait", "Seconds": 60, "End": True})
    parent = make_machine("parent", task(f"{START}.sync:2", {"StateMachineArn": child}))
    arn = sfn.start_execution(stateMachineArn=parent)["executionArn"]
    wait_until(lambda: bool(sfn.list_executions(stateMachineArn=child)["executions"]), "the child to start")
    sfn.stop_execution(executionArn=arn)
    wait_until(lambda: sfn.list_executions(stateMachineArn=child)["executions"][0]["status"] == "ABORTED", "the child to stop")


@pytest.mark.parametrize("state", ["wait", "task", "retry"])
def test_a_stop_takes_effect_at_once(sfn: Any, make_function: Any, make_machine: Any, state: str) -> None:
    make_function("misbehave")
    sleep = {"FunctionName": "misbehave", "Payload": {"how": "sleep", "seconds": 8}}
    fail = {"FunctionName": "misbehave", "Payload": {"how": "raise"}}
    slow_retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60}]
    machine = make_machine(
        "stopping",
        {
            "wait": {"Type": "Wait", "Seconds": 60, "End": True},
            "task": task(INVOKE, sleep),
            "retry": task(INVOKE, fail, Retry=slow_retry),
        }[state],
    )
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    time.sleep(0.4)
    sfn.stop_execution(executionArn=arn, error="Stopped", cause="by the test")
    found = sfn.describe_execution(executionArn=arn)
    assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "Stopped", "by the test")
    assert found["stopDate"] >= found["startDate"]


def test_a_stopped_execution_stays_stopped_when_its_task_returns(sfn: Any, make_function: Any, make_machine: Any) -> None:
    make_function("misbehave")
    invoke = task(INVOKE, {"FunctionName": "misbehave", "Payload": {"how": "sleep", "seconds": 0.6}}, End=False)
    del invoke["End"]
    states = {"Call": {**invoke, "Next": "After"}, "After": {"Type": "Pass", "End": True}}
    machine = make_machine("stopping", definition={"StartAt": "Call", "States": states})
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    time.sleep(0.3)
    sfn.stop_execution(executionArn=arn)
    time.sleep(0.8)
    assert sfn.describe_execution(executionArn=arn)["status"] == "ABORTED"
    entered = [
        event["stateEnteredEventDetails"]["name"]
        for event in sfn.get_execution_history(executionArn=arn)["events"]
        if "stateEnteredEventDetails" in event
    ]
    assert entered == ["Call"]


def test_executions_without_a_name_get_names_of_their_own(sfn: Any, make_machine: Any) -> None:
    machine = make_machine("m", {"Type": "Pass", "End": True})
    arns = {sfn.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(3)}
    assert len(arns) == 3
    names = {ended(sfn, arn)["name"] for arn in arns}
    assert names == {arn.rpartition(":")[2] for arn in arns}


def test_starting_twice_with_one_name_is_one_execution_while_it_runs(sfn: Any, make_machine: Any) -> None:
    machine = make_machine("m", {"Type": "Wait", "Seconds": 1, "End": True})
    given = {"stateMachineArn": machine, "name": "run-1", "input": '{"a": 1}'}
    first, second = (sfn.start_execution(**given)["executionArn"] for _ in range(2))
    assert first == second
    assert code_of(lambda: sfn.start_execution(**{**given, "input": "{}"})) == "ExecutionAlreadyExists"
    ended(sfn, first)
    assert code_of(lambda: sfn.start_execution(**given)) == "ExecutionAlreadyExists"


@pytest.mark.parametrize("name", ["a" * 81, "a b", "a:b"])
def test_a_name_that_aws_would_not_take_is_refused(sfn: Any, make_machine: Any, name: str) -> None:
    machine = make_machine("m", {"Type": "Pass", "End": True})
    assert code_of(lambda: sfn.start_execution(stateMachineArn=machine, name=name)) == "InvalidName"


def test_waiting_until_a_timestamp_waits_until_then(make_machine: Any, run: Any) -> None:
    machine = make_machine("m", {"Type": "Wait", "TimestampPath": "$.until", "End": True})
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1.4)).replace(microsecond=400_000)  # answers have milliseconds
    found = run(machine, {"until": until.isoformat().replace("+00:00", "Z")})
    assert dt.timedelta(0) <= found["stopDate"] - until < dt.timedelta(seconds=1)


def test_the_context_object_has_texts(make_machine: Any, run: Any) -> None:
    fields = {
        "id.$": "$$.Execution.Id",
        "name.$": "$$.Execution.Name",
        "started.$": "$$.Execution.StartTime",
        "text.$": "States.Format('{}', $$.Execution.StartTime)",
        "machine.$": "$$.StateMachine.Name",
    }
    found = run(make_machine("m", {"Type": "Pass", "Parameters": fields, "End": True}), name="run-1")
    output = json.loads(found["output"])
    assert (output["id"], output["name"], output["machine"]) == (found["executionArn"], "run-1", "m")
    assert output["text"] == output["started"]
    started = dt.datetime.fromisoformat(output["started"])
    assert output["started"].endswith("Z")
    assert abs(started - found["startDate"]) < dt.timedelta(seconds=1)


def test_an_output_that_is_a_text_is_json(make_machine: Any, run: Any) -> None:
    found = run(make_machine("m", {"Type": "Pass", "Result": "ACTIVE", "End": True}))
    assert found["output"] == '"ACTIVE"'


def test_sdk_tasks_take_and_give_pascal_case_and_times_as_text(aws: Any, dynamodb: Any, make_machine: Any, run: Any) -> None:
    aws.register_cluster("prod", "https://127.0.0.1:6443", "pem")
    found = run(make_machine("eks", task("arn:aws:states:::aws-sdk:eks:describeCluster", {"Name": "prod"})))
    assert json.loads(found["output"])["Cluster"]["Endpoint"] == "https://127.0.0.1:6443"
    make_table(dynamodb)
    describe = task("arn:aws:states:::aws-sdk:dynamodb:describeTable", {"TableName": "accounts"})
    found = run(make_machine("dynamodb", describe))
    assert json.loads(found["output"])["Table"]["CreationDateTime"].endswith("Z")


@pytest.mark.parametrize(
    ("action", "parameters", "error"),
    [
        ("dynamodb:describeTable", {"TableName": "none"}, "DynamoDb.ResourceNotFoundException"),
        ("eks:describeCluster", {"Name": "none"}, "Eks.ResourceNotFoundException"),
    ],
)
def test_errors_of_sdk_tasks_have_the_names_of_aws(
    make_machine: Any, run: Any, action: str, parameters: dict[str, str], error: str
) -> None:
    found = run(make_machine("m", task(f"arn:aws:states:::aws-sdk:{action}", parameters)))
    assert (found["status"], found["error"]) == ("FAILED", error)


def test_a_machine_that_times_out_says_when(sfn: Any, make_machine: Any, run: Any) -> None:
    wait = {"Only": {"Type": "Wait", "Seconds": 60, "End": True}}
    machine = make_machine("m", definition={"StartAt": "Only", "TimeoutSeconds": 1, "States": wait})
    found = run(machine)
    assert found["status"] == "TIMED_OUT"
    assert found["stopDate"] > found["startDate"]


PASS = {"Type": "Pass", "End": True}


@pytest.mark.parametrize(
    "definition",
    [
        {"States": {}},
        {"StartAt": "None", "States": {"Only": PASS}},
        {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "Next": "None"}}},
        {"StartAt": "Only", "States": {"Only": {"Type": "Pass"}}},
        {"StartAt": "Only", "States": {"Only": {**PASS, "Type": "Choice", "Choices": [], "Default": "None"}}},
    ],
)
def test_a_definition_that_cannot_run_is_refused(make_machine: Any, definition: dict[str, Any]) -> None:
    assert code_of(lambda: make_machine("m", definition=definition)) == "InvalidDefinition"


def test_the_end_of_an_execution_is_an_event(clients: Any, make_machine: Any, run: Any, make_queue: Any, received: Any) -> None:
    url, arn = make_queue("ended")
    machine = make_machine("m", {"Type": "Fail", "Error": "Broken"})
    pattern = {"source": ["aws.states"], "detail": {"status": ["FAILED"], "stateMachineArn": [machine]}}
    clients("events").put_rule(Name="failed", EventPattern=json.dumps(pattern))
    clients("events").put_targets(Rule="failed", Targets=[{"Id": "queue", "Arn": arn}])
    found = run(machine)
    (message,) = received(url)
    detail = json.loads(message["Body"])["detail"]
    assert (detail["executionArn"], detail["error"]) == (found["executionArn"], "Broken")
