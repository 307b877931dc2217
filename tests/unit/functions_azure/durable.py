"""Runs the app's own orchestrators over a `World`: the SDK's replay on the sandbox's engine, in the world's virtual time.

The activities carry out their steps with the world's rooms. A process killed in one is one whose work item is handed out again,
as on the real engine.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from functions_azure.activities import HANDLERS
from functions_azure.function_app import app
from functions_azure.runtime import failure
from infra.sandbox.azure.durable.clock import VirtualClock
from infra.sandbox.azure.durable.engine import Engine
from infra.sandbox.azure.durable.functions import ORCHESTRATION, Function, Functions
from infra.sandbox.azure.durable.invocation import Answer, LoadedApp
from infra.sandbox.azure.durable.invokers import WorkerLost
from infra.sandbox.azure.durable.task_hub import InstanceEnded, UnknownInstance
from shared.model.errors import BackupError, Temporary
from tests.unit.steps.machine import Killed, Stopped
from tests.unit.steps.restore.engine import RestoreEngine
from tests.unit.steps.restore.world import RestoreWorld
from tests.unit.steps.world import World

APP = LoadedApp(app)
STEPS = {name: (activity, step) for activity, handler in HANDLERS.items() for name, step in handler.steps.items()}
ENDED = {"Completed": "SUCCEEDED", "Failed": "FAILED", "Terminated": "STOPPED"}
RUN = "run"


def label(request: dict[str, Any]) -> str:
    """What a step is called for: the run, or a database; in a restore by its token too, because the children of an instance
    that was terminated go on, beside those of the one that follows."""
    return f"{request['database']} {request.get('token', '')}" if "database" in request else RUN


class WorldClock(VirtualClock):
    """The engine's time is the world's."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock.true)
        self._world = world

    def now(self) -> dt.datetime:
        return self._world.clock.true

    def jump_to(self, moment: dt.datetime) -> None:
        self._world.clock.true = max(self._world.clock.true, moment)


class Invoker:
    """Functions of the app, run in the engine's thread. `steps` has every step in the order in which it was called, by what it
    was called for: `run`, or a database."""

    def __init__(self, world: World, of_the_engine: Mapping[str, Callable[[dict[str, Any]], None]]) -> None:
        self.functions = Functions(APP.functions)
        self.world, self._of_the_engine = world, of_the_engine
        self.steps: dict[str, list[str]] = {}
        self.during: Callable[[str], None] = lambda step: None
        self.terminate: Callable[[], None] = lambda: None
        self.twice = False
        self._process = 1

    def invoke(self, function: Function, payload: Any) -> Future[Answer]:
        future: Future[Answer] = Future()
        if function.trigger == ORCHESTRATION:
            future.set_result(self._decide(function, payload))
            return future
        try:
            result = self._carry_out(function.called, json.loads(payload))
            future.set_result(Answer(json.dumps(result)))
        except Killed:
            self._new_process()
            future.set_exception(WorkerLost(f"The process of {function.called} is gone."))
        except Stopped:
            self._new_process()
            self.terminate()
            future.set_result(Answer(error="Stopped: nobody listens any more"))
        return future

    def close(self) -> None: ...

    def _decide(self, function: Function, payload: Any) -> Answer:
        answer = APP.run(function, payload, None)
        if self.twice:
            again = APP.run(function, payload, None)
            assert (again.value, again.message) == (answer.value, answer.message), "an episode that decides differently"
        return answer

    def _carry_out(self, activity: str, request: dict[str, Any]) -> dict[str, Any]:
        name = request["step"]
        self.steps.setdefault(label(request), []).append(name)
        if name in self._of_the_engine:
            self._of_the_engine[name](request)
            return {"ok": True, "answer": {}}
        home, step = STEPS[name]
        assert home == activity, f"{name} is none of the steps of {activity}"
        self.world.clock.advance(0.02)
        self.during(name)
        try:
            answer = asyncio.run(step(request, self.world))
        except BackupError as error:
            self._new_process()
            return failure(error.code, str(error), error.hint, error.retry_after_seconds if isinstance(error, Temporary) else 0)
        except Exception as error:  # noqa: BLE001 - as the app's own handler
            self._new_process()
            return failure(type(error).__name__, str(error))
        answer.pop("metrics", None)
        return {"ok": True, "answer": answer}

    def _new_process(self) -> None:
        self._process += 1
        self.world.clock.process = f"process-{self._process}"


class Durable:
    """One task hub over one world. `armed` are the watchdogs; they run when a test lets them, or by themselves when `live`."""

    def __init__(self, world: World, *, live: bool = False) -> None:
        self.world, self.live = world, live
        self.armed: list[dict[str, Any]] = []
        self.invoker = Invoker(world, {"arm": self._arm, "cancel_children": self._cancel_children})
        self.engine = Engine(self.invoker, WorldClock(world))
        self.hub = self.engine.hub

    @property
    def steps(self) -> dict[str, list[str]]:
        return self.invoker.steps

    async def run(self, orchestrator: str, given: Any, name: str) -> str:
        """How the instance ended. In a thread, because steps have an event loop of their own."""
        return await asyncio.get_running_loop().run_in_executor(None, self._run, orchestrator, given, name)

    def _run(self, orchestrator: str, given: Any, name: str) -> str:
        self.invoker.terminate = lambda: self.hub.terminate(name, "from the portal")
        self.hub.start_with_token(orchestrator, given, name)
        return self.finish(name)

    def finish(self, name: str) -> str:
        return ENDED[self.engine.run_until_done(name)["runtimeStatus"]]

    async def wake_watchdogs(self) -> None:
        for number, given in enumerate(self.armed):
            assert await self.run("watchdog", given, f"watchdog-{number}") == "SUCCEEDED"

    def _arm(self, request: dict[str, Any]) -> None:
        given = {key: request[key] for key in ("run", "plan", "attempt", "wake_at")}
        self.armed.append(given)
        if self.live:
            self.hub.start_with_token("watchdog", given, f"{given['run']}-{given['attempt']}-watchdog")

    def _cancel_children(self, request: dict[str, Any]) -> None:
        for instance in request["instances"]:
            with suppress(InstanceEnded, UnknownInstance):
                self.hub.raise_event(instance, "cancel", {})


class DurableRestores(RestoreEngine):
    """Restores of one world on this engine, asked for as on every other."""

    def __init__(self, world: RestoreWorld) -> None:
        super().__init__(world)
        self.durable = Durable(world)

    async def execute(self, started: dict[str, Any]) -> str:
        instance = started["execution"]
        name = instance.removeprefix("arn:execution:")
        ended = await self.durable.run("restore", self.world.started.given[name], instance)
        self.world.started.over.add(name)
        return ended
