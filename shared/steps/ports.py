"""What the steps need from the outside, as Protocols. The wiring hands in the implementations.

Contracts that all implementations share: every remote call has a time-out; a failure is an error of `shared.model.errors`
(`Unreachable`, `Throttled`, `Forbidden` …) with the original chained; nothing here logs or returns a secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from shared.model.checks import CheckResult
from shared.model.clock import ClockBounds
from shared.model.endpoint_change import EndpointChange
from shared.model.execution import StartedExecution as StartedExecution
from shared.model.journal import PauseJournal
from shared.model.lease import Lease
from shared.model.plan import Database, Plan, Release, StoredPlan
from shared.model.pods import AdminTarget, ReleaseSnapshot, WatchReport
from shared.model.protection import DatabaseProtection, WindowSnapshot
from shared.model.restore import DatabaseForecast, DatabaseRestore, EndpointMove, RestoreOrder
from shared.model.restore_point import RestorePoint
from shared.model.run import Acknowledgement, PausedSample, Resumed, Run
from shared.model.schema_repair import RepairProgress
from shared.model.stop_start import StartProgress, StopProgress
from shared.model.storage import ReleaseStorage


class Clock(Protocol):
    """This process's clock."""

    @property
    def process(self) -> str:
        """Names the process whose clock this is; times of two processes need not agree."""

    def now(self) -> datetime:
        """Aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary moment on; never set back."""

    async def sleep(self, seconds: float) -> None: ...


class PodWatch(Protocol):
    """A running watch on the pods of several releases."""

    def report(self) -> WatchReport:
        """What was seen so far. Never blocks."""


class Releases(Protocol):
    """The Scalar releases of a plan in their clusters."""

    def observe(self, releases: Sequence[Release]) -> tuple[ReleaseSnapshot, ...]:
        """Pods, Deployment and Admin targets of each release, all releases at once.

        Raises:
            NotReady: a release was not found or is ambiguous, or a pod has no address; the message says what was found.
            Unreachable, Throttled, Forbidden: the cluster.
        """

    def living(self, targets: Sequence[AdminTarget]) -> frozenset[str]:
        """The uids of those targets whose pods still exist in their clusters. A target without a cluster counts as living."""

    def storage(self, releases: Sequence[Release]) -> tuple[ReleaseStorage, ...]:
        """What the properties of each release say about its databases."""

    def watch(self, snapshots: Sequence[ReleaseSnapshot]) -> AbstractContextManager[PodWatch]:
        """Watches the pods from each snapshot's `resource_version` on until the context ends."""

    def catch_up(self, positions: Mapping[str, str], snapshots: Sequence[ReleaseSnapshot]) -> WatchReport:
        """Everything that happened to the pods since `positions` (by release key; missing: since that release's snapshot).

        Returns after at most a few seconds. A history that has expired or a stream that broke is `broken`, never silence.
        """


class Admin(Protocol):
    """The Scalar Admin interface of many pods. Connections are kept between calls of one process and found by address."""

    async def check_paused(self, targets: Sequence[AdminTarget]) -> PausedSample:
        """CheckPaused of all pods at once; also opens the connections. Never raises for a pod: it lands in `unknown`."""

    async def choose_transport(
        self, release: str, targets: Sequence[AdminTarget], wanted: str
    ) -> tuple[tuple[AdminTarget, ...], CheckResult]:
        """The targets of the release with the way that reaches them, and the check `transport`, which says which it is and why.

        `wanted` is `auto` (direct is tried first), `direct` or `port-forward`. Never raises for a pod: when neither way reaches
        all of them, the check has failed.
        """

    async def check_reachable(self, targets: Sequence[AdminTarget]) -> tuple[CheckResult, ...]:
        """One check per pod: does its Admin port answer, and if not, which misconfiguration does the answer point to."""

    async def pause(
        self, targets: Sequence[AdminTarget], drain_seconds: float, answered: Callable[[AdminTarget, Acknowledgement], None]
    ) -> tuple[Acknowledgement, ...]:
        """Pause to all pods at once, waiting up to `drain_seconds` for outstanding requests. Order of `targets` is kept.

        Never raises for a pod: what came of each is its acknowledgement. A lost answer is `unknown`, never retried. `answered`
        is called with each as it comes: the slowest pod may take a minute longer, and this process may not live that long.
        """

    async def resume(self, targets: Sequence[AdminTarget], budget_seconds: float) -> tuple[Resumed, ...]:
        """Unpause with backoff until CheckPaused says false, for at most `budget_seconds`. Never raises for a pod."""


class DatabaseAccess(Protocol):
    """One managed database (see `shared.databases`)."""

    def check(self, database: Database, storages: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
        """Can it be backed up and restored: tables found, PITR, status, what the plan would have missed. Only reads."""

    def with_tables(self, database: Database, storages: Sequence[ReleaseStorage]) -> Database:
        """The plan's section with everything in it named as it is now, so that what disappears later is missed."""

    async def measure_clock(self, database: Database, clock: Clock) -> ClockBounds:
        """How far the database's clock can be from `clock`. Takes a little over a second; never raises."""

    def protect(
        self,
        database: Database,
        storages: Sequence[ReleaseStorage],
        point: datetime,
        kept_copy: bool,
        previous: DatabaseProtection | None,
    ) -> DatabaseProtection:
        """Does the next missing thing for the point and says how far it is. Safe to repeat, also after a crash at any line.

        `previous` is what the last call returned (None at first): a memory that saves calls, never the only truth.
        """

    def clean_up(self, database: Database, in_use: frozenset[datetime]) -> tuple[str, ...]:
        """Removes what failed runs have left behind for points that are old and not `in_use`; answers with its names."""

    def begin_snapshot(self, database: Database, run: str, attempt: int) -> WindowSnapshot:
        """Asks for the snapshot of the plan's `snapshot: true`, while the pods are paused. The same run and attempt again finds
        the first one. Only for databases whose plan section `has_window_snapshot`."""

    # -- restore. Each of these is level-triggered: it looks, does the next missing thing, and answers how far it is.

    def forecast(self, order: RestoreOrder) -> DatabaseForecast:
        """What the restore would do, lose and put back, and whether it can be done. Only reads; never raises for a state of the
        database: that is a failed check in the answer.

        Raises:
            Unreachable, Throttled, Forbidden: the service.
        """

    def restore(self, order: RestoreOrder, previous: DatabaseRestore | None) -> DatabaseRestore:
        """Advances until the replacement is complete and compared, and what an undo needs exists: stage PREPARED. Nothing live
        is touched. Side by side this is all there is: then the stage is DONE.

        `previous` is what the last call returned: a memory that saves calls, never the only truth.

        Raises:
            NotReady: it cannot be done (any more); the message says why, and that nothing live was touched.
            Conflict: somebody else is at work on the same database.
        """

    def cut_over(self, order: RestoreOrder, previous: DatabaseRestore) -> DatabaseRestore:
        """Advances until the application's names lead to the restored data, every setting of the manifest compared: stage DONE.
        `changed_live` is stored as true, by a call that changes nothing yet, before the first change.

        Raises as `restore`; what is half done stays as it is, and a later call goes on.
        """

    def verify(self, order: RestoreOrder, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
        """Is what is live now what the restore has promised: data source, settings, status. Only reads."""

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        """Advances until what the restore made or kept beside the live database is deleted: stage DISCARDED.

        Of a restore that was given up before its cut-over: the side copies it made. Of one that is done: the old copies, after
        which no undo is possible. Only what bears this restore's stamp and is not live is ever deleted.
        """


class Applications(Protocol):
    """The Deployments of the releases of a plan: stopping them for a restore and starting them again."""

    def rivals(self, releases: Sequence[Release]) -> tuple[CheckResult, ...]:
        """Who would undo a restore: autoscalers, GitOps, a Helm that insists on its fields; and what cannot be stopped."""

    def replicas(self, releases: Sequence[Release]) -> Mapping[str, int]:
        """Of each release's Deployment, by release key."""

    def stop(self, release: Release, previous: StopProgress | None) -> StopProgress:
        """See `shared.clusters.deployments.advance_stop`."""

    async def start(self, release: Release, stopped: StopProgress, previous: StartProgress | None) -> StartProgress:
        """See `shared.clusters.deployments.advance_start`."""


class Endpoints(Protocol):
    """Where the releases keep the endpoints of their databases."""

    def find(self, releases: Sequence[Release], moves: Sequence[EndpointMove]) -> tuple[CheckResult, ...]:
        """Can every place that names an old endpoint be rewritten. One result per release; only reads."""

    def lead(self, release: Release, moves: Sequence[EndpointMove]) -> tuple[tuple[EndpointChange, ...], str]:
        """Rewrites the endpoints wherever the release keeps them; a repeated call changes nothing more, and answers the same.

        Answers with the changes (for the record; `run` and time are the caller's to fill in) and with the change of the Helm
        values that the operator has to commit, empty when the release names none of the endpoints.

        Raises:
            NotReady: an endpoint is in a place that cannot be rewritten; the message says where, nothing was changed.
            Conflict: somebody else wrote at the same time.
        """


class SchemaRepair(Protocol):
    """Brings back what a restored database lacks of its schema: the Schema Loader's `--repair-all`, beside a release."""

    def check(self, releases: Sequence[Release]) -> tuple[CheckResult, ...]:
        """Could it be run for each release. Only reads."""

    def advance(self, release: Release, run: str, previous: RepairProgress | None) -> RepairProgress:
        """Starts it, or looks how far it is. A run that has failed is a `problem` in the answer, and is tried again by the call
        after that.

        Raises:
            NotReady: it cannot be run as the plan and the release are.
        """


class Executions(Protocol):
    """Starts executions of this deployment's engine."""

    def start_restore(self, name: str, given: Mapping[str, Any]) -> StartedExecution:
        """Starts the restore machine. The same name and input again, while it runs, answers with the same execution.

        Raises:
            Conflict: an execution of that name exists with another input, or is over.
        """


class Catalog(Protocol):
    """Plans, runs, evidence, restore points, leases and the pause journal. All writes are conditional or idempotent.

    Times are passed in, so that tests own the clock. Contract: tests/contract/catalog.
    """

    def put_plan(self, plan: Plan, at: datetime) -> StoredPlan:
        """Stores a new revision; the same content again returns the stored revision unchanged."""

    def plan(self, name: str) -> StoredPlan:
        """Raises UnknownPlan, naming plans that exist."""

    def plans(self) -> tuple[StoredPlan, ...]: ...

    def acquire_lease(self, plan: str, run: str, until: datetime, now: datetime) -> Lease:
        """The plan's lease for `run`. The same run again: the same token, extended. A new holder: a token never used before.

        Raises:
            LeaseHeld: another run holds it and it has not expired; the message names the run and until when.
        """

    def renew_lease(self, plan: str, run: str, token: int, until: datetime, now: datetime) -> Lease:
        """Raises FencedOff when the run no longer holds the lease (an expired lease that nobody took may be renewed)."""

    def release_lease(self, plan: str, run: str, token: int) -> None:
        """Gives the lease back; does nothing when it is not ours any more. The token's number is never used again."""

    def create_run(self, run: Run) -> Run:
        """Stores a new run; returns the stored one when it exists."""

    def run(self, run_id: str) -> Run:
        """Raises UnknownRun."""

    def runs(self, plan: str, limit: int = 20) -> tuple[Run, ...]:
        """Newest first."""

    def save_run(self, run: Run) -> Run:
        """Overwrites the run's record. Raises FencedOff when a record with a higher `token` is stored."""

    def put_document(self, run: str, name: str, document: Any) -> None:
        """Keeps JSON beside a run, of any size (pod snapshots of a thousand pods, table lists); replaces an earlier one."""

    def document(self, run: str, name: str) -> Any | None: ...

    def put_point(self, point: RestorePoint) -> None:
        """Stores or replaces a restore point."""

    def point(self, plan: str, point_id: str) -> RestorePoint:
        """`latest` is the newest that is available or verified. Raises UnknownPoint, naming the points that exist."""

    def points(self, plan: str, limit: int = 100) -> tuple[RestorePoint, ...]:
        """Newest first, invalid ones included."""

    def open_pause(self, journal: PauseJournal) -> PauseJournal:
        """Writes the journal entry; the same run and attempt again returns the stored entry.

        In one transaction: the run still holds its lease with this token (else FencedOff), and no other open entry names one of
        the releases (else PausedByAnother, naming the run).
        """

    def pause_journal(self, run: str, attempt: int) -> PauseJournal | None: ...

    def open_pauses(self) -> tuple[PauseJournal, ...]:
        """Every open entry of every plan: what may still be paused."""

    def mark_not_ours(self, run: str, attempt: int, pods: Sequence[str]) -> PauseJournal:
        """Notes the uids of pods that are not ours to resume: paused by somebody else, or never sent a Pause."""

    def close_pause(self, run: str, attempt: int, by: str, at: datetime) -> PauseJournal:
        """Closes the entry and frees its releases. The first close wins; a later one returns it unchanged."""


class Signals(Protocol):
    """Tells the outside what happened."""

    def publish(self, detail_type: str, detail: Mapping[str, Any]) -> None:
        """An event such as `Backup Succeeded`, with the run's outcome as JSON. Raises Temporary errors of the service."""


class Rooms(Protocol):
    """Everything a step may ask for. An implementation makes each part when it is first used, so that a function pays only
    for what its steps touch."""

    @property
    def clock(self) -> Clock: ...

    @property
    def catalog(self) -> Catalog: ...

    @property
    def releases(self) -> Releases: ...

    @property
    def admin(self) -> Admin: ...

    @property
    def signals(self) -> Signals: ...

    @property
    def applications(self) -> Applications: ...

    @property
    def endpoints(self) -> Endpoints: ...

    @property
    def schema_repair(self) -> SchemaRepair: ...

    @property
    def executions(self) -> Executions: ...

    def database(self, database: Database) -> DatabaseAccess: ...
