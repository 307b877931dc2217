"""From a container image to what runs in it: the product, its properties file, its ports, its Admin behaviour.

Paths, ports and property names are those of the vendor's Helm charts (helm-charts, all tags since 2023).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from infra.sandbox.pods import generations
from infra.sandbox.pods.generations import Generation

Version = tuple[int, int, int]

# ScalarDB Cluster releases that report no success with an open gate, but carry no reasons yet.
_CLUSTER_RACE_FIXED_SINCE: Mapping[tuple[int, int], int] = {(3, 15): 9, (3, 16): 6, (3, 17): 4, (3, 18): 1}


class UnknownImage(ValueError):
    """The image is none of the products that the sandbox can run, or its tag is not a version."""


@dataclass(frozen=True)
class Port:
    """A port and the property that can move it."""

    number: int
    property: str | None = None


@dataclass(frozen=True)
class Tls:
    """The names of the properties that switch TLS on and say where key and certificate chain are."""

    enabled: str
    private_key_path: str
    cert_chain_path: str


@dataclass(frozen=True)
class Product:
    """What one image runs.

    properties_paths: where the chart mounts the properties file, as absolute paths inside the container; the first
    that exists counts. Empty for Envoy, which has none.
    admin: the port of the Admin service; None for Envoy.
    dedicated_admin_property: when set in the properties, the Admin service exists only on that port.
    """

    name: str
    properties_paths: tuple[str, ...]
    admin: Port | None
    generation: Generation | None
    other_grpc_ports: tuple[Port, ...] = ()
    http_ports: tuple[Port, ...] = ()
    tls: Tls | None = None
    dedicated_admin_property: str | None = None
    decommissioning_property: str | None = None


def product_of(image: str) -> Product:
    """The product behind an image name such as `ghcr.io/scalar-labs/scalardb-cluster-node:3.19.0`.

    Raises UnknownImage.
    """
    name, tag = _split(image)
    if "envoy" in name:
        return _envoy()
    makers = {
        "scalardb-cluster-node": _cluster,
        "scalardb-server": _server,
        "scalar-ledger": _ledger,
        "scalar-auditor": _auditor,
    }
    for known, make in makers.items():
        # Variants such as scalardb-cluster-node-byol-premium behave the same.
        if name == known or name.startswith(f"{known}-"):
            return make(_version(image, tag))
    raise UnknownImage(
        f"No Scalar product known for image {image!r}: the name {name!r} is none of {', '.join(makers)} or an Envoy. "
        "Correct the image of the container."
    )


def _split(image: str) -> tuple[str, str]:
    name_and_tag = image.rsplit("/", 1)[-1].split("@", 1)[0]
    name, _, tag = name_and_tag.partition(":")
    return name, tag


def _version(image: str, tag: str) -> Version:
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", tag)
    if match is None:
        raise UnknownImage(
            f"The tag of image {image!r} is not a version such as 3.19.0, so nobody can tell how its Admin service "
            "behaves. Give the image a version tag."
        )
    major, minor, patch = (int(part) for part in match.groups())
    return major, minor, patch


def _cluster(version: Version) -> Product:
    if version >= (3, 19, 0):
        generation = generations.CLUSTER_3_19
    elif version[2] >= _CLUSTER_RACE_FIXED_SINCE.get(version[:2], 1_000):
        generation = generations.CLUSTER_RACE_FIXED
    else:
        generation = generations.CLUSTER
    since_3_18 = version >= (3, 18, 0)
    return Product(
        name="ScalarDB Cluster",
        properties_paths=_mounted("/scalardb-cluster/node/scalardb-cluster-node.properties"),
        admin=Port(60053, "scalar.db.cluster.node.port"),
        generation=generation,
        other_grpc_ports=(Port(60054),) if since_3_18 else (),
        http_ports=(Port(9080, "scalar.db.cluster.node.prometheus_exporter_port"),),
        tls=Tls(
            "scalar.db.cluster.tls.enabled",
            "scalar.db.cluster.node.tls.private_key_path",
            "scalar.db.cluster.node.tls.cert_chain_path",
        ),
        dedicated_admin_property="scalar.db.cluster.node.admin.port" if since_3_18 else None,
        decommissioning_property="scalar.db.cluster.node.decommissioning_duration_secs",
    )


def _server(version: Version) -> Product:
    return Product(
        name="ScalarDB Server",
        properties_paths=_mounted("/scalardb/server/database.properties"),
        admin=Port(60051, "scalar.db.server.port"),
        generation=generations.SERVER if version >= (3, 6, 0) else generations.SERVER_BEFORE_CHECK_PAUSED,
        http_ports=(Port(8080, "scalar.db.server.prometheus_exporter_port"),),
        decommissioning_property="scalar.db.server.decommissioning_duration_secs",
    )


def _ledger(version: Version) -> Product:
    return _scalardl("ledger", "ScalarDL Ledger", 50051, version)


def _auditor(version: Version) -> Product:
    return _scalardl("auditor", "ScalarDL Auditor", 40051, version)


def _scalardl(kind: str, name: str, first_port: int, version: Version) -> Product:
    server = f"scalar.dl.{kind}.server"
    if version >= (3, 14, 0):
        generation = generations.LEDGER_3_14
    elif version >= (3, 5, 0):
        generation = generations.LEDGER
    else:
        generation = generations.LEDGER_BEFORE_CHECK_PAUSED
    return Product(
        name=name,
        properties_paths=_mounted(f"/scalar/{kind}/{kind}.properties"),
        admin=Port(first_port + 2, f"{server}.admin_port"),
        generation=generation,
        other_grpc_ports=(Port(first_port, f"{server}.port"), Port(first_port + 1, f"{server}.privileged_port")),
        http_ports=(Port(8080, f"{server}.prometheus_exporter_port"),),
        tls=Tls(f"{server}.tls.enabled", f"{server}.tls.private_key_path", f"{server}.tls.cert_chain_path"),
        decommissioning_property=f"{server}.decommissioning_duration_secs",
    )


def _envoy() -> Product:
    return Product(
        name="Envoy",
        properties_paths=(),
        admin=None,
        generation=None,
        other_grpc_ports=(Port(60053), Port(60051), Port(50051), Port(50052), Port(40051), Port(40052)),
        http_ports=(Port(9001),),
    )


def _mounted(path: str) -> tuple[str, str]:
    """Charts to date mount `<path>.tmpl` for Server and ScalarDL; their next major versions drop the ending."""
    return f"{path}.tmpl", path
