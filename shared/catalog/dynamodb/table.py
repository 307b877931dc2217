"""The catalog's table: its definition, and the few calls that everything in this package is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from shared.catalog.dynamodb.attributes import Item, from_attributes, to_attributes
from shared.catalog.dynamodb.errors import COLLIDED, collided, mapped
from shared.model.aws_errors import THROTTLING, AwsCall, refused

CLIENT = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 4})
"""Short time-outs, and the only level of retries: a step that fails here is repeated by the engine."""
ACTIONS = (
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
"""What a role needs on the table."""
MOST_IN_TRANSACTION = 100
"""Items in one TransactWriteItems (DynamoDB's quota)."""


class Key(NamedTuple):
    pk: str
    sk: str


class Refused(Exception):
    """A condition did not hold. `item` is what is stored instead; None when there is nothing."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("condition not met")
        self.item = item


class TransactionRefused(Exception):
    """Nothing was written. `by_key` holds, for each key whose condition did not hold, what is stored there."""

    def __init__(self, by_key: Mapping[Key, Item]) -> None:
        super().__init__("conditions not met")
        self.by_key = by_key


class Write(NamedTuple):
    """One part of a transaction. `kind` is Put, Delete or ConditionCheck; `item` is for Put only."""

    kind: str
    key: Key
    condition: str = ""
    values: Mapping[str, Any] = {}
    item: Mapping[str, Any] = {}


def table_definition(table_name: str = "scalar-backup-catalog") -> dict[str, Any]:
    """The arguments of CreateTable. A deployment adds point-in-time recovery, which has its own call."""
    return {
        "TableName": table_name,
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionProtectionEnabled": True,
    }


class Table:
    """Items in and out. In expressions `#name` stands for the attribute of that name and `:name` for the value of that name."""

    def __init__(self, name: str, session_or_client: Any) -> None:
        self.name = name
        is_session = isinstance(session_or_client, boto3.Session)
        self._client = session_or_client.client("dynamodb", config=CLIENT) if is_session else session_or_client

    def get(self, key: Key) -> Item | None:
        with mapped(self.call("GetItem")):
            answer = self._client.get_item(TableName=self.name, Key=to_attributes(key._asdict()), ConsistentRead=True)
        return from_attributes(answer["Item"]) if "Item" in answer else None

    def put(self, key: Key, item: Mapping[str, Any], condition: str = "", **values: Any) -> Item | None:
        """Returns what was there before. Raises Refused."""
        request = {"Item": to_attributes({**key._asdict(), **item}), **_expressions(condition, values)}
        answer = self._write("PutItem", self._client.put_item, {**request, "ReturnValues": "ALL_OLD"})
        return from_attributes(answer["Attributes"]) if "Attributes" in answer else None

    def update(self, key: Key, change: str, condition: str, **values: Any) -> Item:
        """Returns the item afterwards. Raises Refused."""
        request = {"Key": to_attributes(key._asdict()), "UpdateExpression": change, **_expressions(condition, values, change)}
        answer = self._write("UpdateItem", self._client.update_item, {**request, "ReturnValues": "ALL_NEW"})
        return from_attributes(answer["Attributes"])

    def delete(self, key: Key) -> None:
        self._write("DeleteItem", self._client.delete_item, {"Key": to_attributes(key._asdict())})

    def query(self, pk: str, prefix: str = "") -> Iterator[Item]:
        """The items of a partition whose sort key begins with `prefix`, in its order."""
        return self._pages({"ScanIndexForward": True}, pk, prefix)

    def newest(self, pk: str, prefix: str, limit: int) -> Iterator[Item]:
        """The last `limit` of them, backwards."""
        return islice(self._pages({"ScanIndexForward": False, "Limit": limit}, pk, prefix), limit)

    def newest_that(self, pk: str, prefix: str, condition: str, **values: Any) -> Iterator[Item]:
        """Those that fulfil `condition`, backwards, page by page."""
        return self._pages({"ScanIndexForward": False, "FilterExpression": condition}, pk, prefix, **values)

    def _pages(self, options: dict[str, Any], pk: str, prefix: str, **values: Any) -> Iterator[Item]:
        condition = "#pk = :pk AND begins_with(#sk, :prefix)" if prefix else "#pk = :pk"
        values |= {"pk": pk, **({"prefix": prefix} if prefix else {})}
        request: dict[str, Any] = {
            "TableName": self.name,
            "ConsistentRead": True,
            "KeyConditionExpression": condition,
            **options,
            **_placeholders(values, condition, options.get("FilterExpression", "")),
        }
        while True:
            with mapped(self.call("Query")):
                answer = self._client.query(**request)
            yield from map(from_attributes, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def transact(self, writes: Sequence[Write]) -> None:
        """All or nothing. Raises TransactionRefused."""
        call = self.call("TransactWriteItems")
        with mapped(call):
            try:
                self._client.transact_write_items(TransactItems=[self._transact_item(write) for write in writes])
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                raise _cancellation(call, writes, error.response.get("CancellationReasons", [])) from error

    def _transact_item(self, write: Write) -> dict[str, Any]:
        key = to_attributes(write.key._asdict())
        target = {"Item": {**key, **to_attributes(write.item)}} if write.kind == "Put" else {"Key": key}
        return {write.kind: {"TableName": self.name, **target, **_expressions(write.condition, write.values)}}

    def _write(self, operation: str, method: Any, request: dict[str, Any]) -> dict[str, Any]:
        with mapped(self.call(operation)):
            try:
                answer: dict[str, Any] = method(TableName=self.name, **request)
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                stored = error.response.get("Item")
                raise Refused(from_attributes(stored) if stored else None) from error
        return answer

    def call(self, operation: str) -> AwsCall:
        """The name of a call in error messages."""
        return AwsCall(f"dynamodb:{operation}", f"table {self.name}")


def _cancellation(call: AwsCall, writes: Sequence[Write], reasons: Sequence[Mapping[str, Any]]) -> Exception:
    """A collision or throttling says nothing about the conditions, so it only counts when every condition held."""
    by_key = {
        write.key: from_attributes(reason.get("Item", {}))
        for write, reason in zip(writes, reasons, strict=False)
        if reason.get("Code") == "ConditionalCheckFailed"
    }
    if by_key:
        return TransactionRefused(by_key)
    for reason in reasons:
        code = reason.get("Code", "None")
        if code in COLLIDED:
            return collided(call)
        if code in THROTTLING or code != "None":
            return refused(call, code, reason.get("Message", ""))
    return collided(call)


def _expressions(condition: str, values: Mapping[str, Any], change: str = "") -> dict[str, Any]:
    """A failed condition answers with the stored item, so that the refusal can name who was first without a second read."""
    if not condition:
        return _placeholders(values, change)
    return {
        "ConditionExpression": condition,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        **_placeholders(values, condition, change),
    }


def _placeholders(values: Mapping[str, Any], *expressions: str) -> dict[str, Any]:
    names = {match for expression in expressions for match in re.findall(r"#\w+", expression)}
    return {
        **({"ExpressionAttributeNames": {name: name[1:] for name in sorted(names)}} if names else {}),
        **(
            {"ExpressionAttributeValues": {f":{name}": value for name, value in to_attributes(values).items()}}
            if values
            else {}
        ),
    }
