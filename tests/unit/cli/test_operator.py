"""The operator against (moto's) AWS: the stack is found, and its real catalog is used."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
import yaml
from click.testing import CliRunner, Result
from moto import mock_aws

from shared.catalog.dynamodb import table_definition
from shared.cli import main
from shared.model.plan_document import EXAMPLE
from tests.unit.cli.test_engine import OUTPUTS

REGION = "ap-northeast-1"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_PROFILE", "SCALAR_BACKUP_STACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with mock_aws():
        yield


def deploy(stack: str, table: str) -> None:
    outputs = OUTPUTS | {"CatalogTable": table}
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation", region_name=REGION).create_stack(StackName=stack, TemplateBody=json.dumps(template))
    boto3.client("dynamodb", region_name=REGION).create_table(**table_definition() | {"TableName": table})


def call(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=given)


def test_plans_are_kept_in_the_catalog_of_the_stack_that_is_named() -> None:
    deploy("scalar-backup", "one")
    deploy("another", "two")
    here, there = ("--region", REGION), ("--region", REGION, "--stack", "another")
    assert call(*there, "plan", "apply", "-", given=yaml.safe_dump(EXAMPLE)).exit_code == 0
    assert json.loads(call(*here, "plan", "list", "-o", "json").stdout) == []
    assert json.loads(call(*there, "plan", "show", "orders-prod", "-o", "json").stdout)["revision"] == 1


def test_stack_and_region_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    deploy("another", "two")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("SCALAR_BACKUP_STACK", "another")
    assert call("plan", "list").exit_code == 0


def test_without_a_stack_the_command_says_what_to_do() -> None:
    result = call("--region", REGION, "plan", "list")
    assert result.exit_code == 3
    assert "There is no stack 'scalar-backup' in ap-northeast-1 of this account." in result.stderr


def test_without_a_region_the_command_says_what_to_do() -> None:
    result = call("plan", "list")
    assert (result.exit_code, result.stderr) == (3, "Error: No AWS region is set.\nUse --region, or set AWS_REGION.\n")


def test_a_profile_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    result = call("--region", REGION, "plan", "list")
    assert result.exit_code == 3
    assert "nobody" in result.stderr
