"""Stops a release's Deployment for a restore and starts it again: to 0 replicas and back to the number before.

`advance_stop` and `advance_start` look at the cluster, do the next thing that is missing, and say how far it is; calling one
again is always right. The caller stores what one call returned and hands it to the next one.

The change goes through the scale subresource, whose right does not include changing the pod template. The number is also noted
in an annotation, for a person with kubectl and for a lost record; that takes the right to patch Deployments, and where it is
missing the number stands in the record alone, and the progress says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shared.clusters.api import FIELD_MANAGER, KubernetesApi
from shared.clusters.field_owners import field_owners, last_writer
from shared.clusters.patches import MERGE_PATCH
from shared.clusters.pods_left import pods_not_ready, pods_still_there, without_ended
from shared.model.errors import Conflict, Forbidden, NotReady
from shared.model.kubernetes import KubernetesObject
from shared.model.records import replace
from shared.model.stop_start import PodLeft, StartProgress, StopProgress

REPLICAS_ANNOTATION = "scalar-backup/replicas-before-restore"
"""On the Deployment, from before it is stopped until its pods serve again. Its value is the number to go back to."""
SOON_SECONDS = 1.0
POLL_SECONDS = 2.0
LOST_POLL_SECONDS = 30.0
"""When only pods on lost nodes are left: nothing changes before a person has acted."""
_SUSPEND_HINT = "Suspend whatever scales it (an autoscaler, KEDA, Argo CD, Flux, a pipeline), then try again."


class Serving(Protocol):
    """Asks the pods themselves, over their Admin ports."""

    async def __call__(self, pods: Sequence[KubernetesObject]) -> Mapping[str, str]:
        """By pod name, why it does not serve; a pod without an entry answers on its Admin port and is not paused."""


def advance_stop(
    api: KubernetesApi, namespace: str, deployment: str, now: datetime, previous: StopProgress | None = None
) -> StopProgress:
    """Brings the Deployment to 0 and waits until no pod object is left; `status.replicas` is 0 long before that.

    The first call (`previous` is None) changes nothing: it returns the number of replicas, so that it can be stored first.
    A call after `done` checks that it has been so ever since. Pods are never deleted by force, for their processes may go on
    writing.

    Raises:
        NotReady: there is no such Deployment.
        Conflict: somebody else scaled it up again, or it was made anew; or it was changed after `done`, so its pods may have
            run in between.
        Forbidden: `patch` on `deployments/scale` is not granted.
        Unreachable, Throttled: the cluster.
    """
    found = _existing(api, namespace, deployment)
    if previous is None:
        return _noted(namespace, found)
    if found["metadata"]["uid"] != previous.uid:
        raise Conflict(
            f"Deployment {namespace}/{deployment} was made anew since its stop began.",
            hint="Find out who installs the release at this moment; when that has ended, try again.",
        )
    replicas = replicas_of(found)
    if replicas and previous.asked:
        raise Conflict(
            f"Deployment {namespace}/{deployment} was stopped and is at {replicas} again; {_last_scaled_by(found)}.",
            hint=f"Its pods may write into what is being restored. {_SUSPEND_HINT} Before a halted restore is continued, "
            f"bring it to 0: kubectl -n {namespace} scale deployment {deployment} --replicas=0.",
        )
    if previous.done and previous.generation not in (None, found["metadata"]["generation"]):
        raise Conflict(
            f"Deployment {namespace}/{deployment} was changed after its pods were gone; {_last_changed_by(found)}.",
            hint=f"Its pods may have run and written since. {_SUSPEND_HINT}",
        )
    if replicas != previous.replicas_before and replicas:
        return _noted(namespace, found)
    if replicas:
        return _stopping(api, found, previous)
    return _waiting_for_the_end(api, found, replace(previous, asked=True), now)


async def advance_start(
    api: KubernetesApi, stopped: StopProgress, serving: Serving, previous: StartProgress | None = None
) -> StartProgress:
    """Brings the Deployment back to `stopped.replicas_before` and waits until every pod is Ready and serves.

    What was at 0 before the stop stays there. A number that somebody else sets while it starts is left as it is, and noted. One
    that was set before that is only accepted when `stopped.generation` is None: on the way back to the old data.

    Raises:
        NotReady: there is no such Deployment.
        Conflict: somebody else scaled it down to 0 again, or has started it before this was to.
        Forbidden: `patch` on `deployments/scale` is not granted.
        Unreachable, Throttled: the cluster.
    """
    namespace, deployment = stopped.namespace, stopped.deployment
    found = _existing(api, namespace, deployment)
    progress = previous or StartProgress(namespace=namespace, deployment=deployment, replicas=stopped.replicas_before)
    replicas = replicas_of(found)
    if not replicas and progress.replicas:
        if progress.asked:
            raise Conflict(
                f"Deployment {namespace}/{deployment} was started and is at 0 again; {_last_scaled_by(found)}.",
                hint=_SUSPEND_HINT,
            )
        return _starting(api, found, progress)
    if not replicas:
        note = "It was at 0 before and stays there."
        return replace(progress, done=True, wait_seconds=0.0, message="", notes=_with(progress.notes, note))
    if not progress.asked and stopped.generation is not None and not _is_started_by_us(found, stopped.generation):
        raise Conflict(
            f"Deployment {namespace}/{deployment} was started at {replicas} before it was to be; {_last_scaled_by(found)}.",
            hint=(
                "Its pods may have opened what was there before the restore, or written to it. Scale it to 0: kubectl -n "
                f"{namespace} scale deployment {deployment} --replicas=0. {_SUSPEND_HINT}"
            ),
        )
    if replicas != progress.replicas:
        note = f"It is at {replicas}, not at {progress.replicas} as before; {_last_scaled_by(found)}."
        progress = replace(progress, notes=_with(progress.notes, note))
    return await _waiting_for_pods(api, found, replace(progress, asked=True), serving)


def _existing(api: KubernetesApi, namespace: str, deployment: str) -> KubernetesObject:
    found = api.get("deployments", namespace, deployment)
    if found is None:
        raise NotReady(
            f"Deployment {namespace}/{deployment} does not exist (any more).",
            hint="Install the release again with helm, with the number of replicas that it had.",
        )
    return found


def _noted(namespace: str, found: KubernetesObject) -> StopProgress:
    """What is to be stored before anything is changed."""
    name, replicas, annotated = found["metadata"]["name"], replicas_of(found), _annotated_replicas(found)
    message = f"Deployment {namespace}/{name} goes from {replicas} to 0 next." if replicas else ""
    notes: tuple[str, ...] = ()
    if not replicas and annotated is not None:
        replicas, note = _replicas_of_an_earlier_stop(found, annotated)
        notes = (note,)
    return StopProgress(
        namespace=namespace,
        deployment=name,
        uid=found["metadata"]["uid"],
        replicas_before=replicas,
        notes=notes,
        wait_seconds=SOON_SECONDS,
        message=message,
    )


def _replicas_of_an_earlier_stop(found: KubernetesObject, annotated: int) -> tuple[int, str]:
    """A restore that was given up left the Deployment at 0 and the number in the annotation. It counts unless the server says
    that the 0 is somebody else's wish."""
    owners = field_owners(found, "spec", "replicas")
    if owners and owners[0].manager != FIELD_MANAGER:
        note = (
            f"It was scaled to 0 by {owners[0]}, so it stays at 0 after the restore. An earlier restore had found it at "
            f"{annotated}; start it with kubectl scale if that is wanted."
        )
        return 0, note
    return annotated, f"It is at 0 since an earlier restore, which had found it at {annotated} and did not start it again."


def _stopping(api: KubernetesApi, found: KubernetesObject, progress: StopProgress) -> StopProgress:
    namespace, name, notes = progress.namespace, progress.deployment, progress.notes
    try:
        found = _annotate(api, found, str(progress.replicas_before))
    except Forbidden:
        note = (
            f"The number of replicas before ({progress.replicas_before}) stands in the run's record only: the right to patch "
            f"deployments, which the annotation {REPLICAS_ANNOTATION} takes, is not granted."
        )
        notes = _with(notes, note)
    progress = replace(progress, notes=notes, wait_seconds=SOON_SECONDS)
    try:
        _scale(api, found, 0)
    except Conflict as error:
        return replace(progress, message=error.message)
    return replace(progress, asked=True, message=f"Deployment {namespace}/{name} is asked to end its pods.")


def _starting(api: KubernetesApi, found: KubernetesObject, progress: StartProgress) -> StartProgress:
    progress = replace(progress, wait_seconds=SOON_SECONDS)
    try:
        _scale(api, found, progress.replicas)
    except Conflict as error:
        return replace(progress, message=error.message)
    where = f"Deployment {progress.namespace}/{progress.deployment}"
    return replace(progress, asked=True, message=f"{where} is asked for {progress.replicas} pods.")


def _waiting_for_the_end(api: KubernetesApi, found: KubernetesObject, progress: StopProgress, now: datetime) -> StopProgress:
    # In this order: a ReplicaSet that has seen its 0 makes no pod after the list of pods.
    replica_sets = api.list("replicasets", progress.namespace, _selector(found)).items
    owned = [item for item in replica_sets if _is_owned_by(item, found)]
    pods = without_ended(api.list("pods", progress.namespace, _selector(found)).items)
    left = pods_still_there(pods, {item["metadata"]["uid"] for item in owned}, now)
    where = f"Deployment {progress.namespace}/{progress.deployment}"
    if left:
        only_lost = all(pod.is_lost for pod in left)
        message = f"{where} is at 0; {len(left)} pods are still there: {_named(left)}."
        return replace(
            progress,
            done=False,
            pods_left=left,
            wait_seconds=LOST_POLL_SECONDS if only_lost else POLL_SECONDS,
            message=message,
        )
    if not all(_is_observed(item) and not replicas_of(item) for item in owned) or not _is_observed(found):
        message = f"{where} is at 0, but its controller has not taken note of it yet and may still make a pod."
        return replace(progress, done=False, pods_left=(), wait_seconds=SOON_SECONDS, message=message)
    generation = found["metadata"]["generation"]
    return replace(progress, done=True, generation=generation, pods_left=(), wait_seconds=0.0, message="")


async def _waiting_for_pods(
    api: KubernetesApi, found: KubernetesObject, progress: StartProgress, serving: Serving
) -> StartProgress:
    where, replicas = f"Deployment {progress.namespace}/{progress.deployment}", replicas_of(found)
    pods = without_ended(api.list("pods", progress.namespace, _selector(found)).items)
    waited_for = pods_not_ready(pods)
    message = ""
    if not _is_observed(found) or _is_rolling_out(found, replicas) or len(pods) < replicas:
        message = f"{where} has {len(pods) - len(waited_for)} of {replicas} pods Ready."
    elif not waited_for:
        problems = await serving(pods)
        waited_for = tuple(
            PodLeft(name=name, reason=problem, node=_node_of(pods, name)) for name, problem in sorted(problems.items())
        )
    if waited_for:
        message = f"{where} waits for {_named(waited_for)}."
    if message:
        return replace(progress, done=False, pods_waited_for=waited_for, wait_seconds=POLL_SECONDS, message=message)
    notes = progress.notes
    if _annotated_replicas(found) is not None:
        try:
            _annotate(api, found, None)
        except Forbidden:
            note = (
                f"The annotation {REPLICAS_ANNOTATION} could not be taken off: the right to patch deployments is not granted."
            )
            notes = _with(notes, note)
    return replace(progress, done=True, pods_waited_for=(), notes=notes, wait_seconds=0.0, message="")


def _annotate(api: KubernetesApi, found: KubernetesObject, value: str | None) -> KubernetesObject:
    metadata = found["metadata"]
    if (metadata.get("annotations") or {}).get(REPLICAS_ANNOTATION) == value:
        return found
    patch = {"metadata": {"annotations": {REPLICAS_ANNOTATION: value}}}
    return api.patch("deployments", metadata["namespace"], metadata["name"], patch, content_type=MERGE_PATCH)


def _scale(api: KubernetesApi, found: KubernetesObject, replicas: int) -> None:
    """Raises Conflict when the Deployment is no longer the one that was looked at: the number may be another by now."""
    metadata = found["metadata"]
    api.patch(
        "deployments",
        metadata["namespace"],
        metadata["name"],
        {"spec": {"replicas": replicas}},
        content_type=MERGE_PATCH,
        resource_version=metadata["resourceVersion"],
        subresource="scale",
    )


def replicas_of(document: KubernetesObject) -> int:
    """A Deployment that does not say has one; the server fills it in, but zero is left out in places."""
    replicas = document["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def _annotated_replicas(found: KubernetesObject) -> int | None:
    text = (found["metadata"].get("annotations") or {}).get(REPLICAS_ANNOTATION, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _is_observed(document: KubernetesObject) -> bool:
    return bool((document.get("status") or {}).get("observedGeneration", 0) >= document["metadata"]["generation"])


def _is_rolling_out(found: KubernetesObject, replicas: int) -> bool:
    status = found.get("status") or {}
    return {status.get("replicas", 0), status.get("updatedReplicas", 0)} != {replicas}


def _is_owned_by(item: KubernetesObject, owner: KubernetesObject) -> bool:
    references = item["metadata"].get("ownerReferences") or ()
    return any(each.get("controller") and each["uid"] == owner["metadata"]["uid"] for each in references)


def _selector(found: KubernetesObject) -> dict[str, str]:
    """Of the Deployment's pods. The charts select by equal labels only."""
    return dict(found["spec"]["selector"].get("matchLabels") or {})


def _last_scaled_by(found: KubernetesObject) -> str:
    owners = field_owners(found, "spec", "replicas")
    if not owners or owners[0].manager == FIELD_MANAGER:
        return "the API server does not record by whom"
    return f"the last who set spec.replicas is {owners[0]}, as the API server records it"


def _last_changed_by(found: KubernetesObject) -> str:
    writer = last_writer(found)
    if writer is None or writer.manager == FIELD_MANAGER:
        return "the API server does not record by whom"
    return f"the last who wrote to it is {writer}, as the API server records it"


def _is_started_by_us(found: KubernetesObject, generation: int) -> bool:
    """Of one that is at a number before our asking was stored: a call may have died in between. Where the server records no
    writer, ours is the one change since `generation`."""
    owners = field_owners(found, "spec", "replicas")
    if owners:
        return owners[0].manager == FIELD_MANAGER
    return bool(found["metadata"]["generation"] == generation + 1)


def _node_of(pods: Sequence[KubernetesObject], name: str) -> str:
    return next((str(pod["spec"].get("nodeName") or "") for pod in pods if pod["metadata"]["name"] == name), "")


def _named(pods: Sequence[PodLeft]) -> str:
    return "; ".join(f"{pod.name} {pod.reason}" for pod in pods)


def _with(notes: tuple[str, ...], note: str) -> tuple[str, ...]:
    return notes if note in notes else (*notes, note)
