"""Where a file of a container really lives: which key of which Secret or ConfigMap its pod template mounts at a path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class FileSource(NamedTuple):
    """`kind` is `secrets` or `configmaps`."""

    kind: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"{_TITLES[self.kind]} {self.name}, key {self.key}"


_TITLES = {"secrets": "Secret", "configmaps": "ConfigMap"}


def sources_of(pod: Mapping[str, Any], container: Mapping[str, Any], path: str) -> tuple[FileSource, ...]:
    """Everything that may provide the file at `path`, the likeliest first; empty when nothing is mounted there.

    Several only for a projected volume, whose later sources win where two have the same key.
    """
    mounts = [mount for mount in container.get("volumeMounts") or () if _covers(mount["mountPath"], path)]
    if not mounts:
        return ()
    mount = max(mounts, key=lambda item: len(item["mountPath"]))
    volume: Mapping[str, Any] = next((item for item in pod.get("volumes") or () if item["name"] == mount["name"]), {})
    inside = path.removeprefix(mount["mountPath"].rstrip("/")).lstrip("/")
    file = "/".join(part for part in (mount.get("subPath", ""), inside) if part)
    return tuple(_sources(volume, file))


def _covers(mount_path: str, path: str) -> bool:
    return path == mount_path or path.startswith(mount_path.rstrip("/") + "/")


def _sources(volume: Mapping[str, Any], file: str) -> Iterator[FileSource]:
    if secret := volume.get("secret"):
        yield from _keys("secrets", secret["secretName"], secret, file)
    if config_map := volume.get("configMap"):
        yield from _keys("configmaps", config_map["name"], config_map, file)
    for source in reversed((volume.get("projected") or {}).get("sources") or ()):
        for kind, part in (("secrets", "secret"), ("configmaps", "configMap")):
            if content := source.get(part):
                yield from _keys(kind, content["name"], content, file)


def _keys(kind: str, name: str, content: Mapping[str, Any], file: str) -> Iterator[FileSource]:
    """With `items` only those are files, otherwise every key is one of its own name."""
    items = content.get("items")
    if items is None:
        yield FileSource(kind, name, file)
        return
    for item in items:
        if item["path"] == file:
            yield FileSource(kind, name, item["key"])
