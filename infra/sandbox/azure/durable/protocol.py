"""What the Durable Functions extension and the SDK say to each other: history events, actions, times, limits.

The numbers are those of azure.durable_functions.models.history and .actions, which the host and the SDK share.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

MAXIMUM_SHORT_TIMER = "6.00:00:00"
LONG_TIMER_INTERVAL = "3.00:00:00"
"""The extension's defaults, as .NET TimeSpan texts: longer timers are split by the SDK."""

CUSTOM_STATUS_BYTES = 16 * 1024
"""Of UTF-16 text: https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-custom-orchestration-status"""
PAYLOAD_BYTES = 1024 * 1024
"""Of one input, result, output or event: what the Durable Task Scheduler takes; Python has no way around it.
https://learn.microsoft.com/azure/azure-functions/durable/durable-task-scheduler/durable-task-scheduler-large-payloads"""
INSTANCE_ID_LENGTH = 100

TERMINAL = frozenset({"Completed", "Failed", "Terminated", "Canceled"})
_FAILURE_SEPARATOR = "\n\n$OutOfProcData$:"


class Event(IntEnum):
    """Types of history events."""

    EXECUTION_STARTED = 0
    EXECUTION_COMPLETED = 1
    EXECUTION_FAILED = 2
    EXECUTION_TERMINATED = 3
    TASK_SCHEDULED = 4
    TASK_COMPLETED = 5
    TASK_FAILED = 6
    SUB_ORCHESTRATION_INSTANCE_CREATED = 7
    SUB_ORCHESTRATION_INSTANCE_COMPLETED = 8
    SUB_ORCHESTRATION_INSTANCE_FAILED = 9
    TIMER_CREATED = 10
    TIMER_FIRED = 11
    ORCHESTRATOR_STARTED = 12
    ORCHESTRATOR_COMPLETED = 13
    EVENT_SENT = 14
    EVENT_RAISED = 15


class Action(IntEnum):
    """What an orchestrator asks for."""

    CALL_ACTIVITY = 0
    CALL_ACTIVITY_WITH_RETRY = 1
    CALL_SUB_ORCHESTRATOR = 2
    CALL_SUB_ORCHESTRATOR_WITH_RETRY = 3
    CONTINUE_AS_NEW = 4
    CREATE_TIMER = 5
    WAIT_FOR_EXTERNAL_EVENT = 6
    CALL_ENTITY = 7
    CALL_HTTP = 8
    SIGNAL_ENTITY = 9
    WHEN_ANY = 11
    WHEN_ALL = 12


class PayloadTooLarge(ValueError):
    """A payload that the backend would refuse."""


def to_text(moment: dt.datetime) -> str:
    """Fixed width, so that texts sort as their moments do."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> dt.datetime:
    """ISO 8601 as .NET and the SDK write it; without an offset it is UTC."""
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def event(kind: Event, event_id: int = -1, **fields: Any) -> dict[str, Any]:
    return {"EventType": int(kind), "EventId": event_id, **fields}


def started(name: str, token: Any) -> dict[str, Any]:
    """The first message of an execution; the SDK reads Version, which may be empty but not missing."""
    return event(Event.EXECUTION_STARTED, Name=name, Version="", Input=json.dumps(token))


def orchestrator_payload(instance: Mapping[str, Any], history: list[dict[str, Any]]) -> str:
    """The text that an orchestration trigger is given; asks for the newest reply schema (V3)."""
    return json.dumps(
        {
            "history": history,
            "input": json.loads(instance["input"]),
            "instanceId": instance["id"],
            "isReplaying": len(history) > 2,
            "parentInstanceId": instance["parent"],
            "upperSchemaVersion": 1,
            "upperSchemaVersionNew": 2,
            "maximumShortTimerDuration": MAXIMUM_SHORT_TIMER,
            "longRunningTimerIntervalDuration": LONG_TIMER_INTERVAL,
        }
    )


def failure_of(message: str) -> tuple[dict[str, Any], str]:
    """(state, error) of an orchestrator that raised; one without a yield gives no state."""
    text, separator, state = message.partition(_FAILURE_SEPARATOR)
    return (json.loads(state) if separator else {"isDone": False, "actions": []}), text


def actions_of(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All actions of the execution so far, in order, without the compounds around them."""
    return [action for actions in state["actions"] for action in _flattened(actions)]


def _flattened(actions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for action in actions:
        if action["actionType"] in (Action.WHEN_ANY, Action.WHEN_ALL):
            yield from _flattened(action["compoundActions"])
        else:
            yield action


def check_payload(what: str, text: str | None) -> None:
    """PayloadTooLarge when the JSON text is longer than the backend takes."""
    size = len((text or "").encode())
    if size > PAYLOAD_BYTES:
        raise PayloadTooLarge(
            f"{what} has {size} bytes of JSON, the Durable Task Scheduler takes {PAYLOAD_BYTES}. "
            "Store what is big elsewhere and pass its name."
        )


def check_custom_status(text: str) -> None:
    size = len(text.encode("utf-16-le"))
    if size > CUSTOM_STATUS_BYTES:
        raise PayloadTooLarge(
            f"The custom status has {size} bytes, the size of the UTF-16 JSON text must not exceed {CUSTOM_STATUS_BYTES} bytes."
        )


def check_instance_id(instance_id: str) -> None:
    """ValueError for what the extension refuses as an instance id."""
    problem = None
    if not 1 <= len(instance_id) <= INSTANCE_ID_LENGTH:
        problem = f"it must have 1 to {INSTANCE_ID_LENGTH} characters, this one has {len(instance_id)}"
    elif instance_id.startswith("@"):
        problem = "it must not start with @, which names an entity"
    elif any(character in "/\\#?" or ord(character) < 32 or 127 <= ord(character) < 160 for character in instance_id):
        problem = "it must not contain / \\ # ? or control characters"
    if problem:
        raise ValueError(f"The instance id '{instance_id}' is not valid: {problem}.")
