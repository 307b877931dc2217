"""A topic over TLS, a publisher that may send to it, and a webhook that writes down what it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from infra.sandbox.azure.entra import Entra
from infra.sandbox.azure.event_grid import SENDER, Topic
from infra.sandbox.azure.event_schemas import Schema
from infra.sandbox.azure.loopback import Loopback, served_over_tls
from shared.signals.eventgrid import EventGridSignals
from tests.contract.catalog.azure_tables import EntraCredential

TOPIC_ID = "/subscriptions/s/resourceGroups/rg-prod/providers/Microsoft.EventGrid/topics/scalar-backup"
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@dataclass
class RunningTopic:
    topic: Topic
    loopback: Loopback
    credential: EntraCredential

    @property
    def endpoint(self) -> str:
        return f"{self.loopback.urls[0]}/api/events"

    def signals(self, credential: Any = None, endpoint: str = "") -> EventGridSignals:
        return EventGridSignals(endpoint or self.endpoint, credential or self.credential, now=lambda: NOW)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningTopic]:
    entra = Entra()
    sender = entra.add()
    topic = Topic(entra, TOPIC_ID, roles={(sender.object_id, SENDER)})
    with served_over_tls(topic.handle) as loopback:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(loopback.ca_file))
        yield RunningTopic(topic, loopback, EntraCredential(entra, sender))
        loopback.run(topic.close())


@dataclass
class Webhook:
    """Answers as the Event Grid extension of Azure Functions does; `statuses` are the answers to the next notifications."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    validates: bool = True
    origin: str = "eventgrid.azure.net"
    seen: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        return [body for kind, body in self.seen if kind == "Notification"]

    async def handle(self, http: web.Request) -> web.Response:
        if http.method == "OPTIONS":
            self.seen.append(("OPTIONS", http.headers.get("WebHook-Request-Origin")))
            return web.Response(headers={"WebHook-Allowed-Origin": self.origin})
        kind, body = http.headers["aeg-event-type"], json.loads(await http.text())
        self.seen.append((kind, body))
        self.headers.append(dict(http.headers))
        if kind == "SubscriptionValidation":
            data = body[0]["data"] if isinstance(body, list) else json.loads(body["data"])
            return web.json_response({"validationResponse": data["validationCode"] if self.validates else "another"})
        return web.Response(status=self.statuses.pop(0) if self.statuses else 202)


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    hook = Webhook()
    application = web.Application()
    application.router.add_route("*", "/hook", hook.handle)
    async with TestServer(application) as server:
        hook.url = str(server.make_url("/hook"))
        yield hook


@pytest.fixture
async def system_topic() -> AsyncIterator[Topic]:
    """Of an AKS cluster; on the loop of the test."""
    topic = Topic(Entra(), "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/prod")
    topic.input_schema = Schema.EVENT_GRID
    async with asyncio.timeout(30):
        yield topic
    await topic.close()
