"""SAM templates: everything they name exists afterwards and works, or the deployment fails by name."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.aws.deploy import DeployError, deploy
from tests.contract.aws.conftest import wait_until
from tests.contract.aws.test_dynamodb_recovery import recovery, refusal

HERE = Path(__file__).parent


@pytest.fixture
def account(aws: Any, clients: Any) -> Any:
    clients("ssm").put_parameter(Name="/backup/where", Value="tokyo", Type="String")
    return clients


def make(clients: Any, template: Path = HERE / "template.yaml", **parameters: str) -> dict[str, str]:
    return deploy(template, "demo", parameters, clients)


def minimal(tmp_path: Path, resources: str) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(f'AWSTemplateFormatVersion: "2010-09-09"\nTransform: AWS::Serverless-2016-10-31\nResources:\n{resources}')
    return path


def test_a_deployed_stack_works(account: Any, run: Any) -> None:
    outputs = make(account)
    found = run(outputs["Machine"], {"n": 1}, name="run-1")
    assert found["status"] == "SUCCEEDED", found
    answer = json.loads(found["output"])["answer"]
    assert answer["event"]["given"] == {"n": 1}
    assert answer["event"]["execution"] == "run-1"
    assert answer["event"]["topic"].endswith("/x")
    assert answer["function"] == "demo-echo"
    assert answer["variable"] == "hello ap-northeast-1 tokyo"
    assert json.loads(found["output"])["hold"] == "1"
    assert account("dynamodb").scan(TableName=outputs["Table"])["Count"] == 1
    alarms = account("cloudwatch").describe_alarms()["MetricAlarms"]
    assert [alarm["AlarmArn"] for alarm in alarms] == [outputs["Alarm"]]
    assert outputs["Bus"] == "backup"
    policy = account("sqs").get_queue_attributes(QueueUrl=outputs["Queue"], AttributeNames=["Policy"])
    assert "events.amazonaws.com" in policy["Attributes"]["Policy"]
    resources = account("cloudformation").list_stack_resources(StackName="demo")["StackResourceSummaries"]
    assert all(resource.get("PhysicalResourceId") for resource in resources)


def test_a_table_of_a_stack_has_the_settings_of_the_template(account: Any) -> None:
    table = make(account, Protected="yes")["Table"]
    dynamodb = account("dynamodb")
    assert recovery(dynamodb, table)["RecoveryPeriodInDays"] == 7
    described = dynamodb.describe_table(TableName=table)["Table"]
    assert described["DeletionProtectionEnabled"]
    assert described["SSEDescription"]["Status"] == "ENABLED"
    expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    assert refusal(lambda: dynamodb.delete_table(TableName=table)) == "ValidationException"


def test_schedule_and_event_of_the_template_start_the_machine(aws: Any, account: Any, sfn: Any) -> None:
    outputs = make(account)
    aws.set_scheduler_clock(aws.scheduler_now() + dt.timedelta(hours=24))
    entry = {"Source": "scalar.backup", "DetailType": "x", "Detail": '{"from": "event"}', "EventBusName": outputs["Bus"]}
    account("events").put_events(Entries=[entry])

    def inputs() -> list[str]:
        executions = sfn.list_executions(stateMachineArn=outputs["Machine"])["executions"]
        arns = [execution["executionArn"] for execution in executions]
        return sorted(json.loads(sfn.describe_execution(executionArn=arn)["input"])["from"] for arn in arns)

    wait_until(lambda: inputs() == ["event", "schedule"], "both triggers")


def test_an_update_is_in_effect_and_keeps_what_did_not_change(account: Any, run: Any) -> None:
    first = make(account)
    run(first["Machine"])
    second = make(account, Greeting="goodbye", Hold="2", Protected="yes")
    assert second == first
    output = json.loads(run(first["Machine"])["output"])
    assert output["answer"]["variable"] == "goodbye ap-northeast-1 tokyo"
    assert output["hold"] == "2"
    assert account("dynamodb").scan(TableName=first["Table"])["Count"] == 2
    assert account("dynamodb").describe_table(TableName=first["Table"])["Table"]["DeletionProtectionEnabled"]


def test_a_condition_that_changes_adds_and_removes_its_resources(account: Any, tmp_path: Path) -> None:
    template = minimal(tmp_path, "  Queue: {Type: AWS::SQS::Queue}\n  More: {Type: AWS::SQS::Queue, Condition: IsWanted}\n")
    template.write_text(
        template.read_text() + "Parameters: {Wanted: {Type: String}}\nConditions: {IsWanted: !Equals [!Ref Wanted, 'yes']}\n"
    )
    counts = []
    for wanted in ("no", "yes", "no"):
        make(account, template, Wanted=wanted)
        counts.append(len(account("sqs").list_queues()["QueueUrls"]))
    assert counts == [1, 2, 1]


def test_a_deleted_stack_leaves_nothing(account: Any, sfn: Any) -> None:
    make(account)
    account("cloudformation").delete_stack(StackName="demo")
    assert sfn.list_state_machines()["stateMachines"] == []
    assert account("scheduler").list_schedules()["Schedules"] == []
    assert account("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert account("lambda").list_functions()["Functions"] == []


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ("  Cache: {Type: AWS::ElastiCache::ReplicationGroup}\n", r"Unrecognized resource types: .*ReplicationGroup"),
        (
            (
                "  Bus: {Type: AWS::Events::EventBus, Properties: {Name: b}}\n"
                "  Role: {Type: AWS::SSM::Parameter, Properties: {Name: p, Type: String, Value: !GetAtt Bus.Nothing}}\n"
            ),
            "Bus.*Nothing|does not support attribute",
        ),
        (
            "  M: {Type: AWS::Serverless::StateMachine, Properties: {Role: r, DefinitionUri: none.json}}\n",
            "definition of state machine M cannot be read",
        ),
        (
            (
                "  S: {Type: AWS::Scheduler::Schedule, Properties: {ScheduleExpression: cron(x), "
                "FlexibleTimeWindow: {Mode: 'OFF'}, Target: {Arn: a, RoleArn: r}}}\n"
            ),
            "AWS::Scheduler::Schedule .*Invalid Schedule Expression",
        ),
        ("  F: {Type: AWS::Serverless::Function, Properties: {Handler: 1.x, Nonsense: 1}}\n", "Nonsense|Runtime"),
    ],
)
def test_what_cannot_be_made_fails_by_name(account: Any, tmp_path: Path, resources: str, said: str) -> None:
    with pytest.raises(DeployError, match=said):
        make(account, minimal(tmp_path, resources))
    assert account("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"] == []


def test_a_placeholder_without_a_substitution_fails_by_name(account: Any, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(
        json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": "${Nobody}", "End": True}}})
    )
    machine = "  M: {Type: AWS::Serverless::StateMachine, Properties: {Role: r, DefinitionUri: m.json}}\n"
    with pytest.raises(DeployError, match="DefinitionSubstitutions has no Nobody"):
        make(account, minimal(tmp_path, machine))
