"""The environment variables of a container as its pod template declares them, each looked up when a placeholder needs it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from shared.model.errors import Forbidden
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.placeholders import unresolved


class ContainerEnvironment(Mapping[str, str]):
    """Variable to value. A variable that is set, but whose value cannot be known here, has an `unresolved(…)` value: a Secret
    that may not be read, a reference to a field of the pod. One that is not set at all is missing.
    """

    def __init__(self, reader: ClusterReader, namespace: str, container: Mapping[str, Any]) -> None:
        self._reader = reader
        self._namespace = namespace
        self._env = {entry["name"]: entry for entry in container.get("env") or ()}
        # Kubernetes: of several sources with the same variable the last one wins, and `env` wins over all of them.
        self._env_from = list(reversed(container.get("envFrom") or ()))
        self._read: dict[tuple[str, str], Mapping[str, str] | None] = {}

    def __getitem__(self, name: str) -> str:
        if name in self._env:
            return self._of_entry(self._env[name])
        for source in self._env_from:
            value = self._of_source(source, name)
            if value is not None:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """The names that the pod template itself shows; those inside of whole ConfigMaps and Secrets are found by name only."""
        return iter(self._env)

    def __len__(self) -> int:
        return len(self._env)

    def _of_entry(self, entry: Mapping[str, Any]) -> str:
        name = entry["name"]
        value_from = entry.get("valueFrom")
        if not value_from:
            value: str = entry.get("value") or ""
            # $(OTHER) is replaced by the kubelet, from variables that may be secret.
            return unresolved(f"${{env:{name}}}") if "$(" in value else value
        for kind, reference in (("configmaps", "configMapKeyRef"), ("secrets", "secretKeyRef")):
            if selected := value_from.get(reference):
                data = self._data(kind, selected["name"])
                if data is not None and selected["key"] in data:
                    return data[selected["key"]]
                if data is not None and selected.get("optional"):
                    raise KeyError(name)
        return unresolved(f"${{env:{name}}}")

    def _of_source(self, source: Mapping[str, Any], name: str) -> str | None:
        prefix = source.get("prefix") or ""
        if not name.startswith(prefix):
            return None
        for kind, reference in (("configmaps", "configMapRef"), ("secrets", "secretRef")):
            if selected := source.get(reference):
                data = self._data(kind, selected["name"])
                return unresolved(f"${{env:{name}}}") if data is None else data.get(name.removeprefix(prefix))
        return None

    def _data(self, kind: str, name: str) -> Mapping[str, str] | None:
        """The texts in a ConfigMap or Secret: none when it does not exist, None when it may not be read."""
        if (kind, name) not in self._read:
            self._read[kind, name] = self._fetch(kind, name)
        return self._read[kind, name]

    def _fetch(self, kind: str, name: str) -> Mapping[str, str] | None:
        try:
            found = self._reader.get(kind, self._namespace, name)
        except Forbidden:
            return None  # the role of the backup has no right to Secrets, on purpose
        data: Mapping[str, str] = (found or {}).get("data") or {}
        return {key: _decoded(key, text) for key, text in data.items()} if kind == "secrets" else data


def _decoded(key: str, text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return unresolved(f"binary value of {key}")
