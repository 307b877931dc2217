"""The SAM template: what must be there for the product to be safe, and that nothing in it is broader than it must be."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from shared.catalog.dynamodb import ACTIONS as CATALOG_ACTIONS
from shared.databases.dynamodb import actions as dynamodb
from shared.databases.rds import actions as instances
from shared.databases.rds import cluster_actions as clusters
from shared.executions.step_functions import ACTIONS as EXECUTION_ACTIONS
from shared.wiring.aws import RESTORE_MACHINE_VARIABLE

ROOT = Path(__file__).parents[2]
TEMPLATE = yaml_parse((ROOT / "infra" / "aws" / "template.yaml").read_text())
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
FUNCTIONS = {name: item for name, item in RESOURCES.items() if item["Type"] == "AWS::Serverless::Function"}
MACHINES = {name: item for name, item in RESOURCES.items() if item["Type"] == "AWS::Serverless::StateMachine"}
ROLES = {name: item for name, item in RESOURCES.items() if item["Type"] == "AWS::IAM::Role"}
# These actions exist for no narrower resource: https://docs.aws.amazon.com/service-authorization/latest/reference/
WITHOUT_RESOURCE = {
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
    "dynamodb:ListBackups",
    "dynamodb:ListTables",
}
RDS_CHECK = {*instances.CHECK_ACTIONS, *clusters.CHECK_ACTIONS}
LISTING_ALL = RDS_CHECK - WITHOUT_RESOURCE
"""These know resources, but which instance or cluster bears which name is seen by listing all."""
SIDE_TABLES = "table/scalar-backup.*"


def statements(role: str) -> list[dict[str, Any]]:
    return [s for policy in RESOURCES[role]["Properties"]["Policies"] for s in policy["PolicyDocument"]["Statement"]]


def actions(statement: dict[str, Any]) -> set[str]:
    given = statement["Action"]
    return {given} if isinstance(given, str) else set(given)


def allowed(role: str) -> list[dict[str, Any]]:
    return [statement for statement in statements(role) if statement["Effect"] == "Allow"]


def granted(role: str) -> set[str]:
    return set().union(*(actions(statement) for statement in allowed(role)))


def variables(function: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[function]["Properties"]["Environment"]["Variables"]
    return found


def arns(statement: dict[str, Any]) -> list[str]:
    """The resources of a statement, as the text that they are made from."""
    given = statement["Resource"]
    return [item["Fn::Sub"] for item in (given if isinstance(given, list) else [given])]


def test_the_catalog_cannot_be_lost_by_accident() -> None:
    catalog = RESOURCES["Catalog"]
    assert (catalog["DeletionPolicy"], catalog["UpdateReplacePolicy"]) == ("Retain", "Retain")
    properties = catalog["Properties"]
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["SSESpecification"] == {"SSEEnabled": True}


def test_the_catalog_has_the_keys_that_the_code_uses() -> None:
    from shared.catalog.dynamodb import table_definition

    wanted = table_definition("catalog")
    properties = RESOURCES["Catalog"]["Properties"]
    assert properties["KeySchema"] == wanted["KeySchema"]
    assert properties["AttributeDefinitions"] == wanted["AttributeDefinitions"]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_has_a_handler_a_time_out_a_role_and_logs_of_its_own(name: str) -> None:
    properties = FUNCTIONS[name]["Properties"]
    module, attribute = properties["Handler"].rsplit(".", 1)
    assert attribute == "handler"
    assert importlib.util.find_spec(module) is not None
    assert properties["Role"] == {"Fn::GetAtt": [name.replace("Function", "Role"), "Arn"]}
    assert name.replace("Function", "Logs") in RESOURCES
    assert properties.get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"]) <= 900


def test_no_two_functions_share_a_role() -> None:
    roles = [json.dumps(item["Properties"]["Role"]) for item in FUNCTIONS.values()]
    assert len(set(roles)) == len(FUNCTIONS)


@pytest.mark.parametrize("name", sorted(ROLES))
def test_no_statement_is_broader_than_its_actions_force_it_to_be(name: str) -> None:
    for statement in allowed(name):
        assert not any("*" in action for action in actions(statement)), statement
        if statement["Resource"] == "*":
            assert actions(statement) <= WITHOUT_RESOURCE | LISTING_ALL, statement


def changing(names: Iterable[str]) -> set[str]:
    return {name for name in names if not re.search(r":(BatchGet|Describe|Get|List|Query|Scan)", name)}


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"DatabasesRole"}))
def test_only_the_restore_of_databases_can_change_or_delete_a_table_that_is_not_a_side_table(role: str) -> None:
    """The catalog's own table is no side table either: its items are written, the table is not."""
    changes_tables = changing(dynamodb.PROTECT_SIDE_TABLE_ACTIONS) - {"dynamodb:RestoreTableToPointInTime"}
    for statement in allowed(role):
        if actions(statement) & changes_tables:
            assert all(SIDE_TABLES in resource for resource in arns(statement)), statement


def test_no_restore_can_touch_the_catalogs_table_whatever_a_plan_names() -> None:
    (denied,) = [item for role in ROLES for item in statements(role) if item["Effect"] == "Deny"]
    assert denied in statements("DatabasesRole")
    assert denied["Resource"] == {"Fn::GetAtt": ["Catalog", "Arn"]}
    on_tables = {name for name in granted("DatabasesRole") if name.startswith("dynamodb:")}
    assert actions(denied) >= changing(on_tables) - set(CATALOG_ACTIONS)


def test_databases_are_deleted_only_where_the_name_bears_a_restores_stamp() -> None:
    deleting = [
        item
        for role in ROLES
        for item in allowed(role)
        if any(re.search(r":DeleteDB(Cluster)?(Instance|Snapshot)?$", name) for name in actions(item))
    ]
    assert deleting
    for statement in deleting:
        assert all(
            resource.rpartition(":")[2].startswith(("scalar-backup-", "*-old????????t", "*-r????????t"))
            for resource in arns(statement)
        )


@pytest.mark.parametrize(
    ("role", "wanted"),
    [
        ("CheckRole", {*dynamodb.CHECK_ACTIONS, *RDS_CHECK}),
        ("WindowRole", {*instances.WINDOW_SNAPSHOT_ACTIONS, *clusters.WINDOW_SNAPSHOT_ACTIONS}),
        (
            "ProtectRole",
            {
                *dynamodb.PROTECT_ACTIONS,
                *dynamodb.PROTECT_SIDE_TABLE_ACTIONS,
                *instances.PROTECT_ACTIONS,
                *clusters.PROTECT_ACTIONS,
            },
        ),
        ("RestoreRole", {*dynamodb.RESTORE_FORECAST_ACTIONS, *RDS_CHECK, *EXECUTION_ACTIONS}),
        ("ApplicationsRole", set()),
        (
            "DatabasesRole",
            {
                *dynamodb.RESTORE_FORECAST_ACTIONS,
                *dynamodb.RESTORE_ACTIONS,
                *dynamodb.RESTORE_ACCOUNT_ACTIONS,
                *dynamodb.RESTORE_STREAM_ACTIONS,
                *instances.RESTORE_ACTIONS,
                *clusters.RESTORE_ACTIONS,
                *instances.DISCARD_ACTIONS,
                *clusters.DISCARD_ACTIONS,
                *instances.PASS_ROLE_ACTIONS,
                *clusters.PASS_ROLE_ACTIONS,
                *instances.MANAGED_PASSWORD_ACTIONS,
                *clusters.SCALING_ACTIONS,
            },
        ),
    ],
)
def test_the_roles_have_the_actions_that_the_code_uses_and_no_others(role: str, wanted: set[str]) -> None:
    assert granted(role) - {"eks:DescribeCluster"} == wanted


@pytest.mark.parametrize(
    ("role", "names", "resources"),
    [
        (
            "WindowRole",
            (*instances.WINDOW_SNAPSHOT_ACTIONS, *clusters.WINDOW_SNAPSHOT_ACTIONS),
            ("db:*", "cluster:*", *instances.WINDOW_SNAPSHOT_RESOURCES, *clusters.WINDOW_SNAPSHOT_RESOURCES),
        ),
        (
            "ProtectRole",
            {*instances.PROTECT_ACTIONS, *clusters.PROTECT_ACTIONS} - RDS_CHECK,
            (*instances.WINDOW_SNAPSHOT_RESOURCES, *clusters.WINDOW_SNAPSHOT_RESOURCES),
        ),
        (
            "DatabasesRole",
            {*instances.RESTORE_ACTIONS, *clusters.RESTORE_ACTIONS} - RDS_CHECK,
            (*instances.RESTORE_RESOURCES, *clusters.RESTORE_RESOURCES),
        ),
        (
            "DatabasesRole",
            {*instances.DISCARD_ACTIONS, *clusters.DISCARD_ACTIONS} - RDS_CHECK,
            (*instances.DISCARD_RESOURCES, *clusters.DISCARD_RESOURCES),
        ),
    ],
)
def test_rights_on_instances_and_clusters_reach_as_far_as_the_code_says(
    role: str, names: Iterable[str], resources: tuple[str, ...]
) -> None:
    (statement,) = [item for item in allowed(role) if actions(item) == set(names)]
    prefix = "arn:${AWS::Partition}:rds:*:${AWS::AccountId}:"
    assert {resource.removeprefix(prefix) for resource in arns(statement)} == set(resources)


def test_exactly_the_functions_that_talk_to_clusters_may_find_them() -> None:
    """The watchdog too: it asks which pods are gone, and may have to reach the others through the API server."""
    may = {role for role in ROLES if "eks:DescribeCluster" in granted(role)}
    assert may == {"CheckRole", "WindowRole", "WatchdogRole", "RestoreRole", "ApplicationsRole"}


def test_the_restore_function_is_told_the_machine_that_the_template_makes_and_may_start_no_other() -> None:
    """Its name is spelled out, because the machine and the function cannot each be made first."""
    name = RESOURCES["RestoreStateMachine"]["Properties"]["Name"]["Fn::Sub"]
    arn = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:" + name
    assert variables("RestoreFunction")[RESTORE_MACHINE_VARIABLE] == {"Fn::Sub": arn}
    (starts,) = [item for item in allowed("RestoreRole") if "states:StartExecution" in actions(item)]
    assert starts["Resource"] == {"Fn::Sub": arn}


def test_what_plans_a_restore_and_what_carries_it_out_wait_equally_long_for_writers() -> None:
    """As a text: a function's variables are texts, and not everything that reads a template turns numbers into them."""
    told = [variables(name)["SAFETY_QUIET_SECONDS"] for name in ("RestoreFunction", "DatabasesFunction")]
    assert told == [{"Fn::Sub": "${SafetyQuietSeconds}"}] * 2
    assert TEMPLATE["Parameters"]["SafetyQuietSeconds"]["Default"] == 60


def test_old_copies_and_deserted_runs_are_looked_for_by_the_clock() -> None:
    properties = RESOURCES["OldCopiesDue"]["Properties"]
    assert properties["ScheduleExpression"].startswith("rate(")
    asked = {target["Arn"]["Fn::GetAtt"][0]: json.loads(target["Input"]) for target in properties["Targets"]}
    assert asked == {"DatabasesFunction": {"step": "restore_clean_up"}, "RunFunction": {"step": "sweep"}}
    for name in ("OldCopiesDuePermission", "SweepDuePermission"):
        assert RESOURCES[name]["Properties"]["SourceArn"] == {"Fn::GetAtt": ["OldCopiesDue", "Arn"]}


def test_a_call_by_a_rule_that_fails_for_good_ends_in_the_dead_letter_queue() -> None:
    """A rule's own DeadLetterConfig knows of calls that could not be delivered only: Lambda drops what fails after that."""
    rules = [item for item in RESOURCES.values() if item["Type"] == "AWS::Events::Rule"]
    targets = [target["Arn"] for rule in rules for target in rule["Properties"]["Targets"]]
    called = {arn["Fn::GetAtt"][0] for arn in targets if "Fn::GetAtt" in arn}
    assert called == {"RunFunction", "DatabasesFunction"}
    for name in called:
        queue = {"Type": "SQS", "TargetArn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}
        assert FUNCTIONS[name]["Properties"]["DeadLetterQueue"] == queue
        role = ROLES[name.replace("Function", "Role")]
        assert {"Ref": "FailedCalls"} in role["Properties"]["ManagedPolicyArns"]


def test_whatever_should_wake_somebody_has_an_alarm() -> None:
    alarms = {name: item["Properties"] for name, item in RESOURCES.items() if item["Type"] == "AWS::CloudWatch::Alarm"}
    assert set(alarms) == {
        f"{name}Alarm"
        for name in ("RestoresHalted", "RestoresFailed", "BackupsFailed", "WatchdogFired", "CleanUpProblems", "DeadLetters")
    }
    steps = "".join(path.read_text() for path in (ROOT / "shared" / "steps").rglob("*.py"))
    for name, alarm in alarms.items():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"]["Fn::If"][:2] == ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}]]
        metric = name.removesuffix("Alarm")
        if metric == "DeadLetters":
            assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["DeadLetters", "QueueName"]}}]
        else:
            assert f'"{metric}"' in steps, "a metric that some step counts"
            assert f"SUM({metric})" in alarm["Metrics"][0]["Expression"]
    assert TEMPLATE["Parameters"]["AlarmTopicArn"]["Default"] == ""


def test_the_end_of_every_run_that_no_catch_can_see_is_told() -> None:
    machines = RESOURCES["ExecutionEnded"]["Properties"]["EventPattern"]["detail"]["stateMachineArn"]
    assert machines == [{"Ref": "BackupStateMachine"}, {"Ref": "RestoreStateMachine"}]


def test_every_function_may_keep_its_records_in_the_catalog_and_no_more() -> None:
    (logs, records) = RESOURCES["FunctionBasics"]["Properties"]["PolicyDocument"]["Statement"]
    assert actions(records) == set(CATALOG_ACTIONS)
    assert records["Resource"] == {"Fn::GetAtt": ["Catalog", "Arn"]}
    assert actions(logs) == {"logs:CreateLogStream", "logs:PutLogEvents"}


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_every_placeholder_of_a_state_machine_is_substituted_and_none_is_spare(name: str) -> None:
    properties = MACHINES[name]["Properties"]
    text = (ROOT / "infra" / "aws" / properties["DefinitionUri"]).read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(properties["DefinitionSubstitutions"])


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_a_state_machine_may_invoke_exactly_the_functions_it_calls(name: str) -> None:
    called = {
        value["Fn::GetAtt"][0]
        for value in MACHINES[name]["Properties"]["DefinitionSubstitutions"].values()
        if "Fn::GetAtt" in value
    }
    allowed = json.dumps([s for s in statements(f"{name}Role") if "lambda:InvokeFunction" in actions(s)])
    assert {function for function in FUNCTIONS if function in allowed} == called


def test_what_cannot_be_started_ends_in_the_dead_letter_queue() -> None:
    schedule = RESOURCES["NightlyBackup"]["Properties"]["Target"]
    rules = [item for item in RESOURCES.values() if item["Type"] == "AWS::Events::Rule"]
    for target in (schedule, *(target for rule in rules for target in rule["Properties"]["Targets"])):
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}


def test_the_schedule_has_a_time_zone_and_fires_on_the_minute() -> None:
    properties = RESOURCES["NightlyBackup"]["Properties"]
    assert properties["ScheduleExpressionTimezone"] == {"Ref": "ScheduleTimezone"}
    assert properties["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_the_outputs_are_those_that_the_command_line_looks_for() -> None:
    wanted = {
        "CatalogTable", "BackupStateMachineArn", "WatchdogStateMachineArn", "CheckFunctionName", "WatchdogFunctionName",
        "EventBusName", "RestoreFunctionName", "RestoreStateMachineArn", "RestoreRoleArn", "ApplicationsRoleArn",
    }  # fmt: skip
    assert wanted <= set(TEMPLATE["Outputs"])


def test_the_template_uses_no_yaml_aliases() -> None:
    """CloudFormation does not read them."""
    text = (ROOT / "infra" / "aws" / "template.yaml").read_text()
    assert not re.search(r":\s+[&*]\w+\s*$", text, re.MULTILINE)
