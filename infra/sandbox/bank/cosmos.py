"""An account of Cosmos DB that a bank lives on, made and filled the way ScalarDB's Schema Loader does it.

Source: ScalarDB's CosmosAdmin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from infra.sandbox.azure.cosmos.client import AccountConnection, CosmosClient, CosmosError
from infra.sandbox.bank.audit import NoSuchTable, Part
from infra.sandbox.bank.cosmos_documents import (
    PARTITION_KEY_PATH,
    STORED_PROCEDURE,
    SYSTEM_PARTITION_KEY_PATH,
    document_of,
    indexing_policy,
    metadata_document,
    place_of,
    row_of,
)
from infra.sandbox.bank.cosmos_store import CosmosStore
from infra.sandbox.bank.records import Row
from infra.sandbox.bank.storages import OPERATOR_CONNECTIONS
from infra.sandbox.bank.store import Store
from infra.sandbox.bank.tables import METADATA_TABLE, NAMESPACES_TABLE, SYSTEM_TABLES, namespaces_of

_REQUEST_UNITS = 400
"""Of each database, whose containers share them."""


@dataclass(frozen=True)
class Cosmos:
    """The account behind an endpoint such as https://orders.documents.azure.com:443/. Its host name means something to the
    sandbox's Azure only, which answers at `documents_url`."""

    endpoint: str
    key: str = field(repr=False)
    documents_url: str

    @property
    def name(self) -> str:
        return f"Cosmos DB at {self.endpoint}"

    @property
    def properties(self) -> Mapping[str, str]:
        return {"storage": "cosmos", "contact_points": self.endpoint, "password": self.key}

    def store(self, connections: int) -> Store:
        return CosmosStore(self._connect(connections), self.name)

    def create(self, tables: Collection[str]) -> None:
        for namespace in namespaces_of(tables):
            self._connection.create_database(namespace, _REQUEST_UNITS)
        for table in SYSTEM_TABLES:
            self._connection.create_container(*place_of(table), SYSTEM_PARTITION_KEY_PATH)
        for table in tables:
            self._connection.create_container(*place_of(table), PARTITION_KEY_PATH, {"indexingPolicy": indexing_policy(table)})
            self._connection.upsert(*place_of(METADATA_TABLE), metadata_document(table))
        for namespace in namespaces_of(tables):
            self._connection.upsert(*place_of(NAMESPACES_TABLE), {"id": namespace})
        self.repair(tables)

    def repair(self, tables: Collection[str]) -> None:
        """What the Schema Loader's --repair-all does after a restore: the stored procedure of each container is there again."""
        for table in tables:
            self._connection.create_procedure(
                *place_of(table), STORED_PROCEDURE, "function mutate(mutations) { /* ScalarDB */ }"
            )

    def write(self, table: str, rows: Iterable[Row]) -> None:
        for row in rows:
            self._connection.upsert(*place_of(table), document_of(table, row))

    def drop(self, table: str) -> None:
        if not self._connection.drop_container(*place_of(table)):
            raise NoSuchTable(table)

    def part(self, tables: Collection[str], label: str = "") -> Part:
        return Part(self._scan, tables, label=label)

    def _scan(self, table: str) -> Iterable[Row]:
        try:
            return [row_of(table, document) for document in self._connection.query(*place_of(table))]
        except CosmosError as error:
            if error.code != "NotFound":
                raise
            raise NoSuchTable(table) from error

    @cached_property
    def _connection(self) -> AccountConnection:
        return self._connect(OPERATOR_CONNECTIONS)

    def _connect(self, connections: int) -> AccountConnection:
        return CosmosClient(self.documents_url, connections).connect(self.endpoint, self.key)
