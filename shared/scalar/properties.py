"""What a release's properties say about its databases: storages, namespaces, names of the tables. Never its credentials.

Source: ScalarDB's DatabaseConfig, DynamoConfig, CosmosConfig, JdbcConfig, MultiStorageConfig and ConsensusCommitConfig.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from shared.model.errors import NotReady
from shared.model.storage import ReleaseStorage, Storage
from shared.scalar.java_properties import entries
from shared.scalar.placeholders import resolve

PREFIX = "scalar.db."
MULTI_STORAGE_PREFIX = PREFIX + "multi_storage."
STORAGES_PREFIX = MULTI_STORAGE_PREFIX + "storages."
DEFAULT_STORAGE_NAME = "default"

_OLDER_SYSTEM_NAMESPACE = {
    "dynamo": ("dynamo.table_metadata.namespace", "dynamo.metadata.namespace"),
    "cosmos": ("cosmos.table_metadata.database", "cosmos.metadata.database"),
    "jdbc": ("jdbc.table_metadata.schema", "jdbc.metadata.schema"),
}
"""Storage-specific names that the system namespace had before `scalar.db.system_namespace_name`; where set, they win."""

_CREDENTIAL = re.compile(r"(?i)(password|secret|token|username|account_key)[^.]*$")
_USER_INFO = re.compile(r"(?<=//)[^/@?;]*@|(?<=:thin:)[^@]*(?=@)")
_SECRET_PARAMETER = re.compile(r"(?i)([?&;(,][^=&;(,]*(?:password|passwd|pwd|secret|token|accountkey)[^=&;(,]*)=[^&;),]*")


class Properties(Mapping[str, str]):
    """A properties file whose placeholders are resolved when a value is read: no secret is looked up that nobody needs."""

    def __init__(self, text: str, environment: Mapping[str, str]) -> None:
        """Raises ValueError: not a properties file."""
        self._raw = {entry.key: entry.raw for entry in entries(text)}
        self._environment = environment

    def __getitem__(self, key: str) -> str:
        return resolve(self._raw[key], self._environment).strip()

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def storage_of(properties: Mapping[str, str], release: str, source: str) -> ReleaseStorage:
    """The storages that `properties` of the release with key `release` name; `source` says where they were read.

    Raises:
        NotReady: multi-storage without storages, or with a namespace or default storage that is not among them.
    """
    if properties.get(PREFIX + "storage") != "multi-storage":
        storage = _storage(DEFAULT_STORAGE_NAME, properties, ())
        return ReleaseStorage(release=release, source=source, storages=(storage,), default_storage=DEFAULT_STORAGE_NAME)
    names = _list(properties.get(MULTI_STORAGE_PREFIX + "storages", ""))
    default = properties.get(MULTI_STORAGE_PREFIX + "default_storage", "")
    mapping = _namespace_mapping(properties)
    if unknown := [name for name in (default, *(storage for _, storage in mapping)) if name not in names]:
        raise NotReady(
            f"{source} of {release}: storage {unknown[0]!r} is not among {MULTI_STORAGE_PREFIX}storages ({', '.join(names)}).",
            hint="Correct the multi-storage properties: the server would not start with them either.",
        )
    storages = tuple(
        _storage(name, _StorageProperties(name, properties), _mapped(name, mapping) if name != default else ())
        for name in names
    )
    return ReleaseStorage(release=release, source=source, storages=storages, default_storage=default)


def _storage(name: str, properties: Mapping[str, str], namespaces: tuple[str, ...]) -> Storage:
    kind = properties.get(PREFIX + "storage") or "cassandra"
    contact_points = properties.get(PREFIX + "contact_points", "")
    return Storage(
        name=name,
        kind=kind,
        # For DynamoDB the first contact point is the region. A JDBC URL may have commas of its own.
        contact_point=contact_points.split(",")[0].strip() if kind == "dynamo" else without_credentials(contact_points),
        endpoint_override=_first(properties, "dynamo.endpoint_override", "dynamo.endpoint-override")
        if kind == "dynamo"
        else "",
        namespace_prefix=_first(properties, "dynamo.namespace.prefix") if kind == "dynamo" else "",
        system_namespace=_first(properties, *_OLDER_SYSTEM_NAMESPACE.get(kind, ()), "system_namespace_name") or "scalardb",
        coordinator_namespace=_first(properties, "consensus_commit.coordinator.namespace") or "coordinator",
        namespaces=namespaces,
    )


def _first(properties: Mapping[str, str], *names: str) -> str:
    return next((value for name in names if (value := properties.get(PREFIX + name))), "")


class _StorageProperties(Mapping[str, str]):
    """The properties of one storage of several: its own, and for what it does not say those of the whole release."""

    def __init__(self, name: str, properties: Mapping[str, str]) -> None:
        self._own_prefix = f"{STORAGES_PREFIX}{name}."
        self._properties = properties

    def __getitem__(self, key: str) -> str:
        own = self._own_prefix + key.removeprefix(PREFIX)
        if own in self._properties:
            return self._properties[own]
        if key == PREFIX + "storage":
            raise KeyError(key)  # the release's is "multi-storage", and storages do not nest
        return self._properties[key]

    def __iter__(self) -> Iterator[str]:
        own = {PREFIX + key.removeprefix(self._own_prefix) for key in self._properties if key.startswith(self._own_prefix)}
        others = {key for key in self._properties if not key.startswith(MULTI_STORAGE_PREFIX) and key != PREFIX + "storage"}
        return iter(own | others)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _namespace_mapping(properties: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of namespace and storage. The deprecated mapping of single tables counts for the tables' namespaces."""
    pairs = []
    for item in _list(properties.get(MULTI_STORAGE_PREFIX + "namespace_mapping", "")):
        namespace, _, storage = item.partition(":")
        pairs.append((namespace.strip(), storage.strip()))
    for item in _list(properties.get(MULTI_STORAGE_PREFIX + "table_mapping", "")):
        table, _, storage = item.partition(":")
        pairs.append((table.partition(".")[0].strip(), storage.strip()))
    return pairs


def _mapped(storage: str, mapping: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({namespace for namespace, name in mapping if name == storage}))


def _list(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def is_credential(name: str) -> bool:
    """By the name of a property, whether its value is part of a credential."""
    return _CREDENTIAL.search(name) is not None


def without_credentials(contact_point: str) -> str:
    """JDBC URLs can carry user and password, in front of the host or as parameters."""
    return _SECRET_PARAMETER.sub(r"\1=…", _USER_INFO.sub("", contact_point))
