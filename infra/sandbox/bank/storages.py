"""The databases that a bank can live on, each as a value that any process can make from the properties of a release.

What pods do with them is in the stores; here is what an operator does: create, fill, read whole tables, drop. DynamoDB is here,
relational databases are in `relational`, Cosmos DB is in `cosmos`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from infra.sandbox.bank.audit import NoSuchTable, Part, scan_with
from infra.sandbox.bank.dynamodb_store import DynamoDbStore, dynamodb_client
from infra.sandbox.bank.records import Row
from infra.sandbox.bank.schema import create_tables, put_rows
from infra.sandbox.bank.store import Store

OPERATOR_CONNECTIONS = 4
_DROP_SECONDS = 60.0
_POLL_SECONDS = 0.05


class Storage(Protocol):
    """One database of a bank. Tables are named without the namespace prefix."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def properties(self) -> Mapping[str, str]:
        """What a release must say to use it, by the names that follow `scalar.db.`."""

    def store(self, connections: int) -> Store:
        """For the transfers of a pod; `connections` is the number of threads that will use it."""

    def create(self, tables: Collection[str]) -> None:
        """What is missing of these tables and of ScalarDB's own, with ScalarDB's rows about them."""

    def write(self, table: str, rows: Iterable[Row]) -> None:
        """Rows of an account table or the Coordinator table, whatever stands there."""

    def drop(self, table: str) -> None:
        """With all its rows; back when it is gone. ScalarDB's rows about it stay. Raises NoSuchTable."""

    def part(self, tables: Collection[str], label: str = "") -> Part:
        """For the audit: what this database holds of a bank, if these are its tables."""


@dataclass(frozen=True)
class DynamoDb:
    """The DynamoDB of one region. `endpoint` is where the sandbox has it, `prefix` ScalarDB's namespace prefix."""

    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    endpoint: str | None = None
    prefix: str = ""

    @property
    def name(self) -> str:
        return f"DynamoDB of {self.region}" + (f" with prefix {self.prefix}" if self.prefix else "")

    @property
    def properties(self) -> Mapping[str, str]:
        found = {
            "storage": "dynamo",
            "contact_points": self.region,
            "username": self.access_key_id,
            "password": self.secret_access_key,
        }
        if self.endpoint:
            found["dynamo.endpoint_override"] = self.endpoint
        if self.prefix:
            found["dynamo.namespace.prefix"] = self.prefix
        return found

    def store(self, connections: int) -> Store:
        return DynamoDbStore(self._new_client(connections), self.prefix)

    def create(self, tables: Collection[str]) -> None:
        create_tables(self._client, self.prefix, tables=tables)

    def write(self, table: str, rows: Iterable[Row]) -> None:
        put_rows(self._client, self.prefix, table, rows)

    def drop(self, table: str) -> None:
        name = self.prefix + table
        try:
            self._client.delete_table(TableName=name)
        except self._client.exceptions.ResourceNotFoundException as error:
            raise NoSuchTable(name) from error
        ends_at = time.monotonic() + _DROP_SECONDS
        while name in self._table_names():
            if time.monotonic() > ends_at:
                raise TimeoutError(f"Table {name} is still there {_DROP_SECONDS:.0f} s after DeleteTable.")
            time.sleep(_POLL_SECONDS)

    def part(self, tables: Collection[str], label: str = "") -> Part:
        return Part(scan_with(self._client), tables, prefix=self.prefix, label=label)

    def _table_names(self) -> set[str]:
        pages = self._client.get_paginator("list_tables").paginate()
        return {name for page in pages for name in page["TableNames"]}

    @cached_property
    def _client(self) -> Any:
        return self._new_client(OPERATOR_CONNECTIONS)

    def _new_client(self, connections: int) -> Any:
        return dynamodb_client(self.region, self.access_key_id, self.secret_access_key, self.endpoint, connections)
