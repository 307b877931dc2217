"""Finds the pods of a participant, by its labels, and what controls them. Everything else about it stands in the plan."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from shared.model.errors import NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import Release
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.products import APP_LABEL, PRODUCTS
from shared.scalar.workload import controller_of

NOBODY = "nobody"


class ParticipantPods(NamedTuple):
    """`deployment` is None when something else controls the pods. `resource_version` is that of the list of pods."""

    deployment: KubernetesObject | None
    pods: tuple[KubernetesObject, ...]
    resource_version: str


class Owner(NamedTuple):
    """What controls pods. `kind` is `NOBODY` for pods on their own."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


def find_participant(reader: ClusterReader, release: Release) -> ParticipantPods:
    """The pods that carry the labels, in the order of their names, and their one workload.

    Raises:
        NotReady: no pods, pods of several workloads, or pods of a product that has a Helm release.
        Unreachable, Throttled, Forbidden: the cluster.
    """
    pods = reader.list("pods", release.namespace, release.selector_labels)
    if not pods.items:
        raise NotReady(
            f"{release.key}: no pod in namespace {release.namespace} of cluster {release.cluster.name} carries "
            f"{release.selector}.",
            hint=f"`kubectl -n {release.namespace} get pods -l {release.selector}` shows what the selector finds. Something "
            "that is stopped for good does not belong into the plan.",
        )
    _refuse_products(release, pods.items)
    owner = workload_of(reader, release, pods.items)
    deployment = reader.get("deployments", release.namespace, owner.name) if owner.kind == "Deployment" else None
    ordered = sorted(pods.items, key=lambda pod: str(pod["metadata"]["name"]))
    return ParticipantPods(deployment, tuple(ordered), pods.resource_version)


def workload_of(reader: ClusterReader, release: Release, pods: Iterable[KubernetesObject]) -> Owner:
    """The one thing that controls a participant's pods. Raises NotReady when there are several."""
    owners = sorted({_controller_behind(reader, pod) for pod in pods})
    if len(owners) > 1:
        named = ", ".join(str(owner) for owner in owners)
        raise NotReady(
            f"{release.key}: {release.selector} matches pods of several workloads: {named}.",
            hint="Give each of them a participant of its own, with labels that only its own pods carry.",
        )
    return owners[0]


def _refuse_products(release: Release, pods: Iterable[KubernetesObject]) -> None:
    """They would be paused a second time, or without everything that is known of their product."""
    for pod in pods:
        product = PRODUCTS.get((pod["metadata"].get("labels") or {}).get(APP_LABEL, ""))
        if product:
            raise NotReady(
                f"{release.key}: {release.selector} matches pod {pod['metadata']['name']}, which is {product.title}.",
                hint="Name its Helm release under releases instead, or choose labels that only the participant's pods carry.",
            )


def _controller_behind(reader: ClusterReader, pod: KubernetesObject) -> Owner:
    """The Deployment behind a ReplicaSet; otherwise whatever controls the pod."""
    owner = controller_of(pod)
    if owner is None:
        return Owner(NOBODY, "")
    if owner["kind"] == "ReplicaSet":
        replica_set = reader.get("replicasets", pod["metadata"]["namespace"], owner["name"])
        above = controller_of(replica_set) if replica_set else None
        if above:
            return Owner(above["kind"], above["name"])
    return Owner(owner["kind"], owner["name"])
