"""Which failures of a step are tried again, and when. Read by the orchestrators only: no step retries by itself.

The rules are those of the state machines in `functions_aws/state_machines`, and a test holds them to it. There is no jitter:
an orchestrator must decide the same at every replay. Where a service said when to come back, that counts if it is later.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

TEMPORARY = frozenset({"Temporary", "Throttled", "Unreachable"})
FINAL = frozenset(
    {
        "InvalidRequest",
        "InvalidPlan",
        "UnknownPlan",
        "UnknownRun",
        "UnknownPoint",
        "NotReady",
        "LeaseHeld",
        "FencedOff",
        "PausedByAnother",
        "Forbidden",
        "Misconfigured",
    }
)
"""Errors of a backup that no repetition changes."""
FINAL_IN_RESTORE = FINAL | {"Conflict", "RevisionConflict"}
LONGEST_WAIT_SECONDS = 900.0
"""However late a service asks to be called again: a throttled Resource Manager names minutes."""


class Rule(NamedTuple):
    """For the errors named, or for every error when there are none named."""

    errors: frozenset[str] | None
    first_seconds: float
    times: int
    longest_seconds: float
    rate: float = 2.0

    def fits(self, error: str) -> bool:
        return self.errors is None or error in self.errors


class Retry(NamedTuple):
    """The first rule that fits counts; each counts for itself. No rule: never."""

    rules: tuple[Rule, ...] = ()

    def wait_seconds(self, error: str, asked_seconds: float, tried: Counter[int]) -> float | None:
        """How long to wait before the next try; None when this was the last. `tried` counts by rule, and is updated."""
        number = next((number for number, rule in enumerate(self.rules) if rule.fits(error)), None)
        if number is None or tried[number] >= self.rules[number].times:
            return None
        rule = self.rules[number]
        wait = min(rule.first_seconds * rule.rate ** min(tried[number], 30), rule.longest_seconds)
        tried[number] += 1
        return max(wait, min(asked_seconds, LONGEST_WAIT_SECONDS))


def _temporary(times: int, longest_seconds: float) -> Rule:
    return Rule(TEMPORARY, 2, times, longest_seconds)


def _never(errors: frozenset[str]) -> Rule:
    return Rule(errors, 0, 0, 0)


def _anything(first_seconds: float, times: int, longest_seconds: float = 30, rate: float = 2.0) -> Rule:
    return Rule(None, first_seconds, times, longest_seconds, rate)


NEVER = Retry()
"""Pause and capture: a second Pause could be refused because of the first. The window starts anew instead."""
BEGINNING = Retry((_temporary(5, 30),))
ARMING = Retry((_anything(1, 3),))
RESUMING = Retry((_anything(1, 10, 20),))
JUDGING = Retry((_temporary(5, 30), _never(FINAL), _anything(1, 3)))
PROTECTING = Retry((_temporary(20, 60), _never(FINAL), _anything(2, 5)))
PUBLISHING = Retry((_temporary(8, 30), _never(FINAL), _anything(1, 3)))
CONCLUDING = Retry((_anything(1, 8),))
WATCHING = Retry((_anything(2, 5000, 60, rate=1.5),))
"""Repeated for days if it must be: there is no other end than running pods."""
RESTORING = Retry((_temporary(5, 30), _never(FINAL_IN_RESTORE), _anything(2, 5)))
MOVING_PODS = Retry((_temporary(12, 60), _never(FINAL_IN_RESTORE), _anything(2, 5)))
RESTORING_DATABASE = Retry((_temporary(20, 60), _never(FINAL_IN_RESTORE), _anything(2, 5)))
PUBLISHING_RESTORE = Retry((_temporary(8, 30), _never(FINAL_IN_RESTORE), _anything(2, 5)))
