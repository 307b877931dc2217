"""The bank's reads and conditional writes on DynamoDB, one request each; no retries, because transfers retry as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.sandbox.bank.records import Account, Record, TransactionState, Version
from infra.sandbox.bank.tables import COORDINATOR_TABLE, PARTITION_KEY, encode_text_key

_CONNECT_TIMEOUT_SECONDS = 2
_READ_TIMEOUT_SECONDS = 5
# The same record is still there, in the version that was read.
_UNCHANGED = "tx_id = :tx_id AND tx_version = :tx_version AND tx_state = :tx_state"


class StorageError(RuntimeError):
    """A request to DynamoDB failed, or nobody knows whether it took effect."""


class Store:
    """All tables of one bank. `client` is a botocore DynamoDB client, `prefix` ScalarDB's namespace prefix."""

    def __init__(self, client: Any, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix

    @classmethod
    def connect(
        cls, region: str, access_key_id: str, secret_access_key: str, endpoint: str | None, prefix: str, connections: int
    ) -> Store:
        """A store with a client of its own; `connections` is the number of threads that will use it."""
        config = Config(
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            read_timeout=_READ_TIMEOUT_SECONDS,
            # A repeated conditional write may fail because of its own first try; a failed transfer starts anew instead.
            retries={"total_max_attempts": 1},
            max_pool_connections=connections,
            parameter_validation=False,
        )
        client = botocore.session.get_session().create_client(
            "dynamodb",
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            config=config,
        )
        return cls(client, prefix)

    def read(self, account: Account) -> Record:
        """The account's record, read consistently. Raises StorageError, also when there is none."""
        answer = self._request("get_item", account.table, Key=account.key, ConsistentRead=True)
        if "Item" not in answer:
            raise StorageError(
                f"Account {account} does not exist in table {self._prefix}{account.table}. The bank was not seeded with "
                "that many accounts, or the table was restored without its data; compare BANK_ACCOUNTS with the seed."
            )
        return Record.from_item(account.table, answer["Item"])

    def replace(self, record: Record, was: Version) -> bool:
        """Writes the record if it is still in version `was`; whether it was. Raises StorageError.

        ScalarDB sets the changed columns by UpdateItem. Under this condition a whole PutItem leaves the same item,
        for a third of the work in the sandbox.
        """
        values = {
            ":tx_id": {"S": was.tx_id},
            ":tx_version": {"N": str(was.tx_version)},
            ":tx_state": {"N": str(int(was.tx_state))},
        }
        return self._put(record.account.table, record.as_item(), _UNCHANGED, values)

    def decide(self, tx_id: str, state: TransactionState, at_ms: int) -> bool:
        """Puts the transaction's Coordinator row unless it has one; whether this call decided. Raises StorageError."""
        return self._put(COORDINATOR_TABLE, coordinator_item(tx_id, state, at_ms), f"attribute_not_exists({PARTITION_KEY})")

    def decision(self, tx_id: str) -> TransactionState | None:
        """What the Coordinator says of a transaction, None while it is undecided. Raises StorageError."""
        key = {PARTITION_KEY: {"B": encode_text_key(tx_id)}}
        item = self._request("get_item", COORDINATOR_TABLE, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else TransactionState(int(item["tx_state"]["N"]))

    def _put(self, table: str, item: Mapping[str, Any], condition: str, values: Mapping[str, Any] | None = None) -> bool:
        parameters = {"Item": item, "ConditionExpression": condition}
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


class _ConditionFailed(Exception):
    """The condition of a conditional write did not hold."""


def coordinator_item(tx_id: str, state: TransactionState, at_ms: int) -> dict[str, dict[str, Any]]:
    """A row of the Coordinator table."""
    return {
        PARTITION_KEY: {"B": encode_text_key(tx_id)},
        "tx_id": {"S": tx_id},
        "tx_state": {"N": str(int(state))},
        "tx_created_at": {"N": str(at_ms)},
    }
