"""What a container is made from besides its image: environment variables and files out of ConfigMaps and Secrets.

They are read from the API when the container starts. A running container never sees a later change: its `subPath` mounts
cannot change on a real node either; a real node would refresh whole volumes, which no Scalar chart uses for properties.
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from infra.sandbox.cluster.api.resources import CONFIG_MAPS, SECRETS, Resource
from infra.sandbox.cluster.api_client import ApiClient, ApiFailureError
from infra.sandbox.cluster.informer import Document

_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][\w.-]*)\)")


class MaterialMissingError(Exception):
    """A ConfigMap, Secret or key that the container needs and that is not there (yet)."""


class Materials:
    """Reads for one container start; each object once, so that environment and files agree."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        self._read: dict[tuple[Resource, str], dict[str, bytes] | None] = {}

    async def entries(self, resource: Resource, name: str) -> dict[str, bytes] | None:
        """The decoded data of a ConfigMap or Secret; None when it does not exist."""
        if (resource, name) not in self._read:
            try:
                document = await self._client.get(resource, self._namespace, name)
            except ApiFailureError as error:
                if error.status != 404:
                    raise
                self._read[resource, name] = None
            else:
                self._read[resource, name] = _decoded(resource, document)
        return self._read[resource, name]

    async def required(self, resource: Resource, reference: dict[str, Any]) -> dict[str, bytes]:
        """The data that `reference` names; empty when it is optional and missing. Raises MaterialMissingError."""
        name = reference.get("name") or reference.get("secretName") or ""
        found = await self.entries(resource, name)
        if found is None and not reference.get("optional"):
            raise MaterialMissingError(f'{resource.kind.lower()} "{name}" not found')
        return found or {}

    async def environment(self, container: dict[str, Any], pod: Document) -> dict[str, str]:
        """The container's variables: envFrom first, then env, which may refer to earlier ones by $(NAME)."""
        variables: dict[str, str] = {}
        for source in container.get("envFrom") or []:
            for kind, resource in (("configMapRef", CONFIG_MAPS), ("secretRef", SECRETS)):
                if kind in source:
                    found = await self.required(resource, source[kind])
                    prefix = source.get("prefix", "")
                    variables |= {prefix + name: value.decode() for name, value in found.items()}
        for variable in container.get("env") or []:
            value = await self._value(variable, pod)
            if value is not None:
                variables[variable["name"]] = _expanded(value, variables)
        return variables

    async def _value(self, variable: dict[str, Any], pod: Document) -> str | None:
        source = variable.get("valueFrom")
        if source is None:
            return str(variable.get("value", ""))
        for kind, resource in (("configMapKeyRef", CONFIG_MAPS), ("secretKeyRef", SECRETS)):
            if kind in source:
                reference = source[kind]
                found = await self.required(resource, reference)
                if reference["key"] in found:
                    return found[reference["key"]].decode()
                if reference.get("optional"):
                    return None
                where = f"{resource.kind} {self._namespace}/{reference['name']}"
                raise MaterialMissingError(f"couldn't find key {reference['key']} in {where}")
        return _field(pod, source["fieldRef"]["fieldPath"]) if "fieldRef" in source else None

    async def mount(self, container: dict[str, Any], pod: Document, root: Path) -> None:
        """Makes `root` afresh, with the container's volumes below it at their mount paths."""
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True, mode=0o700)
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
        for mount in container.get("volumeMounts") or []:
            files = await self._files(volumes[mount["name"]])
            target = _below(root, mount["mountPath"])
            if files is None:
                target.mkdir(parents=True, exist_ok=True)
            elif sub_path := mount.get("subPath"):
                _write_sub_path(target, sub_path, files, mount["name"])
            else:
                _write(target, files.items())

    async def _files(self, volume: dict[str, Any]) -> dict[str, bytes] | None:
        """The files of a volume; None for one that begins empty."""
        for kind, resource in (("configMap", CONFIG_MAPS), ("secret", SECRETS)):
            if kind in volume:
                source = volume[kind]
                found = await self.required(resource, source)
                if "items" not in source:
                    return found
                missing = [item["key"] for item in source["items"] if item["key"] not in found]
                if missing and not source.get("optional"):
                    raise MaterialMissingError(f"references non-existent config key: {missing[0]}")
                return {item["path"]: found[item["key"]] for item in source["items"] if item["key"] in found}
        return None


def arguments_of(container: dict[str, Any], variables: dict[str, str]) -> tuple[str, ...]:
    """The container's `args`, which may refer to its variables by $(NAME)."""
    return tuple(_expanded(each, variables) for each in container.get("args") or [])


def _decoded(resource: Resource, document: Document) -> dict[str, bytes]:
    data = document.get("data") or {}
    if resource == SECRETS:
        return {name: base64.b64decode(value) for name, value in data.items()}
    binary = {name: base64.b64decode(value) for name, value in (document.get("binaryData") or {}).items()}
    return {**{name: value.encode() for name, value in data.items()}, **binary}


def _expanded(text: str, variables: dict[str, str]) -> str:
    """`$(NAME)` becomes an earlier variable's value, stays as it is without one; `$$` is one `$`."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else variables.get(name, match[0])

    return _REFERENCE.sub(value, text)


def _field(pod: Document, path: str) -> str:
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    value: Any = pod
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _below(root: Path, path: str) -> Path:
    """`path` of the container as a path of the machine. Raises MaterialMissingError for one that leads out of `root`."""
    parts = PurePosixPath("/", path).relative_to("/").parts
    if ".." in parts:
        raise MaterialMissingError(f"{path} must not contain '..'")
    return root.joinpath(*parts)


def _write_sub_path(target: Path, sub_path: str, files: dict[str, bytes], volume: str) -> None:
    if sub_path in files:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(files[sub_path])
        return
    inside = {name.removeprefix(sub_path + "/"): data for name, data in files.items() if name.startswith(sub_path + "/")}
    if not inside:
        # A real node would mount an empty directory here, and the program would fail later, for no visible reason.
        raise MaterialMissingError(f'subPath "{sub_path}" is no key of volume "{volume}"')
    _write(target, inside.items())


def _write(directory: Path, files: Iterable[tuple[str, bytes]]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files:
        path = _below(directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
