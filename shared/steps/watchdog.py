"""The dead-man's switch: resumes pods that a run has left paused. Its own execution, armed before the first Pause."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from shared.model.errors import InvalidRequest, PodsMayBePaused, UnknownRun
from shared.model.journal import PauseJournal
from shared.model.naming import listed
from shared.model.records import replace
from shared.model.run import AttemptStatus, Cause, Resumed, RunStatus
from shared.model.times import iso, parse_instant
from shared.steps.ports import Rooms
from shared.steps.request import Answer, Request, number, text
from shared.steps.resuming import outlast_lost_pauses, resume_after_close, resume_pods
from shared.steps.runs import attempt_of

RESUMED = "Pods Resumed by Watchdog"
MAY_BE_PAUSED = "Pods May Be Paused"
TELL_AGAIN_AFTER = timedelta(minutes=10)


async def watchdog(request: Request, rooms: Rooms) -> Answer:
    """Looks after attempt `attempt` of `run` when its time is over. Fenced: it touches the pods of this very attempt only.

    Answer: `resumed`, the number of pods; 0 when the run had done it. A repeated call after a crash finishes what is missing.

    Raises:
        PodsMayBePaused: told to the world; repeat the step, there is no other end for it than running pods.
    """
    journal = rooms.catalog.pause_journal(text(request, "run"), number(request, "attempt"))
    if journal is None or journal.closed_by == "run":
        return {"resumed": 0, "metrics": {}}
    try:
        if not journal.is_open and journal.closed_by != "watchdog":
            await resume_after_close(journal, rooms)
            return {"resumed": 0, "metrics": {}}
        resumed = await resume_journal(journal, "watchdog", rooms)
    except PodsMayBePaused as error:
        _tell_now_and_then(journal, error, rooms)
        raise
    return {"resumed": resumed, "metrics": {"WatchdogFired": 1}}


async def unpause(request: Request, rooms: Rooms) -> Answer:
    """Resumes every open pause of `run`, or of `plan`: the operator's way when their own machine cannot reach the pods.

    Raises:
        PodsMayBePaused: with the messages of all entries that stay open; the others are resumed.
    """
    run, plan = text(request, "run", ""), text(request, "plan", "")
    if not run and not plan:
        raise InvalidRequest("Say whose pause to end: give 'run' or 'plan'.")
    journals = [item for item in rooms.catalog.open_pauses() if item.run == run or (not run and item.plan == plan)]
    resumed, failed = 0, []
    for journal in journals:
        try:
            resumed += await resume_journal(journal, "operator", rooms)
        except PodsMayBePaused as error:
            failed.append(error)
    if failed:
        raise PodsMayBePaused(listed([error.message for error in failed], " "), hint=failed[0].hint)
    return {"runs": [journal.run for journal in journals], "resumed": resumed}


async def resume_journal(journal: PauseJournal, by: str, rooms: Rooms) -> int:
    """Resumes the pods of an entry, closes it and records that its window is void. Answers with the number of pods.

    Called again for an entry that the same `by` has closed, it does what a crash may have left undone.

    Raises:
        PodsMayBePaused: some pods could not be shown to run; the entry stays open.
    """
    resumed: tuple[Resumed, ...] = ()
    if journal.is_open:
        resumed = await resume_pods(journal, rooms)
        await outlast_lost_pauses(journal, rooms)
        journal = rooms.catalog.close_pause(journal.run, journal.attempt, by, rooms.clock.now())
    if journal.closed_by == by:
        _void_attempt(journal, by, rooms)
        rooms.signals.publish(RESUMED, _told(journal, by))
    return len(resumed)


def _tell_now_and_then(journal: PauseJournal, error: PodsMayBePaused, rooms: Rooms) -> None:
    """The step is repeated every minute, for days if it must be; people are told at once and every ten minutes after that."""
    name, now = f"attempt/{journal.attempt}/watchdog-told", rooms.clock.now()
    told = rooms.catalog.document(journal.run, name)
    if told is not None and now - parse_instant(told) < TELL_AGAIN_AFTER:
        return
    rooms.signals.publish(MAY_BE_PAUSED, _told(journal, "watchdog") | {"message": error.message, "hint": error.hint})
    rooms.catalog.put_document(journal.run, name, iso(now))


def _void_attempt(journal: PauseJournal, by: str, rooms: Rooms) -> None:
    """The run may be dead, so its record is brought up to date here. If it lives, `judge` comes to the same end."""
    try:
        run = rooms.catalog.run(journal.run)
        attempt = attempt_of(run, journal.attempt)
    except (UnknownRun, InvalidRequest):
        return
    now = rooms.clock.now()
    cause = Cause(code=f"resumed-by-{by}", message=f"The pods were resumed by the {by}, not by the run.")
    if attempt.status is AttemptStatus.OPEN:
        voided = replace(attempt, status=AttemptStatus.INVALID, cause=cause, resumed_at=now)
        attempts: Iterable[object] = (voided if item.number == voided.number else item for item in run.attempts)
        run = rooms.catalog.save_run(replace(run, attempts=tuple(attempts)))
    if run.status is RunStatus.RUNNING and _is_deserted(journal, rooms):
        run = rooms.catalog.save_run(replace(run, status=RunStatus.INTERRUPTED, ended_at=now, cause=cause))
    if run.status is not RunStatus.RUNNING:
        # The next run need not wait until an ended run's lease expires. One that lives after all begins no further attempt.
        rooms.catalog.release_lease(run.plan, run.id, run.token)


def _is_deserted(journal: PauseJournal, rooms: Rooms) -> bool:
    """The watchdog wakes when the run's own deadline has passed; a run that is alive ends its pause before that."""
    return rooms.clock.now() >= journal.resume_by


def _told(journal: PauseJournal, by: str) -> dict[str, object]:
    pods = [target.pod for target in journal.to_resume]
    return {
        "plan": journal.plan,
        "run": journal.run,
        "attempt": journal.attempt,
        "by": by,
        "pods": pods[:100],
        "count": len(pods),
    }
