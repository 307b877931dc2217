"""Every error the product raises on purpose.

    BackupError                 what failed, why, and what to do next
    ├── InvalidRequest          the request cannot be carried out as written; change it
    │   ├── InvalidPlan         a plan that contradicts itself or names something unknown
    │   ├── UnknownPlan         no plan of that name in the catalog
    │   ├── UnknownRun          no run of that id in the catalog
    │   └── UnknownPoint        no restore point of that id in the catalog
    ├── NotReady                the world is not fit for what was asked; the checks name each reason
    ├── Conflict                somebody else is at work on the same thing
    │   ├── LeaseHeld           another run holds the plan
    │   ├── FencedOff           this run has lost its lease; whatever it wanted to write is stale
    │   ├── RevisionConflict    the record was changed since it was read
    │   └── PausedByAnother     another run's pause journal is open on one of the releases
    ├── Forbidden               credentials lack a right; the message names it
    ├── Misconfigured           the deployment itself is wrong: environment, permissions, templates
    ├── HistoryExpired          Kubernetes no longer knows what happened since a resourceVersion
    ├── PodsMayBePaused         a resume could not be verified; the most urgent of all
    └── Temporary               the same call may succeed later; `retry_after_seconds` says when
        ├── Throttled           a service asked to slow down
        └── Unreachable         no answer: network, time-out, connection refused

Step Functions and Durable Functions match errors by class name, so a name is an interface: the `Temporary` family is what
the engines retry, and a test holds the state machines against this tree.
"""

from __future__ import annotations


class BackupError(Exception):
    """The base of all errors raised on purpose.

    `message` says what failed and where, `hint` what to do about it. Both are shown to people and kept in the catalog, so
    neither may hold a secret.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message} {hint}" if hint else message)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> str:
        """The name by which engines, logs and the catalog know this error."""
        return type(self).__name__


class InvalidRequest(BackupError):
    """The request cannot be carried out as written."""


class InvalidPlan(InvalidRequest):
    """The plan contradicts itself or names something unknown."""


class UnknownPlan(InvalidRequest):
    """No plan of that name is in the catalog."""


class UnknownRun(InvalidRequest):
    """No run of that id is in the catalog."""


class UnknownPoint(InvalidRequest):
    """No restore point of that id is in the catalog."""


class NotReady(BackupError):
    """The world is not fit for what was asked."""


class Conflict(BackupError):
    """Somebody else is at work on the same thing."""


class LeaseHeld(Conflict):
    """Another run holds the plan."""


class FencedOff(Conflict):
    """This run has lost its lease: a newer run may be at work, so nothing more may be written for this one."""


class RevisionConflict(Conflict):
    """The record was changed since it was read."""


class PausedByAnother(Conflict):
    """Another run's pause journal is open on one of the releases."""


class Forbidden(BackupError):
    """The credentials lack a right."""


class Misconfigured(BackupError):
    """The deployment itself is wrong."""


class HistoryExpired(BackupError):
    """Kubernetes no longer knows what happened since a resourceVersion (410 Gone)."""


class PodsMayBePaused(BackupError):
    """Pods could not be shown to be running again."""


class Temporary(BackupError):
    """The same call may succeed after `retry_after_seconds`."""

    def __init__(self, message: str, *, hint: str = "", retry_after_seconds: float = 1.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class Throttled(Temporary):
    """A service asked to slow down."""


class Unreachable(Temporary):
    """No answer."""
