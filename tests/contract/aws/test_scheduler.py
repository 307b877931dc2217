"""EventBridge Scheduler fires, on a clock that can be set forward; schedule rules of EventBridge too."""

import datetime as dt
import json
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.contract.aws.conftest import wait_until
from tests.contract.aws.test_dynamodb_recovery import refusal

ROLE = "arn:aws:iam::123456789012:role/r"


@pytest.fixture
def scheduler(aws: Any, clients: Any) -> Any:
    return clients("scheduler")


@pytest.fixture
def queue(make_queue: Any) -> tuple[str, str]:
    url, arn = make_queue("fired")
    return str(url), str(arn)


def make(scheduler: Any, expression: str, arn: str, given: Any = None, **more: Any) -> None:
    target = {"Arn": arn, "RoleArn": ROLE, "Input": json.dumps(given or {}), **more.pop("target", {})}
    scheduler.create_schedule(
        **{"Name": "s", "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target, **more}
    )


def tomorrow_at_three(zone: str = "Asia/Tokyo") -> dt.datetime:
    there = dt.datetime.now(ZoneInfo(zone)) + dt.timedelta(days=1)
    return there.replace(hour=3, minute=0, second=0, microsecond=0)


def in_words(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def test_the_nightly_backup_starts_when_the_clock_is_set_past_it(aws: Any, scheduler: Any, sfn: Any, make_machine: Any) -> None:
    machine = make_machine("backup", {"Type": "Pass", "End": True})
    given = {"plan": "orders", "at": "<aws.scheduler.scheduled-time>", "id": "<aws.scheduler.execution-id>"}
    make(scheduler, "cron(0 3 * * ? *)", machine, given, ScheduleExpressionTimezone="Asia/Tokyo")
    due = tomorrow_at_three()
    aws.set_scheduler_clock(due - dt.timedelta(minutes=1))
    before = len(sfn.list_executions(stateMachineArn=machine)["executions"])
    assert aws.set_scheduler_clock(due + dt.timedelta(seconds=30)) == 1
    wait_until(lambda: len(sfn.list_executions(stateMachineArn=machine)["executions"]) == before + 1, "the execution")
    started = sfn.list_executions(stateMachineArn=machine)["executions"][0]["executionArn"]
    received = json.loads(sfn.describe_execution(executionArn=started)["input"])
    assert (received["plan"], received["at"]) == ("orders", in_words(due) + "Z")
    assert len(received["id"]) == 36


def test_everything_due_in_between_fires_once(aws: Any, scheduler: Any, queue: Any, received: Any) -> None:
    make(scheduler, "rate(1 hour)", queue[1])
    start = aws.scheduler_now()
    assert aws.set_scheduler_clock(start + dt.timedelta(hours=3, minutes=30)) == 3
    assert aws.set_scheduler_clock(start + dt.timedelta(hours=3, minutes=59)) == 0
    assert len(received(queue[0], 3)) == 3


def test_a_one_time_schedule_fires_in_real_time_and_deletes_itself(aws: Any, scheduler: Any, queue: Any, received: Any) -> None:
    # The clock ahead must not keep a timer that a function sets from going off.
    aws.set_scheduler_clock(aws.scheduler_now() + dt.timedelta(days=1))
    due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    make(scheduler, f"at({in_words(due)})", queue[1], {"n": 1}, ActionAfterCompletion="DELETE")
    assert [message["Body"] for message in received(queue[0])] == ['{"n": 1}']
    wait_until(lambda: scheduler.list_schedules()["Schedules"] == [], "the schedule to delete itself")


def test_a_one_time_schedule_fires_only_once(aws: Any, scheduler: Any, queue: Any, received: Any) -> None:
    due = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    make(scheduler, f"at({in_words(due)})", queue[1])
    assert aws.set_scheduler_clock(due + dt.timedelta(minutes=1)) == 1
    assert aws.set_scheduler_clock(due + dt.timedelta(days=1)) == 0
    assert [one["Name"] for one in scheduler.list_schedules()["Schedules"]] == ["s"]


def test_disabled_and_ended_schedules_do_not_fire(aws: Any, scheduler: Any, queue: Any) -> None:
    now = aws.scheduler_now()
    make(scheduler, "rate(1 hour)", queue[1], State="DISABLED")
    make(scheduler, "rate(1 hour)", queue[1], Name="ended", EndDate=now + dt.timedelta(minutes=30))
    make(scheduler, "rate(1 hour)", queue[1], Name="later", StartDate=now + dt.timedelta(days=2))
    assert aws.set_scheduler_clock(now + dt.timedelta(hours=5)) == 0


def test_a_changed_schedule_fires_at_its_new_time(aws: Any, scheduler: Any, queue: Any) -> None:
    make(scheduler, "rate(1 hour)", queue[1])
    target = {"Arn": queue[1], "RoleArn": ROLE}
    scheduler.update_schedule(Name="s", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target)
    assert aws.set_scheduler_clock(aws.scheduler_now() + dt.timedelta(hours=5)) == 0
    assert aws.set_scheduler_clock(aws.scheduler_now() + dt.timedelta(hours=20)) == 1


def test_a_target_that_fails_goes_to_the_dead_letter_queue(aws: Any, scheduler: Any, queue: Any, received: Any) -> None:
    gone = "arn:aws:states:ap-northeast-1:123456789012:stateMachine:gone"
    make(scheduler, "rate(1 hour)", gone, {"plan": "orders"}, target={"DeadLetterConfig": {"Arn": queue[1]}})
    aws.set_scheduler_clock(aws.scheduler_now() + dt.timedelta(hours=1, minutes=1))
    (letter,) = received(queue[0])
    assert json.loads(letter["Body"]) == {"plan": "orders"}
    assert letter["MessageAttributes"]["SCHEDULE_ARN"]["StringValue"].endswith("schedule/default/s")
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "StateMachineDoesNotExist"


def test_an_expression_that_cannot_fire_is_refused_when_made(scheduler: Any, queue: Any) -> None:
    assert refusal(lambda: make(scheduler, "cron(0 3 * * * *)", queue[1])) == "ValidationException"
    assert refusal(lambda: make(scheduler, "rate(1 hour)", queue[1], GroupName="x")) == "ResourceNotFoundException"


def test_a_schedule_rule_of_eventbridge_fires(aws: Any, clients: Any, queue: Any, received: Any) -> None:
    clients("events").put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    clients("events").put_targets(Rule="hourly", Targets=[{"Id": "t", "Arn": queue[1]}])
    time.sleep(0.3)  # the server notes a rule's age when it first sees it
    aws.set_scheduler_clock(aws.scheduler_now() + dt.timedelta(hours=1, minutes=1))
    (message,) = received(queue[0])
    assert json.loads(message["Body"])["detail-type"] == "Scheduled Event"


def test_the_clock_cannot_be_set_back(aws: Any) -> None:
    with pytest.raises(Exception, match="can only be set forward"):
        aws.set_scheduler_clock(aws.scheduler_now() - dt.timedelta(minutes=1))
