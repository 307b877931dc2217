"""The Deployment controller: one ReplicaSet per pod template, moved from the old to the new step by step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from infra.sandbox.cluster.api.clock import rfc3339
from infra.sandbox.cluster.api.resources import DEPLOYMENTS, REPLICA_SETS
from infra.sandbox.cluster.api_client import ApiClient
from infra.sandbox.cluster.controllers.ownership import controller_of, is_controlled_by, reference_to
from infra.sandbox.cluster.controllers.reconcile import ReconcileQueue
from infra.sandbox.cluster.controllers.rollout import (
    HASH_LABEL,
    REVISION,
    has_template,
    must_be_available,
    revision,
    template_hash,
    wanted_replicas,
)
from infra.sandbox.cluster.informer import Document, Informer, Name, name_of


class DeploymentController:
    def __init__(self, client: ApiClient, deployments: Informer, replica_sets: Informer) -> None:
        self._client, self._deployments, self._replica_sets = client, deployments, replica_sets
        self.queue = ReconcileQueue(self._reconcile)
        deployments.on_change(lambda before, after: self.queue.add(name_of(after or before or {})))
        replica_sets.on_change(self._replica_set_changed)

    def _replica_set_changed(self, before: Document | None, after: Document | None) -> None:
        replica_set = after or before or {}
        owner = controller_of(replica_set)
        if owner is not None and owner["kind"] == DEPLOYMENTS.kind:
            self.queue.add((replica_set["metadata"]["namespace"], owner["name"]))

    async def _reconcile(self, name: Name) -> None:
        deployment = self._deployments.objects.get(name)
        if deployment is None:
            return
        owned = [each for each in self._replica_sets.objects.values() if is_controlled_by(each, deployment)]
        owned.sort(key=revision)
        new = next((each for each in owned if has_template(each, deployment["spec"]["template"])), None)
        if deployment["spec"].get("paused"):
            await self._report(deployment, owned, new)
            return
        if new is None:
            new = await self._create(deployment, 1 + max(map(revision, owned), default=0))
            owned.append(new)
        elif revision(new) < revision(owned[-1]):
            new = await self._renumber(new, revision(owned[-1]) + 1)  # a rollback makes an old template the newest
        old = [each for each in owned if each["metadata"]["uid"] != new["metadata"]["uid"]]
        replicas = wanted_replicas(deployment, new, old)
        for each in [new, *old]:
            if replicas[each["metadata"]["name"]] != each["spec"]["replicas"]:
                await self._scale(each, replicas[each["metadata"]["name"]])
        await self._report(deployment, [*old, new], new)
        await self._forget_old(deployment, old)

    async def _create(self, deployment: Document, number: int) -> Document:
        template = deployment["spec"]["template"]
        namespace, name = name_of(deployment)
        label = {HASH_LABEL: template_hash(template)}
        labels = {**(template["metadata"].get("labels") or {}), **label}
        selector = deployment["spec"]["selector"]
        body = {
            "metadata": {
                "name": f"{name}-{label[HASH_LABEL]}",
                "labels": labels,
                "annotations": {REVISION: str(number)},
                "ownerReferences": [reference_to(deployment)],
            },
            "spec": {
                "replicas": 0,
                "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **label}},
                "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
            },
        }
        created = await self._client.create(REPLICA_SETS, namespace, body)
        await self._replica_sets.caught_up_with(created)
        return created

    async def _renumber(self, replica_set: Document, number: int) -> Document:
        namespace, name = name_of(replica_set)
        patch = {"metadata": {"annotations": {REVISION: str(number)}}}
        changed = await self._client.patch(REPLICA_SETS, namespace, name, patch)
        await self._replica_sets.caught_up_with(changed)
        return changed

    async def _scale(self, replica_set: Document, replicas: int) -> None:
        namespace, name = name_of(replica_set)
        changed = await self._client.patch(REPLICA_SETS, namespace, name, {"spec": {"replicas": replicas}})
        await self._replica_sets.caught_up_with(changed)

    async def _report(self, deployment: Document, owned: list[Document], new: Document | None) -> None:
        status = _status(deployment, owned, new)
        patch: dict[str, Any] = {"status": status}
        number = str(revision(new)) if new else None
        if number and (deployment["metadata"].get("annotations") or {}).get(REVISION) != number:
            patch["metadata"] = {"annotations": {REVISION: number}}
        elif all(deployment["status"].get(field) == value for field, value in status.items()):
            return
        namespace, name = name_of(deployment)
        await self._client.patch(DEPLOYMENTS, namespace, name, patch, subresource="status")

    async def _forget_old(self, deployment: Document, old: list[Document]) -> None:
        empty = [each for each in old if not each["spec"]["replicas"] and not each["status"].get("replicas")]
        surplus = len(empty) - deployment["spec"]["revisionHistoryLimit"]
        for each in empty[: max(0, surplus)]:
            await self._client.delete(REPLICA_SETS, each)


def _status(deployment: Document, owned: list[Document], new: Document | None) -> dict[str, Any]:
    """Zero counts are None: a merge patch then removes them, as the API leaves them out."""
    desired = deployment["spec"]["replicas"]
    total, ready, available = (
        sum(each["status"].get(field, 0) for each in owned) for field in ("replicas", "readyReplicas", "availableReplicas")
    )
    updated = new["status"].get("replicas", 0) if new else 0
    serves = available >= must_be_available(deployment)
    is_complete = updated == desired == total and available >= desired
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        "replicas": total or None,
        "updatedReplicas": updated or None,
        "readyReplicas": ready or None,
        "availableReplicas": available or None,
        "unavailableReplicas": max(0, desired - available) or None,
        "conditions": [
            _condition(
                deployment,
                "Available",
                "True" if serves else "False",
                "MinimumReplicasAvailable" if serves else "MinimumReplicasUnavailable",
            ),
            _condition(deployment, "Progressing", "True", "NewReplicaSetAvailable" if is_complete else "ReplicaSetUpdated"),
        ],
    }


def _condition(deployment: Document, kind: str, status: str, reason: str) -> dict[str, Any]:
    """The condition as it was, unless something about it is new."""
    before: dict[str, Any] = next((each for each in deployment["status"].get("conditions") or [] if each["type"] == kind), {})
    if (before.get("status"), before.get("reason")) == (status, reason):
        return before
    now = rfc3339(datetime.now(UTC))
    since = before["lastTransitionTime"] if before.get("status") == status else now
    return {"type": kind, "status": status, "reason": reason, "lastUpdateTime": now, "lastTransitionTime": since}
