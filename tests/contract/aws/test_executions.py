"""Starting the restore machine on Step Functions: one execution for one name and input, however often it is asked for."""

from typing import Any

import pytest

from shared.executions.step_functions import StepFunctionsExecutions
from shared.model.errors import Conflict, InvalidRequest, Misconfigured
from tests.contract.aws.conftest import ended

NAME = "orders-prod-20261124T030000Z-1f2e3d4c"
GIVEN = {"plan": "orders-prod", "action": "restore"}


@pytest.fixture
def waiting(make_machine: Any, sfn: Any) -> StepFunctionsExecutions:
    return StepFunctionsExecutions(make_machine("restore", {"Type": "Wait", "Seconds": 60, "End": True}), sfn)


def test_the_same_confirmation_twice_is_one_execution(waiting: StepFunctionsExecutions, sfn: Any) -> None:
    first = waiting.start_restore(NAME, GIVEN)
    again = waiting.start_restore(NAME, dict(reversed(GIVEN.items())))
    assert again == first
    assert first.console == ""
    assert sfn.describe_execution(executionArn=first.id)["name"] == NAME


def test_another_input_under_the_name_is_a_conflict(waiting: StepFunctionsExecutions) -> None:
    waiting.start_restore(NAME, GIVEN)
    with pytest.raises(Conflict, match="started with another input"):
        waiting.start_restore(NAME, GIVEN | {"plan": "other"})


def test_an_execution_that_is_over_is_a_conflict(make_machine: Any, sfn: Any) -> None:
    executions = StepFunctionsExecutions(make_machine("restore", {"Type": "Pass", "End": True}), sfn)
    started = executions.start_restore(NAME, GIVEN)
    assert ended(sfn, started.id)["status"] == "SUCCEEDED"
    with pytest.raises(Conflict, match="it is over"):
        executions.start_restore(NAME, GIVEN)


def test_a_name_that_step_functions_does_not_take_is_refused(waiting: StepFunctionsExecutions) -> None:
    with pytest.raises(InvalidRequest, match="cannot be the name"):
        waiting.start_restore("a b", GIVEN)


def test_a_machine_that_is_gone_is_named(waiting: StepFunctionsExecutions, sfn: Any) -> None:
    gone = StepFunctionsExecutions("arn:aws:states:ap-northeast-1:123456789012:stateMachine:gone", sfn)
    with pytest.raises(Misconfigured, match="state machine gone: there is no such state machine"):
        gone.start_restore(NAME, GIVEN)
