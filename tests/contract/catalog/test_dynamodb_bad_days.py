"""The DynamoDB catalog when the service refuses, throttles, does not answer, or somebody writes in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from shared.catalog.dynamodb import DynamoDbCatalog
from shared.catalog.dynamodb.table import CLIENT
from shared.model.errors import (
    BackupError,
    FencedOff,
    Forbidden,
    InvalidRequest,
    LeaseHeld,
    Misconfigured,
    RevisionConflict,
    Throttled,
    Unreachable,
)
from shared.steps.ports import Catalog
from tests.contract.catalog.conftest import TABLE
from tests.contract.catalog.faults import FaultyClient
from tests.contract.catalog.test_runs import noise
from tests.contract.catalog.values import NOW, PLAN, a_journal, a_plan, a_run, an_id, later

RUN = an_id(1)
LARGE = 900_000
"""Characters of noise that make a record need parts."""


@pytest.fixture
def faulty(aws: boto3.Session) -> FaultyClient:
    return FaultyClient(aws)


@pytest.fixture
def rival(aws: boto3.Session) -> Catalog:
    return DynamoDbCatalog(TABLE, aws)


def parts_in(session: boto3.Session) -> int:
    return sum(item["pk"]["S"].startswith("body#") for item in every_item(session))


def every_item(session: boto3.Session) -> list[dict[str, dict[str, Any]]]:
    pages = session.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE)
    return [item for page in pages for item in page["Items"]]


@pytest.mark.parametrize(
    ("code", "status", "kind", "text"),
    [
        ("ProvisionedThroughputExceededException", 400, Throttled, "throttles dynamodb:GetItem on table catalog"),
        ("ThrottlingException", 400, Throttled, "throttles"),
        ("AccessDeniedException", 400, Forbidden, "Allow dynamodb:GetItem in the role's policy"),
        ("ExpiredTokenException", 400, Forbidden, "Sign in again"),
        ("ResourceNotFoundException", 400, Misconfigured, "dynamodb:GetItem on table catalog: it does not exist"),
        ("InternalServerError", 500, Unreachable, "the service failed"),
        ("SomethingNew", 400, BackupError, "please report it"),
    ],
)
def test_a_refusal_names_the_call_the_table_and_what_to_do(
    faulty: FaultyClient, code: str, status: int, kind: type[BackupError], text: str
) -> None:
    faulty.answers("GetItem", code, "said the service", status)
    with pytest.raises(BackupError, match=text) as caught:
        faulty.catalog.plan(PLAN)
    assert type(caught.value) is kind
    assert isinstance(caught.value.__cause__, ClientError)


OPERATIONS: dict[str, Callable[[Catalog], object]] = {
    "PutItem": lambda catalog: catalog.save_run(a_run()),
    "UpdateItem": lambda catalog: catalog.acquire_lease(PLAN, RUN, later(60), NOW),
    "Query": lambda catalog: catalog.open_pauses(),
    "TransactWriteItems": lambda catalog: catalog.open_pause(a_journal(RUN)),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_kind_of_call_names_itself_when_it_is_not_allowed(faulty: FaultyClient, operation: str) -> None:
    faulty.answers(operation, "AccessDeniedException", "no")
    with pytest.raises(Forbidden, match=f"dynamodb:{operation} on table catalog is not allowed"):
        OPERATIONS[operation](faulty.catalog)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_kind_of_call_without_an_answer_is_unreachable(faulty: FaultyClient, operation: str) -> None:
    faulty.loses_the_answer(operation)
    with pytest.raises(Unreachable, match=f"dynamodb:{operation} on table catalog: no answer") as caught:
        OPERATIONS[operation](faulty.catalog)
    assert isinstance(caught.value.__cause__, BotoCoreError)


def test_a_table_that_does_not_exist_is_named(aws: boto3.Session) -> None:
    with pytest.raises(Misconfigured, match="table another: it does not exist"):
        DynamoDbCatalog("another", aws).plans()


def test_a_table_with_another_key_schema_is_named_with_the_right_one(aws: boto3.Session) -> None:
    aws.client("dynamodb").create_table(
        TableName="other",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(Misconfigured, match=r"pk \(HASH\) and sk \(RANGE\)"):
        DynamoDbCatalog("other", aws).plan(PLAN)


@pytest.mark.parametrize(
    "message",
    [
        "The provided key element does not match the schema",
        "One or more parameter values were invalid: Missing the key id in the item",
        "Query condition missed key schema element: id",
    ],
)
def test_every_text_about_keys_points_to_the_key_schema(faulty: FaultyClient, message: str) -> None:
    faulty.answers("PutItem", "ValidationException", message)
    with pytest.raises(Misconfigured, match="key schema is not the catalog's"):
        faulty.catalog.save_run(a_run())


def test_missing_credentials_are_named(aws: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(Misconfigured, match="Give the process a role"):
        DynamoDbCatalog(TABLE, boto3.Session(region_name="ap-northeast-1")).plans()


def test_time_outs_are_short_and_the_retries_are_the_sdk_s(aws: boto3.Session) -> None:
    assert (CLIENT.connect_timeout, CLIENT.read_timeout) == (2, 5)
    assert CLIENT.retries == {"mode": "standard", "total_max_attempts": 4}


def test_a_collision_of_two_transactions_is_temporary(faulty: FaultyClient) -> None:
    reasons = [{"Code": "None"}, {"Code": "None"}, {"Code": "TransactionConflict", "Message": "ongoing"}]
    faulty.answers("TransactWriteItems", "TransactionCanceledException", CancellationReasons=reasons)
    with pytest.raises(Throttled, match="another writer was at the same record"):
        faulty.catalog.open_pause(a_journal(RUN))


def test_a_throttled_transaction_is_temporary(faulty: FaultyClient) -> None:
    reasons = [{"Code": "ThrottlingError", "Message": "slow down"}]
    faulty.answers("TransactWriteItems", "TransactionCanceledException", CancellationReasons=reasons)
    with pytest.raises(Throttled):
        faulty.catalog.open_pause(a_journal(RUN))


def test_more_releases_than_a_transaction_holds_are_refused_before_anything_is_written(rival: Catalog) -> None:
    with pytest.raises(InvalidRequest, match="pauses 98 releases together; at most 97"):
        rival.open_pause(a_journal(RUN, releases=tuple(f"release-{number}" for number in range(98)), pods=0))


@pytest.mark.parametrize("pods", [3, 30_000], ids=["small", "in-parts"])
def test_a_journal_whose_answer_was_lost_is_found_by_the_next_call(faulty: FaultyClient, pods: int) -> None:
    faulty.catalog.acquire_lease(PLAN, RUN, later(60), NOW)
    faulty.loses_the_answer("TransactWriteItems")
    with pytest.raises(Unreachable):
        faulty.catalog.open_pause(a_journal(RUN, pods=pods))
    assert faulty.catalog.open_pause(a_journal(RUN, pods=pods)) == a_journal(RUN, pods=pods)


def test_a_close_whose_answer_was_lost_is_found_by_the_next_call(faulty: FaultyClient) -> None:
    faulty.catalog.acquire_lease(PLAN, RUN, later(60), NOW)
    faulty.catalog.open_pause(a_journal(RUN))
    faulty.loses_the_answer("TransactWriteItems")
    with pytest.raises(Unreachable):
        faulty.catalog.close_pause(RUN, 1, "run", later(20))
    assert faulty.catalog.close_pause(RUN, 1, "run", later(25)).closed_at == later(20)


def test_a_lease_whose_answer_was_lost_is_ours_at_the_next_call(faulty: FaultyClient) -> None:
    faulty.loses_the_answer("UpdateItem")
    with pytest.raises(Unreachable):
        faulty.catalog.acquire_lease(PLAN, RUN, later(60), NOW)
    assert faulty.catalog.acquire_lease(PLAN, RUN, later(60), NOW).token == 1


def test_a_lease_taken_between_the_two_writes_of_an_extension_is_not_extended(faulty: FaultyClient, rival: Catalog) -> None:
    rival.acquire_lease(PLAN, RUN, later(60), NOW)
    faulty.meets_a_rival("UpdateItem", lambda: rival.acquire_lease(PLAN, "rival", later(200), later(100)), nth=2)
    with pytest.raises(Throttled):
        faulty.catalog.acquire_lease(PLAN, RUN, later(160), later(100))
    with pytest.raises(LeaseHeld, match="rival"):
        faulty.catalog.acquire_lease(PLAN, RUN, later(160), later(100))


def test_a_plan_changed_between_reading_and_writing_is_a_conflict(faulty: FaultyClient, rival: Catalog) -> None:
    rival.put_plan(a_plan(), NOW)
    faulty.meets_a_rival("PutItem", lambda: rival.put_plan(a_plan(tables=("theirs",)), NOW))
    with pytest.raises(RevisionConflict, match="changed by somebody else"):
        faulty.catalog.put_plan(a_plan(tables=("ours",)), NOW)
    assert rival.plan(PLAN).plan == a_plan(tables=("theirs",))


def test_the_same_change_by_two_people_at_once_is_one_revision(faulty: FaultyClient, rival: Catalog) -> None:
    faulty.meets_a_rival("PutItem", lambda: rival.put_plan(a_plan(), NOW))
    assert faulty.catalog.put_plan(a_plan(), later(1)).applied_at == NOW


def test_a_pod_noted_while_the_entry_is_being_closed_is_kept(faulty: FaultyClient, rival: Catalog) -> None:
    rival.acquire_lease(PLAN, RUN, later(60), NOW)
    rival.open_pause(a_journal(RUN))
    faulty.meets_a_rival("TransactWriteItems", lambda: rival.mark_not_ours(RUN, 1, ["orders-2"]))
    assert faulty.catalog.close_pause(RUN, 1, "run", later(20)).not_ours == ("orders-2",)


def test_a_reader_in_the_middle_of_a_replacement_gets_one_whole_version(faulty: FaultyClient, rival: Catalog) -> None:
    rival.put_document(RUN, "tables", noise(LARGE, 1))
    faulty.meets_a_rival("GetItem", lambda: rival.put_document(RUN, "tables", noise(LARGE, 2)), nth=2)  # the first part
    assert faulty.catalog.document(RUN, "tables") == noise(LARGE, 2)


def test_a_list_read_in_the_middle_of_a_replacement_holds_the_new_version(faulty: FaultyClient, rival: Catalog) -> None:
    rival.save_run(a_run(reason=noise(LARGE)))
    faulty.meets_a_rival("GetItem", lambda: rival.save_run(a_run(reason="short")))
    assert faulty.catalog.runs(PLAN) == (a_run(reason="short"),)


def test_replaced_parts_are_removed(aws: boto3.Session, rival: Catalog) -> None:
    rival.put_document(RUN, "tables", noise(2 * LARGE))
    before = parts_in(aws)
    rival.put_document(RUN, "tables", noise(LARGE))
    assert 0 < parts_in(aws) < before
    rival.put_document(RUN, "tables", "short")
    assert parts_in(aws) == 0


def test_parts_of_a_refused_write_are_removed(aws: boto3.Session, rival: Catalog) -> None:
    rival.save_run(a_run(token=2))
    with pytest.raises(FencedOff):
        rival.save_run(a_run(token=1, reason=noise(LARGE)))
    with pytest.raises(FencedOff):
        rival.open_pause(a_journal(RUN, pods=30_000))
    assert parts_in(aws) == 0


def test_a_write_whose_answer_was_lost_keeps_its_parts(faulty: FaultyClient) -> None:
    faulty.catalog.put_document(RUN, "tables", "short")
    document = noise(LARGE)
    faulty.loses_the_answer("PutItem", nth=3)  # after its two parts
    with pytest.raises(Unreachable):
        faulty.catalog.put_document(RUN, "tables", document)
    assert faulty.catalog.document(RUN, "tables") == document


def test_every_item_stays_below_the_limit_of_an_item(aws: boto3.Session, rival: Catalog) -> None:
    for characters in (15_000, 17_000, 500_000, 540_000, 2_000_000):
        rival.put_document(RUN, f"of-{characters}", noise(characters))
    sizes = [sum(len(name) + len(next(iter(value.values()))) for name, value in item.items()) for item in every_item(aws)]
    assert max(sizes) < 400 * 1024
