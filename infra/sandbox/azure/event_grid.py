"""An Event Grid topic: takes events from signed-in publishers and delivers them to its subscriptions.

Sources: "Publish events to Azure Event Grid custom topics" (address, limits, status codes), "Authenticate publishing clients
using Microsoft Entra ID" (audience, role).
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from infra.sandbox.azure.entra import Entra, TokenRefusedError
from infra.sandbox.azure.event_delivery import Subscription, deliver, validate
from infra.sandbox.azure.event_schemas import Event, Schema, SchemaError, as_cloud_event, as_delivered, check

AUDIENCES = frozenset({"https://eventgrid.azure.net", "https://eventgrid.azure.net/"})
SENDER = "EventGrid Data Sender"
API_VERSION = "2018-01-01"
MOST_BYTES = 1024 * 1024
"""Of one request and of one event."""
_CONTENT_TYPES = {
    Schema.CLOUD_EVENTS: ("application/cloudevents-batch+json", "application/cloudevents+json"),
    Schema.EVENT_GRID: ("application/json",),
}


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Topic:
    """A custom topic with `input_schema`, or a system topic, to which only `emit` publishes. `topic_id` is its resource id.

    `roles` hold (object id, role). `refuse_next` answers so many requests with an error: (status, headers, how often). All
    methods run on one event loop; `close` ends what is still being delivered.
    """

    entra: Entra
    topic_id: str
    input_schema: Schema = Schema.CLOUD_EVENTS
    roles: set[tuple[str, str]] = field(default_factory=set)
    published: list[Event] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    refuse_next: tuple[int, dict[str, str], int] | None = None
    _session: aiohttp.ClientSession | None = None
    _deliveries: set[asyncio.Task[None]] = field(default_factory=set)

    async def handle(self, http: web.Request) -> web.Response:
        body = await http.read()
        if self.refuse_next:
            status, headers, times = self.refuse_next
            self.refuse_next = (status, headers, times - 1) if times > 1 else None
            return _error(status, "AsAsked", "As asked.", headers)
        try:
            events = self._received(http, body)
        except TokenRefusedError as error:
            return _error(401, "Unauthorized", f"The request is not authorized: {error}")
        except _RefusedError as error:
            return _error(error.status, error.code, str(error))
        self._publish(events)
        return web.Response(status=200)

    async def subscribe(self, subscription: Subscription) -> None:
        """Raises ValidationFailed; ValueError for a schema that this topic cannot deliver."""
        if self.input_schema is Schema.CLOUD_EVENTS and subscription.schema is not Schema.CLOUD_EVENTS:
            raise ValueError("a topic that takes CloudEvents delivers only CloudEvents")
        await validate(self._open_session(), subscription, self.topic_id)
        self.subscriptions[subscription.name] = subscription

    async def emit(self, *events: Event) -> None:
        """Publishes events in the Event Grid schema, as an Azure service does on its system topic."""
        for event in events:
            check(event, Schema.EVENT_GRID)
        self._publish(events)

    async def idle(self) -> None:
        """Returns when everything published so far was delivered or dropped."""
        while self._deliveries:
            await asyncio.gather(*self._deliveries)

    async def close(self) -> None:
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        if self._session:
            await self._session.close()

    def _received(self, http: web.Request, body: bytes) -> list[Event]:
        if http.path != "/api/events":
            raise _RefusedError(404, "NotFound", "The resource was not found.")
        if http.method != "POST":
            raise _RefusedError(405, "MethodNotAllowed", "Events are published with POST.")
        self._authorize(http)
        if http.query.get("api-version") != API_VERSION:
            raise _RefusedError(400, "BadRequest", f"api-version must be {API_VERSION}.")
        if len(body) > MOST_BYTES:
            raise _RefusedError(413, "PayloadTooLarge", "The payload exceeds the limit of 1048576 bytes.")
        return self._parsed(http.content_type, body)

    def _authorize(self, http: web.Request) -> None:
        """Keys are disabled on this topic (disableLocalAuth)."""
        scheme, _, token = http.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer":
            raise TokenRefusedError("Unauthorized", "local authentication is disabled, and there is no bearer token.")
        object_id = self.entra.verified(token, AUDIENCES)["oid"]
        if (object_id, SENDER) not in self.roles:
            what = "Microsoft.EventGrid/events/send/action"
            message = f"The principal with object id '{object_id}' does not have permission to perform action '{what}'."
            raise _RefusedError(403, "Forbidden", message)

    def _parsed(self, content_type: str, body: bytes) -> list[Event]:
        if content_type not in _CONTENT_TYPES[self.input_schema]:
            message = f"This resource is configured to receive events in '{self.input_schema}' schema, not as {content_type}."
            raise _RefusedError(400, "BadRequest", message)
        try:
            document = json.loads(body)
        except ValueError as error:
            raise _RefusedError(400, "BadRequest", "The body is no JSON.") from error
        events = [document] if content_type == "application/cloudevents+json" else document
        if not isinstance(events, list) or not events:
            raise _RefusedError(400, "BadRequest", "The body must be an array of events that is not empty.")
        for event in events:
            try:
                check(event, self.input_schema)
            except SchemaError as error:
                message = f"This resource is configured to receive events in '{self.input_schema}' schema: {error}."
                raise _RefusedError(400, "BadRequest", message) from error
        return events

    def _publish(self, events: Sequence[Event]) -> None:
        self.published.extend(events)
        for subscription in self.subscriptions.values():
            subscription.waiting += [self._form(event, subscription) for event in events if subscription.wants(event)]
            while batch := subscription.next_batch():
                delivery = asyncio.create_task(deliver(self._open_session(), subscription, batch))
                self._deliveries.add(delivery)
                delivery.add_done_callback(self._deliveries.discard)

    def _form(self, event: Event, subscription: Subscription) -> Event:
        if "specversion" in event:
            return event
        if subscription.schema is Schema.CLOUD_EVENTS:
            return as_cloud_event(event, self.topic_id)
        return as_delivered(event, self.topic_id)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    details: list[Any] = [{"code": code, "message": message}]
    body = {"error": {"code": code, "message": f"{message} Report '{uuid.uuid4()}' to our forums.", "details": details}}
    return web.json_response(body, status=status, headers=headers)
