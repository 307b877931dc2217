"""Runs the restore's state machines over a `RestoreWorld`, from the payload of a person to the end of the execution."""

from __future__ import annotations

import json
from typing import Any

import shared.steps.restore as steps
from shared.model.run import Run
from shared.model.times import parse_instant
from shared.steps.ended import ended
from shared.steps.restore.record import load_record
from tests.unit.steps.machine import Machine, Stopped, TaskFailed, execution
from tests.unit.steps.restore.world import RestoreWorld

STEPS = {name: getattr(steps, name) for name in steps.__all__}


class RestoreEngine:
    """Executions of one world. `visited` are the states of the last one, its children not included; `children` are theirs, one
    list for each."""

    def __init__(self, world: RestoreWorld) -> None:
        self.world = world
        self.visited: list[str] = []
        self.children: list[list[str]] = []

    async def ask(self, **payload: Any) -> dict[str, Any]:
        return await steps.restore_request(payload, self.world)

    async def confirm(self, **payload: Any) -> dict[str, Any]:
        """Plans, and confirms what was planned."""
        planned = await self.ask(**payload)
        assert planned["ok"], planned["problems"]
        return await self.ask(**planned["confirm_with"])

    async def restore(self, **payload: Any) -> tuple[str, Run]:
        started = await self.confirm(**({"action": "restore", "plan": "orders-prod"} | payload))
        return await self.execute(started), self.world.stored.run(started["run"])

    async def undo(self, run: str) -> tuple[str, Run]:
        started = await self.confirm(action="undo", run=run)
        return await self.execute(started), self.world.stored.run(started["run"])

    async def go_on(self, action: str, run: str) -> tuple[str, Run]:
        started = await self.ask(action=action, run=run)
        return await self.execute(started), self.world.stored.run(run)

    async def execute(self, started: dict[str, Any]) -> str:
        """How the execution ended: SUCCEEDED, FAILED, or STOPPED when nobody could catch it."""
        name = started["execution"].removeprefix("arn:execution:")
        context = execution(self.world.clock, name, self.world.started.given[name])
        machine = Machine("restore", self._call, self.world.clock, context)
        try:
            await machine.run()
        except TaskFailed:
            return "FAILED"
        except Stopped:
            return "STOPPED"
        finally:
            self.visited = machine.visited
            self.world.started.over.add(name)
        return "SUCCEEDED"

    async def tell_that_it_ended(self, started: dict[str, Any], status: str = "ABORTED") -> None:
        """The engine's own event about an execution that was stopped."""
        name = started["execution"].removeprefix("arn:execution:")
        moment = parse_instant(self.world.clock.now().isoformat())
        detail = {
            "executionArn": started["execution"],
            "startDate": round(moment.timestamp() * 1000),
            "status": status,
            "input": json.dumps(self.world.started.given[name]),
        }
        await ended({"detail": detail}, self.world)

    def phase(self, run: Run) -> str:
        record = load_record(self.world.stored, run.id)
        return record.phase.value if record else ""

    async def _call(self, target: str, payload: dict[str, Any]) -> Any:
        clock = self.world.clock
        if target == "RestoreDatabaseStateMachineArn":
            child = Machine("restore_database", self._call, clock, execution(clock, payload["_name"], payload))
            self.children.append(child.visited)
            return await child.run()
        clock.advance(0.02)
        answer = await STEPS[payload["step"]](payload, self.world)
        answer.pop("metrics", None)
        return answer
