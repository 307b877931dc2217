"""The node's agent: registers the node and keeps a `Pod` running for each pod that is bound to it."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from infra.sandbox.cluster.api.resources import NODES
from infra.sandbox.cluster.api_client import ApiFailureError
from infra.sandbox.cluster.informer import Document, Informer
from infra.sandbox.cluster.node.pods import Node, Pod
from infra.sandbox.cluster.node.streaming import StreamingServer
from infra.sandbox.cluster.port_forward import PortForwarding, Streams


class Kubelet:
    def __init__(self, node: Node, pods: Informer) -> None:
        self._node, self._pods = node, pods
        self.port_forwarding = PortForwarding(self.dial)
        self._streaming = StreamingServer(self.port_forwarding, self.read_log)
        self._running: dict[str, tuple[Pod, asyncio.Task[None]]] = {}
        self.is_registered = asyncio.Event()
        pods.on_change(self._pod_changed)

    @property
    def name(self) -> str:
        return self._node.name

    async def run(self) -> None:
        """Until cancelled; then all containers are killed."""
        await self._register(await self._streaming.start(self._node.address, self._node.tls))
        self.is_registered.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self._streaming.stop()
            tasks = [task for _, task in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def kill_container(self, namespace: str, pod: str, container: str | None, number: signal.Signals) -> None:
        """Sends a signal to a container's process. Raises LookupError when there is none."""
        self._pod(namespace, pod).signal(container, number)

    async def dial(self, namespace: str, pod: str, port: int) -> Streams:
        """Connects to a port inside a pod. Raises LookupError when it does not run here, OSError when nobody listens there."""
        return await self._pod(namespace, pod).dial(port)

    def read_log(self, namespace: str, pod: str, container: str, lines: int | None) -> str:
        """See Pod.read_log. Raises LookupError when the pod does not run here."""
        return self._pod(namespace, pod).read_log(container, lines)

    def _pod(self, namespace: str, pod: str) -> Pod:
        """Raises LookupError when it does not run here."""
        document = self._pods.objects.get((namespace, pod))
        running = self._running.get(document["metadata"]["uid"]) if document else None
        if running is None:
            raise LookupError(f"no pod {namespace}/{pod} runs on node {self._node.name}")
        return running[0]

    def _pod_changed(self, before: Document | None, after: Document | None) -> None:
        document = after or before or {}
        metadata = document["metadata"]
        if after is None:
            if metadata["uid"] in self._running:
                self._running[metadata["uid"]][0].vanish()
        elif document["spec"].get("nodeName") == self._node.name:
            self._run(document)

    def _run(self, document: Document) -> None:
        metadata = document["metadata"]
        uid = metadata["uid"]
        if uid not in self._running:
            pod = Pod(self._node, document)
            task = asyncio.get_running_loop().create_task(self._until_gone(pod), name=f"pod {metadata['name']}")
            self._running[uid] = (pod, task)
        if "deletionTimestamp" in metadata:
            self._running[uid][0].terminate(metadata.get("deletionGracePeriodSeconds", 0))

    async def _until_gone(self, pod: Pod) -> None:
        try:
            await pod.run()
        finally:
            del self._running[pod.uid]

    async def _register(self, streaming_port: int) -> None:
        labels = {"kubernetes.io/hostname": self._node.name, "kubernetes.io/os": "linux"}
        body: dict[str, Any] = {"metadata": {"name": self._node.name, "labels": labels}}
        try:
            await self._node.client.create(NODES, None, body)
        except ApiFailureError as error:
            if error.reason != "AlreadyExists":
                raise
        status = {
            "addresses": [{"type": "InternalIP", "address": self._node.address}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": streaming_port}},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        }
        await self._node.client.patch(NODES, None, self._node.name, {"status": status}, subresource="status")
