"""Runs the product's state machines over a `World`: the backup, its watchdogs and the protect children."""

from __future__ import annotations

from typing import Any

from shared.steps.begin import begin
from shared.steps.capture import capture
from shared.steps.check import check
from shared.steps.conclude import conclude
from shared.steps.judge import judge
from shared.steps.pause import pause
from shared.steps.protect import protect
from shared.steps.publish import publish
from shared.steps.resume import resume
from shared.steps.watchdog import watchdog
from tests.unit.steps.machine import Machine, Stopped, TaskFailed, execution
from tests.unit.steps.world import World

STEPS = {step.__name__: step for step in (begin, capture, check, conclude, judge, pause, protect, publish, resume, watchdog)}


class Engine:
    """Executions of one world. `armed` holds the inputs of the watchdogs; they run when the test lets them. `visited` are the
    states of the last backup, `children` those of what it waits for, one list for each."""

    def __init__(self, world: World) -> None:
        self.world, self.armed, self.visited, self.children = world, [], [], []  # type: ignore[var-annotated]
        self._process = 1

    async def backup(self, given: Any, name: str = "e1") -> str:
        """The way the execution ended: SUCCEEDED, FAILED or, when nobody could catch it, STOPPED."""
        machine = Machine("backup", self._call, self.world.clock, execution(self.world.clock, name, given))
        try:
            await machine.run()
        except TaskFailed:
            return "FAILED"
        except Stopped:
            return "STOPPED"
        finally:
            self.visited = machine.visited
        return "SUCCEEDED"

    async def wake_watchdogs(self) -> None:
        for given in self.armed:
            clock = self.world.clock
            await Machine("watchdog", self._call, clock, execution(clock, given["_name"], given)).run()

    async def _call(self, target: str, payload: dict[str, Any]) -> Any:
        if target == "WatchdogStateMachineArn":
            self.armed.append(payload)
            return {}
        if target == "ProtectStateMachineArn":
            clock = self.world.clock
            child = Machine("protect", self._call, clock, execution(clock, payload["_name"], payload))
            self.children.append(child.visited)
            return await child.run()
        self.world.clock.advance(0.02)
        try:
            answer = await STEPS[payload["step"]](payload, self.world)
        except BaseException:
            # A process that died or raised is not used again; the next one has a clock of its own.
            self._process += 1
            self.world.clock.process = f"process-{self._process}"
            raise
        answer.pop("metrics", None)
        return answer
