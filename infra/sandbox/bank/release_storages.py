"""From the properties of a release to its databases, by ScalarDB's rules; the bank knows of no endpoint from anywhere else.

Sources: ScalarDB's DatabaseConfig, DynamoConfig, MultiStorageConfig and MultiStorage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from infra.sandbox.bank.jdbc_url import JdbcUrlError, jdbc_host
from infra.sandbox.bank.storages import DynamoDb, Storage
from infra.sandbox.bank.store import RoutedStore, Store
from infra.sandbox.pods.properties import PropertiesError

_PREFIX = "scalar.db."
_MULTI_STORAGE = f"{_PREFIX}multi_storage."
DEFAULT_STORAGE = "default"


@dataclass(frozen=True)
class ReleaseStorages:
    """The storages by name, `default` when there is only one, and what `multi_storage` says of tables and namespaces."""

    storages: Mapping[str, Storage]
    default: str
    namespaces: Mapping[str, str]
    tables: Mapping[str, str]

    def route(self, table: str) -> str:
        """The name of the storage of a table."""
        return self.tables.get(table) or self.namespaces.get(table.rpartition(".")[0], self.default)

    def storage_of(self, table: str) -> Storage:
        return self.storages[self.route(table)]

    def store(self, connections: int) -> Store:
        """For the transfers of a pod of this release."""
        return RoutedStore({name: storage.store(connections) for name, storage in self.storages.items()}, self.route)


def store_across(own: ReleaseStorages, peer: ReleaseStorages, peer_tables: Collection[str], connections: int) -> Store:
    """For the transfers of a pod that takes part in transactions over two releases (two-phase commit).

    Simplified: in ScalarDB a pod asks the other release's pods to prepare and commit their side, and each of the two passes the
    gate of the pod that does it. Here the pod writes both sides itself, found by each release's own properties, and only its
    own gate counts the transfer. What follows for a backup is the same: as long as the pods of one of the releases are not
    paused, both databases change.
    """
    stores = {"own": own.store(connections), "peer": peer.store(connections)}
    return RoutedStore(stores, lambda table: "peer" if table in peer_tables else "own")


@dataclass(frozen=True)
class DataPlanes:
    """Where the sandbox takes what pods ask of databases whose host names resolve to nothing here: relational ones, and Cosmos
    DB. None in a world that has no such databases."""

    sql_url: str | None = None
    documents_url: str | None = None


def storages_of(properties: Mapping[str, str], sql_url: str | None, documents_url: str | None = None) -> ReleaseStorages | None:
    """None when one of the storages is of a kind that the bank does not speak to, or one that this world does not have: see
    DataPlanes. Raises PropertiesError for properties with which a server of ScalarDB would not start."""
    planes = DataPlanes(sql_url, documents_url)
    if properties.get(f"{_PREFIX}storage") != "multi-storage":
        storage = _storage(properties, _PREFIX, (), planes)
        return storage and ReleaseStorages({DEFAULT_STORAGE: storage}, DEFAULT_STORAGE, {}, {})
    names = [item.strip() for item in properties.get(f"{_MULTI_STORAGE}storages", "").split(",") if item.strip()]
    default = _known(properties.get(f"{_MULTI_STORAGE}default_storage", ""), "default_storage", names)
    storages: dict[str, Storage] = {}
    for name in names:
        storage = _storage(properties, f"{_MULTI_STORAGE}storages.{name}.", (_PREFIX,), planes)
        if storage is None:
            return None
        storages[name] = storage
    return ReleaseStorages(
        storages,
        default,
        namespaces=dict(_mapping(properties, "namespace_mapping", names)),
        tables=dict(_mapping(properties, "table_mapping", names)),
    )


def _storage(properties: Mapping[str, str], own: str, inherited: tuple[str, ...], planes: DataPlanes) -> Storage | None:
    """The storage whose properties begin with `own`; all but its kind may also stand under an `inherited` prefix."""

    def optional(name: str) -> str:
        return next((value for prefix in (own, *inherited) if (value := properties.get(prefix + name))), "").strip()

    def required(name: str) -> str:
        if value := optional(name):
            return value
        raise PropertiesError(f"The property {own}{name} is missing or empty; with {own}storage={kind} it is needed.")

    kind = properties.get(f"{own}storage", "")
    if kind == "dynamo":
        return DynamoDb(
            region=required("contact_points"),
            access_key_id=required("username"),
            secret_access_key=required("password"),
            endpoint=optional("dynamo.endpoint_override") or None,
            prefix=optional("dynamo.namespace.prefix"),
        )
    if kind == "jdbc" and planes.sql_url is not None:
        # Imported only where there is one: pods on DynamoDB start sooner without the sandbox's RDS.
        from infra.sandbox.bank.relational import Relational

        url = required("contact_points")
        try:
            jdbc_host(url)
        except JdbcUrlError as error:
            raise PropertiesError(f"The property {own}contact_points cannot be read. {error}") from error
        return Relational(url, user=required("username"), password=required("password"), sql_url=planes.sql_url)
    if kind == "cosmos" and planes.documents_url is not None:
        from infra.sandbox.bank.cosmos import Cosmos

        return Cosmos(required("contact_points"), key=required("password"), documents_url=planes.documents_url)
    return None


def _mapping(properties: Mapping[str, str], name: str, storages: list[str]) -> Iterator[tuple[str, str]]:
    for pair in properties.get(_MULTI_STORAGE + name, "").split(","):
        if pair.strip():
            subject, _, storage = pair.partition(":")
            yield subject.strip(), _known(storage.strip(), name, storages)


def _known(storage: str, name: str, storages: list[str]) -> str:
    if storage not in storages:
        raise PropertiesError(
            f"The property {_MULTI_STORAGE}{name} names the storage {storage!r}, which is not among "
            f"{_MULTI_STORAGE}storages: {', '.join(storages) or 'none'}."
        )
    return storage
