"""Were they the same pods all along? Snapshots of a release, and the rule that compares two of them.

A pod that was added, replaced or restarted during the window ran unpaused, and its transactions may reach into it. Equal
`resourceVersion`s would prove equality too, but they also move for an annotation or a readiness flap, which say nothing
about the pause; so the rule compares what identifies a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from shared.model.plan import AdminTls, Cluster, Release
from shared.model.records import Value
from shared.model.times import Instant

MOST_NAMED = 10
"""Objects named in one sentence."""


class ContainerState(Value):
    """One container of a pod, init containers included. A restart changes `id`, `restarts` and `started_at`."""

    name: str
    id: str = ""
    restarts: int = 0
    started_at: Instant | None = None
    waiting: str = ""
    """Why the container is not running, in Kubernetes' own word, such as CrashLoopBackOff."""


class PodState(Value):
    """What identifies a pod and its processes, and whether it is fit to be paused."""

    name: str
    uid: str
    ip: str = ""
    node: str = ""
    template_hash: str = ""
    phase: str = ""
    ready: bool = False
    deleting: bool = False
    containers: tuple[ContainerState, ...] = ()
    resource_version: str = ""

    @property
    def identity(self) -> tuple[object, ...]:
        """Equal before and after: the same pod with the same processes on the same node."""
        containers = tuple((item.name, item.id, item.restarts, item.started_at) for item in self.containers)
        return (self.name, self.uid, self.ip, self.node, self.template_hash, containers)


class DeploymentState(Value):
    """`spec_digest` is a hash over replicas and pod template."""

    name: str
    uid: str
    generation: int
    observed_generation: int
    replicas: int
    updated_replicas: int
    ready_replicas: int
    spec_digest: str
    resource_version: str = ""


class AdminTarget(Value):
    """Where a pod's Scalar Admin interface listens. `port_source` says how the port was found.

    Everything needed to reach the pod again without asking its cluster, because it is kept in the pause journal: `cluster` and
    `namespace` for a way through the API server, `tls` where the port speaks TLS (None: plain text). `transport` is the way
    that was chosen before the pause: `direct` or `port-forward`.
    """

    pod: str
    uid: str
    host: str
    port: int
    port_source: str
    cluster: Cluster | None = None
    namespace: str = ""
    transport: str = "direct"
    tls: AdminTls | None = None

    @property
    def address(self) -> str:
        """As it is dialled; pods of an IPv6 cluster have addresses that need brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ReleaseSnapshot(Value):
    """A release at one moment. `resource_version` is that of the pod list, from which a watch can go on.

    `deployment` is None for a participant whose pods no Deployment controls: a StatefulSet's, or pods on their own. The pods'
    states tell every change alone, a StatefulSet's revision included.
    """

    release: Release
    product: str
    deployment: DeploymentState | None
    pods: tuple[PodState, ...]
    targets: tuple[AdminTarget, ...]
    resource_version: str
    taken_at: Instant


class PodEventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


class PodEvent(Value):
    """One event of a watch on a release's pods."""

    release: str
    type: PodEventType
    pod: PodState


class WatchReport(Value):
    """What a watch saw. `positions` maps a release's key to the last resourceVersion seen; `broken` says why the watch cannot
    vouch for the whole time (history expired, connection lost), and is empty when it can."""

    events: tuple[PodEvent, ...]
    positions: Mapping[str, str]
    broken: str = ""


class PodChange(Value):
    """`code` is stable and meant for machines; `detail` is a sentence."""

    code: str
    detail: str


def unfit(snapshot: ReleaseSnapshot) -> tuple[PodChange, ...]:
    """Why this release cannot be paused now: no pods, pods that are not Running and Ready, or a rollout under way."""
    where, deployment = snapshot.release.key, snapshot.deployment
    found = [
        PodChange(code=code, detail=f"{where}: pod {pod.name} {text}")
        for pod in snapshot.pods
        for code, text in _unfit_pod(pod)
    ]
    if not snapshot.pods:
        of = f"Deployment {deployment.name}" if deployment else "the participant"
        found.append(PodChange(code="no-pods", detail=f"{where}: {of} has no pods"))
    if deployment is None:
        return tuple(found)
    if deployment.observed_generation != deployment.generation or deployment.updated_replicas != deployment.replicas:
        found.append(PodChange(code="rollout", detail=f"{where}: Deployment {deployment.name} is being rolled out"))
    elif len(snapshot.pods) != deployment.replicas:
        found.append(
            PodChange(
                code="replicas",
                detail=f"{where}: Deployment {deployment.name} wants {deployment.replicas} pods and has {len(snapshot.pods)}",
            )
        )
    return tuple(found)


def _unfit_pod(pod: PodState) -> Iterable[tuple[str, str]]:
    if pod.deleting:
        yield "pod-deleting", "is being deleted"
    elif waiting := next((item for item in pod.containers if item.waiting), None):
        yield "pod-not-running", f"is {pod.phase or 'Pending'}: container {waiting.name} is waiting ({waiting.waiting})"
    elif pod.phase != "Running":
        yield "pod-not-running", f"is {pod.phase or 'Pending'}, not Running"
    elif not pod.ready:
        yield "pod-not-ready", "is not Ready"
    elif not pod.ip:
        yield "pod-without-address", "has no IP address"


def compare(before: ReleaseSnapshot, after: ReleaseSnapshot, *, strict: bool = False) -> tuple[PodChange, ...]:
    """What changed between two snapshots of one release in a way that voids a window. With `strict`, any write to a pod or to
    the Deployment does, as in the vendor's tool Scalar Admin for Kubernetes."""
    where = before.release.key
    old, new = {pod.name: pod for pod in before.pods}, {pod.name: pod for pod in after.pods}
    found = [PodChange(code="pod-removed", detail=f"{where}: pod {name} is gone") for name in sorted(old.keys() - new.keys())]
    found += [PodChange(code="pod-added", detail=f"{where}: pod {name} is new") for name in sorted(new.keys() - old.keys())]
    for name in sorted(old.keys() & new.keys()):
        found += _compare_pod(where, old[name], new[name])
    found += _compare_deployment(where, before.deployment, after.deployment)
    if strict and not found:
        written = _written_to(before, after)
        found += [PodChange(code="resource-version", detail=f"{where}: {what} was written to") for what in written]
    return tuple(found)


def benign_changes(before: ReleaseSnapshot, after: ReleaseSnapshot) -> tuple[str, ...]:
    """What differs between two snapshots although `compare` finds no change, as sentences: noted, never silent."""
    written = _written_to(before, after)
    if not written:
        return ()
    named = ", ".join(written[:MOST_NAMED])
    if len(written) > MOST_NAMED:
        named += f" and {len(written) - MOST_NAMED} more"
    where = before.release.key
    return (f"{where}: written to during the window, as by an annotation or a readiness flap; same processes: {named}.",)


def _written_to(before: ReleaseSnapshot, after: ReleaseSnapshot) -> list[str]:
    """The Deployment and the pods of both snapshots whose resourceVersions differ."""
    one, two = before.deployment, after.deployment
    found = [f"Deployment {one.name}"] if one and two and one.resource_version != two.resource_version else []
    old = {pod.name: pod.resource_version for pod in before.pods}
    return found + [f"pod {pod.name}" for pod in after.pods if old.get(pod.name, pod.resource_version) != pod.resource_version]


def _compare_deployment(where: str, one: DeploymentState | None, two: DeploymentState | None) -> list[PodChange]:
    if one is None:
        return []  # the pods tell whether another workload has taken over
    if two is None or one.uid != two.uid:
        return [PodChange(code="deployment-replaced", detail=f"{where}: Deployment {one.name} was made anew")]
    if one.spec_digest != two.spec_digest:
        return [PodChange(code="deployment-changed", detail=f"{where}: the spec of Deployment {one.name} changed")]
    if two.observed_generation != two.generation:
        return [PodChange(code="rollout", detail=f"{where}: Deployment {two.name} has a change not yet rolled out")]
    return []


def _compare_pod(where: str, old: PodState, new: PodState) -> list[PodChange]:
    if new.deleting:
        return [PodChange(code="pod-deleting", detail=f"{where}: pod {new.name} is being deleted")]
    if old.identity == new.identity:
        return []
    if old.uid != new.uid:
        return [PodChange(code="pod-replaced", detail=f"{where}: pod {new.name} was made anew")]
    changes = []
    for one in old.containers:
        two = next((item for item in new.containers if item.name == one.name), None)
        if two is None or (one.id, one.restarts, one.started_at) != (two.id, two.restarts, two.started_at):
            restarts = two.restarts if two else "?"
            detail = f"{where}: container {one.name} of pod {new.name} restarted (restarts {one.restarts} → {restarts})"
            changes.append(PodChange(code="container-restarted", detail=detail))
    if (old.ip, old.node, old.template_hash) != (new.ip, new.node, new.template_hash):
        changes.append(PodChange(code="pod-moved", detail=f"{where}: pod {new.name} changed its node, IP or template"))
    return changes or [PodChange(code="pod-changed", detail=f"{where}: containers of pod {new.name} changed")]


def judge_events(before: Iterable[ReleaseSnapshot], report: WatchReport) -> tuple[PodChange, ...]:
    """What a watch saw between the snapshots that voids a window: this catches a pod that came and went in between.

    A watch that cannot vouch for the whole time makes the window *unknown*, which counts as changed: no evidence, no point.
    """
    known = {(snapshot.release.key, pod.uid): pod for snapshot in before for pod in snapshot.pods}
    found: list[PodChange] = []
    for event in report.events:
        old = known.get((event.release, event.pod.uid))
        if event.type is PodEventType.DELETED:
            found.append(PodChange(code="pod-removed", detail=f"{event.release}: pod {event.pod.name} was deleted"))
        elif old is None:
            found.append(PodChange(code="pod-added", detail=f"{event.release}: pod {event.pod.name} was created"))
        else:
            found += _compare_pod(event.release, old, event.pod)
    if report.broken:
        found.append(PodChange(code="watch-broken", detail=f"the watch on the pods was interrupted: {report.broken}"))
    return tuple(dict.fromkeys(found))
