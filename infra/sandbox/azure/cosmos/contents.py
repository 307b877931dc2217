"""What an account holds: databases, containers with their scripts, documents; and the history of all but the scripts."""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.journal import Journal, Key

Json = dict[str, Any]
STORED_PROCEDURES, TRIGGERS, FUNCTIONS = "storedProcedures", "triggers", "userDefinedFunctions"
SCRIPTS = (STORED_PROCEDURES, TRIGGERS, FUNCTIONS)
RETENTION_SECONDS = {"Continuous7Days": 7 * 86_400.0, "Continuous30Days": 30 * 86_400.0}

DocumentKey = tuple[str, str]
"""Value of the partition key, and id."""


@dataclass
class Container:
    """`resource` is its definition as the API has it: id, partitionKey, indexingPolicy, defaultTtl and so on. `throughput`
    None: that of the database is shared. `scripts` by kind and name."""

    resource: Json
    throughput: Json | None
    scripts: dict[str, dict[str, Json]] = field(default_factory=lambda: {kind: {} for kind in SCRIPTS})
    documents: dict[DocumentKey, Json] = field(default_factory=dict)

    def alive(self, document: Json, now: float) -> bool:
        """Whether its time to live has not run out. A document's own counts only where the container has one."""
        default = self.resource.get("defaultTtl")
        if default is None:
            return True
        seconds = document.get("ttl", default)
        return bool(seconds == -1 or document["_ts"] + seconds > now)

    @property
    def partition_key(self) -> str:
        """The name of the property; the paths of this stand-in have one level."""
        path: str = self.resource["partitionKey"]["paths"][0]
        return path.removeprefix("/")


@dataclass
class Database:
    throughput: Json | None
    containers: dict[str, Container] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """A change of a database (`container` empty) or container, as the restorable resources list it."""

    at: float
    operation: str
    database: str
    container: str
    resource_id: str
    resource: Json


class Contents:
    """Everything that changes is replaced, never changed in place: the history shares it."""

    def __init__(self) -> None:
        self.databases: dict[str, Database] = {}
        self.events: list[Event] = []
        self.forget_seconds = RETENTION_SECONDS["Continuous30Days"]
        self._journal = Journal()
        self._ids: dict[tuple[str, str], str] = {}

    def put_database(self, name: str, throughput: Json | None, now: float) -> None:
        existing = self.databases.get(name)
        if existing is None:
            self.databases[name] = Database(throughput)
        elif throughput is not None:
            existing.throughput = throughput
        self._note((name, ""), "Create" if existing is None else "Replace", {"id": name}, now)

    def drop_database(self, name: str, now: float) -> None:
        for container in [*self.databases[name].containers]:
            self.drop_container(name, container, now)
        del self.databases[name]
        self._note((name, ""), "Delete", None, now)

    def put_container(self, database: str, resource: Json, throughput: Json | None, now: float) -> None:
        containers, name = self.databases[database].containers, resource["id"]
        existing = containers.get(name)
        if existing is None:
            containers[name] = Container(copy.deepcopy(resource), throughput)
        else:
            existing.resource = copy.deepcopy(resource)
        self._note((database, name), "Create" if existing is None else "Replace", containers[name].resource, now)

    def drop_container(self, database: str, name: str, now: float) -> None:
        container = self.databases[database].containers.pop(name)
        for key in container.documents:
            self._record(((database, name), key), None, now)
        self._note((database, name), "Delete", None, now)

    def put_document(self, database: str, container: str, key: DocumentKey, document: Json | None, now: float) -> None:
        """Writes or, with None, deletes. A written document gets a new `_etag` and `_ts`."""
        documents = self.databases[database].containers[container].documents
        if document is None:
            documents.pop(key, None)
        else:
            document = {**copy.deepcopy(document), "_etag": f'"{uuid.uuid4()}"', "_ts": int(now)}
            documents[key] = document
        self._record(((database, container), key), document, now)

    def names_at(self, at: float) -> dict[str, list[str]]:
        """The containers of each database, as they stood at `at`."""
        found: dict[str, list[str]] = {}
        for (database, container), key in self._journal.items_at(at):
            if key is None:
                names = found.setdefault(database, [])
                if container:
                    names.append(container)
        return {database: sorted(names) for database, names in sorted(found.items())}

    def all_containers(self) -> Iterator[tuple[str, str, Container]]:
        for database, held in self.databases.items():
            for name, container in held.containers.items():
                yield database, name, container

    def restored(
        self, at: float, wanted: Mapping[str, Collection[str]], without_ttl: bool, now: float, spread_seconds: float = 0.0
    ) -> Contents:
        """New contents as of `at`, without scripts; `wanted` are containers by database. The throughput is what the source has
        now, as the service promises nothing about that of the point. The documents of each container are those of a moment of
        its own, up to `spread_seconds` later."""
        items = self._journal.items_at(at)
        found = Contents()
        for database in wanted:
            live = self.databases.get(database)
            found.put_database(database, live.throughput if live else None, now)
            for name in wanted[database]:
                resource = items[(database, name), None]
                there = live.containers.get(name) if live else None
                shared = live is not None and live.throughput is not None
                throughput = there.throughput if there else None if shared else {"throughput": 400}
                kept = {each: value for each, value in resource.items() if not (without_ttl and each == "defaultTtl")}
                found.put_container(database, kept, throughput, now)
                moment = min(now, at + random.uniform(0.0, spread_seconds))
                then = self._journal.items_at(moment) if spread_seconds else items
                found._fill((database, name), Container(resource, None), then, moment, now)
        return found

    def _fill(self, place: tuple[str, str], was: Container, items: Mapping[Key, Any], at: float, now: float) -> None:
        documents = self.databases[place[0]].containers[place[1]].documents
        for (where, key), document in items.items():
            # What its time to live had taken away by then does not come back.
            if where == place and key is not None and was.alive(document, at):
                documents[key] = document
                self._record((place, key), document, now)

    def _note(self, place: tuple[str, str], operation: str, resource: Json | None, now: float) -> None:
        if operation == "Create":
            self._ids[place] = uuid.uuid4().hex[:8]
        shown = {"id": place[1] or place[0]} if resource is None else resource
        self.events.append(Event(now, operation, *place, self._ids[place], shown))
        self._record((place, None), copy.deepcopy(resource), now)

    def _record(self, key: Key, item: Any, now: float) -> None:
        self._journal.record(key, item, now, now - self.forget_seconds)
