"""What a script learns from the command line when it cannot even begin."""

from __future__ import annotations

import pytest

from infra.sandbox.world import RELEASE
from tests.scenarios.deployment import Deployment

pytestmark = pytest.mark.stand_in_only(reason="it is about the command line")


def test_an_unknown_plan_is_wrong_input_and_the_known_ones_are_named(deployment: Deployment) -> None:
    deployment.apply("orders-known", RELEASE)
    commands = [("backup", "run", "orders-unknown"), ("check", "orders-unknown"), ("points", "list", "orders-unknown")]
    for ended in map(deployment.ended, [deployment.begin_command(*command) for command in commands]):
        assert ended.code == 3
        assert ended.stdout == ""
        assert "orders-known" in ended.stderr


def test_an_endpoint_that_does_not_answer_is_a_service_that_cannot_be_reached(deployment: Deployment) -> None:
    ended = deployment.command("points", "list", "orders-known", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert ended.code == 2
    assert "cloudformation:DescribeStacks" in ended.stderr
    assert "no answer" in ended.stderr or "reached" in ended.stderr


def test_a_stack_that_does_not_exist_is_wrong_input(deployment: Deployment) -> None:
    ended = deployment.command("--stack", "there-is-none", "plan", "show", "orders-known")
    assert ended.code == 3
    assert "'there-is-none'" in ended.stderr
