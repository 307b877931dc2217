"""EventBridge rules reach their targets, in the form that the target asks for."""

import json
from typing import Any

import pytest

from tests.contract.aws.conftest import wait_until

TARGET_ROLE = "arn:aws:iam::123456789012:role/r"
EVENT = {"reason": "pre-upgrade", "plan": "orders"}


@pytest.fixture
def events(aws: Any, clients: Any) -> Any:
    return clients("events")


@pytest.fixture
def machine(make_machine: Any) -> str:
    return str(make_machine("backup", {"Type": "Pass", "End": True}))


def make_rule(events: Any, target: dict[str, Any], **more: Any) -> None:
    pattern = json.dumps({"source": ["scalar.backup"], "detail": {"reason": ["pre-upgrade"]}})
    events.put_rule(**{"Name": "requested", "EventPattern": pattern, **more})
    events.put_targets(Rule="requested", Targets=[{"Id": "t", "RoleArn": TARGET_ROLE, **target}])


def put(events: Any, **more: Any) -> None:
    entry = {"Source": "scalar.backup", "DetailType": "Backup Requested", "Detail": json.dumps(EVENT), **more}
    answer = events.put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0


def inputs(sfn: Any, machine: str, count: int = 1) -> list[Any]:
    wait_until(lambda: len(sfn.list_executions(stateMachineArn=machine)["executions"]) >= count, f"{count} executions")
    arns = [one["executionArn"] for one in sfn.list_executions(stateMachineArn=machine)["executions"]]
    return [json.loads(sfn.describe_execution(executionArn=arn)["input"]) for arn in arns]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"Input": '{"plan": "fixed"}'}, {"plan": "fixed"}),
        ({"InputPath": "$.detail"}, EVENT),
        (
            {
                "InputTransformer": {
                    "InputPathsMap": {"plan": "$.detail.plan", "detail": "$.detail", "type": "$.detail-type"},
                    "InputTemplate": '{"plan": <plan>, "why": "event <type>", "all": <detail>}',
                }
            },
            {"plan": "orders", "why": "event Backup Requested", "all": EVENT},
        ),
    ],
)
def test_an_event_starts_a_state_machine_with_the_input_asked_for(
    events: Any, sfn: Any, machine: str, how: dict[str, Any], expected: Any
) -> None:
    make_rule(events, {"Arn": machine, **how})
    put(events)
    assert inputs(sfn, machine) == [expected]


def test_without_a_transformation_the_input_is_the_event(events: Any, sfn: Any, machine: str) -> None:
    make_rule(events, {"Arn": machine})
    put(events)
    (event,) = inputs(sfn, machine)
    assert (event["detail"], event["source"], event["region"]) == (EVENT, "scalar.backup", "ap-northeast-1")
    assert event["time"].endswith("Z")


def test_an_event_invokes_a_function(aws: Any, events: Any, make_function: Any) -> None:
    make_rule(events, {"Arn": make_function("echo")})
    put(events)
    wait_until(lambda: "echo was called" in aws.logs("echo"), "the function to run")


def test_a_rule_of_another_bus_gets_only_its_events(events: Any, sfn: Any, machine: str) -> None:
    events.create_event_bus(Name="backup")
    pattern = json.dumps({"source": ["scalar.backup"]})
    events.put_rule(Name="r", EventBusName="backup", EventPattern=pattern)
    events.put_targets(Rule="r", EventBusName="backup", Targets=[{"Id": "t", "Arn": machine, "InputPath": "$.detail"}])
    put(events, Detail='{"bus": "default"}')
    put(events, Detail='{"bus": "backup"}', EventBusName="backup")
    assert inputs(sfn, machine) == [{"bus": "backup"}]


@pytest.mark.parametrize(
    "rule", [{"State": "DISABLED"}, {"EventPattern": "", "ScheduleExpression": "rate(1 day)"}], ids=["disabled", "schedule"]
)
def test_a_rule_that_must_not_match_stays_silent(
    events: Any, sfn: Any, machine: str, make_queue: Any, received: Any, rule: dict[str, str]
) -> None:
    make_rule(events, {"Arn": machine}, **rule)
    url, arn = make_queue("marker")
    events.put_rule(Name="marker", EventPattern='{"source": ["scalar.backup"]}')
    events.put_targets(Rule="marker", Targets=[{"Id": "t", "Arn": arn}])
    put(events)
    received(url)
    assert sfn.list_executions(stateMachineArn=machine)["executions"] == []


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(
    events: Any, make_queue: Any, received: Any, machine: str
) -> None:
    url, arn = make_queue("dead-letters")
    make_rule(events, {"Arn": machine + "-gone", "InputPath": "$.detail", "DeadLetterConfig": {"Arn": arn}})
    put(events)
    (letter,) = received(url)
    assert json.loads(letter["Body"]) == EVENT
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert said["ERROR_CODE"] == "StateMachineDoesNotExist"
    assert said["RULE_ARN"].endswith(":rule/requested")


def test_a_delivery_that_is_throttled_is_tried_again(aws: Any, events: Any, sfn: Any, machine: str) -> None:
    aws.settings(target_retry_seconds=0.05)
    aws.fault("stepfunctions", "StartExecution", "ThrottlingException", times=2)
    make_rule(events, {"Arn": machine, "InputPath": "$.detail"})
    put(events)
    assert inputs(sfn, machine) == [EVENT]
    assert aws.faults() == []
