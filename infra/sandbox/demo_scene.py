"""What the demo needs of a cloud: a world, how a backup begins there, and copies of its databases made past the product."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

from infra.sandbox.azure_world import ACCOUNT, AzureWorld
from infra.sandbox.bank import layouts
from infra.sandbox.bank.audit import Audit
from infra.sandbox.bank.layouts import fingerprint
from infra.sandbox.bank_worlds import dynamodb_of
from infra.sandbox.cluster.process import REAL
from infra.sandbox.functions_host import WorldOnFunctionsHost
from infra.sandbox.proof import audit_copies, copies_of_second, kept_copies
from infra.sandbox.releases_world import NAMESPACE, PLAN_NAME, TIMEZONE, ReleasesWorld
from infra.sandbox.world import STACK, World
from shared.cli.azure_operator import AzureOperator
from shared.cli.engine import Execution
from shared.cli.operator import AwsOperator, Operator
from shared.model.restore_point import RestorePoint

STARTED_SECONDS = 20.0


class Copy(NamedTuple):
    """What a copy of the bank holds."""

    audit: Audit
    fingerprint: str


class Scene(ABC):
    """Use its parts while `world` runs and its environment is this process's."""

    cloud: str
    proof: str
    """How the copies of the point are made, as a sentence for the reader."""
    kept: str
    """What a backup leaves behind, after the number of tables."""
    world: ReleasesWorld

    @property
    @abstractmethod
    def operator(self) -> Operator:
        """Whoever watches."""

    @abstractmethod
    def about(self) -> list[tuple[str, str]]:
        """What runs, for the reader."""

    @abstractmethod
    def begin(self) -> tuple[str, Execution]:
        """Causes a backup without the command line; how, for the reader."""

    @abstractmethod
    def copy_of(self, point: RestorePoint) -> AbstractContextManager[Copy]:
        """The bank of a restore point beside the live one, until the context ends."""

    @abstractmethod
    def copy_at(self, second: datetime) -> AbstractContextManager[Copy]:
        """The bank of any second, as somebody without a restore point would restore it."""

    def _cluster(self, kind: str) -> list[tuple[str, str]]:
        kube = self.world.kube
        api_server = f"kube-apiserver {kube.version} on etcd" if self.world.control_plane == REAL else "a small API server"
        pods = f"{len(self.world.pods)} × ScalarDB Cluster in namespace {NAMESPACE}, each with a gRPC Admin port"
        at_work = "moved about by concurrent transfers, some of which crash half-way"
        return [
            (kind, f"{kube.url}: {api_server}, TLS, RBAC, controllers and a kubelet"),
            ("Pods", pods),
            ("Bank", f"{self.world.scale.opening.total:,} in 3 tables, {at_work}"),
        ]


class OnAws(Scene):
    cloud = "AWS"
    proof = "The kept copies are restored beside the live tables and the money is counted;"
    kept = "tables with kept copies, Coordinator and metadata included"
    world: World

    def __init__(self, control_plane: str) -> None:
        self.world = World(control_plane=control_plane)

    @cached_property
    def operator(self) -> AwsOperator:
        return AwsOperator(STACK, self.world.aws.region)

    def about(self) -> list[tuple[str, str]]:
        what = "the SAM template deployed, Lambda handlers, Step Functions, DynamoDB with history"
        return [("AWS", f"{self.world.aws.url}: {what}"), *self._cluster("EKS")]

    def begin(self) -> tuple[str, Execution]:
        """Sets the scheduler's clock to the next 03:00 in Tokyo."""
        local = self.world.aws.scheduler_now().astimezone(ZoneInfo(TIMEZONE))
        due = local.replace(hour=3, minute=0, second=0, microsecond=0)
        due += timedelta(days=1) if due <= local else timedelta()
        self.world.aws.set_scheduler_clock(due + timedelta(seconds=1))
        return f"The scheduler's clock reads {due:%H:%M} {TIMEZONE}: the schedule fires.", self._started()

    def _started(self) -> Execution:
        states, machine = self.world.aws.client("stepfunctions"), self.world.outputs["BackupStateMachineArn"]
        ends = time.monotonic() + STARTED_SECONDS
        while time.monotonic() < ends:
            if found := states.list_executions(stateMachineArn=machine)["executions"]:
                return Execution(found[0]["executionArn"], found[0]["status"])
            time.sleep(0.1)
        raise TimeoutError(f"The schedule fired, but no execution of a backup began within {STARTED_SECONDS:.0f} s.")

    @contextmanager
    def copy_of(self, point: RestorePoint) -> Iterator[Copy]:
        with kept_copies(self.world.aws.client("dynamodb"), point, "kept") as prefix:
            yield self._copy(prefix)

    @contextmanager
    def copy_at(self, second: datetime) -> Iterator[Copy]:
        with copies_of_second(self.world.aws.client("dynamodb"), second, "busy") as prefix:
            yield self._copy(prefix)

    def _copy(self, prefix: str) -> Copy:
        layout, _ = layouts.on_dynamodb(dynamodb_of(self.world.aws, prefix=prefix))
        return Copy(audit_copies(self.world.aws.client("dynamodb"), self.world.scale.opening, prefix), fingerprint(layout))


class OnAzure(Scene):
    cloud = "Azure"
    proof = "The account is restored into another one as of the point, and the money is counted;"
    kept = "containers covered by continuous backup, Coordinator and metadata included"
    world: AzureWorld

    def __init__(self, control_plane: str) -> None:
        self.world = AzureWorld(control_plane=control_plane)

    @cached_property
    def operator(self) -> AzureOperator:
        variables = self.world.variables
        return AzureOperator(
            variables["SCALAR_BACKUP_APP"], variables["SCALAR_BACKUP_APP_KEY"], variables["AZURE_RESOURCE_MANAGER"]
        )

    def about(self) -> list[tuple[str, str]]:
        what = "the function app on a Durable Functions host, its state in SQLite"
        return [
            ("Azure", f"{self.world.azure.url}: Entra, Resource Manager, Cosmos DB with history, Table storage, Event Grid"),
            ("App", f"{self.world.host.url}: {what}"),
            *self._cluster("AKS"),
        ]

    def begin(self) -> tuple[str, Execution]:
        """As a pipeline does before it upgrades something."""
        answer = self.world.host.call("POST", "/api/backup", {"plan": PLAN_NAME, "reason": "before an upgrade"})
        if answer.status != 202:
            raise RuntimeError(f"The function `backup` answered {answer.status}: {answer.text}")
        told = f'A pipeline posts {{"plan": "{PLAN_NAME}"}} to /api/backup with a function key: 202 Accepted.'
        return told, Execution(answer.json["execution"], "RUNNING")

    def copy_of(self, point: RestorePoint) -> AbstractContextManager[Copy]:
        if point.at is None:
            raise ValueError(f"{point.id} has no moment")
        return self.copy_at(point.at)

    @contextmanager
    def copy_at(self, second: datetime) -> Iterator[Copy]:
        with self.world.databases.restored(ACCOUNT, f"{ACCOUNT}-proof", second) as storage:
            layout, _ = layouts.on_cosmos(storage)
            yield Copy(layouts.audit_live(layout, self.world.scale.opening), fingerprint(layout))


class OnFunctionsHost(OnAzure):
    cloud = "Azure, on Microsoft's own Functions host"

    def __init__(self, control_plane: str) -> None:
        self.world = WorldOnFunctionsHost(control_plane=control_plane)


SCENES: Mapping[str, Callable[[str], Scene]] = {"aws": OnAws, "azure": OnAzure}
FUNCTIONS_HOST = "azure-host"
