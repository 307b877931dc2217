"""The Scalar releases of a plan in their clusters: pods, Admin targets, properties, and what happens to the pods meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from shared.model.errors import NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import AdminTls, Cluster, Release
from shared.model.pods import AdminTarget, PodState, ReleaseSnapshot, WatchReport
from shared.model.products import LEDGER, PARTICIPANT
from shared.model.records import replace
from shared.model.storage import ReleaseStorage
from shared.scalar import pod_watch
from shared.scalar.admin_port import AdminPort, find_admin_port, port_in_plan
from shared.scalar.admin_tls import find_admin_tls, participant_tls
from shared.scalar.clock import Clock
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.mounted_properties import MountedProperties, read_mounted_properties
from shared.scalar.participants import find_participant
from shared.scalar.pod_state import FINISHED_PHASES, deployment_state, pod_state
from shared.scalar.pod_watch import Follower, ReleasesWatch
from shared.scalar.products import AUDITED_PROPERTY, Product
from shared.scalar.properties import storage_of
from shared.scalar.workload import find_deployment, find_workload, pod_labels

MOST_RELEASES_AT_ONCE = 16

T = TypeVar("T")


class ReleasesInClusters:
    """Finds releases by their labels. `open_cluster` gives the reader of a cluster; it may be called from several threads."""

    def __init__(self, open_cluster: Callable[[Cluster], ClusterReader], clock: Clock) -> None:
        self._open_cluster = open_cluster
        self._clock = clock

    def observe(self, releases: Sequence[Release]) -> tuple[ReleaseSnapshot, ...]:
        """Pods, Deployment and Admin targets of each release, all releases at once, in their order.

        Raises:
            NotReady: what is wrong with each of the releases: not found or ambiguous, a pod without an address.
            Unreachable, Throttled, Forbidden: the cluster.
        """
        return _for_all(releases, self._observe)

    def living(self, targets: Sequence[AdminTarget]) -> frozenset[str]:
        """The uids of those targets whose pods still exist: same name, same uid. Without a cluster a target counts as living.

        Raises:
            Unreachable, Throttled, Forbidden: the cluster.
        """
        with ThreadPoolExecutor(MOST_RELEASES_AT_ONCE, thread_name_prefix="pod") as threads:
            alive = list(threads.map(self._is_alive, targets))
        return frozenset(target.uid for target, is_alive in zip(targets, alive, strict=True) if is_alive)

    def storage(self, releases: Sequence[Release]) -> tuple[ReleaseStorage, ...]:
        """What the properties of each release say about its databases; participants have none that are known. A value that
        only a Secret holds which may not be read is `unresolved(…)`.

        Raises:
            NotReady: a release or its properties file was not found, or makes no sense.
            Unreachable, Throttled, Forbidden: the cluster.
        """
        return _for_all([release for release in releases if not release.is_participant], self._storage)

    def watch(self, snapshots: Sequence[ReleaseSnapshot]) -> AbstractContextManager[ReleasesWatch]:
        """Watches the pods from each snapshot's `resource_version` on until the context ends."""
        return ReleasesWatch(self._followers({}, snapshots))

    def catch_up(self, positions: Mapping[str, str], snapshots: Sequence[ReleaseSnapshot]) -> WatchReport:
        """Everything that happened to the pods since `positions`, by release key; without one, since the release's snapshot."""
        return pod_watch.catch_up(self._followers(positions, snapshots))

    def _observe(self, release: Release) -> ReleaseSnapshot:
        reader = self._open_cluster(release.cluster)
        if release.is_participant:
            return self._observe_participant(reader, release)
        product, deployment, found, resource_version = find_workload(reader, release)
        mounted = _properties_if_any(reader, product, deployment)
        port = _admin_port(reader, release, product, deployment, mounted)
        tls = find_admin_tls(reader, release, product, deployment, mounted)
        pods = tuple(pod_state(pod) for pod in found)
        return ReleaseSnapshot(
            release=release,
            product=product.app,
            deployment=deployment_state(deployment),
            pods=pods,
            targets=_targets(release, pods, port, tls),
            resource_version=resource_version,
            taken_at=self._clock.now(),
        )

    def _observe_participant(self, reader: ClusterReader, release: Release) -> ReleaseSnapshot:
        deployment, found, resource_version = find_participant(reader, release)
        pods = tuple(pod_state(pod) for pod in found)
        return ReleaseSnapshot(
            release=release,
            product=PARTICIPANT,
            deployment=deployment_state(deployment) if deployment else None,
            pods=pods,
            targets=_targets(release, pods, port_in_plan(release), participant_tls(reader, release)),
            resource_version=resource_version,
            taken_at=self._clock.now(),
        )

    def _is_alive(self, target: AdminTarget) -> bool:
        if target.cluster is None:
            return True
        pod = self._open_cluster(target.cluster).get("pods", target.namespace, target.pod)
        if pod is None or pod["metadata"]["uid"] != target.uid:
            return False
        return pod.get("status", {}).get("phase") not in FINISHED_PHASES

    def _storage(self, release: Release) -> ReleaseStorage:
        reader = self._open_cluster(release.cluster)
        product, deployment = find_deployment(reader, release)
        mounted = read_mounted_properties(reader, deployment, product)
        is_audited = product.app == LEDGER and mounted.properties.get(AUDITED_PROPERTY, "").lower() == "true"
        return replace(storage_of(mounted.properties, release.key, mounted.source), is_audited=is_audited)

    def _followers(self, positions: Mapping[str, str], snapshots: Sequence[ReleaseSnapshot]) -> list[Follower]:
        return [
            Follower(snapshot, positions.get(snapshot.release.key, snapshot.resource_version), self._open_cluster)
            for snapshot in snapshots
        ]


def _for_all(releases: Sequence[Release], look: Callable[[Release], T]) -> tuple[T, ...]:
    """`look` at every release at once. All that are not ready are named in one error; any other error comes first."""
    if not releases:
        return ()
    with ThreadPoolExecutor(min(len(releases), MOST_RELEASES_AT_ONCE), thread_name_prefix="release") as threads:
        looks = [threads.submit(look, release) for release in releases]
    errors = [error for error in (done.exception() for done in looks) if error]
    for error in errors:
        if not isinstance(error, NotReady):
            raise error
    not_ready = [error for error in errors if isinstance(error, NotReady)]
    if len(not_ready) == 1:
        raise not_ready[0]
    if not_ready:
        raise NotReady("; ".join(error.message for error in not_ready), hint=" ".join(error.hint for error in not_ready))
    return tuple(done.result() for done in looks)


def _admin_port(
    reader: ClusterReader, release: Release, product: Product, deployment: KubernetesObject, mounted: MountedProperties | None
) -> AdminPort:
    """Asks the cluster only for what decides: a port in the plan needs nothing."""
    if release.admin_port is not None:
        return port_in_plan(release)
    services = reader.list("services", release.namespace, pod_labels(release, product.app)).items
    return find_admin_port(release, product, deployment, mounted, services)


def _properties_if_any(reader: ClusterReader, product: Product, deployment: KubernetesObject) -> MountedProperties | None:
    """Without a readable properties file the Service says the port and the health probe whether TLS is on; `storage` says what
    is wrong with the file."""
    if not product.admin_port_property and not product.tls_property:
        return None
    try:
        return read_mounted_properties(reader, deployment, product)
    except NotReady:
        return None


def _targets(release: Release, pods: Sequence[PodState], port: AdminPort, tls: AdminTls | None) -> tuple[AdminTarget, ...]:
    """A Service would balance between the pods, so each is addressed by its own IP. A pod without one is never left out."""
    if homeless := [f"{pod.name} ({_why_no_address(pod)})" for pod in pods if not pod.ip]:
        raise NotReady(
            f"{release.key}: {len(homeless)} of {len(pods)} pods have no IP address: {', '.join(homeless)}.",
            hint="Wait until they run, or find out why not with `kubectl describe pod`; a finished pod can be deleted.",
        )
    return tuple(
        AdminTarget(
            pod=pod.name,
            uid=pod.uid,
            host=pod.ip,
            port=port.number,
            port_source=port.source,
            cluster=release.cluster,
            namespace=release.namespace,
            tls=tls,
        )
        for pod in pods
    )


def _why_no_address(pod: PodState) -> str:
    waiting = next((item for item in pod.containers if item.waiting), None)
    phase = pod.phase or "Pending"
    return f"{phase}, container {waiting.name}: {waiting.waiting}" if waiting else phase
