"""The Deployments of a plan's releases: what stands against stopping them, how many pods they have, stop and start.

Which Deployment a release is, is not known here: the wiring hands that in, and the way to ask pods whether they serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import NamedTuple, Protocol

from shared.clusters.api import KubernetesApi
from shared.clusters.deployments import Serving, advance_start, advance_stop, replicas_of
from shared.clusters.rivals import find_rivals
from shared.model.checks import CheckResult, failed, passed
from shared.model.errors import Forbidden, NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import Cluster, Release
from shared.model.stop_start import StartProgress, StopProgress

FOUND, RIGHT_TO_STOP = "restore-application", "restore-right-to-stop"
"""The names of the checks."""
MOST_RELEASES_AT_ONCE = 16


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""


class FoundDeployment(NamedTuple):
    release: Release
    document: KubernetesObject | None
    """None: there is no Deployment that can be stopped; `problem` says why."""
    problem: CheckResult | None = None


class ApplicationsInClusters:
    """`find_deployment` answers with the namespace and the name of a release's Deployment, also when it has no pods; it raises
    NotReady for what has none. `serving` makes the question to the pods of a release. Both may be called from several threads.
    """

    def __init__(
        self,
        open_cluster: Callable[[Cluster], KubernetesApi],
        find_deployment: Callable[[Release], tuple[str, str]],
        serving: Callable[[Release], Serving],
        clock: Clock,
    ) -> None:
        self._open_cluster = open_cluster
        self._find_deployment = find_deployment
        self._serving = serving
        self._clock = clock

    def rivals(self, releases: Sequence[Release]) -> tuple[CheckResult, ...]:
        """Who would undo a restore, and what cannot be stopped: not found, no Deployment, no right. Never raises for these.

        Raises:
            Unreachable, Throttled: a cluster.
        """
        with ThreadPoolExecutor(MOST_RELEASES_AT_ONCE, thread_name_prefix="release") as threads:
            return tuple(result for results in threads.map(self._rivals, releases) for result in results)

    def replicas(self, releases: Sequence[Release]) -> Mapping[str, int]:
        """Of each release's Deployment, by release key. One that `rivals` reports as not found is not among them.

        Raises:
            Unreachable, Throttled: a cluster.
        """
        with ThreadPoolExecutor(MOST_RELEASES_AT_ONCE, thread_name_prefix="release") as threads:
            found = threads.map(self._look, releases)
            return {each.release.key: replicas_of(each.document) for each in found if each.document}

    def stop(self, release: Release, previous: StopProgress | None) -> StopProgress:
        """See `shared.clusters.deployments.advance_stop`; what was found once is stopped under that name to the end."""
        namespace, name = (previous.namespace, previous.deployment) if previous else self._find_deployment(release)
        return advance_stop(self._open_cluster(release.cluster), namespace, name, self._clock.now(), previous)

    async def start(self, release: Release, stopped: StopProgress, previous: StartProgress | None) -> StartProgress:
        """See `shared.clusters.deployments.advance_start`."""
        return await advance_start(self._open_cluster(release.cluster), stopped, self._serving(release), previous)

    def _rivals(self, release: Release) -> tuple[CheckResult, ...]:
        found = self._look(release)
        if found.document is None:
            return (found.problem,) if found.problem else ()
        api = self._open_cluster(release.cluster)
        try:
            return (_application(found.document, release), _right(api, found.document), *find_rivals(api, found.document))
        except Forbidden as error:
            return (failed(FOUND, release.key, error.message, error.hint),)

    def _look(self, release: Release) -> FoundDeployment:
        try:
            namespace, name = self._find_deployment(release)
            document = self._open_cluster(release.cluster).get("deployments", namespace, name)
        except (NotReady, Forbidden) as error:
            return FoundDeployment(release, None, failed(FOUND, release.key, error.message, error.hint))
        if document is None:
            gone = failed(FOUND, release.key, f"Deployment {namespace}/{name} is gone.", "Install the release again with helm.")
            return FoundDeployment(release, None, gone)
        return FoundDeployment(release, document)


def _application(document: KubernetesObject, release: Release) -> CheckResult:
    metadata = document["metadata"]
    where = f"Deployment {metadata['namespace']}/{metadata['name']}"
    return passed(FOUND, release.key, f"{where} is at {replicas_of(document)} and can be stopped")


def _right(api: KubernetesApi, document: KubernetesObject) -> CheckResult:
    """Asked beforehand: a restore that learns of it when it is to stop the application has waited for nothing."""
    metadata = document["metadata"]
    subject = f"Deployment {metadata['namespace']}/{metadata['name']}"
    if api.can_i("patch", "deployments/scale", metadata["namespace"], name=metadata["name"]):
        return passed(RIGHT_TO_STOP, subject, "patch on deployments/scale is granted")
    return failed(
        RIGHT_TO_STOP,
        subject,
        f"The right to patch deployments/scale in namespace {metadata['namespace']} is not granted.",
        "Bind the ClusterRole scalar-restore there (infra/kubernetes/rbac.yaml), and give the roles of the functions restore "
        "and applications the group scalar-restore.",
    )
