"""What starts a run: the schedule at its local time, an event on the bus. What is told of its end, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra.sandbox.world import PLAN_NAME, RELEASE, TIMEZONE
from shared.cli.engine import Execution
from shared.model.run import Run, RunStatus
from tests.scenarios.deployment import Deployment, eventually

pytestmark = pytest.mark.stand_in_only(reason="it is about the scheduler and the event bus")

EVENT_PLAN = "asked-by-event"
BY_SCHEDULE = {"action": "backup", "plan": PLAN_NAME, "reason": "schedule"}
SECOND = timedelta(seconds=1)


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


@pytest.fixture(scope="module")
def bus(shared_deployment: Deployment) -> Iterator[Bus]:
    aws, name = shared_deployment.world.aws, shared_deployment.world.outputs["EventBusName"]
    sqs, events = aws.client("sqs"), aws.client("events")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["scalar-backup"]})
    events.put_rule(Name="hear", EventBusName=name, EventPattern=pattern)
    events.put_targets(Rule="hear", EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
    yield Bus(shared_deployment, url)
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


@pytest.fixture(scope="module")
def triggered(shared_deployment: Deployment, bus: Bus) -> Iterator[tuple[Run, Run]]:
    """A run of the schedule and one of an event, both at once, for two releases: neither waits for the other."""
    deployment = shared_deployment
    with deployment.world.environment():
        deployment.world.install("by-event")
        deployment.apply(EVENT_PLAN, "by-event")
        deployment.apply(PLAN_NAME, RELEASE)
        due = next_three_o_clock(deployment)
        deployment.world.aws.set_scheduler_clock(due - timedelta(seconds=2))
        assert executions_of(deployment, BY_SCHEDULE) == [], "not a moment before 03:00 in Tokyo"
        deployment.world.aws.set_scheduler_clock(due + timedelta(seconds=1))
        bus.request({"plan": EVENT_PLAN, "reason": "pre-upgrade"})
        scheduled = run_for(deployment, BY_SCHEDULE)
        yield scheduled, run_for(deployment, {"plan": EVENT_PLAN, "reason": "pre-upgrade"})


def test_the_schedule_and_an_event_each_start_a_run_and_the_bus_hears_of_both(
    deployment: Deployment, bus: Bus, triggered: tuple[Run, Run]
) -> None:
    for run, reason in zip(triggered, ("schedule", "pre-upgrade"), strict=True):
        assert run.status is RunStatus.SUCCEEDED, run.cause
        told = bus.await_told("Backup Succeeded", run=run.id)
        point = deployment.catalog.point(run.plan, "latest")
        assert (run.reason, told["reason"], point.reason) == (reason,) * 3
        assert told["restore_point"] == point.id == run.id
        assert told["execution"] == run.execution
    assert deployment.paused_pods(RELEASE) == deployment.paused_pods("by-event") == []


def test_points_show_has_the_evidence_of_every_step(deployment: Deployment, triggered: tuple[Run, Run]) -> None:
    run, _ = triggered
    shown = deployment.command("points", "show", run.plan, "latest", "-o", "json")
    assert shown.code == 0, shown.stderr
    point = shown.answer
    evidence, window = point["evidence"], point["window"]
    pods = sorted(deployment.addresses(RELEASE))

    assert (point["id"], point["phase"], point["plan_revision"]) == (run.id, "available", run.plan_revision)
    assert point["pause"]["rule"] == "nosql"
    # Every pod acknowledged, and CheckPaused confirmed it at least each second until the resume began.
    assert sorted(item["pod"] for item in evidence["pause"]["acknowledgements"]) == pods
    assert {item["outcome"] for item in evidence["pause"]["acknowledgements"]} == {"paused"}
    samples = [*evidence["capture"]["samples"], evidence["resume"]["sample"]]
    assert all(item["paused"] == len(pods) and not item["not_paused"] and not item["unknown"] for item in samples)
    asked = [window["confirmed_at"], *(item["asked_at"] for item in samples)]
    times = [datetime.fromisoformat(item) for item in asked]
    assert max(later - earlier for earlier, later in pairwise(times)) < 1.5 * SECOND
    # The same pods and the same Deployment before and after, and nothing in between.
    (before,), (after,) = evidence["before"], evidence["after"]
    assert before["pods"] == after["pods"]
    assert before["deployment"] == after["deployment"]
    assert sorted(item["name"] for item in before["pods"]) == pods
    assert evidence["capture"]["watch"]["broken"] == evidence["resume"]["watch"]["broken"] == ""
    # Clock bounds of the database behind both ends of the window, and the safe interval they leave.
    (database,) = window["safe_by_database"]
    for noted in (evidence["pause"]["confirmed"], evidence["resume"]["begun"]):
        bounds = noted["clocks"][database]
        assert bounds["samples"] > 1
        assert bounds["problem"] == ""
        assert bounds["lower_seconds"] <= 0 <= bounds["upper_seconds"]
    safe = window["safe_by_database"][database]
    at = datetime.fromisoformat(point["at"])
    assert datetime.fromisoformat(safe["start"]) <= at
    assert at + SECOND <= datetime.fromisoformat(safe["end"])
    # The database's own window: every table, with what a restore of it would lose.
    items = {item["name"]: item for item in point["databases"][database]["items"]}
    assert {"bank.checking", "bank.savings", "bank.wallets", "coordinator.state", "scalardb.metadata"} <= items.keys()
    assert {item["phase"] for item in items.values()} == {"covered"}
    assert items["bank.wallets"]["settings"]["time_to_live_attribute"] == "expires_at"
    assert all(item["pod"] in pods and item["problem"] == "" for item in evidence["resume"]["pods"])


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
    (execution,) = eventually(lambda: executions_of(deployment, detail), f"an execution for {detail}")
    told = bus.await_told("Backup Failed", execution=execution.arn)
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
