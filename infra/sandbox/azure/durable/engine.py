"""The engine: takes one message at a time, plays the episode it causes, stores what follows in one transaction.

An activity runs at least once: the work item goes in the same transaction in which its result arrives, so after a crash
everything that ran is handed out again. Clients of the task hub (task_hub.py) and the engine share a lock and the store.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from azure.functions.decorators.function_app import FunctionRegister

from infra.sandbox.azure.durable import protocol
from infra.sandbox.azure.durable.clock import Clock, VirtualClock
from infra.sandbox.azure.durable.effects import Effects
from infra.sandbox.azure.durable.episodes import Progress, Reply, decide, opening
from infra.sandbox.azure.durable.functions import ACTIVITY, ENTITY, ORCHESTRATION
from infra.sandbox.azure.durable.invocation import Answer
from infra.sandbox.azure.durable.invokers import InProcess, Invoker, TimedOut, WorkerLost
from infra.sandbox.azure.durable.protocol import Event, event, from_text, to_text
from infra.sandbox.azure.durable.store import Row, Store
from infra.sandbox.azure.durable.task_hub import TaskHub

_NAP_SECONDS = 0.5
_VIRTUAL_TIME = "virtual time"


class Stuck(Exception):
    """Nothing runs and nothing is due: the instance waits for an event that nobody has raised, or is suspended."""


class Engine:
    """`app` is a FunctionApp or DFApp, run in this process, or an Invoker. `state`: the SQLite file, None: in memory.

    A test pumps with `run_until` or `step`; a host calls `start_thread`. `hub` is the client's side.
    """

    def __init__(
        self, app: FunctionRegister | Invoker, clock: Clock, state: Path | None = None, *, store: Store | None = None
    ) -> None:
        self._invoker: Invoker = InProcess(app) if isinstance(app, FunctionRegister) else app
        self.clock = clock
        self.store = store or Store(state)
        if isinstance(clock, VirtualClock) and (reached := self.store.setting(_VIRTUAL_TIME)):
            clock.jump_to(from_text(reached))
        self.changed = threading.Condition(threading.RLock())
        self.hub = TaskHub(self._invoker.functions, self.store, clock, self.changed)
        self._effects = Effects(self._invoker.functions, self.store, self.hub, clock)
        self.alarms: dict[str, dt.datetime] = {}
        """Moments at which someone outside wants to be asked before virtual time goes on."""
        self._running: set[int] = set()
        self._busy = 0
        self._stopped = False
        self._thread: threading.Thread | None = None

    def start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="durable-engine", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread and the activities; the state file can be opened again afterwards."""
        with self.changed:
            self._stopped = True
            self.changed.notify_all()
        self._invoker.close()  # first: the thread may be waiting for an answer
        if self._thread:
            self._thread.join()
        with self.changed:
            self.store.close()

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """While this lasts something may still start or signal instances: virtual time stands still."""
        with self.changed:
            self._busy += 1
        try:
            yield
        finally:
            with self.changed:
                self._busy -= 1
                self.changed.notify_all()

    def settled(self) -> bool:
        """Whether virtual time has come to its limit and everything due by then is done."""
        with self.changed:
            limit = self.clock.limit if isinstance(self.clock, VirtualClock) else None
            arrived = limit is None or self.clock.now() >= limit
            alarmed = any(moment <= self.clock.now() for moment in self.alarms.values())
            return arrived and not (alarmed or self._running or self._busy or self._has_work())

    def run_until_done(self, instance_id: str, *, seconds: float = 30) -> dict[str, Any]:
        """Pump in the calling thread until the instance has ended; its status. Stuck, or TimeoutError in real time."""
        deadline = time.monotonic() + seconds
        while (status := self.hub.status(instance_id))["runtimeStatus"] not in protocol.TERMINAL:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{instance_id} did not end within {seconds} s: {json.dumps(status)}")
            if not self.step():
                self._wait_or_stuck(status)
        return status

    def run_until_idle(self) -> None:
        """Pump until nothing is due and no activity runs; virtual time does not move."""
        while self.step(jump=False) or self._running:
            with self.changed:
                if self._running and not self._has_work():
                    self.changed.wait(0.05)

    def step(self, *, jump: bool = True) -> bool:
        """Do one thing that is due, or move virtual time to the next; False if there was nothing to do."""
        with self.changed:
            self._hand_out_activities()
            message = self.store.next_message(to_text(self.clock.now()))
            operation = None if message else self.store.next_operation()
        if message:
            self._play(message)
        elif operation:
            self._operate(operation)
        else:
            return jump and self._jump()
        return True

    def _run(self) -> None:
        while not self._stopped:
            try:
                if not self.step():
                    self._nap()
            except Exception:
                if self._stopped:
                    return
                logging.exception("The durable engine could not do its next step; it tries again.")
                time.sleep(_NAP_SECONDS)

    def _nap(self) -> None:
        with self.changed:
            if self._stopped or self._has_work():
                return
            due = self.store.next_due()
            seconds = _NAP_SECONDS
            if due and not isinstance(self.clock, VirtualClock):
                seconds = min(seconds, max(0.0, (from_text(due) - self.clock.now()).total_seconds()))
            self.changed.wait(seconds)

    def _has_work(self) -> bool:
        ready = self.store.next_message(to_text(self.clock.now())) or self.store.next_operation()
        return bool(ready) or any(row["seq"] not in self._running for row in self.store.activities())

    def _wait_or_stuck(self, status: dict[str, Any]) -> None:
        with self.changed:
            if self._has_work():
                return
            if not self._running and not self._busy and self.store.next_due() is None:
                raise Stuck(f"Nothing is due and nothing runs, {status['instanceId']} is {status['runtimeStatus']}.")
            self.changed.wait(0.02)

    def _jump(self) -> bool:
        """Virtual time moves only while nothing runs; to the next message, alarm or the limit, whichever is first."""
        with self.changed:
            clock = self.clock
            if not isinstance(clock, VirtualClock) or self._running or self._busy or self._has_work():
                return False
            due = self.store.next_due()
            moments = [from_text(due)] if due else []
            if clock.limit is not None:
                moments.append(clock.limit)
            if not moments:
                return False
            target = min([*moments, *self.alarms.values()])
            if clock.limit is not None:
                target = min(target, clock.limit)
            if target <= clock.now():
                return False
            with self.store.transaction():
                self.store.put_setting(_VIRTUAL_TIME, to_text(target))
            clock.jump_to(target)
            self.changed.notify_all()
            return True

    # --- activities

    def _hand_out_activities(self) -> None:
        for row in self.store.activities():
            if row["seq"] in self._running:
                continue
            function = self._invoker.functions.called(ACTIVITY, row["name"])
            if function is None:
                self._activity_done(row, Answer(error=f"The function '{row['name']}' doesn't exist or is not an activity."))
                continue
            self._running.add(row["seq"])
            try:
                future = self._invoker.invoke(function, row["input"] if row["input"] is not None else "null")
            except BaseException:
                self._running.discard(row["seq"])
                raise
            future.add_done_callback(functools.partial(self._activity_ended, row))

    def _activity_ended(self, row: Row, done: Future[Answer]) -> None:
        with self.changed:
            try:
                if self._stopped or done.cancelled():
                    return
                answer = done.result()
            except WorkerLost as error:
                logging.warning("%s It is handed out again.", error)
                return
            except TimedOut as error:
                answer = Answer(error=f"FunctionTimeoutException: {error}")
            finally:
                self._running.discard(row["seq"])
                self.changed.notify_all()
            self._activity_done(row, answer)

    def _activity_done(self, row: Row, answer: Answer) -> None:
        if answer.error is None:
            try:
                protocol.check_payload(f"The result of activity {row['name']}", answer.value)
            except protocol.PayloadTooLarge as error:
                answer = Answer(error=str(error))
        if answer.error is None:
            message = event(Event.TASK_COMPLETED, TaskScheduledId=row["task"], Result=answer.value)
        else:
            reason = f"Activity function '{row['name']}' failed:  {answer.error}"
            message = event(Event.TASK_FAILED, TaskScheduledId=row["task"], Reason=reason, Details=answer.stack)
        with self.store.transaction():
            if self.store.take_activity(row["seq"]):
                self.store.post(row["instance"], row["execution"], message, to_text(self.clock.now()))

    # --- episodes

    def _play(self, row: Row) -> None:
        """The orchestrator is called outside the lock; afterwards everything is stored, or nothing."""
        message = json.loads(row["event"])
        with self.changed:
            instance = self.store.instance(row["instance"])
            if self._ends_here(row, instance, message):
                return
            assert instance is not None
            now = self.clock.now()
            history = [*self.store.history(instance["id"]), *opening(message, now)]
        reply = self._ask(instance, history)
        if reply is None:
            return
        with self.changed, self.store.transaction():
            current = self.store.instance(instance["id"])
            if current is None or current["execution"] != instance["execution"] or not self.store.take_message(row["seq"]):
                return  # purged or replaced meanwhile
            progress = Progress.parse(instance["progress"])
            decision = decide(instance["name"], instance["execution"], progress, message, reply, now)
            self._effects.apply(current, decision)
            self.changed.notify_all()

    def _ends_here(self, row: Row, instance: Row | None, message: dict[str, Any]) -> bool:
        """Whether the message is for nobody any more, or terminates; then it has been dealt with."""
        late = instance is None or instance["status"] in protocol.TERMINAL or row["execution"] != instance["execution"]
        terminates = message["EventType"] == Event.EXECUTION_TERMINATED
        if not late and not terminates:
            return False
        with self.store.transaction():
            self.store.take_message(row["seq"])
            if not late:
                assert instance is not None
                self._effects.finish(instance, "Terminated", message["Input"])
        self.changed.notify_all()
        return True

    def _ask(self, instance: Row, history: list[dict[str, Any]]) -> Reply | None:
        """None: the worker was lost, the message stays and is played again."""
        function = self._invoker.functions.called(ORCHESTRATION, instance["name"])
        if function is None:
            return Reply({"actions": []}, f"The function '{instance['name']}' doesn't exist or is not an orchestrator.")
        try:
            answer = self._invoker.invoke(function, protocol.orchestrator_payload(instance, history)).result()
        except WorkerLost as error:
            logging.warning("%s The episode is played again.", error)
            return None
        except TimedOut as error:
            return Reply({"actions": []}, f"FunctionTimeoutException: {error}")
        if answer.error is None:
            return Reply(json.loads(answer.value))
        return Reply(*protocol.failure_of(answer.message))

    # --- entities

    def _operate(self, row: Row) -> None:
        """One operation of one entity; its state, the answer and the end of the request are one transaction."""
        name, key = row["entity"].removeprefix("@").split("@", 1)
        function = self._invoker.functions.called(ENTITY, name)
        with self.changed:
            state = self.store.entity(row["entity"])
        # The SDK decodes the input twice: it is JSON text in a JSON string.
        batch = [{"name": row["name"], "input": json.dumps(row["input"]), "isSignal": bool(row["signal"])}]
        payload = {"self": {"name": name, "key": key}, "exists": state is not None, "state": state, "batch": batch}
        new: dict[str, Any] | None = None
        if function is None:
            result = {"result": json.dumps(f"The entity '{name}' doesn't exist."), "isError": True}
        else:
            try:
                answer = self._invoker.invoke(function, json.dumps(payload)).result()
            except (WorkerLost, TimedOut) as error:
                logging.warning("%s The operation is run again.", error)
                return
            if answer.error is None:
                new = json.loads(answer.value)
                result = new["results"][0]
            else:
                result = {"result": json.dumps(answer.error), "isError": True}
        with self.changed, self.store.transaction():
            if not self.store.take_operation(row["seq"]):
                return
            if new is not None:
                self.store.put_entity(row["entity"], new["entityState"] if new["entityExists"] else None)
            if row["instance"] and not row["signal"]:
                body = {"result": result["result"], **({"exceptionType": "Exception"} if result["isError"] else {})}
                message = event(Event.EVENT_RAISED, Name=row["request"], Input=json.dumps(body))
                self.store.post(row["instance"], row["execution"], message, to_text(self.clock.now()))
            self.changed.notify_all()
