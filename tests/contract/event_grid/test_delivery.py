"""How events reach subscribers: handshakes in both schemas, batches that are repeated as a whole, duplicates, another order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from infra.sandbox.azure.event_delivery import Subscription, ValidationFailed
from infra.sandbox.azure.event_grid import Topic
from infra.sandbox.azure.event_schemas import Schema
from tests.contract.event_grid.conftest import RunningTopic, Webhook

SCHEMAS = [Schema.EVENT_GRID, Schema.CLOUD_EVENTS]
QUICK = 0.001


def rolling(number: int = 1) -> dict[str, Any]:
    """What AKS says when a node pool is upgraded."""
    return {
        "id": f"event-{number}",
        "subject": "prod",
        "eventType": "Microsoft.ContainerService.NodePoolRollingStarted",
        "eventTime": "2026-11-24T03:00:00Z",
        "data": {"nodePoolName": f"pool{number}"},
        "dataVersion": "1",
    }


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_function_is_validated_by_a_code_in_its_own_schema(
    system_topic: Topic, webhook: Webhook, schema: Schema
) -> None:
    await system_topic.subscribe(Subscription("backup", webhook.url, schema))
    ((kind, body),) = webhook.seen
    assert kind == "SubscriptionValidation"
    assert isinstance(body, list) is (schema is Schema.EVENT_GRID)


async def test_another_webhook_for_cloud_events_is_asked_by_options(system_topic: Topic, webhook: Webhook) -> None:
    await system_topic.subscribe(Subscription("pager", webhook.url, Schema.CLOUD_EVENTS, is_azure_function=False))
    assert webhook.seen == [("OPTIONS", "eventgrid.azure.net")]


@pytest.mark.parametrize(
    ("schema", "is_azure_function"), [(Schema.EVENT_GRID, True), (Schema.CLOUD_EVENTS, True), (Schema.CLOUD_EVENTS, False)]
)
async def test_an_endpoint_that_does_not_prove_itself_gets_nothing(
    system_topic: Topic, webhook: Webhook, schema: Schema, is_azure_function: bool
) -> None:
    webhook.validates, webhook.origin = False, "example.com"
    with pytest.raises(ValidationFailed, match="backup"):
        await system_topic.subscribe(Subscription("backup", webhook.url, schema, is_azure_function))
    await system_topic.emit(rolling())
    await system_topic.idle()
    assert webhook.bodies == []


async def test_an_event_arrives_in_the_event_grid_schema_with_its_topic(system_topic: Topic, webhook: Webhook) -> None:
    await system_topic.subscribe(Subscription("backup", webhook.url))
    await system_topic.emit(rolling())
    await system_topic.idle()
    assert webhook.bodies == [[{**rolling(), "topic": system_topic.topic_id, "metadataVersion": "1"}]]
    assert webhook.headers[-1]["aeg-subscription-name"] == "BACKUP"


async def test_the_same_event_arrives_as_a_cloud_event_where_that_is_wanted(system_topic: Topic, webhook: Webhook) -> None:
    await system_topic.subscribe(Subscription("backup", webhook.url, Schema.CLOUD_EVENTS))
    await system_topic.emit(rolling())
    await system_topic.idle()
    (event,) = webhook.bodies
    assert event["type"] == "Microsoft.ContainerService.NodePoolRollingStarted"
    assert (event["source"], event["subject"], event["data"]) == (system_topic.topic_id, "prod", {"nodePoolName": "pool1"})
    assert webhook.headers[-1]["Content-Type"].startswith("application/cloudevents+json")


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_after_a_500_the_whole_batch_comes_again(system_topic: Topic, webhook: Webhook, schema: Schema) -> None:
    await system_topic.subscribe(Subscription("backup", webhook.url, schema, most_per_batch=3, delay_factor=QUICK))
    webhook.statuses = [500, 503]
    await system_topic.emit(rolling(1), rolling(2), rolling(3))
    await system_topic.idle()
    first, second, third = webhook.bodies
    assert first == second == third
    assert [event["id"] for event in third] == ["event-1", "event-2", "event-3"]
    assert [headers["aeg-delivery-count"] for headers in webhook.headers[1:]] == ["0", "1", "2"]


@pytest.mark.parametrize("status", [400, 401, 404, 413])
async def test_after_an_answer_that_will_not_change_the_event_is_dropped(
    system_topic: Topic, webhook: Webhook, status: int
) -> None:
    subscription = Subscription("backup", webhook.url)
    await system_topic.subscribe(subscription)
    webhook.statuses = [status]
    await system_topic.emit(rolling())
    await system_topic.idle()
    assert (len(webhook.bodies), [event["id"] for event in subscription.dropped]) == (1, ["event-1"])


async def test_an_endpoint_that_is_down_gets_its_events_later(
    system_topic: Topic, webhook: Webhook, unused_tcp_port_factory: Callable[[], int]
) -> None:
    subscription = Subscription("backup", webhook.url, delay_factor=QUICK)
    await system_topic.subscribe(subscription)
    subscription.url = f"http://127.0.0.1:{unused_tcp_port_factory()}/hook"
    await system_topic.emit(rolling())
    await asyncio.sleep(0.02)
    subscription.url = webhook.url
    await system_topic.idle()
    assert len(webhook.bodies) == 1


async def test_duplicates_and_another_order_can_be_had(system_topic: Topic, webhook: Webhook) -> None:
    await system_topic.subscribe(Subscription("backup", webhook.url, copies=2, newest_first=True, most_per_batch=1))
    await system_topic.emit(rolling(1), rolling(2))
    await system_topic.idle()
    assert sorted(body[0]["id"] for body in webhook.bodies) == ["event-1", "event-1", "event-2", "event-2"]
    assert webhook.bodies[0][0]["id"] == "event-2"


async def test_a_subscription_gets_only_the_types_it_wants(system_topic: Topic, webhook: Webhook) -> None:
    await system_topic.subscribe(Subscription("backup", webhook.url, event_types=frozenset({"another"})))
    await system_topic.emit(rolling())
    await system_topic.idle()
    assert webhook.bodies == []


async def test_a_published_signal_reaches_the_subscribers_of_the_topic(running: RunningTopic, webhook: Webhook) -> None:
    subscription = Subscription("pager", webhook.url, Schema.CLOUD_EVENTS)
    await asyncio.to_thread(running.loopback.run, running.topic.subscribe(subscription))
    await asyncio.to_thread(running.signals().publish, "Backup Succeeded", {"plan": "orders-prod"})
    await asyncio.to_thread(running.loopback.run, running.topic.idle())
    (event,) = webhook.bodies
    assert (event["type"], event["data"]) == ("ScalarBackup.BackupSucceeded", {"plan": "orders-prod"})


async def test_a_topic_that_takes_cloud_events_delivers_no_other_schema(running: RunningTopic, webhook: Webhook) -> None:
    with pytest.raises(ValueError, match="only CloudEvents"):
        await running.topic.subscribe(Subscription("backup", webhook.url, Schema.EVENT_GRID))
