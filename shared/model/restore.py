"""A restore: what was asked for, what it will do, and how far each database is.

A restore is a run like a backup and has a run's record. What is said here is kept beside it, see `shared.steps.restore.record`.
Taking a restore back is a restore, too: its source is what the first one has set aside.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from shared.model.checks import CheckResult
from shared.model.plan import Database
from shared.model.protection import DatabaseProtection
from shared.model.records import Value, replace
from shared.model.stop_start import StartProgress, StopProgress
from shared.model.storage import ReleaseStorage
from shared.model.times import Instant

LATEST = "latest"
INCONSISTENT_TIME = "inconsistent-time"
"""The word in `unsafe` that lets several databases, or a NoSQL one, be restored to a time that is no restore point."""
KEEP_OLD_SECONDS = 72 * 3600.0


class Target(StrEnum):
    IN_PLACE = "in-place"
    """The application is stopped, led to the restored data and started again."""
    SIDE_BY_SIDE = "side-by-side"
    """Restored copies beside the live databases; the application is not touched."""


class RestoreRequest(Value):
    """What a person asks for, every default filled in.

    `restore_point` is `latest`, a point's id, or an RFC 3339 time with offset. `databases` are keys of the plan's databases,
    none means all. `keep_old_seconds` is how long what is replaced is kept for an undo.
    """

    plan: str
    restore_point: str = LATEST
    databases: tuple[str, ...] = ()
    target: Target = Target.IN_PLACE
    keep_old_seconds: float = KEEP_OLD_SECONDS
    unsafe: tuple[str, ...] = ()


class DatabaseForecast(Value):
    """What a restore will do to one database, before it does anything.

    `steps`, `loses` and `puts_back` are sentences for people: what happens in which order, what the managed restore does not
    carry over, and what of that is set again and compared. `gone_for_good`: what nobody can bring back (data written since the
    point is not meant: an undo has it). `observed` is the state that the answer rests on, in values that differ when it
    changes: the plan's id is a hash over it. `checks` say whether it can be done. `estimate_seconds` with its `estimate_basis`
    is the time the application waits for this database, not a promise.
    """

    database: str
    point: Instant | None
    source: str = ""
    """From what: `point-in-time recovery`, `kept copy`, `snapshot`, `old copy`."""
    steps: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()
    puts_back: tuple[str, ...] = ()
    gone_for_good: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    """What is set aside, by the name under which it is kept."""
    checks: tuple[CheckResult, ...] = ()
    observed: Mapping[str, Any] = {}
    restorable_from: Instant | None = None
    restorable_until: Instant | None = None
    """Until when this point can still be restored; None when a kept copy or snapshot has no end."""
    ready_at: Instant | None = None
    """When the point becomes restorable, if it is not yet."""
    estimate_seconds: float = 0.0
    estimate_basis: str = ""


class RestorePlan(Value):
    """The answer to a request that confirms nothing yet. `id` is a hash over request and observed state; `confirm` is the word
    that has to come back with it. `undo_of` names the run that is taken back."""

    id: str
    request: RestoreRequest
    point: str
    """The restore point's id; empty for a plain time and for an undo."""
    at: Instant | None
    made_at: Instant
    databases: tuple[DatabaseForecast, ...]
    checks: tuple[CheckResult, ...] = ()
    """Of the plan as a whole and of its releases."""
    releases: Mapping[str, int] = {}
    """Replicas by release key, as they are now."""
    outage_seconds: float = 0.0
    undo_of: str = ""

    @property
    def confirm(self) -> str:
        verb = "undo" if self.undo_of else "restore"
        return f"{verb} {self.request.plan}"


class RestoreOrder(Value):
    """What a database is told to do. The same for every call of one restore, so a repeated call finds what an earlier one made.

    `stamp` (`YYYYMMDDthhmmssz-<8 hex digits>`, the end of the run's id in lower case: RDS identifiers know no other) marks the
    names of everything this restore makes or sets aside. `at` is the second to restore to. `protection` is what the restore
    point keeps for this database; None for a plain time. `undo` is the earlier restore that is taken back; then `at` is None
    and nothing of `protection` is used. `stopped_at` is when the last pod was gone; None side by side.
    """

    database: Database
    run: str
    stamp: str
    target: Target
    at: Instant | None = None
    protection: DatabaseProtection | None = None
    undo: DatabaseRestore | None = None
    storages: tuple[ReleaseStorage, ...] = ()
    stopped_at: Instant | None = None


class RestoreStage(StrEnum):
    """How far a database is. Up to and including `PREPARED` nothing that is live has been touched."""

    PREPARING = "preparing"
    """The replacement is being made aside, and what is needed for an undo with it."""
    PREPARED = "prepared"
    """It is complete and compared; or it is certain that it will be (DynamoDB: source and safety backup are AVAILABLE)."""
    CUTTING_OVER = "cutting-over"
    DONE = "done"
    """The application's name or endpoint leads to the restored data, settings compared."""
    DISCARDED = "discarded"
    """What was kept for an undo is deleted."""


class ItemRestore(Value):
    """One table, instance or cluster. `phase` is the database's own word for where it is. `source` is what it comes from (an
    ARN, or `pitr`), `side` what was made beside the live one, `kept` what the old data is kept as (an ARN or identifier).

    `settings` is what it shall have, `kept_settings` what the replaced one had: records of the database's own manifest.
    `differences` name settings that do not (yet) compare equal, each as a sentence.
    """

    name: str
    phase: str
    since: Instant | None = None
    source: str = ""
    side: str = ""
    kept: str = ""
    settings: Mapping[str, Any] = {}
    kept_settings: Mapping[str, Any] = {}
    differences: tuple[str, ...] = ()
    percent: float | None = None
    done: bool = False
    note: str = ""

    def entered(self, phase: str, at: Instant) -> ItemRestore:
        """The item in `phase`, since `at` unless it was there already."""
        return self if self.phase == phase else replace(self, phase=phase, since=at)


class EndpointMove(Value):
    """An endpoint that the releases have to be led to. `old` and `new` are host names, without credentials; `old_port` and
    `new_port` are numbers.

    `credential_source` is set where the password changes with the endpoint: whom to ask for the new one when the release is led
    (a Cosmos DB account's resource id). The password itself is never part of a value that is stored.
    """

    old: str
    new: str
    old_port: int | None = None
    new_port: int | None = None
    credential_source: str = ""


class DatabaseRestore(Value):
    """The progress of one database and, once done, what an undo needs. `wait_seconds` is when to look again while `done` is
    false, in the present stage; `message` says in a sentence what is being waited for.

    `done` belongs to the call: `restore` is done at PREPARED, `cut_over` at DONE, `discard` at DISCARDED.
    """

    database: str
    stage: RestoreStage
    stamp: str
    at: Instant | None = None
    items: tuple[ItemRestore, ...] = ()
    endpoints: tuple[EndpointMove, ...] = ()
    done: bool = False
    wait_seconds: float = 0.0
    message: str = ""
    began_at: Instant | None = None
    changed_live: bool = False
    """Whether anything that is live was touched. From then on a restore goes forward or is undone, it never simply ends."""
    needs_schema_repair: bool = False
    """Whether the restored database lacks what the Schema Loader's `--repair-all` brings back (Cosmos DB: stored procedures):
    then releases that are led to it are not started before that."""

    @property
    def count_done(self) -> int:
        return sum(item.done for item in self.items)


class RestorePhase(StrEnum):
    """Where a restore is as a whole, in order."""

    BEGUN = "begun"
    STOPPING = "stopping"
    RESTORING = "restoring"
    CUTTING_OVER = "cutting-over"
    """From here on the old data is not where the application looks for it: only forward, or undo."""
    LEADING = "leading"
    """The properties of the releases are led to another endpoint."""
    STARTING = "starting"
    VERIFYING = "verifying"
    FINISHED = "finished"
    LEADING_BACK = "leading-back"
    """It failed before the cut-over: the releases are started on the untouched old data."""
    LED_BACK = "led-back"


BEFORE_CUT_OVER = (RestorePhase.BEGUN, RestorePhase.STOPPING, RestorePhase.RESTORING)


class PodsWait(Value):
    """Since when the execution with this token waits for pods to be `what`, a word for people: `stopped`, `started`."""

    what: str
    token: int
    began_at: Instant


class RestoreRecord(Value):
    """A restore under way, and afterwards. `stopped` and `started` are by release key; `kept_until` is when the old copies may
    be deleted; `discarded` whether they are."""

    run: str
    plan: RestorePlan
    stamp: str
    phase: RestorePhase
    stopped: Mapping[str, StopProgress] = {}
    started: Mapping[str, StartProgress] = {}
    stopped_at: Instant | None = None
    pods_wait: PodsWait | None = None
    led: tuple[str, ...] = ()
    """Release keys whose properties were rewritten."""
    values_changes: Mapping[str, str] = {}
    """By release key, the change of its Helm values that the operator has to commit (YAML)."""
    verified: tuple[CheckResult, ...] = ()
    kept_until: Instant | None = None
    discarded: bool = False
    undone_by: str = ""
