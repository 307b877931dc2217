"""All nodes of a cluster, for what is asked of a pod wherever it runs."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from infra.sandbox.cluster.informer import Informer
from infra.sandbox.cluster.node.kubelet import Kubelet
from infra.sandbox.cluster.port_forward import Streams


class Nodes:
    """The methods raise LookupError for a pod that runs nowhere."""

    def __init__(self, kubelets: Sequence[Kubelet], pods: Informer) -> None:
        self._kubelets = {kubelet.name: kubelet for kubelet in kubelets}
        self._pods = pods

    def kill_container(self, namespace: str, pod: str, container: str | None, number: signal.Signals) -> None:
        """Sends a signal to a container's process."""
        self._node_of(namespace, pod).kill_container(namespace, pod, container, number)

    async def dial(self, namespace: str, pod: str, port: int) -> Streams:
        """Connects to a port inside the pod. Raises OSError when nobody listens there."""
        return await self._node_of(namespace, pod).dial(namespace, pod, port)

    def read_log(self, namespace: str, pod: str, container: str, lines: int | None) -> str:
        """The last lines that a container has written, all of them without a number."""
        return self._node_of(namespace, pod).read_log(namespace, pod, container, lines)

    def cut(self) -> None:
        """Resets every port-forward."""
        for kubelet in self._kubelets.values():
            kubelet.port_forwarding.cut()

    def _node_of(self, namespace: str, pod: str) -> Kubelet:
        document = self._pods.objects.get((namespace, pod))
        kubelet = self._kubelets.get(document["spec"].get("nodeName", "")) if document else None
        if kubelet is None:
            raise LookupError(f"no pod {namespace}/{pod} runs on any node")
        return kubelet
