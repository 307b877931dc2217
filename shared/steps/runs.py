"""Reading and writing the attempts of a run's record."""

from __future__ import annotations

from shared.model.errors import InvalidRequest
from shared.model.records import replace
from shared.model.run import Attempt, Run
from shared.steps.ports import Catalog


def attempt_of(run: Run, number: int) -> Attempt:
    """Raises InvalidRequest when the run has no such attempt."""
    for attempt in run.attempts:
        if attempt.number == number:
            return attempt
    raise InvalidRequest(f"Run {run.id} has no attempt {number}.", hint="The step begin opens an attempt.")


def save_attempt(catalog: Catalog, run: Run, attempt: Attempt, step: str) -> Run:
    """The run's record with this attempt in it, in order."""
    others = tuple(item for item in run.attempts if item.number != attempt.number)
    attempts = tuple(sorted((*others, attempt), key=lambda item: item.number))
    return catalog.save_run(replace(run, attempts=attempts, step=step))
