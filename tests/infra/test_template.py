"""The SAM template: what must be there for the product to be safe, and that nothing in it is broader than it must be."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from shared.catalog.dynamodb import ACTIONS as CATALOG_ACTIONS
from shared.databases.dynamodb import actions as actions_module

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
    "dynamodb:ListBackups",
    "dynamodb:ListTables",
}
SIDE_TABLES = "table/scalar-backup.*"


def statements(role: str) -> list[dict[str, Any]]:
    return [s for policy in RESOURCES[role]["Properties"]["Policies"] for s in policy["PolicyDocument"]["Statement"]]


def actions(statement: dict[str, Any]) -> set[str]:
    given = statement["Action"]
    return {given} if isinstance(given, str) else set(given)


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
    for statement in statements(name):
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in actions(statement)), statement
        if statement["Resource"] == "*":
            assert actions(statement) <= WITHOUT_RESOURCE, statement


CHANGES_TABLES = {
    action
    for action in actions_module.PROTECT_SIDE_TABLE_ACTIONS
    if not re.search(r":(Describe|Get|List|Query|Scan|Restore)", action)
}


@pytest.mark.parametrize("role", sorted(ROLES))
def test_no_role_can_change_or_delete_a_table_that_is_not_a_side_table(role: str) -> None:
    """The catalog's own table is no side table either: its items are written, the table is not."""
    for statement in statements(role):
        if actions(statement) & CHANGES_TABLES:
            resources = [item["Fn::Sub"] for item in statement["Resource"]]
            assert all(SIDE_TABLES in resource for resource in resources), statement


def test_the_roles_have_the_database_actions_that_the_code_uses_and_no_others() -> None:
    def granted(role: str) -> set[str]:
        return set().union(*(actions(s) for s in statements(role))) - {"eks:DescribeCluster"}

    assert granted("CheckRole") == set(actions_module.CHECK_ACTIONS)
    wanted = {*actions_module.PROTECT_ACTIONS, *actions_module.PROTECT_SIDE_TABLE_ACTIONS}
    assert granted("ProtectRole") == wanted


def test_exactly_the_functions_that_talk_to_clusters_may_find_them() -> None:
    """The watchdog too: it asks which pods are gone, and may have to reach the others through the API server."""
    may = {role for role in ROLES if any("eks:DescribeCluster" in actions(item) for item in statements(role))}
    assert may == {"CheckRole", "WindowRole", "WatchdogRole"}


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
    (rule,) = RESOURCES["BackupRequested"]["Properties"]["Targets"]
    for target in (schedule, rule):
        assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}}


def test_the_schedule_has_a_time_zone_and_fires_on_the_minute() -> None:
    properties = RESOURCES["NightlyBackup"]["Properties"]
    assert properties["ScheduleExpressionTimezone"] == {"Ref": "ScheduleTimezone"}
    assert properties["FlexibleTimeWindow"] == {"Mode": "OFF"}


def test_the_outputs_are_those_that_the_command_line_looks_for() -> None:
    wanted = {
        "CatalogTable", "BackupStateMachineArn", "WatchdogStateMachineArn", "CheckFunctionName", "WatchdogFunctionName",
        "EventBusName",
    }  # fmt: skip
    assert wanted <= set(TEMPLATE["Outputs"])


def test_the_template_uses_no_yaml_aliases() -> None:
    """CloudFormation does not read them."""
    text = (ROOT / "infra" / "aws" / "template.yaml").read_text()
    assert not re.search(r":\s+[&*]\w+\s*$", text, re.MULTILINE)
