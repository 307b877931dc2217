"""A bank as a whole, on whichever databases: which table is where, what its releases must say, and what can be done with it.

The layouts cover what ScalarDB's users have: one DynamoDB, Cosmos DB or relational database, one of the first two with a
relational one under multi-storage, and two releases with a database each that share transactions (two-phase commit).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.sandbox.bank.audit import Audit, NoSuchTable, Part, audit_parts
from infra.sandbox.bank.opening import Opening, opening_rows
from infra.sandbox.bank.records import Row
from infra.sandbox.bank.relational import Relational
from infra.sandbox.bank.release_storages import ReleaseStorages
from infra.sandbox.bank.storages import DynamoDb, Storage
from infra.sandbox.bank.tables import ACCOUNT_TABLES, BANK_TABLES, COORDINATOR_TABLE, SYSTEM_TABLES

DYNAMODB, RELATIONAL, COSMOS, COORDINATOR = "dynamo", "rds", "cosmos", "coordinator"
"""Names of the storages in the layouts, and under multi-storage in the properties."""
MULTI_STORAGE_TABLES = ("bank.checking", "branch.savings", "branch.wallets")
"""ScalarDB maps namespaces to storages, so that what is in another database has another namespace."""
FIRST, SECOND = "first", "second"
FIRST_TABLES, SECOND_TABLES = ("bank.checking", "bank.savings"), ("branch.wallets",)


@dataclass(frozen=True)
class BankLayout:
    """`storages` by name. `places` gives for each account table and for the Coordinator table the name of its storage."""

    storages: Mapping[str, Storage]
    places: Mapping[str, str]

    @property
    def account_tables(self) -> tuple[str, ...]:
        return tuple(table for table in self.places if table != COORDINATOR_TABLE)

    def storage_of(self, table: str) -> Storage:
        """Raises KeyError for a table that is not the bank's."""
        return self.storages[self.places[table]]

    def tables_on(self, storage: str) -> tuple[str, ...]:
        return tuple(table for table, place in self.places.items() if place == storage)

    def opening(self, accounts: int = 20, balance: int = 100_000) -> Opening:
        return Opening(accounts, balance, self.account_tables)

    def parts(self) -> list[Part]:
        """For the audit of the tables as they are now."""
        several = len(self.storages) > 1
        return [storage.part(self.tables_on(name), storage.name if several else "") for name, storage in self.storages.items()]


@dataclass(frozen=True)
class BankRelease:
    """What a release needs to work on a layout: the properties that name its databases and variables for the environment.

    peer: for two-phase commit the account tables that the other release owns; its properties are mounted as a file.
    """

    properties: Mapping[str, str]
    tables: tuple[str, ...]
    peer_tables: tuple[str, ...] = ()

    @property
    def environment(self) -> Mapping[str, str]:
        variables = {"BANK_TABLES": ",".join(self.tables)}
        return variables | {"BANK_PEER_TABLES": ",".join(self.peer_tables)} if self.peer_tables else variables


def on_dynamodb(storage: DynamoDb) -> tuple[BankLayout, BankRelease]:
    return _on_one(DYNAMODB, storage)


def on_relational(storage: Relational) -> tuple[BankLayout, BankRelease]:
    """One database of RDS, Aurora, or a flexible server of Azure."""
    return _on_one(RELATIONAL, storage)


def on_cosmos(storage: Storage) -> tuple[BankLayout, BankRelease]:
    return _on_one(COSMOS, storage)


def _on_one(name: str, storage: Storage) -> tuple[BankLayout, BankRelease]:
    return BankLayout({name: storage}, dict.fromkeys(BANK_TABLES, name)), BankRelease(_single(storage), ACCOUNT_TABLES)


def on_multi_storage(dynamodb: DynamoDb, relational: Relational) -> tuple[BankLayout, BankRelease]:
    """Checking accounts and Coordinator on DynamoDB, savings and wallets on the relational database."""
    return _on_both(DYNAMODB, dynamodb, relational)


def on_three(dynamodb: DynamoDb, relational: Relational, coordinator: Relational) -> tuple[BankLayout, BankRelease]:
    """The same with the Coordinator in a database of its own."""
    storages: Mapping[str, Storage] = {DYNAMODB: dynamodb, RELATIONAL: relational, COORDINATOR: coordinator}
    checking, *others = MULTI_STORAGE_TABLES
    places = {checking: DYNAMODB, **dict.fromkeys(others, RELATIONAL), COORDINATOR_TABLE: COORDINATOR}
    release = BankRelease(_multi(storages, places, default=DYNAMODB), MULTI_STORAGE_TABLES)
    return BankLayout(storages, places), release


def on_cosmos_and_relational(cosmos: Storage, relational: Relational) -> tuple[BankLayout, BankRelease]:
    """As `on_multi_storage`, with Cosmos DB in the place of DynamoDB."""
    return _on_both(COSMOS, cosmos, relational)


def _on_both(name: str, first: Storage, relational: Relational) -> tuple[BankLayout, BankRelease]:
    storages: Mapping[str, Storage] = {name: first, RELATIONAL: relational}
    checking, *others = MULTI_STORAGE_TABLES
    places = {checking: name, **dict.fromkeys(others, RELATIONAL), COORDINATOR_TABLE: name}
    layout = BankLayout(storages, places)
    return layout, BankRelease(_multi(storages, places, default=name), MULTI_STORAGE_TABLES)


def on_two_releases(first: Storage, second: Storage) -> tuple[BankLayout, BankRelease, BankRelease]:
    """Two releases with a database each, whose pods all move money between the two; the Coordinator is in the first.

    The second release therefore names both databases in its properties, as ScalarDB's sample of microservice transactions does.
    """
    storages = {FIRST: first, SECOND: second}
    places = {**dict.fromkeys(FIRST_TABLES, FIRST), **dict.fromkeys(SECOND_TABLES, SECOND), COORDINATOR_TABLE: FIRST}
    of_second = {table: place for table, place in places.items() if table not in FIRST_TABLES}
    return (
        BankLayout(storages, places),
        BankRelease(_single(first), FIRST_TABLES, peer_tables=SECOND_TABLES),
        BankRelease(_multi(storages, of_second, default=SECOND), SECOND_TABLES, peer_tables=FIRST_TABLES),
    )


def as_configured(*releases: tuple[ReleaseStorages, Iterable[str]]) -> BankLayout:
    """The bank that releases with these properties work on, each given with its own account tables.

    Raises ValueError when they do not agree where the Coordinator is: then one of them was led to another database.
    """
    found: dict[str, Storage] = {}
    for release, tables in releases:
        for table in (*tables, COORDINATOR_TABLE):
            storage = release.storage_of(table)
            if found.setdefault(table, storage) != storage:
                raise ValueError(f"One release has {table} in {found[table].name}, another one in {storage.name}.")
    return BankLayout(
        {storage.name: storage for storage in found.values()}, {table: storage.name for table, storage in found.items()}
    )


def create(layout: BankLayout) -> None:
    """What is missing of all tables, in every storage."""
    for name, storage in layout.storages.items():
        storage.create(layout.tables_on(name))


def seed(layout: BankLayout, opening: Opening) -> None:
    """Writes the opening balances as one committed transaction. Only for a bank that is not at work."""
    for table, rows in opening_rows(opening).items():
        layout.storage_of(table).write(table, rows)


def audit_live(layout: BankLayout, opening: Opening) -> Audit:
    """Counts the money in the tables as they are now. Of a bank at work each table is read at a moment of its own, so that the
    transfers of those moments look torn."""
    return audit_parts(layout.parts(), opening)


def fingerprint(layout: BankLayout) -> str:
    """A hash over every row of every table, the Coordinator's and ScalarDB's own included: equal for equal states only.

    Of a bank that is not at work; where the databases are does not count. A table that is missing counts as such.
    """
    state = {
        ",".join(sorted(part.tables)): {table: _state(part, table) for table in (*part.tables, *SYSTEM_TABLES)}
        for part in layout.parts()
    }
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _state(part: Part, table: str) -> list[str] | None:
    try:
        rows: Iterable[Row] = part.rows(table)
    except NoSuchTable:
        return None
    # NULL and a column that an item lacks are the same to ScalarDB.
    return sorted(json.dumps({name: value for name, value in row.items() if value is not None}, sort_keys=True) for row in rows)


def _single(storage: Storage) -> dict[str, str]:
    return {f"scalar.db.{name}": value for name, value in storage.properties.items()}


def _multi(storages: Mapping[str, Storage], places: Mapping[str, str], default: str) -> dict[str, str]:
    mapping = {table.rpartition(".")[0]: place for table, place in places.items()}
    properties = {
        "scalar.db.storage": "multi-storage",
        "scalar.db.multi_storage.storages": ",".join(storages),
        "scalar.db.multi_storage.namespace_mapping": ",".join(f"{space}:{place}" for space, place in mapping.items()),
        "scalar.db.multi_storage.default_storage": default,
    }
    for name, storage in storages.items():
        for key, value in storage.properties.items():
            properties[f"scalar.db.multi_storage.storages.{name}.{key}"] = value
    return properties
