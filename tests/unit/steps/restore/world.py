"""A world to restore: two releases with replicas, three databases with data, and a restore point of a better time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared.model.checks import CheckResult, passed
from shared.model.endpoint_change import EndpointChange
from shared.model.errors import Conflict
from shared.model.execution import StartedExecution
from shared.model.plan import AuroraCluster, CutOver, Database, DynamoDb, EksCluster, Plan, RdsInstance, Release
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import replace
from shared.model.restore import EndpointMove
from shared.model.restore_point import PointPhase, RestorePoint
from shared.model.run import Run, RunStatus
from shared.model.stop_start import StartProgress, StopProgress
from shared.model.storage import ReleaseStorage, Storage
from shared.steps import evidence
from tests.unit.steps.restore.stores import FakeStore, host_of
from tests.unit.steps.world import START, World

REGION = "ap-northeast-1"
CLUSTER = EksCluster(name="prod-tokyo", region=REGION)
ORDERS = Release(cluster=CLUSTER, namespace="scalar", helm_release="orders")
LEDGER = Release(cluster=CLUSTER, namespace="scalar", helm_release="ledger")
TABLES = DynamoDb(region=REGION)
RDS = RdsInstance(region=REGION, instance="orders-db")
AURORA = AuroraCluster(region=REGION, cluster="ledger", cut_over=CutOver.ENDPOINT)
POINT_AT = datetime.fromisoformat("2026-11-23T03:00:14+00:00")
POINT_ID = "orders-prod-20261123T025900Z-0a0b0c0d"
REPLICAS = {ORDERS.key: 3, LEDGER.key: 2}


@dataclass
class FakeApplications:
    """Deployments that take a while to stop and to start (port `Applications`). `running` are their pods."""

    replicas_of: dict[str, int] = field(default_factory=lambda: dict(REPLICAS))
    running: dict[str, int] = field(default_factory=lambda: dict(REPLICAS))
    scaled_up: set[str] = field(default_factory=set)
    """Releases that somebody else scales up again as soon as they are down."""
    results: tuple[CheckResult, ...] = (passed("rivals", "orders"),)
    problem: Exception | None = None
    generations: dict[str, int] = field(default_factory=dict)
    """Of a release that somebody has changed."""
    stuck: str = ""
    """Why pods neither end nor serve."""

    def rivals(self, releases: Sequence[Release]) -> tuple[CheckResult, ...]:
        return self.results

    def replicas(self, releases: Sequence[Release]) -> Mapping[str, int]:
        return {release.key: self.replicas_of[release.key] for release in releases}

    def stop(self, release: Release, previous: StopProgress | None) -> StopProgress:
        key = release.key
        if previous is None:
            return StopProgress(
                namespace="scalar", deployment=release.helm_release, uid="d", replicas_before=self.replicas_of[key],
                wait_seconds=1.0, message=f"{key} goes to 0 next",
            )  # fmt: skip
        if self.replicas_of[key] and previous.asked:
            raise Conflict(f"{key} was stopped and is at {self.replicas_of[key]} again.")
        generation = self.generations.get(key, 1)
        if previous.done and previous.generation != generation:
            raise Conflict(f"{key} was changed after its pods were gone; the last who wrote to it is helm.")
        if self.replicas_of[key]:
            self.replicas_of[key] = 0
            return replace(previous, asked=True, wait_seconds=2.0, message=f"{key} is asked to end its pods")
        if self.stuck:
            return replace(previous, asked=True, wait_seconds=30.0, message=f"{key}: {self.stuck}.")
        self.running[key] = 0
        if key in self.scaled_up:
            self.scaled_up.discard(key)
            self.replicas_of[key] = self.running[key] = 1
        return replace(previous, asked=True, done=True, generation=generation, wait_seconds=0.0, message="")

    async def start(self, release: Release, stopped: StopProgress, previous: StartProgress | None) -> StartProgress:
        key = release.key
        if self.problem:
            raise self.problem
        progress = previous or StartProgress(
            namespace="scalar", deployment=release.helm_release, replicas=stopped.replicas_before
        )
        if not self.replicas_of[key] and progress.replicas:
            self.replicas_of[key] = progress.replicas
            return replace(progress, asked=True, wait_seconds=2.0, message=f"{key} is asked for its pods")
        if self.stuck:
            return replace(progress, asked=True, wait_seconds=2.0, message=f"{key}: {self.stuck}.")
        self.running[key] = self.replicas_of[key]
        return replace(progress, asked=True, done=True, wait_seconds=0.0, message="")


@dataclass
class FakeEndpoints:
    """The host that the properties of each release name (port `Endpoints`)."""

    hosts: dict[str, str] = field(default_factory=lambda: {LEDGER.key: host_of("ledger")})
    changing: Callable[[str], None] = lambda what: None
    writes: int = 0

    def find(self, releases: Sequence[Release], moves: Sequence[EndpointMove]) -> tuple[CheckResult, ...]:
        return tuple(passed("endpoint-rewritable", release.key) for release in releases)

    def lead(self, release: Release, moves: Sequence[EndpointMove]) -> tuple[tuple[EndpointChange, ...], str]:
        host = self.hosts.get(release.key, "")
        move = next((move for move in moves if host in (move.old, move.new)), None)
        if move is None:
            return (), ""
        if host != move.new:
            self.changing(release.key)
            self.writes += 1
            self.hosts[release.key] = move.new
        change = EndpointChange(release=release.key, storage="default", old=move.old, new=move.new, run="", changed_at=START)
        return (change,), f"contactPoints: {move.new}\n"


@dataclass
class FakeExecutions:
    """Port `Executions`: a name is used once."""

    given: dict[str, dict[str, Any]] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)

    def start_restore(self, name: str, given: Mapping[str, Any]) -> StartedExecution:
        known = self.given.setdefault(name, dict(given))
        if known != given or name in self.over:
            raise Conflict(f"An execution {name} exists with another input, or is over.")
        return StartedExecution(f"arn:execution:{name}", f"https://console/{name}")


class FakeReleases:
    """Port `Releases`, as far as a restore asks it."""

    def __init__(self, endpoints: FakeEndpoints) -> None:
        self._endpoints = endpoints

    def storage(self, releases: Sequence[Release]) -> tuple[ReleaseStorage, ...]:
        return tuple(self._of(release.key) for release in releases)

    def _of(self, key: str) -> ReleaseStorage:
        host = self._endpoints.hosts.get(key)
        url = f"jdbc:mysql://{host}:3306/" if host else ""
        storage = Storage(name="default", kind="jdbc" if host else "dynamo", contact_point=url or REGION)
        return ReleaseStorage(release=key, source="ConfigMap", storages=(storage,))


class RestoreWorld(World):
    """See `World` for `interrupt`. `violations` names what was changed while pods of the application ran."""

    def __init__(
        self,
        interrupt: Callable[[str], None] | None = None,
        databases: Sequence[Database] = (TABLES, RDS, AURORA),
        releases: Sequence[Release] = (ORDERS, LEDGER),
    ) -> None:
        super().__init__(interrupt)
        self.plan = Plan(name="orders-prod", releases=tuple(releases), databases=tuple(databases))
        self.stored.put_plan(self.plan, START)
        self.violations: list[str] = []
        self.apps, self.leading, self.started = FakeApplications(), FakeEndpoints(), FakeExecutions()
        self.leading.changing = self._changing
        names = {TABLES.key: "tables", RDS.key: "orders-db", AURORA.key: "ledger"}
        self.stores = {item.key: self._store(item, names[item.key]) for item in databases}
        self.put_point(POINT_ID, POINT_AT)

    def _store(self, database: Database, live: str) -> FakeStore:
        store = FakeStore(database=database, clock=self.clock, live=live, changing=self._changing)
        store.is_live = (
            (lambda name: self.leading.hosts[LEDGER.key] == host_of(name))
            if database == AURORA
            else (lambda name: name == live)
        )
        store.write("spoilt")
        store.history[POINT_AT] = "good"
        return store

    def put_point(self, point_id: str, at: datetime, phase: PointPhase = PointPhase.AVAILABLE) -> None:
        kept = {
            key: DatabaseProtection(
                database=key, point=at, items=(ItemProtection(name=store.live, phase=ItemPhase.COVERED),), done=True
            )
            for key, store in self.stores.items()
        }
        self.stored.create_run(
            Run(id=point_id, plan="orders-prod", plan_revision=1, reason="schedule", execution="arn:execution:backup",
                started_at=at, status=RunStatus.SUCCEEDED)
        )  # fmt: skip
        evidence.save(self.stored, point_id, evidence.PLAN, self.plan)
        self.stored.put_point(
            RestorePoint(id=point_id, plan="orders-prod", plan_revision=1, at=at, phase=phase, reason="schedule",
                         created_at=at + timedelta(minutes=1), databases=kept)
        )  # fmt: skip

    def _changing(self, what: str) -> None:
        self.violations += [f"{what} while {key} runs" for key, pods in self.apps.running.items() if pods and key in self.keys]

    @property
    def keys(self) -> set[str]:
        return {release.key for release in self.plan.releases}

    def reads(self) -> dict[str, str]:
        """What the application finds in each database."""
        found = {}
        for key, store in self.stores.items():
            live = [copy.value for name, copy in store.copies.items() if store.is_live(name)]
            found[key] = live[0] if live else "nothing"
        return found

    @property
    def all_serve(self) -> bool:
        return all(self.apps.running[key] == self.apps.replicas_of[key] == REPLICAS[key] for key in self.keys)

    def write(self, value: str) -> None:
        """The application writes into every database where it finds it."""
        for store in self.stores.values():
            for name, copy in store.copies.items():
                if store.is_live(name):
                    copy.value = value

    @property
    def releases(self) -> Any:
        return self._watched("releases", FakeReleases(self.leading))

    @property
    def applications(self) -> Any:
        return self._watched("applications", self.apps)

    @property
    def endpoints(self) -> Any:
        return self._watched("endpoints", self.leading)

    @property
    def executions(self) -> Any:
        return self._watched("executions", self.started)

    def database(self, database: Database) -> Any:
        return self._watched(f"database {database.key}", self.stores[database.key])
