"""A run, its attempts and the evidence of each: what the catalog keeps of everything that was tried."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

from shared.model.checks import CheckResult
from shared.model.clock import ClockBounds
from shared.model.errors import UnknownRun
from shared.model.pause_decision import PauseDecision
from shared.model.pods import ReleaseSnapshot, WatchReport
from shared.model.records import Value
from shared.model.times import Instant
from shared.model.window import NotedTime


class Cause(Value):
    """Why something ended the way it did. `code` is stable and meant for machines."""

    code: str
    message: str
    hint: str = ""


class RunStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """Its execution ended without a word and its lease ran out; found by the watchdog or by the next run."""
    HALTED = "halted"
    """A restore that stopped half way, with its releases stopped or live data replaced: it neither ended nor failed, and waits
    for a person to `continue`, `abandon` or `undo` it."""


class RunKind(StrEnum):
    BACKUP = "backup"
    RESTORE = "restore"
    """Also an undo, which is a restore of what an earlier one has set aside."""


class AttemptStatus(StrEnum):
    OPEN = "open"
    VALID = "valid"
    INVALID = "invalid"


class Attempt(Value):
    """One pause window. `resume_by` is when the watchdog wakes. The evidence is kept beside it, see `Evidence`."""

    number: int
    status: AttemptStatus
    started_at: Instant
    resume_by: Instant | None = None
    paused_at: Instant | None = None
    hold_until: Instant | None = None
    resumed_at: Instant | None = None
    pods: int = 0
    point: Instant | None = None
    cause: Cause | None = None


class Run(Value):
    """One execution of a backup or a restore. `token` fences what it writes; `step` is the last step that began.

    `point` is the restore point that a backup made, or that a restore goes back to."""

    id: str
    kind: RunKind = RunKind.BACKUP
    plan: str
    plan_revision: int
    reason: str
    execution: str
    started_at: Instant
    status: RunStatus = RunStatus.RUNNING
    step: str = ""
    token: int = 0
    pause: PauseDecision | None = None
    checks: tuple[CheckResult, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    point: str | None = None
    ended_at: Instant | None = None
    cause: Cause | None = None

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None


def run_id(plan: str, execution: str, started_at: datetime) -> str:
    """The id of the run that an engine's execution is: the same whenever it is asked, so a repeated call finds its record.

    Form: `<plan>-<YYYYMMDDTHHMMSSZ>-<8 hex digits of the execution's id>`; sorts by time within a plan.
    """
    stamp = started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{plan}-{stamp}-{sha256(execution.encode()).hexdigest()[:8]}"


def plan_of_run(run: str) -> str:
    """The plan's name inside a run's id.

    Raises:
        UnknownRun: the text is not a run's id.
    """
    plan, _, rest = run.rpartition("-")
    plan, _, stamp = plan.rpartition("-")
    if not plan or not rest or len(stamp) != len("YYYYMMDDTHHMMSSZ"):
        raise UnknownRun(f"{run!r} is not a run's id.", hint="An id looks like orders-prod-20261124T030000Z-1f2e3d4c.")
    return plan


class Acknowledgement(Value):
    """What came of one pod's Pause. `outcome` is one of `paused`, `refused`, `not-ours`, `unknown`; `reason` is the server's
    machine-readable reason or status code, `answered_ms` the time from the first Pause sent to this answer."""

    pod: str
    outcome: str
    reason: str = ""
    detail: str = ""
    answered_ms: float = 0.0


class PausedSample(Value):
    """CheckPaused of every pod at one moment: `asked_at` before the first request was sent. `not_paused` and `unknown` name
    pods; a sample proves the pause when both are empty."""

    asked_at: Instant
    paused: int
    not_paused: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def proves_pause(self) -> bool:
        return self.paused > 0 and not self.not_paused and not self.unknown


class PauseEvidence(Value):
    """`confirmed` is the moment after CheckPaused said true on the last pod; None when there was no common pause."""

    process: str
    first_sent_at: Instant | None
    confirmed: NotedTime | None
    acknowledgements: tuple[Acknowledgement, ...]
    causes: tuple[Cause, ...] = ()


class CaptureEvidence(Value):
    process: str
    samples: tuple[PausedSample, ...]
    watch: WatchReport
    clocks: Mapping[str, ClockBounds]
    ended_at: Instant
    causes: tuple[Cause, ...] = ()


class Resumed(Value):
    """How one pod was resumed: `tries` counts Unpause requests; `problem` is empty when CheckPaused said false, or when the
    pod is `gone` (its `note` then): a pod that does not exist any more cannot be paused.

    `transport` is the way that it was reached by at last; when that is not the chosen one, `note` says why.
    """

    pod: str
    tries: int
    answered_ms: float = 0.0
    problem: str = ""
    note: str = ""
    transport: str = "direct"


class ResumeEvidence(Value):
    """`begun` is noted before the last CheckPaused sample and before the first Unpause; `sample` is that CheckPaused.

    `begun` and `sample` are None when there was nothing to prove any more: the pause had failed, or somebody else resumed.
    """

    process: str
    begun: NotedTime | None
    sample: PausedSample | None
    pods: tuple[Resumed, ...]
    finished_at: Instant
    watch: WatchReport | None = None
    by: str = "run"
    """Who resumed: `run`, `watchdog` or `operator`."""
    causes: tuple[Cause, ...] = ()


class Evidence(Value):
    """Everything behind one attempt. What is missing has not happened."""

    attempt: int
    before: tuple[ReleaseSnapshot, ...] = ()
    pause: PauseEvidence | None = None
    capture: CaptureEvidence | None = None
    resume: ResumeEvidence | None = None
    after: tuple[ReleaseSnapshot, ...] = ()
