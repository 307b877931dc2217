"""The history as the management API shows it: names instead of numbers, a task's start and end in one entry."""

from __future__ import annotations

import json
from typing import Any

from infra.sandbox.azure.durable.protocol import Event

_STARTS = (Event.TASK_SCHEDULED, Event.SUB_ORCHESTRATION_INSTANCE_CREATED, Event.TIMER_CREATED)
_EPISODES = (Event.ORCHESTRATOR_STARTED, Event.ORCHESTRATOR_COMPLETED)
_NAMES = {kind: "".join(part.capitalize() for part in kind.name.split("_")) for kind in Event}


def history_for_clients(history: list[dict[str, Any]], with_output: bool) -> list[dict[str, Any]]:
    """`with_output`: results too (showHistoryOutput). A start that has no end yet stays an entry of its own.

    https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-http-api#get-instance-status
    """
    starts = {item["EventId"]: item for item in history if item["EventType"] in _STARTS}
    ended = {item.get("TaskScheduledId", item.get("TimerId")) for item in history}
    shown = []
    for item in history:
        kind = item["EventType"]
        if kind in _EPISODES or (kind in _STARTS and item["EventId"] in ended):
            continue
        entry = {"EventType": _NAMES[Event(kind)], "Timestamp": item["Timestamp"]}
        start = starts.get(item.get("TaskScheduledId", item.get("TimerId")))
        if start is not None:
            entry["ScheduledTime"] = start["Timestamp"]
        if kind == Event.EVENT_RAISED:
            entry["Name"] = item["Name"]
        elif name := (start or item).get("Name"):
            entry["FunctionName"] = name
        entry |= {field: item[field] for field in ("FireAt", "Reason", "Details") if field in item}
        if with_output and item.get("Result") is not None:
            entry["Result"] = json.loads(item["Result"])
        shown.append(entry)
    return shown
