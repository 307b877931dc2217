"""The ReplicaSet controller: as many active pods as wanted, and a status that counts them."""

from __future__ import annotations

from infra.sandbox.cluster.api.resources import PODS, REPLICA_SETS
from infra.sandbox.cluster.api_client import ApiClient
from infra.sandbox.cluster.controllers.ownership import (
    controller_of,
    is_active,
    is_controlled_by,
    is_ready,
    reference_to,
)
from infra.sandbox.cluster.controllers.reconcile import ReconcileQueue
from infra.sandbox.cluster.informer import Document, Informer, Name, name_of


class ReplicaSetController:
    def __init__(self, client: ApiClient, replica_sets: Informer, pods: Informer) -> None:
        self._client, self._replica_sets, self._pods = client, replica_sets, pods
        self.queue = ReconcileQueue(self._reconcile)
        replica_sets.on_change(lambda before, after: self.queue.add(name_of(after or before or {})))
        pods.on_change(self._pod_changed)

    def _pod_changed(self, before: Document | None, after: Document | None) -> None:
        pod = after or before or {}
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == REPLICA_SETS.kind:
            self.queue.add((pod["metadata"]["namespace"], owner["name"]))

    async def _reconcile(self, name: Name) -> None:
        replica_set = self._replica_sets.objects.get(name)
        if replica_set is None:
            return
        owned = [pod for pod in self._pods.objects.values() if is_controlled_by(pod, replica_set)]
        active = [pod for pod in owned if is_active(pod)]
        missing = replica_set["spec"]["replicas"] - len(active)
        await self._report(replica_set, active)
        for _ in range(missing):
            created = await self._client.create(PODS, name[0], _new_pod(replica_set))
            await self._pods.caught_up_with(created)
        for pod in sorted(active, key=_worth_keeping)[: max(0, -missing)]:
            await self._client.delete(PODS, pod)
        # Creations and deletions come back as pod events, which bring this ReplicaSet here again.

    async def _report(self, replica_set: Document, active: list[Document]) -> None:
        ready = sum(map(is_ready, active))
        status = {
            "replicas": len(active),
            "fullyLabeledReplicas": len(active) or None,
            "readyReplicas": ready or None,  # zero is left out, as Go's omitempty does
            "availableReplicas": ready or None,
            "observedGeneration": replica_set["metadata"]["generation"],
        }
        if any(replica_set["status"].get(field) != value for field, value in status.items()):
            namespace, name = name_of(replica_set)
            await self._client.patch(REPLICA_SETS, namespace, name, {"status": status}, subresource="status")


def _new_pod(replica_set: Document) -> Document:
    template = replica_set["spec"]["template"]
    metadata = {
        **template["metadata"],
        "generateName": replica_set["metadata"]["name"] + "-",
        "ownerReferences": [reference_to(replica_set)],
    }
    return {"metadata": metadata, "spec": template["spec"]}


def _worth_keeping(pod: Document) -> tuple[bool, bool, bool, int]:
    """Pods that serve nobody go first, then the youngest."""
    is_bound, is_running = bool(pod["spec"].get("nodeName")), pod["status"].get("phase") == "Running"
    created = int("".join(filter(str.isdigit, pod["metadata"]["creationTimestamp"])))
    return is_bound, is_running, is_ready(pod), -created
