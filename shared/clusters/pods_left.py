"""What keeps pods from being gone, or from being ready, read from their objects; decides nothing and asks nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from shared.model.kubernetes import KubernetesObject
from shared.model.stop_start import PodLeft
from shared.model.times import iso, parse_instant

OVERDUE = timedelta(seconds=60)
"""How long after its grace period a pod that is still there counts as lost. Covers the kubelet's own last steps, and the
difference between our clock and the API server's."""
_ENDED_PHASES = ("Succeeded", "Failed")
_LOST_HINT = (
    "Its process may still run and write. Make sure that the machine is off, then delete the Node object or taint it "
    "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute; Kubernetes removes the pod then"
)


def without_ended(pods: Iterable[KubernetesObject]) -> tuple[KubernetesObject, ...]:
    """The pods to wait for. One that was evicted, for instance, may stay as an object for weeks; one that is being deleted is
    waited for to its end, whatever its phase."""
    return tuple(
        pod
        for pod in pods
        if pod["metadata"].get("deletionTimestamp") or (pod.get("status") or {}).get("phase") not in _ENDED_PHASES
    )


def pods_still_there(pods: Iterable[KubernetesObject], replica_sets: Collection[str], now: datetime) -> tuple[PodLeft, ...]:
    """What is to be said of each pod, in the order of their names; `replica_sets` are the uids of the Deployment's own."""
    left = (_still_there(pod, replica_sets, now) for pod in pods)
    return tuple(sorted(left, key=lambda pod: pod.name))


def _still_there(pod: KubernetesObject, replica_sets: Collection[str], now: datetime) -> PodLeft:
    metadata, node = pod["metadata"], str(pod["spec"].get("nodeName") or "")
    name, deadline = metadata["name"], metadata.get("deletionTimestamp")
    if not deadline:
        owners = {each["uid"] for each in metadata.get("ownerReferences") or () if each.get("controller")}
        if owners & set(replica_sets):
            return PodLeft(name=name, node=node, reason="is not being ended yet")
        return PodLeft(
            name=name,
            node=node,
            reason="carries the release's labels but is not the Deployment's, so scaling does not end it: delete it by hand",
        )
    ends_at = parse_instant(deadline, "deletionTimestamp")
    if _has_lost_its_node(pod) or now > ends_at + OVERDUE:
        reason = f"should have ended by {iso(ends_at)}, and its node {node or '(none)'} does not confirm it. {_LOST_HINT}"
        return PodLeft(name=name, node=node, reason=reason, is_lost=True)
    return PodLeft(name=name, node=node, reason=f"is ending, at the latest at {iso(ends_at)}")


def _has_lost_its_node(pod: KubernetesObject) -> bool:
    """As the node controller marks it: by a reason of the pod in old releases, of its Ready condition in newer ones."""
    status = pod.get("status") or {}
    reasons = {status.get("reason"), (_condition(pod, "Ready") or {}).get("reason")}
    return bool(reasons & {"NodeLost", "NodeNotReady"})


def pods_not_ready(pods: Iterable[KubernetesObject]) -> tuple[PodLeft, ...]:
    """The pods that are not Ready, or on their way out, in the order of their names."""
    reasons = ((pod, _why_not_ready(pod)) for pod in pods)
    left = (
        PodLeft(name=pod["metadata"]["name"], node=str(pod["spec"].get("nodeName") or ""), reason=reason)
        for pod, reason in reasons
        if reason
    )
    return tuple(sorted(left, key=lambda pod: pod.name))


def _why_not_ready(pod: KubernetesObject) -> str:
    """Empty for a pod that is ready."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    if troubled := next((each for each in statuses if (each.get("state") or {}).get("waiting")), None):
        return f"is waiting: container {troubled['name']}: {_waiting_reason(troubled)}"
    if (_condition(pod, "Ready") or {}).get("status") != "True":
        unschedulable = _condition(pod, "PodScheduled") or {}
        if unschedulable.get("status") == "False":
            return f"has no node: {unschedulable.get('message') or unschedulable.get('reason') or 'unknown reason'}"
        return f"is {status.get('phase') or 'Pending'} and not Ready yet"
    return ""


def _waiting_reason(container: dict[str, Any]) -> str:
    waiting = container["state"]["waiting"]
    ended = (container.get("lastState") or {}).get("terminated") or {}
    last = f", last exit code {ended['exitCode']}" if "exitCode" in ended else ""
    return f"{waiting.get('reason') or 'unknown reason'} (restarts {container.get('restartCount', 0)}{last})"


def _condition(pod: KubernetesObject, kind: str) -> dict[str, Any] | None:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == kind), None)
