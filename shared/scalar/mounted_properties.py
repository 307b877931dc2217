"""Finds the properties file of a release as its container does, through the mount in the Deployment: no name is guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.model.errors import NotReady
from shared.model.kubernetes import KubernetesObject
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.container_environment import ContainerEnvironment
from shared.scalar.products import Product
from shared.scalar.properties import Properties

_SUFFIXES = (".properties", ".properties.tmpl")


class MountedProperties(NamedTuple):
    """`source` names the ConfigMap and the key, for messages and evidence."""

    properties: Properties
    source: str


class PropertiesPlace(NamedTuple):
    """Where a Deployment's properties stand, and the container whose environment its placeholders refer to."""

    config_map: str
    key: str
    container: Mapping[str, Any]


class _Mount(NamedTuple):
    container: Mapping[str, Any]
    volume: str
    sub_path: str


def read_mounted_properties(reader: ClusterReader, deployment: KubernetesObject, product: Product) -> MountedProperties:
    """The properties that the Deployment's containers mount by `subPath`.

    Raises:
        NotReady: no such mount, or more than one that could be it; no ConfigMap behind it; no properties in that.
        Unreachable, Throttled, Forbidden: the cluster.
    """
    name, namespace = deployment["metadata"]["name"], deployment["metadata"]["namespace"]
    config_map, key, container = find_properties(deployment, product)
    source = f"ConfigMap {config_map}, key {key}"
    found = reader.get("configmaps", namespace, config_map)
    if found is None:
        raise NotReady(
            f"Deployment {name} mounts {source}, which does not exist in namespace {namespace}.",
            hint="Restore the ConfigMap with helm upgrade: pods that are made anew cannot start without it.",
        )
    data = found.get("data") or {}
    if key not in data:
        raise NotReady(
            f"Deployment {name} mounts {source}, but the ConfigMap has only {', '.join(sorted(data)) or 'no keys'}.",
            hint="Bring the Deployment and its ConfigMap together with helm upgrade.",
        )
    try:
        properties = Properties(data[key], ContainerEnvironment(reader, namespace, container))
    except ValueError as error:
        raise NotReady(f"{source} in namespace {namespace} is not a properties file: {error}.", hint="Correct it.") from error
    return MountedProperties(properties, source)


def find_properties(deployment: KubernetesObject, product: Product) -> PropertiesPlace:
    """Where the Deployment's containers mount the properties of `product` from, by `subPath`.

    Raises:
        NotReady: no such mount, or more than one that could be it; it is not of a ConfigMap.
    """
    name, pod = deployment["metadata"]["name"], deployment["spec"]["template"]["spec"]
    mount = _find_mount(name, pod, product)
    config_map, key = _config_map_of(name, pod, mount)
    return PropertiesPlace(config_map, key, mount.container)


def _find_mount(deployment: str, pod: Mapping[str, Any], product: Product) -> _Mount:
    mounts = [
        _Mount(container, mount["name"], mount["subPath"])
        for container in pod["containers"]
        for mount in container.get("volumeMounts") or ()
        if mount.get("subPath", "").endswith(_SUFFIXES)
    ]
    # Beside the product's own file there may be others, such as log4j2.properties.
    by_key = [mount for mount in mounts if mount.sub_path in product.properties_keys]
    by_container = [mount for mount in mounts if mount.container["name"] == product.container]
    for candidates in (by_key, by_container, mounts):
        if len(candidates) == 1:
            return candidates[0]
    found = ", ".join(sorted({mount.sub_path for mount in mounts})) or "none"
    raise NotReady(
        f"Deployment {deployment} should mount the properties of {product.title} by subPath "
        f"({' or '.join(product.properties_keys)}); properties files that it mounts: {found}.",
        hint="Mount the properties as the Helm chart does.",
    )


def _config_map_of(deployment: str, pod: Mapping[str, Any], mount: _Mount) -> tuple[str, str]:
    """Name of the ConfigMap, and the key whose content the container sees."""
    volume: Mapping[str, Any] = next((item for item in pod.get("volumes") or () if item["name"] == mount.volume), {})
    config_map = volume.get("configMap")
    if not config_map:
        raise NotReady(
            f"Deployment {deployment} mounts {mount.sub_path} from volume {mount.volume}, which is not a ConfigMap.",
            hint="Keep the properties in a ConfigMap as the Helm chart does, with secrets as environment variables.",
        )
    items = {item["path"]: item["key"] for item in config_map.get("items") or ()}
    return config_map["name"], items.get(mount.sub_path, mount.sub_path)
