"""The product's hands on a cluster, with every right that they use and every refusal noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from shared.clusters.api import KubernetesApi
from shared.clusters.resources import group_of
from shared.model.errors import Forbidden

Right = tuple[str, str, str]  # API group, resource as in RBAC (deployments/scale), verb
T = TypeVar("T")


class Recorder:
    """In the place of the `KubernetesApi` that it passes everything on to."""

    def __init__(self, api: KubernetesApi) -> None:
        self._api = api
        self.used: set[Right] = set()
        self.refused: set[Right] = set()

    def list(self, kind: str, *arguments: Any) -> Any:
        return self._noted("list", kind, lambda: self._api.list(kind, *arguments))

    def get(self, kind: str, *arguments: Any) -> Any:
        return self._noted("get", kind, lambda: self._api.get(kind, *arguments))

    def watch(self, kind: str, *arguments: Any) -> Any:
        return self._noted("watch", kind, lambda: self._api.watch(kind, *arguments))

    def patch(self, kind: str, *arguments: Any, subresource: str = "", **options: Any) -> Any:
        resource = f"{kind}/{subresource}" if subresource else kind
        return self._noted("patch", resource, lambda: self._api.patch(kind, *arguments, subresource=subresource, **options))

    def create(self, kind: str, *arguments: Any) -> Any:
        return self._noted("create", kind, lambda: self._api.create(kind, *arguments))

    def delete(self, kind: str, *arguments: Any) -> None:
        self._noted("delete", kind, lambda: self._api.delete(kind, *arguments))

    def pod_log(self, *arguments: Any) -> str:
        return self._noted("get", "pods/log", lambda: self._api.pod_log(*arguments))

    def can_i(self, verb: str, resource: str, *arguments: Any, **options: Any) -> bool:
        """Asking takes no right; who asks and hears no goes without."""
        may = self._api.can_i(verb, resource, *arguments, **options)
        if not may:
            self.refused.add(_right(verb, resource))
        return may

    def _noted(self, verb: str, resource: str, call: Callable[[], T]) -> T:
        right = _right(verb, resource)
        try:
            answer = call()
        except Forbidden:
            self.refused.add(right)
            raise
        except Exception:
            self.used.add(right)  # past the door, whatever came then
            raise
        self.used.add(right)
        return answer


def _right(verb: str, resource: str) -> Right:
    return group_of(resource.partition("/")[0]), resource, verb
