"""Objects and their history under one global version counter, as etcd keeps them for a real API server.

No Kubernetes rules are here: documents come in complete and are never changed afterwards.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from infra.sandbox.cluster.api.resources import Resource

FIRST_VERSION = 100  # so that "1" is a version that was already forgotten, as on any cluster of some age
HISTORY_LIMIT = 50_000  # changes that a watch can look back; a real server keeps about five minutes of them


@dataclass(frozen=True)
class Key:
    resource: Resource
    namespace: str | None
    name: str

    @property
    def order(self) -> str:
        """Lists are sorted by this, and a `continue` token holds one."""
        return f"{self.namespace or ''}/{self.name}"


@dataclass(frozen=True)
class Stored:
    """One version of an object. `document` must not be changed by anyone."""

    version: int
    document: dict[str, Any]

    @cached_property
    def encoded(self) -> bytes:
        """JSON, made once for all answers and watches that show this version."""
        return json.dumps(self.document, separators=(",", ":")).encode()

    @cached_property
    def encoded_as_item(self) -> bytes:
        """The same for lists, whose items do not repeat their kind."""
        item = {name: value for name, value in self.document.items() if name not in ("apiVersion", "kind")}
        return json.dumps(item, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Change:
    """`after` is None for a deletion; `last` is then the object as the deletion left it, at the change's version."""

    version: int
    key: Key
    before: Stored | None
    after: Stored | None
    last: Stored | None = None


class Store:
    def __init__(self) -> None:
        self.version = FIRST_VERSION
        self.compacted_version = FIRST_VERSION
        self._objects: dict[Resource, dict[str, tuple[Key, Stored]]] = {}
        self._changes: list[Change] = []
        self._listeners: set[Callable[[], None]] = set()

    def get(self, key: Key) -> Stored | None:
        found = self._objects.get(key.resource, {}).get(key.order)
        return found[1] if found else None

    def put(self, key: Key, document: dict[str, Any]) -> Stored:
        """Stores `document` as the next version and writes that version into its metadata."""
        before = self.get(key)
        stored = self._next(document)
        self._objects.setdefault(key.resource, {})[key.order] = (key, stored)
        self._record(Change(stored.version, key, before, stored))
        return stored

    def delete(self, key: Key) -> Stored:
        """Removes the object; the answer is its last state under the deletion's version."""
        _, before = self._objects[key.resource].pop(key.order)
        last = self._next(before.document)
        self._record(Change(last.version, key, before, None, last))
        return last

    def objects(self, resource: Resource, version: int | None = None) -> list[tuple[Key, Stored]]:
        """All objects of a resource in list order, as they are or as they were at `version` (not compacted)."""
        present = self._objects.get(resource, {})
        if version is not None and version < self.version:
            present = dict(present)
            for change in reversed(self._changes):
                if change.version <= version:
                    break
                if change.key.resource != resource:
                    continue
                if change.before is None:
                    present.pop(change.key.order, None)
                else:
                    present[change.key.order] = (change.key, change.before)
        return [present[order] for order in sorted(present)]

    def resources(self) -> list[Resource]:
        """The resources that have had objects."""
        return list(self._objects)

    def changes_after(self, version: int) -> list[Change]:
        """Changes with a higher version, oldest first. Ask `is_compacted` before."""
        return self._changes[bisect_right(self._changes, version, key=lambda change: change.version) :]

    def is_compacted(self, version: int) -> bool:
        """Whether the history that follows `version` is no longer complete."""
        return version < self.compacted_version

    def compact(self) -> None:
        """Forgets all history: versions before the present one can no longer be read or watched from."""
        self.compacted_version = self.version
        self._changes.clear()

    def subscribe(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Calls `on_change` after every change, until the returned function is called."""
        self._listeners.add(on_change)
        return lambda: self._listeners.discard(on_change)

    def _next(self, document: dict[str, Any]) -> Stored:
        self.version += 1
        metadata = {**document["metadata"], "resourceVersion": str(self.version)}
        return Stored(self.version, {**document, "metadata": metadata})

    def _record(self, change: Change) -> None:
        self._changes.append(change)
        if len(self._changes) > HISTORY_LIMIT:
            dropped = self._changes[: HISTORY_LIMIT // 2]
            self.compacted_version = dropped[-1].version
            del self._changes[: len(dropped)]
        self._tell(self._listeners)

    @staticmethod
    def _tell(listeners: Iterable[Callable[[], None]]) -> None:
        for listener in tuple(listeners):
            listener()
