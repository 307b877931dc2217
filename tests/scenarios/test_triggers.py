"""What starts a run: the schedule at its local time, an event on the bus. And how the bus hears of its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra.sandbox.world import PLAN_NAME, RELEASE, TIMEZONE
from shared.cli.engine import Execution
from shared.model.run import Run, RunStatus
from tests.scenarios.deployment import Deployment, eventually

EVENT_PLAN = "asked-by-event"


@dataclass
class Bus:
    """The product's event bus, with a queue that hears what the product tells."""

    deployment: Deployment
    queue: str
    heard: list[dict[str, Any]] = field(default_factory=list)

    def request(self, detail: Any) -> None:
        entry = {
            "EventBusName": self.deployment.world.outputs["EventBusName"],
            "Source": "acme.deployments",
            "DetailType": "Backup Requested",
            "Detail": json.dumps(detail),
        }
        assert self.deployment.world.aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def await_told(self, detail_type: str, **wanted: Any) -> dict[str, Any]:
        """The detail of the event of this type that has these fields."""

        def found() -> dict[str, Any] | None:
            sqs = self.deployment.world.aws.client("sqs")
            messages = sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages", [])
            self.heard += [json.loads(message["Body"]) for message in messages]
            details = [event["detail"] for event in self.heard if event["detail-type"] == detail_type]
            return next((item for item in details if wanted.items() <= item.items()), None)

        return eventually(found, f"{detail_type} with {wanted} on the bus; heard {self.heard}")


@pytest.fixture
def bus(deployment: Deployment) -> Iterator[Bus]:
    aws, name = deployment.world.aws, deployment.world.outputs["EventBusName"]
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["scalar-backup"]})
    events.put_rule(Name="hear", EventBusName=name, EventPattern=pattern)
    events.put_targets(Rule="hear", EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
    yield Bus(deployment, url)
    events.remove_targets(Rule="hear", EventBusName=name, Ids=["queue"])
    events.delete_rule(Name="hear", EventBusName=name)
    sqs.delete_queue(QueueUrl=url)


def executions_of(deployment: Deployment, given: Any) -> list[Execution]:
    """Executions of the backup machine with this input."""
    states = deployment.world.aws.client("stepfunctions")
    arns = [
        item["executionArn"]
        for item in states.list_executions(stateMachineArn=deployment.world.outputs["BackupStateMachineArn"])["executions"]
    ]
    found = [arn for arn in arns if json.loads(states.describe_execution(executionArn=arn)["input"]) == given]
    deployment.followed += found
    return [Execution(arn, "RUNNING") for arn in found]


def next_three_o_clock(deployment: Deployment) -> datetime:
    local = deployment.world.aws.scheduler_now().astimezone(ZoneInfo(TIMEZONE))
    due = local.replace(hour=3, minute=0, second=0, microsecond=0)
    return due if due - local > timedelta(seconds=5) else due + timedelta(days=1)


def run_for(deployment: Deployment, given: Any) -> Run:
    (execution,) = eventually(lambda: executions_of(deployment, given), f"an execution for {given}")
    return deployment.run_of(deployment.finish(execution))


def test_the_schedule_and_an_event_each_start_a_run_and_the_bus_hears_of_both(deployment: Deployment, bus: Bus) -> None:
    """Both at once, for two releases: neither waits for the other."""
    deployment.world.install("by-event")
    deployment.apply(EVENT_PLAN, "by-event")
    deployment.apply(PLAN_NAME, RELEASE)
    due = next_three_o_clock(deployment)
    assert deployment.world.aws.set_scheduler_clock(due - timedelta(seconds=2)) == 0, "not a moment before 03:00 in Tokyo"
    assert deployment.world.aws.set_scheduler_clock(due + timedelta(seconds=1)) == 1
    bus.request({"plan": EVENT_PLAN, "reason": "pre-upgrade"})

    scheduled = run_for(deployment, {"action": "backup", "plan": PLAN_NAME, "reason": "schedule"})
    upgrade = run_for(deployment, {"plan": EVENT_PLAN, "reason": "pre-upgrade"})
    for run, reason in ((scheduled, "schedule"), (upgrade, "pre-upgrade")):
        assert run.status is RunStatus.SUCCEEDED, run.cause
        told = bus.await_told("Backup Succeeded", run=run.id)
        point = deployment.catalog.point(run.plan, "latest")
        assert (run.reason, told["reason"], point.reason) == (reason,) * 3
        assert told["restore_point"] == point.id == run.id
        assert told["execution"] == run.execution
    assert deployment.paused_pods(RELEASE) == deployment.paused_pods("by-event") == []


@pytest.mark.parametrize(
    ("detail", "word"),
    [
        ({"reason": "pre-upgrade"}, "has no 'plan'"),
        ({"plan": 7}, "'plan' is a number, not a text"),
        ({"plan": ""}, "'plan' is empty"),
        ([], "The input is a list, not a JSON object"),
    ],
)
def test_a_malformed_event_is_told_on_the_bus_with_what_is_wrong(
    deployment: Deployment, bus: Bus, detail: Any, word: str
) -> None:
    bus.request(detail)
    told = bus.await_told("Backup Failed")
    assert word in told["cause"]["message"]
    assert told["run"] is None
    assert told["pods_may_be_paused"] is False


def test_an_event_for_an_unknown_plan_is_told_and_leaves_a_record_under_the_name_it_gave(
    deployment: Deployment, bus: Bus
) -> None:
    deployment.apply("orders-known", RELEASE)
    bus.request({"plan": "orders-knwon", "reason": "pre-upgrade"})
    told = bus.await_told("Backup Failed", plan="orders-knwon")
    assert told["cause"]["code"] == "UnknownPlan"
    assert "orders-known" in told["cause"]["message"], "the plans that exist are named"
    (run,) = deployment.catalog.runs("orders-knwon")
    assert (run.id, run.status, run.reason) == (told["run"], RunStatus.FAILED, "pre-upgrade")
    assert run.cause is not None
    assert run.cause.code == "UnknownPlan"
