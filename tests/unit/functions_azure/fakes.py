"""The engine as triggers see it: instances by id, in memory."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from shared.executions.durable import InstanceStatus
from shared.model.errors import BackupError
from tests.unit.steps.world import START, World

_LINKS = ("statusQueryGetUri", "sendEventPostUri", "terminatePostUri", "purgeHistoryDeleteUri", "restartPostUri",
          "suspendPostUri", "resumePostUri", "rewindPostUri")  # fmt: skip
BINDING = json.dumps(
    {
        "taskHubName": "hub",
        "creationUrls": {},
        "managementUrls": {"id": "INSTANCEID"} | {name: f"http://app/instances/INSTANCEID/{name}" for name in _LINKS},
        "rpcBaseUrl": "http://127.0.0.1:1/durabletask/",
    }
)


class FakeEngine:
    """Stands in for `functions_azure.client.Binding`. `outputs` are what instances of an orchestrator end with at once."""

    text = BINDING

    def __init__(self) -> None:
        self.instances: dict[str, InstanceStatus] = {}
        self.outputs: dict[str, Any] = {}
        self.purged: list[datetime] = []
        self.problem: BackupError | None = None

    async def start(self, orchestrator: str, instance: str, given: Mapping[str, Any]) -> None:
        if self.problem:
            raise self.problem
        output = self.outputs.get(orchestrator)
        self.put(instance, orchestrator, "Running" if output is None else "Completed", given, output)

    async def start_once(self, orchestrator: str, instance: str, given: Mapping[str, Any]) -> bool:
        if instance in self.instances:
            return False
        await self.start(orchestrator, instance, given)
        return True

    async def purge(self, before: datetime) -> int:
        self.purged.append(before)
        return 1

    async def status(self, instance: str) -> InstanceStatus | None:
        return self.instances.get(instance)

    def put(self, instance: str, name: str, runtime: str, given: Any = None, output: Any = None) -> None:
        self.instances[instance] = InstanceStatus(
            id=instance, name=name, runtime=runtime, created_at=START, given=given, custom=None, output=output
        )

    def of(self, orchestrator: str) -> dict[str, Any]:
        """The inputs of its instances, by id."""
        return {item.id: item.given for item in self.instances.values() if item.name == orchestrator}


class FakeWorkers:
    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, run: str, step: Callable[[Any], Awaitable[Any]]) -> Any:
        return await step(self._world)
