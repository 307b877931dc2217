"""Finds the Deployment that has to be stopped and started for a release, also while it has no pods."""

from __future__ import annotations

from shared.model.errors import NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.plan import Release
from shared.scalar.cluster_reader import ClusterReader
from shared.scalar.participants import NOBODY, Owner, workload_of
from shared.scalar.pod_state import FINISHED_PHASES
from shared.scalar.workload import find_deployment


def find_stoppable(reader: ClusterReader, release: Release) -> KubernetesObject:
    """A product's Deployment is known by its labels; a participant's by what controls its pods, or, while there are none, by
    the labels of its pod template.

    Raises:
        NotReady: none, more than one, or something that is not a Deployment; the message says what was found instead.
        Unreachable, Throttled, Forbidden: the cluster.
    """
    if not release.is_participant:
        return find_deployment(reader, release)[1]
    pods = reader.list("pods", release.namespace, release.selector_labels).items
    living = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in FINISHED_PHASES]
    if not living:
        return _by_template(reader, release)
    owner = workload_of(reader, release, living)
    if owner.kind != "Deployment":
        raise _not_a_deployment(release, owner)
    found = reader.get("deployments", release.namespace, owner.name)
    if found is None:
        raise NotReady(f"{release.key}: {owner} is gone, but its pods are still there.", hint="Wait until they are gone, too.")
    return found


def _by_template(reader: ClusterReader, release: Release) -> KubernetesObject:
    wanted = release.selector_labels.items()
    deployments = reader.list("deployments", release.namespace, {}).items
    found = [item for item in deployments if wanted <= _template_labels(item).items()]
    if len(found) != 1:
        names = ", ".join(sorted(item["metadata"]["name"] for item in found)) or "none"
        raise NotReady(
            f"{release.key}: no pod in namespace {release.namespace} carries {release.selector}, and the Deployments that "
            f"would make such pods are: {names}. A restore stops and starts exactly one.",
            hint=f"`kubectl -n {release.namespace} get deployments` shows what is there; correct the participant's selector in "
            "the plan, or take it out if it is gone for good.",
        )
    return found[0]


def _template_labels(deployment: KubernetesObject) -> dict[str, str]:
    return dict((deployment["spec"]["template"].get("metadata") or {}).get("labels") or {})


def _not_a_deployment(release: Release, owner: Owner) -> NotReady:
    what = "no controller" if owner.kind == NOBODY else str(owner)
    return NotReady(
        f"{release.key}: its pods ({release.selector}) belong to {what}; a restore can stop and start Deployments only.",
        hint=f"Stop it by hand for the restore (kubectl -n {release.namespace} scale, to 0) and take it out of the plan "
        "meanwhile, or run it as a Deployment.",
    )
