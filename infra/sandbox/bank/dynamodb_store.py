"""The bank's reads and conditional writes on DynamoDB, one request each; no retries, because transfers retry as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader

from infra.sandbox.bank.dynamodb_items import item_of, key_of, row_of
from infra.sandbox.bank.records import Account, Record, Row, TransactionState, Version, coordinator_row
from infra.sandbox.bank.store import StorageError
from infra.sandbox.bank.tables import COORDINATOR_TABLE, PARTITION_KEY

_CONNECT_TIMEOUT_SECONDS = 2
_READ_TIMEOUT_SECONDS = 5
_MODELS: Loader = create_loader()
"""Reads DynamoDB's model from the disk once for all clients: most of what a client costs."""
# The same record is still there, in the version that was read.
_UNCHANGED = "tx_id = :tx_id AND tx_version = :tx_version AND tx_state = :tx_state"


class DynamoDbStore:
    """A Store. `client` is a botocore DynamoDB client, `prefix` ScalarDB's namespace prefix."""

    def __init__(self, client: Any, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix

    def read(self, account: Account) -> Record:
        row = self._row(account.table, account.number)
        if row is None:
            raise StorageError.no_such_account(account, f"table {self._prefix}{account.table}")
        return Record.from_row(account.table, row)

    def replace(self, record: Record, was: Version) -> bool:
        """ScalarDB sets the changed columns by UpdateItem. Under this condition a whole PutItem leaves the same item,
        for a third of the work in the sandbox.
        """
        values = {
            ":tx_id": {"S": was.tx_id},
            ":tx_version": {"N": str(was.tx_version)},
            ":tx_state": {"N": str(int(was.tx_state))},
        }
        return self._put(record.account.table, record.as_row(), _UNCHANGED, values)

    def decide(self, tx_id: str, state: TransactionState, at_ms: int) -> bool:
        return self._put(COORDINATOR_TABLE, coordinator_row(tx_id, state, at_ms), f"attribute_not_exists({PARTITION_KEY})")

    def decision(self, tx_id: str) -> TransactionState | None:
        row = self._row(COORDINATOR_TABLE, tx_id)
        return None if row is None else TransactionState(row["tx_state"])

    def _row(self, table: str, key: int | str) -> Row | None:
        answer = self._request("get_item", table, Key=key_of(key), ConsistentRead=True)
        return row_of(answer["Item"]) if "Item" in answer else None

    def _put(self, table: str, row: Row, condition: str, values: Mapping[str, Any] | None = None) -> bool:
        parameters = {"Item": item_of(table, row), "ConditionExpression": condition}
        if values:
            parameters["ExpressionAttributeValues"] = values
        try:
            self._request("put_item", table, **parameters)
        except _ConditionFailed:
            return False
        return True

    def _request(self, operation: str, table: str, **parameters: Any) -> dict[str, Any]:
        call: Callable[..., dict[str, Any]] = getattr(self._client, operation)
        name = self._prefix + table
        try:
            return call(TableName=name, **parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                raise _ConditionFailed from error
            raise StorageError(f"DynamoDB refused {operation} on table {name}: {code}: {error}") from error
        except BotoCoreError as error:
            raise StorageError(
                f"No answer from DynamoDB to {operation} on table {name}: {error}. The endpoint in the properties is "
                "wrong, or the service is down."
            ) from error


def dynamodb_client(region: str, access_key_id: str, secret_access_key: str, endpoint: str | None, connections: int) -> Any:
    """A botocore client as a pod has it; `connections` is the number of threads that will use it."""
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        read_timeout=_READ_TIMEOUT_SECONDS,
        # A repeated conditional write may fail because of its own first try; a failed transfer starts anew instead.
        retries={"total_max_attempts": 1},
        max_pool_connections=connections,
        parameter_validation=False,
    )
    session = botocore.session.get_session()
    session.register_component("data_loader", _MODELS)
    return session.create_client(
        "dynamodb",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        config=config,
    )


class _ConditionFailed(Exception):
    """The condition of a conditional write did not hold."""
