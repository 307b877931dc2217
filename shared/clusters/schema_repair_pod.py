"""Why the Schema Loader's Job has not come to run it, read from the Job and its pod."""

from __future__ import annotations

from shared.clusters.refusals import cut
from shared.model.kubernetes import KubernetesObject

_COUNTS = ("active", "terminating", "succeeded", "failed")


def held_up_by(job: KubernetesObject, pod: KubernetesObject | None, before: str) -> str:
    """To stand inside a sentence; empty once it has been started. `before` is what was found last: it stays what it was when
    the pod is deleted at the Job's deadline, which takes along what has held it up."""
    if pod is None:
        return before or _without_pod(job)
    if pod["metadata"].get("deletionTimestamp"):
        return before
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    more = f"kubectl -n {job['metadata']['namespace']} describe pod {name} says more"
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        if waiting := (each.get("state") or {}).get("waiting"):
            # A volume whose ConfigMap is missing, for one, is told in the pod's events only.
            why = f": {cut(waiting['message'])}" if waiting.get("message") else f" ({more})"
            return f"container {each['name']} of pod {name} waits: {waiting.get('reason') or 'unknown reason'}{why}"
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            why = condition.get("message") or condition.get("reason") or more
            return f"pod {name} has no node: {cut(why)}"
    is_unreported = status.get("phase") == "Pending" and not status.get("containerStatuses")
    return f"pod {name} is Pending ({more})" if is_unreported else ""


def _without_pod(job: KubernetesObject) -> str:
    """A quota or an admission policy refuses the pod, and the Job controller tries again: it counts none then."""
    if any((job.get("status") or {}).get(count) for count in _COUNTS):
        return ""
    metadata = job["metadata"]
    return f"its Job has made no pod (kubectl -n {metadata['namespace']} describe job {metadata['name']} says why)"
