"""ScalarDB's Schema Loader, of which a restore needs `--repair-all`: it brings back what a restored Cosmos DB account lacks.

Source: "ScalarDB Schema Loader"; its exit codes are 0 and 1.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.sandbox.bank.release_storages import ReleaseStorages, storages_of
from infra.sandbox.bank.schema_file import tables_of
from infra.sandbox.bank.tables import COORDINATOR_TABLE
from infra.sandbox.pods import properties
from infra.sandbox.pods.properties import PropertiesError

_IMAGE = re.compile(r"(.*/)?scalardb-schema-loader:[^/]+")


def is_image(image: str) -> bool:
    return _IMAGE.fullmatch(image) is not None


def main(root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """`root` is the file system of its container. The exit code."""
    parser = argparse.ArgumentParser(prog="schema-loader", exit_on_error=False)
    parser.add_argument("--config", "-c", required=True)
    parser.add_argument("--schema-file", "-f", required=True)
    parser.add_argument("--coordinator", action="store_true")
    parser.add_argument("--repair-all", action="store_true", required=True)
    try:
        options = parser.parse_args(arguments)
        settings = properties.load(root, (options.config,), environment)
        tables = tables_of((root / options.schema_file.lstrip("/")).read_text(encoding="utf-8"))
        storages = storages_of(settings, environment.get("BANK_SQL_URL"), environment.get("BANK_DOCUMENTS_URL"))
    except (argparse.ArgumentError, PropertiesError, OSError, ValueError) as error:
        print(f"ERROR the Schema Loader cannot start: {error}", flush=True)
        return 1
    if storages is None:
        print("ERROR the properties name a database that is not known here.", flush=True)
        return 1
    return _repair_all(storages, (*tables, COORDINATOR_TABLE) if options.coordinator else tables)


def _repair_all(storages: ReleaseStorages, tables: Sequence[str]) -> int:
    for table in tables:
        storage = storages.storage_of(table)
        try:
            storage.create([table])
        except Exception as error:  # noqa: BLE001 - of whichever database: the log is all that anybody sees
            print(f"ERROR Repairing the table {table} failed: {error}", flush=True)
            return 1
        print(f"INFO Repairing the table {table} succeeded. ({storage.name})", flush=True)
    return 0
