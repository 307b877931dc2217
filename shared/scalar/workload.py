"""Finds what belongs to a Helm release, by labels and never by composed names: one product, one Deployment, its pods."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple

from shared.model.errors import NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import Release
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.pod_state import TEMPLATE_HASH_LABEL
from shared.scalar.products import APP_LABEL, INSTANCE_LABEL, PRODUCTS, Product

_MOST_NAMED = 10


class Workload(NamedTuple):
    """`resource_version` is that of the list of pods."""

    product: Product
    deployment: KubernetesObject
    pods: tuple[KubernetesObject, ...]
    resource_version: str


def pod_labels(release: Release, app: str) -> dict[str, str]:
    """What the pods of a release carry; those of a product, by its `app`, like its Deployment and Services, unlike Envoy."""
    return release.selector_labels or {INSTANCE_LABEL: release.helm_release, APP_LABEL: app}


def find_deployment(reader: ClusterReader, release: Release) -> tuple[Product, KubernetesObject]:
    """The one product of the release and its one Deployment.

    Raises:
        NotReady: none, or more than one; the message says what was found instead.
        Unreachable, Throttled, Forbidden: the cluster.
    """
    found = reader.list("deployments", release.namespace, {INSTANCE_LABEL: release.helm_release}).items
    products = {_app(item) for item in found} & PRODUCTS.keys()
    if not products:
        raise _not_found(reader, release, found)
    if len(products) > 1:
        titles = " and ".join(PRODUCTS[app].title for app in sorted(products))
        raise NotReady(
            f"{release.key} is the release name of {titles}: it is not clear what to pause.",
            hint="Install each product under a release name of its own.",
        )
    product = PRODUCTS[products.pop()]
    deployments = [item for item in found if _app(item) == product.app]
    if len(deployments) > 1:
        raise NotReady(
            f"{release.key} has {len(deployments)} Deployments of {product.title}: {_names(deployments)}.",
            hint="Remove the one that the chart did not make: a release has exactly one.",
        )
    return product, deployments[0]


def find_workload(reader: ClusterReader, release: Release) -> Workload:
    """Also lists the pods. Raises like `find_deployment`, and NotReady for a pod that carries the release's labels but is not
    the Deployment's: clients may reach it through the Service, so it must not stay unpaused unnoticed."""
    product, deployment = find_deployment(reader, release)
    labels = pod_labels(release, product.app)
    pods = reader.list("pods", release.namespace, labels)
    replica_sets = reader.list("replicasets", release.namespace, labels).items
    if strangers := [pod for pod in pods.items if not _is_owned(pod, deployment, replica_sets)]:
        raise NotReady(
            f"{release.key}: {_names(strangers)} carry the labels of {product.title} but do not belong to Deployment "
            f"{deployment['metadata']['name']}, so they would not be paused reliably.",
            hint="Delete these pods, or take the labels off them.",
        )
    ordered = sorted(pods.items, key=lambda pod: str(pod["metadata"]["name"]))
    return Workload(product, deployment, tuple(ordered), pods.resource_version)


def _is_owned(pod: KubernetesObject, deployment: KubernetesObject, replica_sets: Iterable[KubernetesObject]) -> bool:
    """Through a ReplicaSet that the Deployment controls. A ReplicaSet that came or went between the two lists is known by its
    name, which the Deployment's controller makes from the hash of the pod template."""
    owner = controller_of(pod)
    if owner is None or owner.get("kind") != "ReplicaSet":
        return False
    for replica_set in replica_sets:
        if replica_set["metadata"]["uid"] == owner["uid"]:
            above = controller_of(replica_set)
            return above is not None and above["uid"] == deployment["metadata"]["uid"]
    template_hash = (pod["metadata"].get("labels") or {}).get(TEMPLATE_HASH_LABEL)
    return bool(owner.get("name") == f"{deployment['metadata']['name']}-{template_hash}")


def controller_of(item: KubernetesObject) -> KubernetesObject | None:
    """The owner reference of what controls an object."""
    owners: list[KubernetesObject] = item["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def _not_found(reader: ClusterReader, release: Release, with_instance: Iterable[KubernetesObject]) -> NotReady:
    others = sorted({_app(item) or "without the label" for item in with_instance})
    if others:
        return NotReady(
            f"{release.key} has Deployments, but none of a product that can be paused ({APP_LABEL}: {', '.join(others)}).",
            hint=f"The products are {', '.join(PRODUCTS)}; name the Helm release that installed one of them.",
        )
    deployments = reader.list("deployments", release.namespace, {}).items
    known = sorted({_instance(item) for item in deployments if _app(item) in PRODUCTS and _instance(item)})
    if not known:
        return NotReady(
            f"{release.key} was not found: namespace {release.namespace} of cluster {release.cluster.name} has no release of a "
            "Scalar product.",
            hint="Check cluster, namespace and helm_release in the plan; `helm list --all-namespaces` shows them.",
        )
    close = get_close_matches(release.helm_release, known, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return NotReady(
        f"{release.key} was not found.",
        hint=f"{hint}Releases in namespace {release.namespace}: {', '.join(known[:_MOST_NAMED])}{more}.",
    )


def _app(item: KubernetesObject) -> str:
    return str((item["metadata"].get("labels") or {}).get(APP_LABEL, ""))


def _instance(item: KubernetesObject) -> str:
    return str((item["metadata"].get("labels") or {}).get(INSTANCE_LABEL, ""))


def _names(items: Iterable[KubernetesObject]) -> str:
    return ", ".join(sorted(str(item["metadata"]["name"]) for item in items))
