"""What this room needs of a port-forward through a cluster's API server. `shared.clusters` implements it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from shared.model.errors import BackupError
from shared.model.plan import Cluster


class PortForward(Protocol):
    """One port of one pod, at an address of this process's own. Every connection to it is forwarded anew."""

    @property
    def path(self) -> str:
        """The unix socket to connect to."""

    @property
    def problem(self) -> BackupError | None:
        """Why the newest connection was not forwarded, in the words of the API server or the node: at this end, such a
        connection is only closed. None as soon as the pod has sent anything."""

    async def close(self) -> None:
        """Ends what is forwarded and removes the socket."""


OpenForward: TypeAlias = Callable[[Cluster, str, str, int], Awaitable[PortForward]]
"""Forwards to a port of a pod, given cluster, namespace, pod and port.

Raises Unreachable, Throttled, Forbidden and NotReady of the cluster, and Misconfigured when this process cannot hold another.
"""
