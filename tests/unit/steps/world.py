"""Rooms that keep state, for the steps: pods that are paused or not, a database with a clock of its own, one virtual clock."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.catalog.memory import MemoryCatalog
from shared.model.checks import CheckResult, failed, passed
from shared.model.clock import ClockBounds
from shared.model.plan import DynamoDb, EksCluster, PauseSettings, Plan, Release
from shared.model.pods import (
    AdminTarget,
    ContainerState,
    DeploymentState,
    PodEvent,
    PodState,
    ReleaseSnapshot,
    WatchReport,
)
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import replace
from shared.model.run import Acknowledgement, PausedSample, Resumed
from shared.model.storage import ReleaseStorage, Storage
from shared.signals.memory import MemorySignals

START = datetime(2026, 11, 23, 18, 0, 0, 250_000, tzinfo=UTC)
RELEASE = Release(cluster=EksCluster(name="prod-tokyo", region="ap-northeast-1"), namespace="scalar", helm_release="orders")
PLAN = Plan(
    name="orders-prod",
    releases=(RELEASE,),
    databases=(DynamoDb(region="ap-northeast-1"),),
    pause=PauseSettings(hold_seconds=10, drain_seconds=65, max_pause_seconds=180),
)
PODS = ("orders-node-a", "orders-node-b", "orders-node-c")


class VirtualClock:
    """Time passes only when somebody sleeps. `set_by_seconds` is how far somebody has set the wall clock from true time."""

    def __init__(self) -> None:
        self.true = START
        self.set_by_seconds = 0.0
        self.process = "process-1"

    def now(self) -> datetime:
        return self.true + timedelta(seconds=self.set_by_seconds)

    def monotonic(self) -> float:
        return (self.true - START).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    async def sleep_until(self, moment: str) -> None:
        await self.sleep(max(0.0, (datetime.fromisoformat(moment) - self.now()).total_seconds()))

    def advance(self, seconds: float) -> None:
        self.true += timedelta(seconds=seconds)


class Pods:
    """The pods of one release and their Admin interface (ports `Releases` and `Admin`).

    `paused_since` maps a paused pod to when its gate closed; `paused_times` collects every closed interval that has ended.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.states = {name: _pod(name, number) for number, name in enumerate(PODS)}
        self.paused_since: dict[str, datetime] = {}
        self.paused_times: dict[str, list[tuple[datetime, datetime]]] = {name: [] for name in PODS}
        self.outcomes: dict[str, str] = {}
        self.stuck: set[str] = set()
        self.silent: set[str] = set()
        self.events: list[PodEvent] = []
        self.watch_broken = ""
        self.overlay = False
        self.unreachable = ""
        self.on_sample: Callable[[], None] = lambda: None

    # -- what the world does

    def restart(self, name: str) -> None:
        """A restarted process comes up with an open gate."""
        old = self.states[name]
        container = replace(old.containers[0], id="containerd://new", restarts=1, started_at=self.clock.now())
        self.states[name] = replace(old, containers=(container,))
        self.open_gate(name)

    def delete(self, name: str) -> None:
        """The pod and its process are gone; another takes its place later."""
        self.open_gate(name)
        del self.states[name]

    def open_gate(self, name: str) -> None:
        since = self.paused_since.pop(name, None)
        if since is not None:
            self.paused_times[name].append((since, self.clock.true))

    @property
    def all_open(self) -> bool:
        return not self.paused_since

    def were_all_paused_at(self, moment: datetime) -> bool:
        """Whether every pod's gate was closed at the true time `moment`."""
        return all(
            any(start <= moment <= end for start, end in times)
            or (name in self.paused_since and self.paused_since[name] <= moment)
            for name, times in self.paused_times.items()
        )

    # -- port Releases

    def observe(self, releases: Sequence[Release]) -> tuple[ReleaseSnapshot, ...]:
        return tuple(self._snapshot(release) for release in releases)

    def living(self, targets: Sequence[AdminTarget]) -> frozenset[str]:
        return frozenset(pod.uid for pod in self.states.values()) & {target.uid for target in targets}

    def storage(self, releases: Sequence[Release]) -> tuple[ReleaseStorage, ...]:
        storage = Storage(name="default", kind="dynamo", contact_point="ap-northeast-1")
        return tuple(ReleaseStorage(release=item.key, source="ConfigMap orders", storages=(storage,)) for item in releases)

    @contextmanager
    def watch(self, snapshots: Sequence[ReleaseSnapshot]) -> Iterator[Pods]:
        yield self

    def report(self) -> WatchReport:
        return WatchReport(events=tuple(self.events), positions={RELEASE.key: "7"}, broken=self.watch_broken)

    def catch_up(self, positions: Mapping[str, str], snapshots: Sequence[ReleaseSnapshot]) -> WatchReport:
        return self.report()

    # -- port Admin

    async def check_paused(self, targets: Sequence[AdminTarget]) -> PausedSample:
        asked_at = self.clock.now()
        self.on_sample()
        await self.clock.sleep(0.002)
        paused = [target.pod for target in targets if target.pod in self.paused_since and target.pod not in self.silent]
        unknown = tuple(target.pod for target in targets if target.pod in self.silent)
        open_ = tuple(t.pod for t in targets if t.pod not in self.paused_since and t.pod not in self.silent)
        return PausedSample(asked_at=asked_at, paused=len(paused), not_paused=open_, unknown=unknown)

    async def choose_transport(
        self, release: str, targets: Sequence[AdminTarget], wanted: str
    ) -> tuple[tuple[AdminTarget, ...], CheckResult]:
        """Direct, unless `overlay` is set; `unreachable` says why no way leads to the pods."""
        if self.unreachable:
            return tuple(targets), failed("transport", release, self.unreachable, "Open a way.")
        way = "port-forward" if self.overlay else "direct"
        return tuple(replace(target, transport=way) for target in targets), passed("transport", release, way)

    async def check_reachable(self, targets: Sequence[AdminTarget]) -> tuple[CheckResult, ...]:
        return tuple(passed("admin-port", target.pod) for target in targets)

    async def pause(
        self, targets: Sequence[AdminTarget], drain_seconds: float, answered: Callable[[AdminTarget, Acknowledgement], None]
    ) -> tuple[Acknowledgement, ...]:
        await self.clock.sleep(0.003)
        acknowledgements = []
        for target in targets:
            outcome = self.outcomes.get(target.pod, "paused")
            if outcome in ("paused", "unknown"):
                self.paused_since.setdefault(target.pod, self.clock.true)
            acknowledgements.append(Acknowledgement(pod=target.pod, outcome="paused" if outcome == "open-gate" else outcome))
            answered(target, acknowledgements[-1])
        return tuple(acknowledgements)

    async def resume(self, targets: Sequence[AdminTarget], budget_seconds: float) -> tuple[Resumed, ...]:
        await self.clock.sleep(0.003)
        resumed = []
        for target in targets:
            if target.pod not in self.states:
                resumed.append(Resumed(pod=target.pod, tries=9, problem="Unpause failed: no route to host"))
            elif target.pod in self.stuck:
                resumed.append(Resumed(pod=target.pod, tries=9, problem="CheckPaused still says paused"))
            else:
                self.open_gate(target.pod)
                resumed.append(Resumed(pod=target.pod, tries=1))
        return tuple(resumed)

    def _snapshot(self, release: Release) -> ReleaseSnapshot:
        count = len(self.states)
        deployment = DeploymentState(
            name="orders-node", uid="d", generation=1, observed_generation=1, replicas=count, updated_replicas=count,
            ready_replicas=count, spec_digest="s",
        )  # fmt: skip
        pods = tuple(self.states.values())
        targets = tuple(AdminTarget(pod=pod.name, uid=pod.uid, host=pod.ip, port=60053, port_source="Service") for pod in pods)
        return ReleaseSnapshot(
            release=release, product="scalardb-cluster", deployment=deployment, pods=pods, targets=targets,
            resource_version="5", taken_at=self.clock.now(),
        )  # fmt: skip


def _pod(name: str, number: int) -> PodState:
    container = ContainerState(name="scalardb-cluster-node", id=f"containerd://{number}", started_at=START)
    return PodState(
        name=name, uid=f"u{number}", ip=f"10.0.0.{number + 1}", node="n1", template_hash="h", phase="Running", ready=True,
        containers=(container,),
    )  # fmt: skip


class FakeDatabase:
    """A database whose clock is `offset_seconds` ahead of true time and measured to `error_seconds` either way. Two tables,
    each of which needs `advances` calls to be protected."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock, self.offset_seconds, self.error_seconds, self.advances = clock, 0.0, 0.02, 2
        self.problem = ""
        self.in_use: list[frozenset[datetime]] = []

    def check(self, database: DynamoDb, storages: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
        return (passed("pitr-enabled", database.key, "2 tables"),)

    def with_tables(self, database: DynamoDb, storages: Sequence[ReleaseStorage]) -> DynamoDb:
        return replace(database, tables=("bank.accounts", "coordinator.state"))

    async def measure_clock(self, database: DynamoDb, clock: VirtualClock) -> ClockBounds:
        await clock.sleep(1.1)
        offset_seconds = self.offset_seconds - self.clock.set_by_seconds
        low, high = offset_seconds - self.error_seconds, offset_seconds + self.error_seconds
        return ClockBounds(lower_seconds=low, upper_seconds=high, measured_at=clock.now(), samples=20, problem=self.problem)

    def protect(
        self,
        database: DynamoDb,
        storages: Sequence[ReleaseStorage],
        point: datetime,
        kept_copy: bool,
        previous: DatabaseProtection | None,
    ) -> DatabaseProtection:
        calls = int(previous.message or 0) + 1 if previous else 1
        done = calls >= self.advances
        phase = ItemPhase.KEPT if done else ItemPhase.RESTORING
        items = tuple(ItemProtection(name=name, phase=phase) for name in ("bank.accounts", "coordinator.state"))
        return DatabaseProtection(
            database=database.key, point=point, items=items, done=done, wait_seconds=0 if done else 5, message=str(calls)
        )

    def clean_up(self, database: DynamoDb, in_use: frozenset[datetime]) -> tuple[str, ...]:
        self.in_use.append(in_use)
        return ()


class World:
    """All rooms together (port `Rooms`). `interrupt`, when given, sees each call by name before and after it takes effect,
    and may raise to kill whoever called."""

    def __init__(self, interrupt: Callable[[str], None] | None = None) -> None:
        self.clock = VirtualClock()
        self.pods, self.dynamodb, self.told = Pods(self.clock), FakeDatabase(self.clock), MemorySignals()
        self.stored = MemoryCatalog()
        self.stored.put_plan(PLAN, START)
        self._interrupt = interrupt

    @property
    def catalog(self) -> Any:
        return self._watched("catalog", self.stored)

    @property
    def releases(self) -> Any:
        return self._watched("releases", self.pods)

    @property
    def admin(self) -> Any:
        return self._watched("admin", self.pods)

    @property
    def signals(self) -> Any:
        return self._watched("signals", self.told)

    def database(self, database: DynamoDb) -> Any:
        return self._watched("database", self.dynamodb)

    def _watched(self, room: str, port: Any) -> Any:
        return _Interruptible(room, port, self._interrupt) if self._interrupt else port


class _Interruptible:
    def __init__(self, room: str, port: Any, interrupt: Callable[[str], None]) -> None:
        self._room, self._port, self._interrupt = room, port, interrupt

    def __getattr__(self, name: str) -> Any:
        method, label = getattr(self._port, name), f"{self._room}.{name}"
        if inspect.iscoroutinefunction(method):

            async def call_async(*args: Any, **kwargs: Any) -> Any:
                self._interrupt(f"before {label}")
                result = await method(*args, **kwargs)
                self._interrupt(f"after {label}")
                return result

            return call_async

        def call(*args: Any, **kwargs: Any) -> Any:
            self._interrupt(f"before {label}")
            result = method(*args, **kwargs)
            self._interrupt(f"after {label}")
            return result

        return call
