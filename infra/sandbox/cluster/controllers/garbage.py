"""The garbage collector: what belongs to an owner that is gone is deleted (the Background policy)."""

from __future__ import annotations

from collections.abc import Sequence

from infra.sandbox.cluster.api.resources import BY_KIND
from infra.sandbox.cluster.api_client import ApiClient, ApiFailureError
from infra.sandbox.cluster.controllers.reconcile import ReconcileQueue
from infra.sandbox.cluster.informer import Document, Informer, Name, name_of


class GarbageCollector:
    """Looks after the dependents that one informer sees; `owners` are the informers of what may own them."""

    def __init__(self, client: ApiClient, dependents: Informer, owners: Sequence[Informer]) -> None:
        self._client, self._dependents = client, dependents
        self.queue = ReconcileQueue(self._reconcile)
        dependents.on_change(self._dependent_changed)
        for informer in owners:
            informer.on_change(self._owner_changed)

    def _dependent_changed(self, before: Document | None, after: Document | None) -> None:
        if before is None and after is not None and after["metadata"].get("ownerReferences"):
            self.queue.add(name_of(after))

    def _owner_changed(self, before: Document | None, after: Document | None) -> None:
        if after is None and before is not None:
            uid = before["metadata"]["uid"]
            for name, document in self._dependents.objects.items():
                if any(each["uid"] == uid for each in document["metadata"].get("ownerReferences") or []):
                    self.queue.add(name)

    async def _reconcile(self, name: Name) -> None:
        document = self._dependents.objects.get(name)
        if document is None or "deletionTimestamp" in document["metadata"]:
            return
        references = document["metadata"].get("ownerReferences") or []
        for reference in references:
            if await self._exists(name[0], reference):
                return
        if references:
            await self._client.delete(self._dependents.resource, document)

    async def _exists(self, namespace: str, reference: Document) -> bool:
        """Asks the API: a local copy may be behind, and a deletion cannot be taken back."""
        resource = BY_KIND.get((reference["apiVersion"], reference["kind"]))
        if resource is None:
            return True  # an owner of a kind that is unknown here is nobody's to judge
        try:
            owner = await self._client.get(resource, namespace, reference["name"])
        except ApiFailureError as error:
            if error.status == 404:
                return False
            raise
        return bool(owner["metadata"]["uid"] == reference["uid"])
