"""Which tables belong to the releases of a plan: ScalarDB's own metadata says so, ListTables says what is really there.

Layout, from ScalarDB's DynamoAdmin: table names are `<prefix><namespace>.<table>`. `<prefix><system namespace>.metadata` has
one row per table, whose attribute `table` is the full name. `<prefix><system namespace>.namespaces`, which newer releases
have, has one row per namespace (`namespace_name`, with the prefix). The Coordinator is `<prefix><coordinator namespace>.state`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.errors import GONE, aws_code
from shared.databases.dynamodb.names import is_copy
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import NotReady
from shared.model.plan import DynamoDb
from shared.model.storage import ReleaseStorage, Storage

METADATA, NAMESPACES, COORDINATOR = "metadata", "namespaces", "state"
LONGEST_LIST = 10
UNRESOLVED = ("${", "{{", "unresolved(")
"""Signs of a placeholder in a properties file that nobody could fill in."""


@dataclass(frozen=True)
class Discovery:
    """`tables` are the tables to back up, sorted; `findings` what is wrong or remarkable about how they were found."""

    tables: tuple[str, ...]
    findings: tuple[CheckResult, ...]


@dataclass(frozen=True)
class _Schema:
    """One set of ScalarDB tables: releases that share prefix and namespaces share it."""

    prefix: str
    system_namespace: str
    coordinator: str
    """Full name of the Coordinator table; empty when multi-storage keeps it in another storage."""
    releases: tuple[str, ...]

    @property
    def metadata(self) -> str:
        return f"{self.prefix}{self.system_namespace}.{METADATA}"

    @property
    def namespaces(self) -> str:
        return f"{self.prefix}{self.system_namespace}.{NAMESPACES}"


def discover(database: DynamoDb, storages: Sequence[ReleaseStorage], existing: frozenset[str], calls: Calls) -> Discovery:
    """The tables of `database` among the `existing` ones of its region and account.

    Raises:
        Unreachable, Throttled, Forbidden: the metadata could not be read.
    """
    subject = database.key
    findings = list(_unresolved(subject, storages))
    schemas = _schemas(database, storages)
    live = frozenset(name for name in existing if not is_copy(name))
    wanted: set[str] = set()
    namespaces: set[str] = set()
    for schema in schemas:
        declared = _declared(schema, live, calls)
        findings += _missing_core(schema, live)
        wanted |= declared | {schema.metadata, schema.namespaces, schema.coordinator} & live
        namespaces |= {name.rpartition(".")[0] for name in declared} | _listed_namespaces(schema, live, calls)
        namespaces |= {f"{schema.prefix}{schema.system_namespace}"} | {schema.coordinator.rpartition(".")[0]} - {""}
    found = {name for name in live if name.rpartition(".")[0] in namespaces}
    undeclared = found - wanted if wanted else set()
    findings += _compare(database, live, wanted, undeclared)
    tables = (wanted | found | set(database.tables)) & live
    if not tables:
        findings.append(_nothing(database, schemas))
    elif not any(finding.name == "dynamodb-tables" for finding in findings):
        findings.append(passed("dynamodb-tables", subject, f"{len(tables)} tables: {listed(tables)}"))
    return Discovery(tables=tuple(sorted(tables)), findings=tuple(findings))


def listed(names: Iterable[str]) -> str:
    """Up to ten names, and how many more there are: a thousand tables must stay readable."""
    ordered = sorted(names)
    more = len(ordered) - LONGEST_LIST
    return ", ".join(ordered[:LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")


def _unresolved(subject: str, storages: Sequence[ReleaseStorage]) -> Iterable[CheckResult]:
    for release in storages:
        for storage in release.storages:
            texts = [storage.kind, storage.contact_point, storage.namespace_prefix]
            texts += [storage.system_namespace, storage.coordinator_namespace]
            open_ones = sorted({text for text in texts if any(sign in text for sign in UNRESOLVED)})
            if open_ones and _may_be_dynamo(storage):
                yield failed(
                    "dynamodb-properties",
                    subject,
                    f"{release.source} of {release.release}, storage {storage.name!r}: {', '.join(open_ones)} has no value.",
                    "Give it as a plain environment variable of the Deployment or write it into the properties: without it "
                    "nobody can tell which tables belong to the release.",
                )


def _may_be_dynamo(storage: Storage) -> bool:
    return storage.kind == "dynamo" or any(sign in storage.kind for sign in UNRESOLVED)


def _schemas(database: DynamoDb, storages: Sequence[ReleaseStorage]) -> list[_Schema]:
    releases: dict[tuple[str, str, str], list[str]] = {}
    for release in storages:
        for storage in release.storages:
            if storage.kind == "dynamo" and storage.contact_point == database.region:
                key = (storage.namespace_prefix, storage.system_namespace, _coordinator(release, storage))
                releases.setdefault(key, []).append(release.release)
    return [_Schema(*key, releases=tuple(names)) for key, names in releases.items()]


def _coordinator(release: ReleaseStorage, storage: Storage) -> str:
    """Under multi-storage the Coordinator is in one storage only: where its namespace is mapped to, else the default one."""
    name = f"{storage.namespace_prefix}{storage.coordinator_namespace}.{COORDINATOR}"
    if not release.is_multi_storage or storage.coordinator_namespace in storage.namespaces:
        return name
    mapped_elsewhere = any(storage.coordinator_namespace in other.namespaces for other in release.storages)
    return name if storage.name == release.default_storage and not mapped_elsewhere else ""


def _declared(schema: _Schema, live: frozenset[str], calls: Calls) -> set[str]:
    return _column(schema.metadata, "table", calls) if schema.metadata in live else set()


def _listed_namespaces(schema: _Schema, live: frozenset[str], calls: Calls) -> set[str]:
    return _column(schema.namespaces, "namespace_name", calls) if schema.namespaces in live else set()


def _column(table: str, attribute: str, calls: Calls) -> set[str]:
    """One string attribute of every row. Consistent reads: a table that was created a moment ago must not be missed.

    A table that vanished since it was listed has no rows; its absence is found by whoever looks at the tables next.
    """
    values: set[str] = set()
    pages = calls.dynamodb_pages(
        "scan",
        table,
        TableName=table,
        ConsistentRead=True,
        ProjectionExpression="#value",
        ExpressionAttributeNames={"#value": attribute},
    )
    try:
        for page in pages:
            values |= {row[attribute]["S"] for row in page["Items"] if "S" in row.get(attribute, {})}
    except NotReady as error:
        if aws_code(error) not in GONE:
            raise
    return values


def _missing_core(schema: _Schema, live: frozenset[str]) -> Iterable[CheckResult]:
    releases = ", ".join(schema.releases)
    if schema.metadata not in live:
        yield failed(
            "dynamodb-metadata",
            schema.metadata,
            f"ScalarDB's metadata table of {releases} does not exist.",
            "Check scalar.db.contact_points (region), scalar.db.dynamo.namespace.prefix and scalar.db.system_namespace_name in "
            "its properties, and that the schema has been loaded in this account.",
        )
    if schema.coordinator and schema.coordinator not in live:
        yield failed(
            "dynamodb-coordinator",
            schema.coordinator,
            f"The Coordinator table of {releases} does not exist; without it a restore loses the outcome of transactions.",
            "Check scalar.db.consensus_commit.coordinator.namespace, and create it with the Schema Loader's --coordinator.",
        )


def _compare(database: DynamoDb, live: frozenset[str], wanted: set[str], undeclared: set[str]) -> Iterable[CheckResult]:
    subject = database.key
    if gone := wanted - live:
        yield failed(
            "dynamodb-tables",
            subject,
            f"{len(gone)} tables that ScalarDB's metadata declares do not exist: {listed(gone)}.",
            "They were deleted without ScalarDB. Restore them, or drop them with the Schema Loader.",
        )
    if gone := set(database.tables) - live - wanted:
        yield failed(
            "dynamodb-plan-tables",
            subject,
            f"{len(gone)} tables that the plan names do not exist: {listed(gone)}.",
            "Write full names, with the prefix and the namespace, or remove them from the plan. During a run: somebody has "
            "deleted them since its checks.",
        )
    if undeclared:
        yield warned(
            "dynamodb-undeclared",
            subject,
            f"{len(undeclared)} tables lie in the releases' namespaces without being declared in the metadata: "
            f"{listed(undeclared)}. They are backed up too.",
            "Delete them if they are leftovers.",
        )
    missed = ((wanted | undeclared) & live) - set(database.tables)
    if database.tables and missed:
        yield warned(
            "dynamodb-plan-incomplete",
            subject,
            f"The plan names {len(database.tables)} tables and would have missed {len(missed)}: {listed(missed)}. They are "
            "backed up too.",
            "Leave `tables` empty: the tables of the releases are found by themselves.",
        )


def _nothing(database: DynamoDb, schemas: list[_Schema]) -> CheckResult:
    if schemas:
        detail = "there is no table of the plan's releases in this region and account."
        hint = "Load the schema first, or check that the plan's region and the function's account are the releases'."
    else:
        detail = "no release of the plan uses DynamoDB in this region, and the plan names no tables."
        hint = "Remove the database from the plan, or correct its region."
    return failed("dynamodb-empty", database.key, detail, hint)
