"""The retries of the orchestrators are those of the state machines, without what only Lambda can answer."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from functions_azure import retries
from functions_azure.retries import FINAL, FINAL_IN_RESTORE, TEMPORARY, Retry
from tests.unit.steps.machine import DEFINITIONS

BY_STEP = {
    "check": retries.BEGINNING,
    "begin": retries.BEGINNING,
    "pause": retries.NEVER,
    "capture": retries.NEVER,
    "resume": retries.RESUMING,
    "judge": retries.JUDGING,
    "publish": retries.PUBLISHING,
    "conclude": retries.CONCLUDING,
    "protect": retries.PROTECTING,
    "watchdog": retries.WATCHING,
    "restore_begin": retries.RESTORING,
    "restore_check": retries.RESTORING,
    "restore_stop": retries.MOVING_PODS,
    "restore_look": retries.RESTORING_DATABASE,
    "restore_lead": retries.RESTORING,
    "restore_start": retries.MOVING_PODS,
    "restore_verify": retries.RESTORING,
    "restore_publish": retries.PUBLISHING_RESTORE,
    "restore_conclude": retries.CONCLUDING,
    "any half": retries.RESTORING_DATABASE,
}


def tasks(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for state in machine["States"].values():
        if "Lambda" in str(state.get("Parameters", {}).get("FunctionName")) or "Payload" in state.get("Parameters", {}):
            yield state
        if "ItemProcessor" in state:
            yield from tasks(state["ItemProcessor"])


STATES = [state for path in sorted(DEFINITIONS.glob("*.json")) for state in tasks(json.loads(path.read_text()))]


def rules(state: dict[str, Any]) -> list[tuple[Any, ...]]:
    found = []
    for rule in state.get("Retry", []):
        errors = {error for error in rule["ErrorEquals"] if not error.startswith("Lambda.")}
        if errors == {"States.ALL"}:
            found.append((None, rule["IntervalSeconds"], rule["MaxAttempts"], rule["MaxDelaySeconds"], rule["BackoffRate"]))
        elif errors and rule["MaxAttempts"]:
            found.append(
                (frozenset(errors), rule["IntervalSeconds"], rule["MaxAttempts"], rule["MaxDelaySeconds"], rule["BackoffRate"])
            )
        elif errors:
            found.append((frozenset(errors), 0, 0))
    return found


@pytest.mark.parametrize("state", STATES, ids=lambda state: state["Comment"][:30])
def test_every_step_is_retried_as_its_state_is(state: dict[str, Any]) -> None:
    step = state["Parameters"]["Payload"].get("step", "any half")
    ours = [
        (rule.errors, rule.first_seconds, rule.times, rule.longest_seconds, rule.rate) if rule.times else (rule.errors, 0, 0)
        for rule in BY_STEP[step].rules
    ]
    assert ours == rules(state)


def test_no_step_is_without_a_state() -> None:
    assert {state["Parameters"]["Payload"].get("step", "any half") for state in STATES} == set(BY_STEP)


def test_waits_grow_up_to_the_longest_and_end() -> None:
    tried: Counter[int] = Counter()
    waits = [retries.RESUMING.wait_seconds("Anything", 0, tried) for _ in range(11)]
    assert waits == [1, 2, 4, 8, 16, 20, 20, 20, 20, 20, None]


def test_what_a_service_asks_for_counts_when_it_is_later_but_not_for_ever() -> None:
    tried: Counter[int] = Counter()
    assert retries.BEGINNING.wait_seconds("Throttled", 120, tried) == 120
    assert retries.BEGINNING.wait_seconds("Throttled", 1, tried) == 4
    assert retries.BEGINNING.wait_seconds("Throttled", 1e9, tried) == retries.LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("retry", [retries.JUDGING, retries.RESTORING])
def test_each_rule_counts_for_itself_and_final_errors_are_final(retry: Retry) -> None:
    tried: Counter[int] = Counter()
    for _ in range(5):
        assert retry.wait_seconds("Throttled", 0, tried) is not None
    assert retry.wait_seconds("Throttled", 0, tried) is None
    assert retry.wait_seconds("KeyError", 0, tried) is not None
    assert retry.wait_seconds("FencedOff", 0, tried) is None
    assert TEMPORARY.isdisjoint(FINAL | FINAL_IN_RESTORE)
