"""States, settings and atomicity of DynamoDB tables."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.contract.aws.conftest import FAST, make_table, status, wait_until
from tests.contract.aws.test_dynamodb_recovery import refusal


def test_a_deleted_table_keeps_its_name_for_a_while(aws: Any, dynamodb: Any) -> None:
    aws.settings(delete_seconds=0.4)
    make_table(dynamodb)
    assert dynamodb.delete_table(TableName="accounts")["TableDescription"]["TableStatus"] == "DELETING"
    assert refusal(lambda: make_table(dynamodb)) == "ResourceInUseException"
    assert dynamodb.delete_table(TableName="accounts")["TableDescription"]["TableStatus"] == "DELETING"
    assert status(dynamodb, "accounts") == "DELETING"
    wait_until(lambda: status(dynamodb, "accounts") is None, "the table to go")
    make_table(dynamodb)


def test_a_protected_table_cannot_be_deleted(dynamodb: Any) -> None:
    make_table(dynamodb, DeletionProtectionEnabled=True)
    assert refusal(lambda: dynamodb.delete_table(TableName="accounts")) == "ValidationException"
    assert status(dynamodb, "accounts") == "ACTIVE"


def test_encryption_can_be_changed(aws: Any, dynamodb: Any) -> None:
    aws.settings(update_seconds=0.3)
    make_table(dynamodb)
    dynamodb.update_table(TableName="accounts", SSESpecification={"Enabled": True, "SSEType": "KMS"})
    described = dynamodb.describe_table(TableName="accounts")["Table"]
    assert (described["TableStatus"], described["SSEDescription"]["SSEType"]) == ("UPDATING", "KMS")
    again = {"TableName": "accounts", "DeletionProtectionEnabled": True}
    assert refusal(lambda: dynamodb.update_table(**again)) == "ResourceInUseException"
    wait_until(lambda: status(dynamodb, "accounts") == "ACTIVE", "the change to end")
    dynamodb.update_table(**again)


def test_one_update_makes_one_kind_of_change(dynamodb: Any) -> None:
    make_table(dynamodb)
    both = {"SSESpecification": {"Enabled": True}, "DeletionProtectionEnabled": True}
    assert refusal(lambda: dynamodb.update_table(TableName="accounts", **both)) == "ValidationException"


def test_time_to_live_changes_once_an_hour(aws: Any, dynamodb: Any) -> None:
    make_table(dynamodb)

    def set_expiry(enabled: bool) -> None:
        specification = {"Enabled": enabled, "AttributeName": "expires"}
        dynamodb.update_time_to_live(TableName="accounts", TimeToLiveSpecification=specification)

    set_expiry(True)
    assert refusal(lambda: set_expiry(False)) == "ValidationException"
    aws.settings(ttl_change_seconds=0)
    assert refusal(lambda: set_expiry(True)) == "ValidationException"
    set_expiry(False)
    described = dynamodb.describe_time_to_live(TableName="accounts")["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "DISABLED"}


def test_of_many_conditional_writes_at_once_one_wins(aws: Any, dynamodb: Any) -> None:
    aws.settings(**FAST)
    make_table(dynamodb)
    won = []

    def take(owner: int) -> None:
        item = {"pk": {"S": "lease"}, "owner": {"N": str(owner)}}
        try:
            dynamodb.put_item(TableName="accounts", Item=item, ConditionExpression="attribute_not_exists(pk)")
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return
        won.append(owner)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(take, range(32)))
    assert len(won) == 1


@pytest.mark.parametrize("transactional", [True, False])
def test_concurrent_transfers_lose_nothing(aws: Any, dynamodb: Any, transactional: bool) -> None:
    make_table(dynamodb)
    names = ["a", "b", "c", "d"]
    for name in names:
        dynamodb.put_item(TableName="accounts", Item={"pk": {"S": name}, "balance": {"N": "100"}})

    def change(name: str, by: int) -> dict[str, Any]:
        return {
            "TableName": "accounts",
            "Key": {"pk": {"S": name}},
            "UpdateExpression": "SET balance = balance + :by",
            "ExpressionAttributeValues": {":by": {"N": str(by)}},
        }

    def transfer(number: int) -> None:
        payer, payee = names[number % 4], names[(number + 1) % 4]
        if transactional:
            # A condition that fails now and then: the rollback must not undo the writes of others.
            missing = {"TableName": "accounts", "Key": {"pk": {"S": "x"}}, "ConditionExpression": "attribute_exists(pk)"}
            check = [{"ConditionCheck": missing}] if number % 5 == 0 else []
            items = [{"Update": change(payer, -1)}, {"Update": change(payee, 1)}, *check]
            if check:
                assert refusal(lambda: dynamodb.transact_write_items(TransactItems=items)) == ("TransactionCanceledException")
            else:
                dynamodb.transact_write_items(TransactItems=items)
            return
        dynamodb.update_item(**change(payer, -1))
        dynamodb.update_item(**change(payee, 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(transfer, range(60)))
    items = dynamodb.scan(TableName="accounts", ConsistentRead=True)["Items"]
    assert sum(int(item["balance"]["N"]) for item in items) == 400
