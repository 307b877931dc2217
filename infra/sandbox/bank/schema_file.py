"""The schema file of a bank, as ScalarDB's Schema Loader takes it, and the tables that such a file names.

Source: "ScalarDB Schema Loader", section on the schema file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from infra.sandbox.bank.tables import APPLICATION_COLUMNS, COORDINATOR_TABLE, schema_of


def schema_file(tables: Iterable[str]) -> str:
    """JSON with all account tables among `tables`; the Coordinator's is made by an option, and stands in no schema file."""
    found = {}
    for table in tables:
        if table == COORDINATOR_TABLE:
            continue
        schema = schema_of(table)
        columns = [schema.partition_key, *APPLICATION_COLUMNS]
        found[table] = {
            "transaction": True,
            "partition-key": [schema.partition_key],
            "columns": {name: schema.columns[name].upper() for name in columns},
            "secondary-index": list(schema.indexed),
        }
    return json.dumps(found, indent=2)


def tables_of(text: str) -> tuple[str, ...]:
    """Raises ValueError for what is no schema file."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("a schema file is a JSON object with a table under each name")  # noqa: TRY004 - as json raises it
    return tuple(document)
