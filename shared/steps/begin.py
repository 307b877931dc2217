"""Begins an attempt: the plan's lease, the run's record, and when the watchdog has to wake."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.model.errors import BackupError, FencedOff, InvalidRequest
from shared.model.records import replace
from shared.model.run import Attempt, AttemptStatus, Cause, Run, RunKind, RunStatus
from shared.model.times import iso
from shared.steps import evidence
from shared.steps.ports import Catalog, Rooms
from shared.steps.request import Answer, Request, number, text
from shared.steps.restore.unfinished import refuse_beside_unfinished

LONGEST_CHECK = timedelta(hours=1)
"""How long a run may be at its checks, with the engine's time-outs and retries."""
LEASE_SLACK = timedelta(minutes=5)
"""How much longer than the pause the lease lasts: time for judging and for the engine's own retries."""


async def begin(request: Request, rooms: Rooms) -> Answer:
    """Takes the lease and opens attempt `attempt` (from 1).

    Answer: `run`, `plan`, `attempt`, `pause_needed` and `wake_at`, when the watchdog resumes the pods if nobody has.

    Raises:
        LeaseHeld: another run of the plan is at work.
        NotReady: a restore of the plan is halted half way: its databases may be at different points in time.
        FencedOff: this run had the lease once and lost it, or its record was ended by somebody else.
    """
    catalog, now = rooms.catalog, rooms.clock.now()
    run, attempt_number = catalog.run(text(request, "run")), number(request, "attempt")
    if run.status is not RunStatus.RUNNING:
        raise FencedOff(
            f"Run {run.id} is {run.status.value} already and pauses nothing any more.",
            hint="The watchdog or a newer run has ended it; start another backup.",
        )
    plan = evidence.plan_of(catalog, run.id)
    # A whole second: the Wait state of Step Functions takes no more of a time stamp for granted.
    resume_by = (now + timedelta(seconds=plan.pause.max_pause_seconds)).replace(microsecond=0)
    lease = catalog.acquire_lease(run.plan, run.id, resume_by + LEASE_SLACK, now)
    try:
        refuse_beside_unfinished(run, rooms)
    except BackupError:
        catalog.release_lease(run.plan, run.id, lease.token)
        raise
    _close_deserted_runs(catalog, run, now)
    if run.pause is None:
        raise InvalidRequest(f"Run {run.id} was never checked.", hint="The step check comes before begin.")
    attempt = _attempt(run, attempt_number, resume_by, now)
    attempts = (*(item for item in run.attempts if item.number != attempt_number), attempt)
    catalog.save_run(replace(run, step="begin", token=lease.token, attempts=attempts))
    return {
        "run": run.id,
        "plan": run.plan,
        "attempt": attempt_number,
        "pause_needed": run.pause.needed,
        "wake_at": iso(attempt.resume_by or resume_by),
    }


def _attempt(run: Run, attempt_number: int, resume_by: datetime, now: datetime) -> Attempt:
    """The attempt as an earlier call of this step made it, or a new one: the watchdog may be armed for the old time already."""
    known = next((item for item in run.attempts if item.number == attempt_number), None)
    return known or Attempt(number=attempt_number, status=AttemptStatus.OPEN, started_at=now, resume_by=resume_by)


def _close_deserted_runs(catalog: Catalog, current: Run, now: datetime) -> None:
    """Whoever holds the lease knows that every other run of this plan that ever held it was left behind by a dead execution.
    A restore among them is settled by `refuse_beside_unfinished`: it may be half way."""
    for run in catalog.runs(current.plan, limit=10):
        is_other_backup = run.kind is RunKind.BACKUP and run.id != current.id
        if run.status is RunStatus.RUNNING and is_other_backup and _is_deserted(run, now):
            catalog.save_run(replace(run, status=RunStatus.INTERRUPTED, ended_at=now, cause=_deserted(run)))


def _is_deserted(run: Run, now: datetime) -> bool:
    """One that never had the lease may be checking still, or be about to hear that the plan is held."""
    return run.token > 0 or now - run.started_at > LONGEST_CHECK


def _deserted(run: Run) -> Cause:
    return Cause(
        code="Interrupted",
        message=f"The execution ended during {run.step or 'its start'} without a word, and its lease ran out.",
        hint="Look at the execution in the console: it was stopped, timed out, or its engine failed.",
    )
