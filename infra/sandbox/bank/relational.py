"""A relational database that a bank lives on, made and filled the way ScalarDB's Schema Loader does it.

Source: TableMetadataService and NamespaceMetadataService of ScalarDB's JDBC adapter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from infra.sandbox.bank.audit import NoSuchTable, Part
from infra.sandbox.bank.jdbc_url import jdbc_host
from infra.sandbox.bank.records import Row
from infra.sandbox.bank.relational_store import RelationalStore, key_of, whole_row
from infra.sandbox.bank.storages import OPERATOR_CONNECTIONS
from infra.sandbox.bank.store import Store
from infra.sandbox.bank.tables import (
    METADATA_COLUMN_COLUMN,
    METADATA_TABLE,
    METADATA_TABLE_COLUMN,
    NAMESPACES_KEY,
    NAMESPACES_TABLE,
    SYSTEM_TABLES,
    namespaces_of,
    schema_of,
)
from infra.sandbox.relational.client import Connection, DatabaseError, SqlClient


@dataclass(frozen=True)
class Relational:
    """The database behind a JDBC URL. Its host name means something to the sandbox only, which answers at `sql_url`."""

    url: str
    user: str
    password: str = field(repr=False)
    sql_url: str

    @property
    def name(self) -> str:
        where = jdbc_host(self.url)
        return f"{where.host}:{where.port}"

    @property
    def properties(self) -> Mapping[str, str]:
        return {"storage": "jdbc", "contact_points": self.url, "username": self.user, "password": self.password}

    def store(self, connections: int) -> Store:
        return RelationalStore(self._connect(connections), self.name)

    def create(self, tables: Collection[str]) -> None:
        for table in (*tables, *SYSTEM_TABLES):
            self._connection.create_table(table)
        for table in tables:
            for row in metadata_rows(table):
                key = f"{row[METADATA_TABLE_COLUMN]}/{row[METADATA_COLUMN_COLUMN]}"
                self._connection.put(METADATA_TABLE, key, row)
        for namespace in namespaces_of(tables):
            self._connection.put(NAMESPACES_TABLE, namespace, {NAMESPACES_KEY: namespace})

    def write(self, table: str, rows: Iterable[Row]) -> None:
        for row in rows:
            self._connection.put(table, key_of(table, row), whole_row(table, row))

    def drop(self, table: str) -> None:
        if not self._connection.drop_table(table):
            raise NoSuchTable(table)

    def part(self, tables: Collection[str], label: str = "") -> Part:
        return Part(self._scan, tables, label=label)

    def _scan(self, table: str) -> Iterable[Row]:
        try:
            return self._connection.scan(table).values()
        except DatabaseError as error:
            if error.code != "NoSuchTable":
                raise
            raise NoSuchTable(table) from error

    @cached_property
    def _connection(self) -> Connection:
        return self._connect(OPERATOR_CONNECTIONS)

    def _connect(self, connections: int) -> Connection:
        where = jdbc_host(self.url)
        return SqlClient(self.sql_url, connections).connect(where.host, where.port, self.user, self.password)


def metadata_rows(table: str) -> Iterator[dict[str, Any]]:
    """The rows of `scalardb.metadata` about one table: one for each column, the key's first. All keys have one column."""
    schema = schema_of(table)
    for position, (column, kind) in enumerate(schema.columns.items(), start=1):
        yield {
            METADATA_TABLE_COLUMN: table,
            METADATA_COLUMN_COLUMN: column,
            "data_type": kind.upper(),
            "key_type": "PARTITION" if column == schema.partition_key else None,
            "clustering_order": None,
            "indexed": column in schema.indexed,
            "ordinal_position": position,
        }
