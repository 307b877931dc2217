"""The Job controller, for Jobs of one pod: makes it, and says what became of it.

Source: Kubernetes, "Jobs"; conditions as the controller writes them since 1.31, where a Job is decided before it ends. Not
here: parallelism, retries of a pod that failed, suspension, the time to live after the end.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from infra.sandbox.cluster.api.clock import rfc3339
from infra.sandbox.cluster.api.resources import JOBS, PODS
from infra.sandbox.cluster.api_client import ApiClient
from infra.sandbox.cluster.controllers.ownership import controller_of, is_controlled_by, reference_to
from infra.sandbox.cluster.controllers.reconcile import ReconcileQueue
from infra.sandbox.cluster.informer import Document, Informer, Name, name_of

_LABELS = ("job-name", "batch.kubernetes.io/job-name")
_ENDS = ("Complete", "Failed")


class JobController:
    def __init__(self, client: ApiClient, jobs: Informer, pods: Informer) -> None:
        self._client, self._jobs, self._pods = client, jobs, pods
        self.queue = ReconcileQueue(self._reconcile)
        jobs.on_change(lambda before, after: self.queue.add(name_of(after or before or {})))
        pods.on_change(self._pod_changed)

    def _pod_changed(self, before: Document | None, after: Document | None) -> None:
        pod = after or before or {}
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == JOBS.kind:
            self.queue.add((pod["metadata"]["namespace"], owner["name"]))

    async def _reconcile(self, name: Name) -> None:
        job = self._jobs.objects.get(name)
        if job is None or "deletionTimestamp" in job["metadata"] or _has_ended(job):
            return
        pods = [pod for pod in self._pods.objects.values() if is_controlled_by(pod, job)]
        began_at = job.get("status", {}).get("startTime")
        if not began_at:
            await self._report(job, {"startTime": rfc3339(datetime.now(UTC)), "active": 0})
            return  # comes back as a change of the Job
        if not pods:
            created = await self._client.create(PODS, name[0], _new_pod(job))
            await self._pods.caught_up_with(created)
            self._look_again_at_the_deadline(job, name)
            return
        pod, left = pods[0], _seconds_left(job)
        phase = pod["status"].get("phase")
        if phase == "Succeeded":
            await self._end(
                job, "Complete", "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
            )
        elif phase == "Failed":
            message = "Job has reached the specified backoff limit"
            await self._end(job, "Failed", "FailureTarget", "BackoffLimitExceeded", message)
        elif left is not None and left <= 0:
            await self._client.delete(PODS, pod)
            message = "Job was active longer than specified deadline"
            await self._end(job, "Failed", "FailureTarget", "DeadlineExceeded", message)
        else:
            await self._report(job, {"active": 1, "ready": int(phase == "Running")})

    def _look_again_at_the_deadline(self, job: Document, name: Name) -> None:
        left = _seconds_left(job)
        if left is not None:
            asyncio.get_running_loop().call_later(max(0.0, left) + 1, self.queue.add, name)

    async def _end(self, job: Document, end: str, decided: str, reason: str, message: str) -> None:
        now = rfc3339(datetime.now(UTC))
        conditions = [
            {
                "type": kind,
                "status": "True",
                "reason": reason,
                "message": message,
                "lastProbeTime": now,
                "lastTransitionTime": now,
            }
            for kind in (decided, end)
        ]
        counts: dict[str, Any] = {"active": 0, "ready": 0, "uncountedTerminatedPods": {}, "conditions": conditions}
        ended = {"succeeded": 1, "completionTime": now} if end == "Complete" else {"failed": 1}
        await self._report(job, counts | ended)

    async def _report(self, job: Document, status: dict[str, Any]) -> None:
        if any(job.get("status", {}).get(field) != value for field, value in status.items()):
            namespace, name = name_of(job)
            await self._client.patch(JOBS, namespace, name, {"status": status}, subresource="status")


def _has_ended(job: Document) -> bool:
    return any(each["type"] in _ENDS and each["status"] == "True" for each in job.get("status", {}).get("conditions") or ())


def _seconds_left(job: Document) -> float | None:
    """Before its deadline, which counts from its start."""
    deadline = job["spec"].get("activeDeadlineSeconds")
    if deadline is None:
        return None
    began_at = datetime.fromisoformat(job["status"]["startTime"])
    return float(deadline - (datetime.now(UTC) - began_at).total_seconds())


def _new_pod(job: Document) -> Document:
    template, name = job["spec"]["template"], job["metadata"]["name"]
    metadata = template.get("metadata") or {}
    labels = {**(metadata.get("labels") or {}), **dict.fromkeys(_LABELS, name)}
    owned = {**metadata, "labels": labels, "generateName": f"{name}-", "ownerReferences": [reference_to(job)]}
    return {"metadata": owned, "spec": template["spec"]}
