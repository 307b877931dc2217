"""The bank's tables as ScalarDB sees them: names, columns, keys, and how its DynamoDB adapter encodes a key.

Sources: ScalarDB's DynamoAdmin, KeyBytesEncoder and TransactionTableMetadata.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

PARTITION_KEY = "concatenatedPartitionKey"
BEFORE = "before_"

ACCOUNT_TABLES = ("bank.checking", "bank.savings", "bank.wallets")
COORDINATOR_TABLE = "coordinator.state"
METADATA_TABLE = "scalardb.metadata"
NAMESPACES_TABLE = "scalardb.namespaces"
ALL_TABLES = (*ACCOUNT_TABLES, COORDINATOR_TABLE, METADATA_TABLE, NAMESPACES_TABLE)
NAMESPACES = ("bank", "coordinator", "scalardb")

# Attribute names of the metadata table and the namespaces table.
METADATA_KEY = "table"
NAMESPACES_KEY = "namespace_name"

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


# The tables that ScalarDB's metadata describes. One has a secondary index, so that restores meet one.
SCHEMAS: Mapping[str, TableSchema] = {
    "bank.checking": _account_schema(),
    "bank.savings": _account_schema(indexed=("owner",)),
    "bank.wallets": _account_schema(),
    COORDINATOR_TABLE: TableSchema(
        "tx_id", {"tx_id": "text", "tx_child_ids": "text", "tx_state": "int", "tx_created_at": "bigint"}
    ),
}


def index_name(table_name: str, column: str) -> str:
    """The name of the global secondary index on a column; `table_name` includes the namespace prefix."""
    return f"{table_name}.global_index.{column}"


def encode_int_key(number: int) -> bytes:
    """An INT key column: big-endian with the sign bit flipped, so that bytes sort as numbers do."""
    return struct.pack(">I", number + (1 << 31))


def encode_text_key(text: str) -> bytes:
    """A TEXT key column: UTF-8 and a terminating zero byte."""
    return text.encode() + b"\x00"
