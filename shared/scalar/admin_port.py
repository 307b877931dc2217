"""On which port the pods of a release serve the Admin interface, and how that is known.

The first that says something decides: the plan, the properties file, the Service, the product's default. Source: the
configuration pages of ScalarDB Cluster and ScalarDL. Since ScalarDB Cluster 3.18 the Admin service can have a port of its own,
which the chart's Service does not list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shared.model.errors import NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import Release
from shared.scalar.mounted_properties import MountedProperties
from shared.scalar.products import Product


class AdminPort(NamedTuple):
    """`source` says how the number is known, for people."""

    number: int
    source: str


def find_admin_port(
    release: Release,
    product: Product,
    deployment: KubernetesObject,
    mounted: MountedProperties | None,
    services: Sequence[KubernetesObject],
) -> AdminPort:
    """`mounted` is None when the properties file could not be found; then the Service decides.

    Raises:
        NotReady: the properties give a port that cannot be read as one.
    """
    if release.admin_port is not None:
        return port_in_plan(release)
    return (
        _from_properties(release, product, mounted)
        or _from_services(product, deployment, services)
        or AdminPort(product.admin_port, f"the default of {product.title}")
    )


def port_in_plan(release: Release) -> AdminPort:
    """Raises NotReady when the plan names no port."""
    if release.admin_port is None:
        raise NotReady(f"{release.key}: the plan names no Admin port.", hint="Set admin_port.")
    return AdminPort(release.admin_port, "the plan")


def _from_properties(release: Release, product: Product, mounted: MountedProperties | None) -> AdminPort | None:
    text = mounted.properties.get(product.admin_port_property) if mounted and product.admin_port_property else None
    if not text or not mounted:
        return None
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise NotReady(
            f"{release.key}: {product.admin_port_property} in {mounted.source} is {text!r}, which is not a port number.",
            hint="If it comes from a Secret, set admin_port of the release in the plan; otherwise correct the property.",
        )
    return AdminPort(int(text), f"{product.admin_port_property} in {mounted.source}")


def _from_services(product: Product, deployment: KubernetesObject, services: Sequence[KubernetesObject]) -> AdminPort | None:
    """The port of the known name; of the headless Service, if there is one, because that is what the chart makes for it."""
    for service in sorted(services, key=lambda item: item["spec"].get("clusterIP") != "None"):
        for port in service["spec"].get("ports") or ():
            if port.get("name") == product.admin_port_name:
                number = _target_number(port, deployment)
                if number is not None:
                    return AdminPort(number, f"port {product.admin_port_name} of Service {service['metadata']['name']}")
    return None


def _target_number(port: Mapping[str, Any], deployment: KubernetesObject) -> int | None:
    """`targetPort` may be a number, the name of a container's port, or left out: then it is the Service's own number."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    containers = deployment["spec"]["template"]["spec"]["containers"]
    named = (item for container in containers for item in container.get("ports") or () if item.get("name") == target)
    return next((int(item["containerPort"]) for item in named), None)
