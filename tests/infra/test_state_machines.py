"""The state machines against the error tree and against the functions they call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.model import errors

DEFINITIONS = Path(__file__).parents[2] / "functions_aws" / "state_machines"
NAMES = sorted(path.name.removesuffix(".asl.json") for path in DEFINITIONS.glob("*.asl.json"))
# What Step Functions itself reports when Lambda could not even start the function; the call had no effect.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
LAMBDA_TEMPORARY = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
}
STEPS_OF = {
    "CheckFunctionArn": {"check"},
    "RunFunctionArn": {
        *("begin", "judge", "publish", "conclude", "ended", "sweep"),
        *("restore_begin", "restore_publish", "restore_conclude"),
    },
    "WindowFunctionArn": {"pause", "capture", "resume"},
    "WatchdogFunctionArn": {"watchdog", "unpause"},
    "ProtectFunctionArn": {"protect"},
    "RestoreFunctionArn": {"restore", "restore_check"},
    "ApplicationsFunctionArn": {"restore_stop", "restore_look", "restore_lead", "restore_start"},
    "DatabasesFunctionArn": {"restore_prepare", "restore_cut_over", "restore_verify", "restore_clean_up"},
}


def definition(name: str) -> dict[str, Any]:
    return json.loads((DEFINITIONS / f"{name}.asl.json").read_text())


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def lambda_tasks(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for label, state in states(definition(name)):
        if state.get("Resource") == "arn:aws:states:::lambda:invoke":
            yield label, state


def family(root: type[errors.BackupError]) -> set[str]:
    return {root.__name__}.union(*(family(kind) for kind in root.__subclasses__()))


TEMPORARY = family(errors.Temporary)
PERMANENT = family(errors.BackupError) - TEMPORARY - {"BackupError", "PodsMayBePaused", "HistoryExpired"}
ONLY_IN_RESTORES = {"Conflict", "RevisionConflict"}
"""What no step of a backup raises; a restore says Conflict when somebody else is at work on what it restores."""


def test_there_is_something_to_look_at() -> None:
    assert NAMES == ["backup", "protect", "restore", "restore_database", "watchdog"]


@pytest.mark.parametrize("name", NAMES)
def test_whoever_retries_a_temporary_error_retries_the_whole_family(name: str) -> None:
    for label, state in lambda_tasks(name):
        for rule in state.get("Retry", []):
            named = set(rule["ErrorEquals"])
            if named & TEMPORARY:
                assert named == TEMPORARY | LAMBDA_TEMPORARY, label


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_that_never_retries_names_every_permanent_error(name: str) -> None:
    for label, state in lambda_tasks(name):
        for rule in state.get("Retry", []):
            if rule.get("MaxAttempts") == 0:
                spared = set() if name.startswith("restore") else ONLY_IN_RESTORES
                assert set(rule["ErrorEquals"]) == PERMANENT - spared, label


@pytest.mark.parametrize("name", NAMES)
def test_every_task_calls_a_step_that_its_function_has(name: str) -> None:
    for label, state in lambda_tasks(name):
        function = state["Parameters"]["FunctionName"].strip("${}")
        payload = state["Parameters"]["Payload"]
        called = {payload["step"]} if "step" in payload else steps_of_children()
        assert called <= STEPS_OF[function], label


def steps_of_children() -> set[str]:
    """What the restore asks its children to do: their step is part of their input."""
    inputs = [
        state["Parameters"]["Input"] for _, state in states(definition("restore")) if "sync:2" in state.get("Resource", "")
    ]
    return {given["step"] for given in inputs}


def test_the_handlers_have_exactly_these_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CATALOG_TABLE", "EVENT_BUS", "AWS_REGION"):
        monkeypatch.setenv(variable, "x")
    from functions_aws import applications, check, databases, protect, restore, run, watchdog, window

    modules = {"Check": check, "Protect": protect, "Run": run, "Watchdog": watchdog, "Window": window}
    modules |= {"Restore": restore, "Applications": applications, "Databases": databases}
    assert {f"{name}FunctionArn": set(module.handler._steps) for name, module in modules.items()} == STEPS_OF
    for module in modules.values():
        module.handler.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_task_has_a_time_out(name: str) -> None:
    for label, state in lambda_tasks(name):
        assert state["TimeoutSeconds"] > 0, label


def test_every_way_out_of_the_pause_leads_to_resume() -> None:
    machine = definition("backup")["States"]
    assert {rule["Next"] for state in ("Pause", "Capture") for rule in machine[state]["Catch"]} == {"Resume"}
    assert machine["Are all pods paused?"]["Default"] == "Resume"
    assert machine["Capture"]["Next"] == "Resume"


def test_no_pause_without_an_armed_watchdog() -> None:
    machine = definition("backup")["States"]
    into_pause = {name for name, state in machine.items() if "Pause" in _successors(state)}
    assert into_pause == {"Arm the watchdog"}
    armed = {"StepFunctions.ExecutionAlreadyExistsException"}
    for rule in machine["Arm the watchdog"]["Catch"]:
        assert (rule["Next"] == "Pause") == (set(rule["ErrorEquals"]) == armed)


def test_a_pause_is_never_retried_once_its_function_may_have_run() -> None:
    retried = {error for rule in definition("backup")["States"]["Pause"]["Retry"] for error in rule["ErrorEquals"]}
    assert retried == {"Lambda.TooManyRequestsException"}


def test_every_failure_of_a_backup_is_concluded() -> None:
    machine = definition("backup")["States"]
    failing = [name for name, state in machine.items() if state["Type"] in ("Task", "Map") and name != "Conclude"]
    for name in failing:
        assert any("States.ALL" in rule["ErrorEquals"] for rule in machine[name]["Catch"]), name
    assert {name for name, state in machine.items() if state["Type"] == "Fail"} == {"Failed"}
    assert {name for name, state in machine.items() if "Failed" in _successors(state)} == {"Conclude"}


def test_every_failure_of_a_restore_is_concluded() -> None:
    machine = definition("restore")["States"]
    for name, state in machine.items():
        if state["Type"] in ("Task", "Map") and name != "Conclude":
            assert [rule["Next"] for rule in state["Catch"]] == ["Conclude"], name
    assert {name for name, state in machine.items() if state["Type"] == "Fail"} == {"Failed"}
    assert {name for name, state in machine.items() if "Failed" in _successors(state)} == {"Is the application to be led back?"}


def test_nothing_is_cut_over_before_the_pods_were_looked_at_again() -> None:
    machine = definition("restore")["States"]
    assert {name for name, state in machine.items() if "Cut over" in _successors(state)} == {"Are they still gone?"}
    assert machine["Look at the pods again"]["Parameters"]["Payload"]["before"] == "cut-over"


def test_the_first_half_ends_with_its_first_failure_and_the_second_goes_as_far_as_it_can() -> None:
    machine = definition("restore")["States"]
    aside = machine["Restore beside the live databases"]["ItemProcessor"]["States"]
    over = machine["Cut over"]["ItemProcessor"]["States"]
    assert not any("Catch" in state for state in aside.values())
    assert over["Cut over one database"]["Catch"][0]["ErrorEquals"] == ["States.ALL"]
    assert machine["Cut over"]["Next"] == "Lead the properties", "which is refused unless every database is cut over"


def test_names_of_executions_stay_within_the_services_80_characters() -> None:
    run = f"{'p' * 40}-20261124T030000Z-1f2e3d4c"
    names = [
        state["Parameters"]["Name.$"] for _, state in states(definition("restore")) if "sync:2" in state.get("Resource", "")
    ]
    assert names == [
        "States.Format('{}-p{}-{}', $.run, $.token, $.index)",
        "States.Format('{}-c{}-{}', $.run, $.token, $.index)",
    ]
    assert len(f"{run}-p123456-999") <= 80


def _successors(state: dict[str, Any]) -> set[str]:
    rules = [*state.get("Catch", []), *state.get("Choices", [])]
    return {rule["Next"] for rule in rules} | {state.get("Next"), state.get("Default")}
