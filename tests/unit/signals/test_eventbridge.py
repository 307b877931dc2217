"""Events on the bus: what arrives, what is cut, and what a refusal inside a 200 answer means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from moto import mock_aws

from shared.model.errors import BackupError, Forbidden, Misconfigured, Throttled, Unreachable
from shared.signals.eventbridge import CLIENT, MOST_BYTES, EventBridgeSignals

BUS = "backups"


class Bus:
    """Keeps the entries it is given and answers with `answer`."""

    def __init__(self, answer: dict[str, Any] | Exception | None = None) -> None:
        self.entries: list[dict[str, str]] = []
        self._answer = answer

    def put_events(self, **request: Any) -> dict[str, Any]:
        self.entries += request["Entries"]
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer or {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}


def refusing(code: str) -> Bus:
    return Bus({"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "said the bus"}]})


def test_an_event_carries_the_source_the_type_and_the_detail() -> None:
    bus = Bus()
    EventBridgeSignals(BUS, bus).publish("Backup Succeeded", {"plan": "orders-prod", "point": "2026-11-24T03:00:12Z"})
    (entry,) = bus.entries
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == ("scalar-backup", "Backup Succeeded", BUS)
    assert json.loads(entry["Detail"]) == {"plan": "orders-prod", "point": "2026-11-24T03:00:12Z"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", Throttled),
        ("InternalFailure", Unreachable),
        ("AccessDeniedException", Forbidden),
        ("NotAuthorizedForSourceException", Forbidden),
        ("MalformedDetail", BackupError),
    ],
)
def test_an_entry_refused_inside_a_good_answer_is_a_failure(code: str, kind: type[BackupError]) -> None:
    with pytest.raises(BackupError, match=f"events:PutEvents on event bus backups.*{code}") as caught:
        EventBridgeSignals(BUS, refusing(code)).publish("Backup Failed", {})
    assert type(caught.value) is kind


def test_no_answer_is_unreachable_with_the_cause_chained() -> None:
    silence = ConnectTimeoutError(endpoint_url="https://events")
    with pytest.raises(Unreachable, match="no answer") as caught:
        EventBridgeSignals(BUS, Bus(silence)).publish("Backup Failed", {})
    assert caught.value.__cause__ is silence


def test_a_text_too_long_for_an_event_is_cut_and_says_so() -> None:
    bus = Bus()
    detail = {"plan": "orders-prod", "cause": {"code": "x", "message": "é" * MOST_BYTES}}
    EventBridgeSignals(BUS, bus).publish("Backup Failed", detail)
    sent = json.loads(bus.entries[0]["Detail"])
    assert sent["plan"] == "orders-prod"
    assert sent["cause"]["message"].endswith(f"({MOST_BYTES - 8000} more characters)")
    assert len(bus.entries[0]["Detail"].encode()) <= MOST_BYTES


def test_a_field_too_large_for_an_event_makes_way_for_the_others() -> None:
    bus = Bus()
    detail = {"plan": "orders-prod", "tables": [f"table-{number}" for number in range(50_000)], "pods": list(range(100))}
    EventBridgeSignals(BUS, bus).publish("Backup Succeeded", detail)
    sent = json.loads(bus.entries[0]["Detail"])
    assert sent["tables"].startswith("left out: ")
    assert (sent["plan"], sent["pods"]) == ("orders-prod", list(range(100)))


def test_a_detail_that_fits_is_not_touched() -> None:
    bus = Bus()
    detail = {"message": "x" * (MOST_BYTES - 20)}
    EventBridgeSignals(BUS, bus).publish("Backup Succeeded", detail)
    assert json.loads(bus.entries[0]["Detail"]) == detail


def test_time_outs_are_short() -> None:
    assert (CLIENT.connect_timeout, CLIENT.read_timeout) == (2, 5)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield boto3.Session(region_name="ap-northeast-1")


def test_an_event_reaches_a_rule_on_a_real_client(session: boto3.Session) -> None:
    events, queues = session.client("events"), session.client("sqs")
    events.create_event_bus(Name=BUS)
    queue = queues.create_queue(QueueName="seen")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName=BUS, EventPattern='{"source": ["scalar-backup"]}')
    events.put_targets(Rule="all", EventBusName=BUS, Targets=[{"Id": "seen", "Arn": arn}])
    EventBridgeSignals(BUS, session).publish("Backup Succeeded", {"plan": "orders-prod"})
    (message,) = queues.receive_message(QueueUrl=queue)["Messages"]
    event = json.loads(message["Body"])
    assert (event["detail-type"], event["detail"]) == ("Backup Succeeded", {"plan": "orders-prod"})


def test_missing_credentials_are_named(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(Misconfigured, match="Give the process a role"):
        EventBridgeSignals(BUS, boto3.Session(region_name="ap-northeast-1")).publish("Backup Failed", {})
