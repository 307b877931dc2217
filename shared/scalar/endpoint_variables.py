"""Where a container's environment variable gets its value: in the pod template itself, or in a key of a ConfigMap or Secret."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.model.errors import NotReady
from shared.model.kubernetes import KubernetesObject
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.endpoint_edits import REFERENCES, TITLES


class VariablePlace(NamedTuple):
    """`kind` and `name` are those of the object, `key` the key in it, or the variable in a Deployment; `value` as it is now."""

    kind: str
    name: str
    key: str
    value: str

    @property
    def is_secret(self) -> bool:
        return self.kind == "secrets"


class EnvironmentPlaces:
    """The variables of one container. Objects are fetched when a variable needs them, each once."""

    def __init__(self, reader: ClusterReader, deployment: KubernetesObject, container: Mapping[str, Any]) -> None:
        self._reader = reader
        self._deployment = deployment["metadata"]["name"]
        self._namespace = deployment["metadata"]["namespace"]
        self._container = container
        self._fetched: dict[tuple[str, str], KubernetesObject | None] = {}

    def find(self, variable: str) -> VariablePlace | None:
        """None: the variable is set nowhere.

        Raises:
            NotReady: it is set, but to something that cannot be rewritten, or by an object that is missing.
            Unreachable, Throttled, Forbidden: the cluster; reading a Secret is a right of its own.
        """
        # Kubernetes: of several entries the last one wins, and `env` wins over `envFrom`.
        for entry in reversed(self._container.get("env") or ()):
            if entry["name"] == variable:
                return self._of_entry(entry)
        for source in reversed(self._container.get("envFrom") or ()):
            if place := self._of_source(source, variable):
                return place
        return None

    def fetch(self, kind: str, name: str) -> KubernetesObject | None:
        if (kind, name) not in self._fetched:
            self._fetched[kind, name] = self._reader.get(kind, self._namespace, name)
        return self._fetched[kind, name]

    def _of_entry(self, entry: Mapping[str, Any]) -> VariablePlace | None:
        variable, value_from = entry["name"], entry.get("valueFrom")
        if not value_from:
            return VariablePlace("deployments", self._deployment, variable, entry.get("value") or "")
        for kind, (_, by_key) in REFERENCES.items():
            if selected := value_from.get(by_key):
                data = self._data(kind, selected["name"])
                if data is not None and selected["key"] in data:
                    return VariablePlace(kind, selected["name"], selected["key"], data[selected["key"]])
                if selected.get("optional"):
                    return None
                raise NotReady(
                    f"Deployment {self._deployment} takes {variable} from key {selected['key']} of {TITLES[kind]} "
                    f"{selected['name']}, which does not exist.",
                    hint="Create it: no pod can start without it.",
                )
        raise NotReady(
            f"Deployment {self._deployment} takes {variable} from {' and '.join(sorted(value_from))}, not from a value.",
            hint="Give the property a value of its own in the properties, or by a ConfigMap or Secret.",
        )

    def _of_source(self, source: Mapping[str, Any], variable: str) -> VariablePlace | None:
        prefix = source.get("prefix") or ""
        if not variable.startswith(prefix):
            return None
        for kind, (whole, _) in REFERENCES.items():
            if selected := source.get(whole):
                data, key = self._data(kind, selected["name"]), variable.removeprefix(prefix)
                if data is not None and key in data:
                    return VariablePlace(kind, selected["name"], key, data[key])
        return None

    def _data(self, kind: str, name: str) -> Mapping[str, str] | None:
        found = self.fetch(kind, name)
        if found is None:
            return None
        data: Mapping[str, str] = found.get("data") or {}
        return {key: _decoded(text) for key, text in data.items()} if kind == "secrets" else data


def _decoded(text: str) -> str:
    """A value that is no text is no endpoint either, but may well stand beside one."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
