"""A deployment in this process: the operator's rooms, engine and clock as fakes that keep state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from click.testing import CliRunner, Result

from shared.catalog.memory import MemoryCatalog
from shared.cli import main
from shared.cli.engine import Execution
from shared.cli.operator import AwsOperator
from shared.model.errors import BackupError
from shared.model.plan import Release
from shared.model.pods import AdminTarget, ReleaseSnapshot
from shared.model.run import PausedSample, Resumed
from shared.signals.memory import MemorySignals
from tests.unit.cli.samples import EXECUTION, after, snapshot


@dataclass
class FakeClock:
    at: datetime
    process: str = "operator"

    def now(self) -> datetime:
        return self.at


@dataclass
class FakePods:
    """The Admin interface of pods, of which some are paused, and some cannot be reached."""

    paused: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    unpaused: list[str] = field(default_factory=list)

    async def check_paused(self, targets: Sequence[AdminTarget]) -> PausedSample:
        asked = [target.pod for target in targets]
        return PausedSample(
            asked_at=after(0),
            paused=sum(pod in self.paused and pod not in self.silent for pod in asked),
            not_paused=tuple(pod for pod in asked if pod not in self.paused and pod not in self.silent),
            unknown=tuple(pod for pod in asked if pod in self.silent),
        )

    async def resume(self, targets: Sequence[AdminTarget], budget_seconds: float) -> tuple[Resumed, ...]:
        resumed = []
        for target in targets:
            is_silent = target.pod in self.silent
            if not is_silent:
                self.paused.discard(target.pod)
                self.unpaused.append(target.pod)
            resumed.append(Resumed(pod=target.pod, tries=1, problem="no answer" if is_silent else ""))
        return tuple(resumed)


@dataclass
class FakeReleases:
    found: ReleaseSnapshot = field(default_factory=lambda: snapshot(after(0)))
    refusal: BackupError | None = None
    asked: list[Release] = field(default_factory=list)

    def living(self, targets: Sequence[AdminTarget]) -> frozenset[str]:
        return frozenset(target.uid for target in targets)

    def observe(self, releases: Sequence[Release]) -> tuple[ReleaseSnapshot, ...]:
        self.asked += releases
        if self.refusal:
            raise self.refusal
        return (self.found,)


@dataclass
class FakeRooms:
    catalog: Any
    clock: FakeClock
    admin: FakePods = field(default_factory=FakePods)
    releases: FakeReleases = field(default_factory=FakeReleases)
    signals: MemorySignals = field(default_factory=MemorySignals)


@dataclass
class FakeEngine:
    """Executions and functions. `statuses` maps a time to the status that begins then."""

    clock: FakeClock
    statuses: dict[datetime, str] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    started: list[tuple[str, str]] = field(default_factory=list)
    unpaused: list[dict[str, str]] = field(default_factory=list)

    def start_backup(self, plan: str, reason: str) -> Execution:
        self.started.append((plan, reason))
        return Execution(EXECUTION, "RUNNING")

    def look(self, execution: Execution) -> Execution:
        begun = [status for at, status in sorted(self.statuses.items()) if at <= self.clock.at]
        return execution._replace(status=begun[-1] if begun else "RUNNING")

    def check(self, plan: str) -> dict[str, Any]:
        return self._answer("check")

    def unpause(self, selector: dict[str, str]) -> dict[str, Any]:
        self.unpaused.append(selector)
        return self._answer("unpause")

    def _answer(self, step: str) -> dict[str, Any]:
        answer = self.answers[step]
        if isinstance(answer, BaseException):
            raise answer
        return dict(answer)


class World(AwsOperator):
    """Time passes only while a command sleeps; `later` makes something happen on the way."""

    def __init__(self, catalog: Any = None, at: datetime | None = None) -> None:
        super().__init__("scalar-backup", "ap-northeast-1")
        self.clock = FakeClock(at or after(3600))
        self.rooms = FakeRooms(catalog or MemoryCatalog(), self.clock)  # type: ignore[assignment]
        self.rooms_without_deployment = FakeRooms(None, self.clock, self.rooms.admin, self.rooms.releases)  # type: ignore[assignment]
        self.engine = FakeEngine(self.clock)  # type: ignore[assignment]
        self._later: list[tuple[datetime, Callable[[], None]]] = []

    @property
    def pods(self) -> FakePods:
        return self.rooms.admin  # type: ignore[return-value]

    def now(self) -> datetime:
        return self.clock.at

    def sleep(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)
        due = [item for item in self._later if item[0] <= self.clock.at]
        self._later = [item for item in self._later if item not in due]
        for _, happen in due:
            happen()

    def later(self, at: datetime, happen: Callable[[], None]) -> None:
        self._later.append((at, happen))

    def call(self, *arguments: str, answer: str | None = None) -> Result:
        """One command line. `answer` is what the person types when asked."""
        return CliRunner().invoke(main, arguments, obj=self, input=answer)
