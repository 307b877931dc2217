"""Port-forwards to many pods at once, for pods whose addresses mean nothing outside their cluster.

gRPC connects to addresses, so each pod gets a unix socket in a private folder. Nothing listens on a TCP port, which other users
of the machine could connect to. Why it is built like this: docs/adr/0007.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from shared.clusters.access import Access
from shared.clusters.api import KubernetesApi
from shared.clusters.port_forward_relay import FILES_HINT, PodRelay
from shared.model.errors import Misconfigured
from shared.model.plan import Cluster

FILES_PER_POD = 3
"""File descriptors of a pod while it is connected: gRPC's end of the unix socket, ours, and the websocket."""
OTHER_FILES = 100
"""Left to everything else in the process: log, event loop, connections to the cloud's APIs and to the API server."""
HANDSHAKES_AT_ONCE = 32
"""Hundreds of TLS handshakes at the same moment would only wait for one another, and keep the API server from other work."""


class PortForwards:
    """Forwards of one process, all on one event loop. `open_cluster` may block."""

    def __init__(self, open_cluster: Callable[[Cluster], KubernetesApi]) -> None:
        self._open_cluster = open_cluster
        self._handshakes = asyncio.Semaphore(HANDSHAKES_AT_ONCE)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._open = 0

    async def open(self, cluster: Cluster, namespace: str, pod: str, port: int) -> PodRelay:
        """A unix socket that leads to the port of the pod. Connects to the API server only when something connects to it.

        Raises:
            Misconfigured: the process may not open files enough for another pod.
            NotReady, Forbidden, Throttled, Unreachable: the cluster was not found.
        """
        api = await asyncio.to_thread(self._open_cluster, cluster)
        self._refuse_beyond_limit()
        self._open += 1
        return PodRelay(api.access, self._context(api.access), namespace, pod, port, self._handshakes, self._closed)

    def _closed(self) -> None:
        self._open -= 1

    def _context(self, access: Access) -> ssl.SSLContext:
        """One for all connections to a cluster: reading the CA takes longer than a handshake."""
        if access.ca_pem not in self._contexts:
            self._contexts[access.ca_pem] = _context(access.ca_pem)
        return self._contexts[access.ca_pem]

    def _refuse_beyond_limit(self) -> None:
        limit = _file_limit()
        most = (limit - OTHER_FILES) // FILES_PER_POD
        if self._open >= most:
            raise Misconfigured(
                f"This process may open {limit} files, which is enough for port-forwards to {most} pods, and they are in use.",
                hint=FILES_HINT,
            )


def _file_limit() -> int:
    import resource  # not on Windows, which has no unix sockets in asyncio either

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def _context(ca_pem: str) -> ssl.SSLContext:
    """Trusts the cluster's CA only, from memory. Not `create_default_context`: from Python 3.13 on it demands key identifiers,
    which certificates of older clusters lack."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca_pem)
    return context
