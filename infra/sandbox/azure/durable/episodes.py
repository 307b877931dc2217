"""One episode of an orchestration: from an event and what the orchestrator answered to it, to what must be stored and sent.

Nothing here does I/O. The ids of tasks follow the extension: the SDK counts on them.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.azure.durable import protocol
from infra.sandbox.azure.durable.protocol import Action, Event, event, from_text, to_text

_WITH_RETRY = (Action.CALL_ACTIVITY_WITH_RETRY, Action.CALL_SUB_ORCHESTRATOR_WITH_RETRY)
_ACTIVITY = (Action.CALL_ACTIVITY, Action.CALL_ACTIVITY_WITH_RETRY)
_SUB_ORCHESTRATOR = (Action.CALL_SUB_ORCHESTRATOR, Action.CALL_SUB_ORCHESTRATOR_WITH_RETRY)
_ENTITY = (Action.CALL_ENTITY, Action.SIGNAL_ENTITY)


@dataclass
class Progress:
    """What the host remembers of an execution between two episodes."""

    next_id: int = 0
    scheduled: list[list[Any]] = field(default_factory=list)
    """Every action so far: [type, name, task id or None]."""
    attempts: dict[str, list[int]] = field(default_factory=dict)
    """Of tasks with retries, and of the timers between them: task id -> [index in scheduled, number of the attempt]."""
    open: list[int] = field(default_factory=list)
    """Ids of tasks and timers that are not done; an instance does not end before they are."""

    @classmethod
    def parse(cls, text: str) -> Progress:
        return cls(**json.loads(text))

    def text(self) -> str:
        return json.dumps(vars(self))


@dataclass(frozen=True)
class StartActivity:
    task: int
    name: str
    input: str | None


@dataclass(frozen=True)
class StartChild:
    task: int
    name: str
    input: str | None
    instance_id: str


@dataclass(frozen=True)
class StartTimer:
    task: int
    fire_at: dt.datetime


@dataclass(frozen=True)
class CancelTimer:
    task: int


@dataclass(frozen=True)
class CallEntity:
    request: str
    entity: str
    operation: str
    input: str | None
    signal: bool


Effect = StartActivity | StartChild | StartTimer | CancelTimer | CallEntity


@dataclass(frozen=True)
class Reply:
    """What the SDK answered: its state, and the error text if the orchestrator raised."""

    state: dict[str, Any]
    error: str | None = None


@dataclass(frozen=True)
class Decision:
    """`end` is None while the execution goes on; ("Completed", output), ("Failed", text) or ("ContinuedAsNew", token)."""

    history: list[dict[str, Any]]
    effects: list[Effect]
    progress: Progress
    custom_status: str | None
    end: tuple[str, Any] | None


class NonDeterministic(Exception):
    """The replay asked for something else than the execution before it."""


def opening(message: dict[str, Any], now: dt.datetime) -> list[dict[str, Any]]:
    """The events that an episode adds in front: they are played as new."""
    stamp = to_text(now)
    return [
        event(Event.ORCHESTRATOR_STARTED, Timestamp=stamp, IsPlayed=False),
        {**message, "Timestamp": stamp, "IsPlayed": False},
    ]


def decide(name: str, execution: str, progress: Progress, message: dict[str, Any], reply: Reply, now: dt.datetime) -> Decision:
    """`progress` is changed in place. `name` is the orchestrator's, `execution` the id of this execution."""
    episode = _Episode(execution, progress, protocol.actions_of(reply.state), now)
    custom_status = json.dumps(reply.state["customStatus"]) if "customStatus" in reply.state else None
    error, broken = reply.error, False
    try:
        if reply.state["actions"] or error is None:  # else the orchestrator did not get far enough to ask for anything
            episode.settle(message)
            episode.schedule(finished=error is not None or bool(reply.state.get("isDone")))
        if custom_status is not None:
            protocol.check_custom_status(custom_status)
        protocol.check_payload(f"The output of {name}", json.dumps(reply.state.get("output")))
    except (NonDeterministic, protocol.PayloadTooLarge, NotImplementedError) as problem:
        error, broken, custom_status = str(problem), True, None
        episode.added.clear()
        episode.effects.clear()
    history = [
        *opening(message, now),
        *({**added, "Timestamp": to_text(now)} for added in episode.added),
        event(Event.ORCHESTRATOR_COMPLETED, Timestamp=to_text(now)),
    ]
    end = None
    if broken or not progress.open:
        end = _end(name, reply, error, episode.next_token)
    return Decision(history, episode.effects, progress, custom_status, end)


def _end(name: str, reply: Reply, error: str | None, next_token: tuple[Any] | None) -> tuple[str, Any] | None:
    if error is not None:
        return "Failed", f"Orchestrator function '{name}' failed: {error}"
    if not reply.state.get("isDone"):
        return None
    return ("ContinuedAsNew", next_token[0]) if next_token else ("Completed", reply.state.get("output"))


class _Episode:
    def __init__(self, execution: str, progress: Progress, actions: list[dict[str, Any]], now: dt.datetime) -> None:
        self._execution, self._progress, self._actions, self._now = execution, progress, actions, now
        self.added: list[dict[str, Any]] = []
        self.effects: list[Effect] = []
        self.next_token: tuple[Any] | None = None

    def settle(self, message: dict[str, Any]) -> None:
        """The task that the message ends is no longer open; if it has retries left, its next step takes an id first."""
        task = message.get("TaskScheduledId", message.get("TimerId"))
        if task is None:
            return
        self._progress.open = [other for other in self._progress.open if other != task]
        attempt = self._progress.attempts.pop(str(task), None)
        if attempt is None:
            return
        index, number = attempt
        if index >= len(self._actions):
            raise NonDeterministic(self._non_deterministic(index))
        action = self._actions[index]
        last = number >= action["retryOptions"]["maxNumberOfAttempts"]
        if message["EventType"] in (Event.TASK_FAILED, Event.SUB_ORCHESTRATION_INSTANCE_FAILED):
            # Also after the last attempt: the SDK hands the failure over when this timer has fired.
            delay = 0 if last else action["retryOptions"]["firstRetryIntervalInMilliseconds"]
            timer = self._take_id()
            self._progress.attempts[str(timer)] = [index, number]
            self._start_timer(timer, self._now + dt.timedelta(milliseconds=delay))
        elif message["EventType"] == Event.TIMER_FIRED and not last:
            self._start(action, self._take_id(), index, number + 1)

    def schedule(self, *, finished: bool) -> None:
        """The actions known already must be the same again; those after them are new."""
        known = self._progress.scheduled
        for index, action in enumerate(self._actions):
            kind, label = action["actionType"], _label(action)
            if index < len(known):
                if known[index][:2] != [kind, label]:
                    raise NonDeterministic(self._non_deterministic(index))
                self._cancel_if_wanted(action, known[index][2])
                if kind == Action.CONTINUE_AS_NEW:
                    self.next_token = (action.get("input"),)
                continue
            task = None if kind == Action.WAIT_FOR_EXTERNAL_EVENT else self._take_id()
            known.append([kind, label, task])
            if kind == Action.CONTINUE_AS_NEW:
                protocol.check_payload("The input of continue_as_new", action.get("input"))
                self.next_token = (action.get("input"),)
            elif kind == Action.CREATE_TIMER and task is not None and not action.get("isCanceled"):
                self._start_timer(task, from_text(action["fireAt"]))
            elif kind not in (Action.CREATE_TIMER, Action.WAIT_FOR_EXTERNAL_EVENT) and task is not None:
                self._start(action, task, index, 1)
        if len(self._actions) < len(known) and not finished:
            raise NonDeterministic(self._non_deterministic(len(self._actions)))

    def _cancel_if_wanted(self, action: dict[str, Any], task: int) -> None:
        if action["actionType"] == Action.CREATE_TIMER and action.get("isCanceled") and task in self._progress.open:
            self._progress.open.remove(task)
            self.effects.append(CancelTimer(task))

    def _take_id(self) -> int:
        self._progress.next_id += 1
        return self._progress.next_id - 1

    def _start_timer(self, task: int, fire_at: dt.datetime) -> None:
        self._progress.open.append(task)
        self.added.append(event(Event.TIMER_CREATED, task, FireAt=to_text(fire_at)))
        self.effects.append(StartTimer(task, fire_at))

    def _start(self, action: dict[str, Any], task: int, index: int, attempt: int) -> None:
        kind, name, value = action["actionType"], action.get("functionName", ""), action.get("input")
        protocol.check_payload(f"The input of {_label(action)}", value)
        if kind in _WITH_RETRY:
            self._progress.attempts[str(task)] = [index, attempt]
        if kind in _ACTIVITY:
            self._progress.open.append(task)
            self.added.append(event(Event.TASK_SCHEDULED, task, Name=name, Version=""))
            self.effects.append(StartActivity(task, name, value))
        elif kind in _SUB_ORCHESTRATOR:
            child = action.get("instanceId") or f"{self._execution}:{task}"
            self._progress.open.append(task)
            self.added.append(event(Event.SUB_ORCHESTRATION_INSTANCE_CREATED, task, Name=name, InstanceId=child))
            self.effects.append(StartChild(task, name, value, child))
        elif kind in _ENTITY:
            signal = kind == Action.SIGNAL_ENTITY
            call = CallEntity(str(uuid.uuid4()), action["instanceId"], action["operation"], value, signal)
            sent = {"id": call.request, "op": call.operation, "signal": signal, "input": value}
            self.added.append(event(Event.EVENT_SENT, task, InstanceId=call.entity, Name="op", Input=json.dumps(sent)))
            self.effects.append(call)
        else:
            raise NotImplementedError(f"The sandbox's host does not do {Action(kind).name}: do it in an activity.")

    def _non_deterministic(self, index: int) -> str:
        known = self._progress.scheduled
        before = _say(known[index]) if index < len(known) else "nothing"
        actions = self._actions
        after = _say([actions[index]["actionType"], _label(actions[index])]) if index < len(actions) else "nothing"
        return (
            f"Non-Deterministic workflow detected: at position {index} an earlier execution of the orchestrator asked for "
            f"{before}, the replay for {after}. Either the code was changed while this instance was running, or it depends "
            "on time, randomness, environment or I/O, which belong into activities."
        )


def _label(action: dict[str, Any]) -> str:
    return str(action.get("functionName") or action.get("externalEventName") or action.get("instanceId") or "")


def _say(action: list[Any]) -> str:
    return f"{Action(action[0]).name} {action[1]}".strip()
