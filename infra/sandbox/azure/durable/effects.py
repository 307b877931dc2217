"""Carries out what an episode decided, inside the transaction of that episode."""

from __future__ import annotations

import json
import uuid
from typing import Any

from infra.sandbox.azure.durable import episodes, protocol
from infra.sandbox.azure.durable.clock import Clock
from infra.sandbox.azure.durable.episodes import Decision, Progress
from infra.sandbox.azure.durable.functions import ORCHESTRATION, Functions
from infra.sandbox.azure.durable.protocol import Event, event, to_text
from infra.sandbox.azure.durable.store import Row, Store
from infra.sandbox.azure.durable.task_hub import TaskHub

_ENDED = {
    "Completed": Event.EXECUTION_COMPLETED,
    "Failed": Event.EXECUTION_FAILED,
    "Terminated": Event.EXECUTION_TERMINATED,
}


class Effects:
    """Every method is called with a transaction open."""

    def __init__(self, functions: Functions, store: Store, hub: TaskHub, clock: Clock) -> None:
        self._functions, self._store, self._hub, self._clock = functions, store, hub, clock

    def apply(self, instance: Row, decision: Decision) -> None:
        for added in decision.history:
            self._store.append_history(instance["id"], added)
        self._store.update_instance(
            instance["id"],
            status="Suspended" if instance["suspended"] else "Running",
            updated=to_text(self._clock.now()),
            progress=decision.progress.text(),
            custom_status=decision.custom_status or instance["custom_status"],
        )
        for effect in decision.effects:
            self._carry_out(instance, effect)
        match decision.end:
            case None:
                pass
            case ("ContinuedAsNew", token):
                self._continue_as_new(instance, token)
            case (status, output):
                self.finish(instance, status, output)

    def finish(self, instance: Row, status: str, output: Any) -> None:
        """The end of an instance, told to its parent. Activities and sub-orchestrations that are under way go on."""
        now = to_text(self._clock.now())
        self._store.update_instance(instance["id"], status=status, suspended=0, output=json.dumps(output), updated=now)
        self._store.delete_messages(instance["id"])
        self._store.append_history(instance["id"], event(_ENDED[status], Timestamp=now, Result=json.dumps(output)))
        parent = self._store.instance(instance["parent"]) if instance["parent"] else None
        if parent is None or parent["status"] in protocol.TERMINAL:
            return
        execution, task = parent["execution"], instance["parent_task"]
        if status == "Completed":
            told = event(Event.SUB_ORCHESTRATION_INSTANCE_COMPLETED, TaskScheduledId=task, Result=json.dumps(output))
        else:
            told = _child_failed(task, str(output))
        self._store.post(parent["id"], execution, told, now)

    def _carry_out(self, instance: Row, effect: episodes.Effect) -> None:
        owner = (instance["id"], instance["execution"])
        match effect:
            case episodes.StartActivity(task, name, value):
                self._store.add_activity(*owner, task, name, value)
            case episodes.StartTimer(task, fire_at):
                due = to_text(fire_at)
                self._store.post(*owner, event(Event.TIMER_FIRED, TimerId=task, FireAt=due), due)
            case episodes.CancelTimer(task):
                self._store.cancel_timer(instance["id"], task)
            case episodes.StartChild(task, name, value, child):
                self._start_child(instance, task, name, value, child)
            case episodes.CallEntity(request, entity, operation, value, signal):
                caller = {} if signal else {"instance": owner[0], "execution": owner[1]}
                self._hub.request(entity, operation, value, request=request, signal=signal, **caller)

    def _start_child(self, instance: Row, task: int, name: str, value: str | None, child: str) -> None:
        problem = None
        existing = self._store.instance(child)
        if self._functions.called(ORCHESTRATION, name) is None:
            problem = f"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function."
        elif existing is not None and existing["status"] not in protocol.TERMINAL:
            problem = f"An Orchestration instance with the status {existing['status']} already exists: {child}."
        if problem is None:
            self._hub.create(child, name, value, parent=instance["id"], parent_task=task)
            return
        failed = _child_failed(task, problem)
        self._store.post(instance["id"], instance["execution"], failed, to_text(self._clock.now()))

    def _continue_as_new(self, instance: Row, token: Any) -> None:
        execution = uuid.uuid4().hex
        self._store.clear_history(instance["id"])
        self._store.keep_only_events(instance["id"], execution)
        self._store.update_instance(instance["id"], execution=execution, input=json.dumps(token), progress=Progress().text())
        self._store.post_first(instance["id"], execution, protocol.started(instance["name"], token))


def _child_failed(task: int, reason: str) -> dict[str, Any]:
    return event(Event.SUB_ORCHESTRATION_INSTANCE_FAILED, TaskScheduledId=task, Reason=reason, Details="")
