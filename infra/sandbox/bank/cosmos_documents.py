"""Rows as ScalarDB's Cosmos DB adapter writes them, and back: keys, key columns and the other columns in parts of their own.

Sources: ScalarDB's Record, ConcatenationVisitor, CosmosTableMetadata and CosmosAdmin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.sandbox.bank.records import Row
from infra.sandbox.bank.tables import METADATA_KEY, METADATA_TABLE, NAMESPACES_KEY, NAMESPACES_TABLE, PARTITION_KEY, schema_of

Document = Mapping[str, Any]

STORED_PROCEDURE = "mutate.js"
"""Every container of records has it; ScalarDB writes through it only."""
PARTITION_KEY_PATH = f"/{PARTITION_KEY}"
SYSTEM_PARTITION_KEY_PATH = "/id"


def place_of(table: str) -> tuple[str, str]:
    """Database and container of a table: a namespace is a database."""
    database, _, container = table.rpartition(".")
    return database, container


def key_of(value: int | str) -> str:
    """The concatenated key of a record whose primary key is one column."""
    return str(value)


def document_of(table: str, row: Row) -> dict[str, Any]:
    """The document of a row of an account table or the Coordinator table."""
    key_column = schema_of(table).partition_key
    key = key_of(row[key_column])
    return {
        "id": key,
        PARTITION_KEY: key,
        "partitionKey": {key_column: row[key_column]},
        "clusteringKey": {},
        "values": {name: value for name, value in row.items() if name != key_column},
    }


def row_of(table: str, document: Document) -> dict[str, Any]:
    """The row of a document of any of ScalarDB's containers."""
    if table == METADATA_TABLE:
        return {METADATA_KEY: document["id"], **{name: document[name] for name in _METADATA_FIELDS}}
    if table == NAMESPACES_TABLE:
        return {NAMESPACES_KEY: document["id"]}
    return {**document["partitionKey"], **document["clusteringKey"], **document["values"]}


def metadata_document(table: str) -> dict[str, Any]:
    """What ScalarDB's own container says about one table."""
    schema = schema_of(table)
    return {
        "id": table,
        "partitionKeyNames": [schema.partition_key],
        "clusteringKeyNames": [],
        "clusteringOrders": {},
        "secondaryIndexNames": list(schema.indexed),
        "columns": dict(schema.columns),
    }


def indexing_policy(table: str) -> dict[str, Any]:
    """Only keys and indexed columns are indexed."""
    paths = [f"{PARTITION_KEY_PATH}/?", "/clusteringKey/*", *(f"/values/{column}/?" for column in schema_of(table).indexed)]
    return {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": path} for path in paths],
        "excludedPaths": [{"path": "/*"}],
    }


_METADATA_FIELDS = ("partitionKeyNames", "clusteringKeyNames", "clusteringOrders", "secondaryIndexNames", "columns")
