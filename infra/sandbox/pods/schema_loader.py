"""The Schema Loaders of ScalarDB and ScalarDL, of which a restore needs `--repair-all`: it brings back what a restored Cosmos
DB account lacks. Then the container ends, with 0 or 1, or with 2 for options that are none.

Source: "ScalarDB Schema Loader", "ScalarDL Schema Loader". The latter's image has the schema in it, renders its properties when
it starts, and is told by SCHEMA_TYPE whose tables are meant; here these are the bank's.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.sandbox.bank.release_storages import ReleaseStorages, storages_of
from infra.sandbox.bank.schema_file import tables_of
from infra.sandbox.bank.tables import COORDINATOR_TABLE
from infra.sandbox.bank.workers import BankSettings, InvalidSetting
from infra.sandbox.pods import properties
from infra.sandbox.pods.properties import PropertiesError

_IMAGE = re.compile(r"(?:.*/)?(?P<product>scalardb|scalardl)-schema-loader[:@].+")
_LEDGER, _AUDITOR = "ledger", "auditor"


class CannotStart(ValueError):
    """What it was given does not go together."""


def is_image(image: str) -> bool:
    return _IMAGE.fullmatch(image) is not None


def main(image: str, root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """`root` is the file system of its container. The exit code; SystemExit with 2 for options that are none."""
    found = _IMAGE.fullmatch(image)
    has_schema = found is not None and found["product"] == "scalardl"
    options = _options(arguments, has_schema)
    try:
        tables = _tables_in_the_image(environment) if has_schema else _tables_of_the_file(root, options.schema_file)
        mounted_at = (f"{options.config}.tmpl", options.config) if has_schema else (options.config,)
        settings = properties.load(root, mounted_at, environment)
        storages = storages_of(settings, environment.get("BANK_SQL_URL"), environment.get("BANK_DOCUMENTS_URL"))
        if storages is None:
            raise CannotStart(f"Storage {settings.get('scalar.db.storage', '')!r} is not found.")  # noqa: TRY301
    except (CannotStart, PropertiesError, InvalidSetting) as error:
        _say("ERROR", str(error))
        return 1
    return _repair_all(storages, (*tables, COORDINATOR_TABLE) if options.coordinator else tables)


def _options(arguments: Sequence[str], has_schema: bool) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="schema-loader")
    parser.add_argument("--config", "-c", required=True)
    if not has_schema:
        parser.add_argument("--schema-file", "-f", required=True)
    parser.add_argument("--coordinator", action="store_true")
    parser.add_argument("--repair-all", action="store_true", required=True)
    return parser.parse_args(arguments)


def _tables_of_the_file(root: Path, path: str) -> tuple[str, ...]:
    try:
        return tables_of((root / path.lstrip("/")).read_text(encoding="utf-8"))
    except OSError as error:
        raise CannotStart(f"Reading the schema file failed. File: {path} ({error.strerror})") from error
    except ValueError as error:
        raise CannotStart(f"Parsing the schema JSON failed. Details: {error}") from error


def _tables_in_the_image(environment: Mapping[str, str]) -> tuple[str, ...]:
    kind = environment.get("SCHEMA_TYPE", "")
    if kind not in (_LEDGER, _AUDITOR):
        raise CannotStart(f"SCHEMA_TYPE is {kind!r}; it must be {_LEDGER} or {_AUDITOR}.")
    return BankSettings.from_environment(environment).tables


def _repair_all(storages: ReleaseStorages, tables: Sequence[str]) -> int:
    for table in tables:
        namespace, _, name = table.rpartition(".")
        storage = storages.storage_of(table)
        try:
            storage.create([table])
        except Exception as error:  # noqa: BLE001 - of whichever database: the log is all that anybody sees
            _say("ERROR", f"Repairing the table {name} in the namespace {namespace} failed. {storage.name}: {error}")
            return 1
        _say("INFO", f"Repairing the table {name} in the namespace {namespace} succeeded")
    return 0


def _say(level: str, line: str) -> None:
    print(f"[main] {level} com.scalar.db.schemaloader - {line}", flush=True)
