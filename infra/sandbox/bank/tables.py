"""The bank's tables as ScalarDB sees them: names, columns, keys, and how its DynamoDB adapter encodes a key.

Sources: ScalarDB's DynamoAdmin, KeyBytesEncoder, TransactionTableMetadata, and TableMetadataService of its JDBC adapter.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PARTITION_KEY = "concatenatedPartitionKey"
BEFORE = "before_"

ACCOUNT_TABLES = ("bank.checking", "bank.savings", "bank.wallets")
COORDINATOR_TABLE = "coordinator.state"
METADATA_TABLE = "scalardb.metadata"
NAMESPACES_TABLE = "scalardb.namespaces"
BANK_TABLES = (*ACCOUNT_TABLES, COORDINATOR_TABLE)
SYSTEM_TABLES = (METADATA_TABLE, NAMESPACES_TABLE)
ALL_TABLES = (*BANK_TABLES, *SYSTEM_TABLES)

# Attribute names of the metadata table and the namespaces table on DynamoDB.
METADATA_KEY = "table"
NAMESPACES_KEY = "namespace_name"
# A relational database describes a table by one row for each column.
METADATA_TABLE_COLUMN, METADATA_COLUMN_COLUMN = "full_table_name", "column_name"

# What the application stores: `counterpart` names the other account of the last transfer and `counterpart_version`
# the tx_version which that same transfer gave it. So either side of a transfer can tell whether the other is there.
APPLICATION_COLUMNS: Mapping[str, str] = {
    "owner": "text",
    "balance": "bigint",
    "counterpart": "text",
    "counterpart_version": "int",
}
TRANSACTION_COLUMNS: Mapping[str, str] = {
    "tx_id": "text",
    "tx_state": "int",
    "tx_version": "int",
    "tx_prepared_at": "bigint",
    "tx_committed_at": "bigint",
}
# One version of a record; the version before it is stored beside it, each column under the prefix `before_`.
VERSION_COLUMNS: Mapping[str, str] = {**APPLICATION_COLUMNS, **TRANSACTION_COLUMNS}


@dataclass(frozen=True)
class TableSchema:
    """One table: its ScalarDB partition key column, all columns with their ScalarDB types, its indexed columns."""

    partition_key: str
    columns: Mapping[str, str]
    indexed: tuple[str, ...] = field(default=())


def _account_schema(indexed: tuple[str, ...] = ()) -> TableSchema:
    before = {BEFORE + name: kind for name, kind in VERSION_COLUMNS.items()}
    return TableSchema("account_id", {"account_id": "int", **VERSION_COLUMNS, **before}, indexed)


_COORDINATOR_SCHEMA = TableSchema(
    "tx_id", {"tx_id": "text", "tx_child_ids": "text", "tx_state": "int", "tx_created_at": "bigint"}
)


def schema_of(table: str) -> TableSchema:
    """The schema of the Coordinator table, or of an account table in whatever namespace.

    Savings have a secondary index, so that restores meet one.
    """
    if table == COORDINATOR_TABLE:
        return _COORDINATOR_SCHEMA
    return _account_schema(indexed=("owner",) if table.endswith(".savings") else ())


# The tables that ScalarDB's metadata describes, in a bank on one storage.
SCHEMAS: Mapping[str, TableSchema] = {table: schema_of(table) for table in BANK_TABLES}


def namespaces_of(tables: Iterable[str]) -> tuple[str, ...]:
    """The namespaces that a storage with these tables lists, ScalarDB's own included."""
    return tuple(sorted({table.rpartition(".")[0] for table in (*tables, METADATA_TABLE)}))


def index_name(table_name: str, column: str) -> str:
    """The name of the global secondary index on a column; `table_name` includes the namespace prefix."""
    return f"{table_name}.global_index.{column}"


def encode_int_key(number: int) -> bytes:
    """An INT key column: big-endian with the sign bit flipped, so that bytes sort as numbers do."""
    return struct.pack(">I", number + (1 << 31))


def encode_text_key(text: str) -> bytes:
    """A TEXT key column: UTF-8 and a terminating zero byte."""
    return text.encode() + b"\x00"
