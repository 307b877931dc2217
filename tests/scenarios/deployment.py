"""A deployment in the sandbox as its operator uses it, whichever cloud it is on, and eyes independent of the product: each
pod's own Admin port. What differs by cloud is in `on_aws` and `on_azure`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import grpc

from infra.sandbox.releases_world import ROOT, ReleasesWorld
from shared.cli.engine import Engine, Execution
from shared.cli.operator import Operator
from shared.model.checks import CheckResult, failures
from shared.model.errors import UnknownRun
from shared.model.plan_document import parse_plan
from shared.model.records import from_record
from shared.model.run import Run, RunStatus
from shared.steps.ports import Catalog

ADMIN_PORT = 60053
CALL_SECONDS = 5.0
SHORT = {"hold": "2s", "drain": "5s", "max_pause": "40s"}
"""A pause that a test can afford, and the clocks can be measured in."""
T = TypeVar("T")


@dataclass(frozen=True)
class Ended:
    """A call of the command line."""

    code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Refusal:
    """What a person is shown in place of an answer."""

    kind: str
    message: str


class Deployment(ABC):
    """Use while the world's environment is this process's."""

    cloud: str
    world: Any
    """A ReleasesWorld, with what is its own cloud's."""

    def __init__(self, world: ReleasesWorld) -> None:
        self.world = world
        self.followed: list[str] = []
        """Executions of the present test, for its report when it fails."""

    # -- by cloud

    @property
    @abstractmethod
    def operator(self) -> Operator:
        """The same one at every call."""

    @abstractmethod
    def input_of(self, execution: Execution) -> dict[str, Any]:
        """What it was started with."""

    @abstractmethod
    def run_id_of(self, execution: Execution) -> str:
        """Of the run of a backup's execution. Raises UnknownRun when it has not written its record yet."""

    @abstractmethod
    def stop(self, execution: Execution) -> None:
        """As somebody does it in the console or portal: nothing of the execution is carried out any more."""

    @abstractmethod
    def notice_the_end_of(self, *stopped: Execution) -> None:
        """Returns when the product has recorded that they were stopped: told by an event on AWS, found out on Azure."""

    @property
    @abstractmethod
    def named_cluster(self) -> list[str]:
        """The first cluster, as options of the command line."""

    @property
    @abstractmethod
    def nowhere(self) -> dict[str, str]:
        """Variables of an operator's shell with which neither engine nor catalog can be found."""

    @abstractmethod
    def kill(self, step: str, plan: str, after_seconds: float) -> None:
        """SIGKILL to the process in which the next such step of the window will run, so long after its beginning."""

    @abstractmethod
    def killed(self) -> list[dict[str, Any]]:
        """The inputs of the steps that were killed."""

    @abstractmethod
    def send(self, payload: Mapping[str, Any]) -> dict[str, Any] | Refusal:
        """A payload given to the restore function, as a person does it."""

    @abstractmethod
    def story(self) -> str:
        """For the report of a test that failed: what executions and functions did last."""

    # -- as an operator

    @property
    def engine(self) -> Engine:
        return self.operator.engine

    @property
    def catalog(self) -> Catalog:
        return self.operator.catalog

    def apply(
        self, name: str, helm_release: str, kept_copy: bool = False, release: Mapping[str, Any] | None = None, **pause: Any
    ) -> str:
        """Applies a plan of the test's own for one release; its name. Without kept copies a run is over sooner. `release` and
        `pause` are further keys of these sections."""
        document = self.world.plan_document(name, helm_release, **(SHORT | pause))
        document["backup"] = {"kept_copy": kept_copy}
        document["releases"][0] |= release or {}
        self.catalog.put_plan(parse_plan(document), datetime.now(UTC))
        return name

    def start(self, plan: str, reason: str = "on-demand") -> Execution:
        execution = self.engine.start_backup(plan, reason)
        self.followed.append(execution.arn)
        return execution

    def finish(self, execution: Execution, seconds: float = 60.0) -> Execution:
        """The execution at its end."""

        def ended() -> Execution | None:
            found = self.engine.look(execution)
            return found if found.is_over else None

        return eventually(ended, f"the execution {execution.arn} ends", seconds)

    def back_up(self, plan: str, reason: str = "on-demand") -> Run:
        """The record of a run that is over."""
        execution = self.finish(self.start(plan, reason))
        return self.run_of(execution)

    def run_of(self, execution: Execution) -> Run:
        return self.catalog.run(self.run_id_of(execution))

    def await_end(self, *executions: Execution) -> None:
        """Of their runs, by the record."""
        for execution in executions:
            self.run_when(execution, lambda run: run.status is not RunStatus.RUNNING, f"the end of {execution.arn} is recorded")

    def run_when(self, execution: Execution, is_so: Callable[[Run], bool], what: str, seconds: float = 30.0) -> Run:
        """The run's record as soon as it is as wished."""

        def found() -> Run | None:
            try:
                run = self.run_of(execution)
            except UnknownRun:
                return None
            return run if is_so(run) else None

        return eventually(found, what, seconds)

    def failed_checks(self, plan: str) -> tuple[CheckResult, ...]:
        return failures(from_record(self.engine.check(plan)["checks"], tuple[CheckResult, ...]))

    def command(self, *arguments: str, **environment: str) -> Ended:
        return self.ended(self.begin_command(*arguments, **environment))

    def begin_command(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The command line in a process of its own, as an operator has it. `ended` waits for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "shared.cli", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, command: subprocess.Popen[str], seconds: float = 90.0) -> Ended:
        try:
            stdout, stderr = command.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            command.kill()
            command.communicate()
            raise
        return Ended(command.returncode, stdout, stderr)

    # -- the pods themselves

    def addresses(self, helm_release: str) -> dict[str, str]:
        """By name, of the pods that are not on their way out."""
        return {
            pod["metadata"]["name"]: pod["status"]["podIP"]
            for pod in self.world.pods_of(helm_release)
            if "deletionTimestamp" not in pod["metadata"] and "podIP" in pod["status"]
        }

    def paused_pods(self, helm_release: str) -> list[str]:
        """Names of the pods whose gate is closed, by their own word."""
        return [name for name, address in self.addresses(helm_release).items() if is_paused(address)]

    def await_pause(self, helm_release: str, seconds: float = 60.0) -> None:
        """Until every pod of the release is paused."""

        def all_paused() -> bool:
            paused = self.paused_pods(helm_release)
            return bool(paused) and len(paused) == len(self.addresses(helm_release))

        eventually(all_paused, f"every pod of {helm_release} is paused", seconds)


def eventually(look: Callable[[], T | None], what: str, seconds: float = 30.0) -> T:
    """The first answer that is true."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > ends:
            raise AssertionError(f"Not so within {seconds:.0f} s: {what}.")
        time.sleep(0.05)
    return found


def is_paused(address: str, port: int = ADMIN_PORT) -> bool:
    return _admin(address, "CheckPaused", b"", port) == b"\x08\x01"


def pause_by_hand(address: str) -> None:
    """What another tool or person does: Pause with `wait_outstanding`."""
    _admin(address, "Pause", b"\x08\x01")


def unpause_by_hand(address: str) -> None:
    _admin(address, "Unpause", b"")


def _admin(address: str, method: str, request: bytes, port: int = ADMIN_PORT) -> bytes:
    with grpc.insecure_channel(f"{address}:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        answer: bytes = channel.unary_unary(f"/rpc.Admin/{method}")(request, timeout=CALL_SECONDS, wait_for_ready=True)
    return answer


def pod_to_break(deployment: Deployment, helm_release: str) -> str:
    """The name of one pod of the release."""
    return min(deployment.addresses(helm_release))


def codes(run: Run) -> list[str]:
    """The cause of each attempt, empty for one that was valid."""
    return [attempt.cause.code if attempt.cause else "" for attempt in run.attempts]
