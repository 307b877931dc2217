"""The scheduler: gives each pod a node that is Ready, open for new pods and selected by the pod.

Pods of one controller are spread over the nodes, as by the default constraints of kube-scheduler. No node runs out of room.
"""

from __future__ import annotations

from infra.sandbox.cluster.api.resources import PODS
from infra.sandbox.cluster.api_client import ApiClient
from infra.sandbox.cluster.controllers.ownership import controller_of, is_active
from infra.sandbox.cluster.controllers.reconcile import ReconcileQueue
from infra.sandbox.cluster.informer import Document, Informer, Name, name_of


class Scheduler:
    def __init__(self, client: ApiClient, nodes: Informer, pods: Informer) -> None:
        self._client, self._nodes, self._pods = client, nodes, pods
        self.queue = ReconcileQueue(self._schedule)
        pods.on_change(lambda before, after: self._add(after))
        nodes.on_change(lambda before, after: self._add_waiting())

    def _add(self, pod: Document | None) -> None:
        if pod is not None and _waits_for_a_node(pod):
            self.queue.add(name_of(pod))

    def _add_waiting(self) -> None:
        for pod in self._pods.objects.values():
            self._add(pod)

    async def _schedule(self, name: Name) -> None:
        pod = self._pods.objects.get(name)
        if pod is None or not _waits_for_a_node(pod):
            return
        fitting = [node for node in self._nodes.objects.values() if _is_open(node) and _is_selected(node, pod)]
        if not fitting:
            await self._report_unschedulable(pod)
            return
        node = min(fitting, key=lambda node: self._load(node, pod))
        target = {"apiVersion": "v1", "kind": "Node", "name": node["metadata"]["name"]}
        body = {"metadata": {"name": name[1], "uid": pod["metadata"]["uid"]}, "target": target}
        await self._client.create(PODS, name[0], body, binding_of=name[1])
        # The next choice has to count this one.
        await self._pods.caught_up_with(await self._client.get(PODS, *name))

    def _load(self, node: Document, pod: Document) -> tuple[int, int, str]:
        """Siblings of the pod on the node, all pods on it, and its name, so that every choice has one outcome."""
        name, owner = node["metadata"]["name"], controller_of(pod)
        there = [each for each in self._pods.objects.values() if each["spec"].get("nodeName") == name and is_active(each)]
        siblings = sum(owner is not None and (controller_of(each) or {}).get("uid") == owner["uid"] for each in there)
        return siblings, len(there), name

    async def _report_unschedulable(self, pod: Document) -> None:
        total = len(self._nodes.objects)
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": f"0/{total} nodes are available: {total} node(s) were unschedulable or did not match the pod.",
        }
        if not any(condition.items() <= each.items() for each in pod["status"].get("conditions") or []):
            await self._client.patch(PODS, *name_of(pod), {"status": {"conditions": [condition]}}, subresource="status")


def _waits_for_a_node(pod: Document) -> bool:
    return not pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]


def _is_open(node: Document) -> bool:
    """By its own word. The taints that say the same are the node lifecycle controller's, which does not exist here."""
    conditions = node.get("status", {}).get("conditions") or []
    is_ready = any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
    return is_ready and not node.get("spec", {}).get("unschedulable")


def _is_selected(node: Document, pod: Document) -> bool:
    wanted: dict[str, str] = pod["spec"].get("nodeSelector") or {}
    return wanted.items() <= node["metadata"].get("labels", {}).items()
