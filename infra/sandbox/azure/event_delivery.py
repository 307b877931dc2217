"""How Event Grid delivers: a handshake first, then at least once, in batches that are repeated as a whole, in no certain order.

Sources: "Event Grid message delivery and retry", "Webhook event delivery", "Endpoint validation with CloudEvents schema".
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from infra.sandbox.azure.event_schemas import Event, Schema, type_of

ORIGIN = "eventgrid.azure.net"
RETRY_SECONDS = (10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200)
"""Event Grid's schedule; the last delay is that of all further attempts."""
MOST_ATTEMPTS = 30
NEVER_REPEATED = frozenset({400, 401, 403, 404, 413})
"""Answers after which an event is dropped, or dead-lettered where that is set up."""
DELIVERED = frozenset({200, 201, 202, 203, 204})
DELIVERY_SECONDS = 30
VALIDATION_TYPE = "Microsoft.EventGrid.SubscriptionValidationEvent"


class ValidationFailed(Exception):
    """The endpoint did not prove that it wants events."""


@dataclass
class Subscription:
    """`url` holds its key, if it has one. An Azure function (its extension's webhook) is validated by a POST in both schemas,
    another webhook that wants CloudEvents by OPTIONS. `event_types` is empty for all.

    `copies` delivers each batch so often; `newest_first` delivers what waits in the opposite order. `delay_factor` shortens the
    delays between attempts.
    """

    name: str
    url: str
    schema: Schema = Schema.EVENT_GRID
    is_azure_function: bool = True
    event_types: frozenset[str] = frozenset()
    most_per_batch: int = 1
    copies: int = 1
    newest_first: bool = False
    delay_factor: float = 1.0
    waiting: list[Event] = field(default_factory=list)
    dropped: list[Event] = field(default_factory=list)

    def wants(self, event: Event) -> bool:
        return not self.event_types or type_of(event) in self.event_types

    def next_batch(self) -> list[Event]:
        if self.newest_first:
            self.waiting.reverse()
        batch, self.waiting = self.waiting[: self.most_per_batch], self.waiting[self.most_per_batch :]
        if self.newest_first:
            self.waiting.reverse()
        return batch


async def validate(session: aiohttp.ClientSession, subscription: Subscription, topic: str) -> None:
    """Raises ValidationFailed."""
    if subscription.schema is Schema.CLOUD_EVENTS and not subscription.is_azure_function:
        async with session.options(subscription.url, headers={"WebHook-Request-Origin": ORIGIN}) as answer:
            allowed = answer.headers.get("WebHook-Allowed-Origin", "")
        if answer.status != 200 or allowed not in ("*", ORIGIN):
            raise ValidationFailed(f"{subscription.name}: OPTIONS was answered with {answer.status} and {allowed!r}.")
        return
    code = str(uuid.uuid4())
    body = _validation_event(code, topic, subscription.schema)
    async with session.post(subscription.url, json=body, headers=_headers(subscription, "SubscriptionValidation", 0)) as answer:
        text = await answer.text()
    try:
        returned = json.loads(text).get("validationResponse") if answer.status == 200 else None
    except ValueError:
        returned = None
    if returned != code:
        raise ValidationFailed(f"{subscription.name}: the validation code did not come back (HTTP {answer.status}).")


async def deliver(session: aiohttp.ClientSession, subscription: Subscription, batch: Sequence[Event]) -> None:
    """Until the endpoint has taken the whole batch, or Event Grid gives up."""
    for attempt in range(MOST_ATTEMPTS):
        statuses = [await _post(session, subscription, batch, attempt) for _ in range(subscription.copies)]
        if any(status in DELIVERED for status in statuses):
            return
        if any(status in NEVER_REPEATED for status in statuses):
            break
        delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
        await asyncio.sleep(delay * subscription.delay_factor)
    subscription.dropped.extend(batch)


async def _post(session: aiohttp.ClientSession, subscription: Subscription, batch: Sequence[Event], attempt: int) -> int:
    """The status of the answer; 0 when there was none."""
    headers = _headers(subscription, "Notification", attempt)
    is_single = subscription.schema is Schema.CLOUD_EVENTS and subscription.most_per_batch == 1
    body: Any = batch[0] if is_single else list(batch)
    if subscription.schema is Schema.CLOUD_EVENTS:
        form = "cloudevents" if is_single else "cloudevents-batch"
        headers["Content-Type"] = f"application/{form}+json; charset=utf-8"
    timeout = aiohttp.ClientTimeout(total=DELIVERY_SECONDS)
    try:
        async with session.post(subscription.url, data=json.dumps(body), headers=headers, timeout=timeout) as answer:
            return answer.status
    except (aiohttp.ClientError, TimeoutError):
        return 0


def _headers(subscription: Subscription, kind: str, attempt: int) -> dict[str, str]:
    return {
        "Content-Type": "application/json; charset=utf-8",
        "aeg-event-type": kind,
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(attempt),
        "aeg-data-version": "",
        "aeg-metadata-version": "1",
    }


def _validation_event(code: str, topic: str, schema: Schema) -> Any:
    """In the CloudEvents schema the data is JSON inside a text."""
    now, data = datetime.now(UTC).isoformat(), {"validationCode": code}
    about = {"id": str(uuid.uuid4()), "subject": ""}
    if schema is Schema.CLOUD_EVENTS:
        cloud = {"specversion": "1.0", "source": topic, "type": VALIDATION_TYPE, "time": now, "data": json.dumps(data)}
        return {**about, **cloud}
    grid = {"topic": topic, "eventType": VALIDATION_TYPE, "eventTime": now, "data": data, "dataVersion": "2"}
    return [{**about, **grid, "metadataVersion": "1"}]
