"""What this room needs from a Kubernetes cluster: three read-only calls. `shared.clusters` implements them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from shared.model.kubernetes import KubernetesObject, ObjectList, WatchEvent


class WatchStream(Protocol):
    """Events as they happen. Iterating ends by itself when the watch's time-out is over, and promptly after `close`.

    Iterating raises HistoryExpired (410 Gone) and Unreachable (the connection broke).
    """

    def __iter__(self) -> Iterator[WatchEvent]: ...

    def close(self) -> None:
        """Ends the stream; may be called from another thread, and twice."""


class ClusterReader(Protocol):
    """`kind` is the plural resource name: pods, deployments, replicasets, services, configmaps or secrets.

    All calls raise Unreachable, Throttled or Forbidden, and have time-outs of their own.
    """

    def list(self, kind: str, namespace: str, labels: Mapping[str, str]) -> ObjectList:
        """The objects that carry all of `labels`; without labels, all of the namespace."""

    def get(self, kind: str, namespace: str, name: str) -> KubernetesObject | None:
        """None: there is no such object."""

    def watch(
        self, kind: str, namespace: str, labels: Mapping[str, str], resource_version: str, timeout_seconds: int
    ) -> WatchStream:
        """What happens after `resource_version`, bookmarks included. Raises HistoryExpired when that is too long ago."""
