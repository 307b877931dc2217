"""The two forms of an Event Grid event, and what Event Grid checks of each.

Sources: "CloudEvents v1.0 schema with Azure Event Grid", "Azure Event Grid event schema", the CloudEvents 1.0 specification.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Any

Event = dict[str, Any]
_ATTRIBUTE = re.compile(r"[a-z0-9]+")
_REQUIRED = {"specversion", "id", "source", "type"}
_EVENT_GRID_FIELDS = {"id", "subject", "eventType", "eventTime", "data", "dataVersion", "topic", "metadataVersion"}
_EVENT_GRID_REQUIRED = {"id", "subject", "eventType", "eventTime", "dataVersion"}


class Schema(StrEnum):
    """As the resource provider calls them."""

    CLOUD_EVENTS = "CloudEventSchemaV1_0"
    EVENT_GRID = "EventGridSchema"


class SchemaError(Exception):
    """What is wrong with an event."""


def check(event: Any, schema: Schema) -> None:
    """Raises SchemaError."""
    if not isinstance(event, dict):
        raise SchemaError("an event is an object")
    if schema is Schema.CLOUD_EVENTS:
        _check_cloud_event(event)
    else:
        _check_event_grid_event(event)


def _check_cloud_event(event: Event) -> None:
    _check_texts(event, _REQUIRED)
    if event["specversion"] != "1.0":
        raise SchemaError(f"specversion {event['specversion']!r} is not supported")
    for name, value in event.items():
        if name in ("data", "data_base64"):
            continue
        if not _ATTRIBUTE.fullmatch(name):
            raise SchemaError(f"attribute {name!r}: names consist of lower-case letters and digits")
        if not isinstance(value, str | bool | int):
            raise SchemaError(f"attribute {name!r} has a value that is no text, boolean or whole number")
    if "data" in event and "data_base64" in event:
        raise SchemaError("data and data_base64 exclude each other")
    if "time" in event:
        _check_time(event["time"])


def _check_event_grid_event(event: Event) -> None:
    _check_texts(event, _EVENT_GRID_REQUIRED)
    if unknown := {*event} - _EVENT_GRID_FIELDS:
        raise SchemaError(f"unknown fields: {', '.join(sorted(unknown))}")
    if "topic" in event or "metadataVersion" in event:
        raise SchemaError("topic and metadataVersion are set by Event Grid")
    _check_time(event["eventTime"])


def _check_texts(event: Event, names: set[str]) -> None:
    for name in sorted(names):
        if not isinstance(event.get(name), str) or not event[name]:
            raise SchemaError(f"{name} is required and a text that is not empty")


def _check_time(text: Any) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise SchemaError(f"{text!r} is no time") from error
    if moment.tzinfo is None:
        raise SchemaError(f"{text!r} has no offset from UTC")


def as_cloud_event(event: Event, topic: str) -> Event:
    """An Event Grid event as Event Grid itself turns it into a CloudEvent."""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": topic,
        "subject": event["subject"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "data": event.get("data"),
    }


def as_delivered(event: Event, topic: str) -> Event:
    """An Event Grid event with the fields that Event Grid adds."""
    return {**event, "topic": topic, "metadataVersion": "1"}


def type_of(event: Event) -> str:
    return str(event["type"] if "type" in event else event["eventType"])
