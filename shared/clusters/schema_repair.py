"""Runs the Schema Loader with `--repair-all` in the cluster of a release, one small advance per call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from shared.clusters.schema_repair_job import DEADLINE_SECONDS, job_document, job_name
from shared.clusters.schema_repair_pod import held_up_by
from shared.model.checks import CheckResult, failed, passed
from shared.model.errors import Forbidden, NotReady, Unreachable
from shared.model.kubernetes import KubernetesObject, ObjectList
from shared.model.naming import listed
from shared.model.plan import Cluster, Release
from shared.model.records import replace
from shared.model.schema_repair import RepairProgress, RepairSource

NAME = "restore-schema-repair"
"""The name of the check."""
LOG_LINES, SHOWN_LINES = 2_000, 8
POLL_SECONDS = 3.0
SLACK = timedelta(minutes=5)
"""Beyond the Job's own deadline: whoever enforces that is late, or gone."""
RIGHTS = (("create", "jobs"), ("delete", "jobs"), ("get", "jobs"), ("get", "pods/log"))
_SECRET = re.compile(r"(?i)(password|secret|account_?key|authorization)(\S*?)(\s*[=:]\s*)\S+")


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""


class RepairCluster(Protocol):
    """What is needed of a cluster; `shared.clusters.api` implements it."""

    def get(self, kind: str, namespace: str, name: str) -> KubernetesObject | None: ...

    def list(self, kind: str, namespace: str, labels: Mapping[str, str]) -> ObjectList: ...

    def create(self, kind: str, namespace: str, document: KubernetesObject) -> KubernetesObject: ...

    def delete(self, kind: str, namespace: str, name: str) -> None: ...

    def pod_log(self, namespace: str, pod: str, lines: int) -> str: ...

    def can_i(self, verb: str, resource: str, namespace: str, *, name: str = "") -> bool: ...


class SchemaRepairInClusters:
    """`find_source` answers with what the Job takes over from a release; both may be called from several threads."""

    def __init__(
        self,
        open_cluster: Callable[[Cluster], RepairCluster],
        find_source: Callable[[Release], RepairSource],
        clock: Clock,
    ) -> None:
        self._open_cluster, self._find_source, self._clock = open_cluster, find_source, clock

    def check(self, releases: Sequence[Release]) -> tuple[CheckResult, ...]:
        """Could the Job be made for each release: rights, schema file, image. Only reads.

        Raises:
            Unreachable, Throttled: a cluster.
        """
        return tuple(self._check(release) for release in releases)

    def advance(self, release: Release, run: str, previous: RepairProgress | None) -> RepairProgress:
        """Makes the Job, waits for it, keeps its log. A Job that has failed is reported with `problem`; the call after that
        makes it anew, so that whoever continues a restore tries again. What holds up its pod is told all along.

        Raises:
            NotReady: it cannot be run as the plan and the release are.
            Unreachable, Throttled, Forbidden: the cluster.
        """
        name, now = job_name(release.key, run), self._clock.now()
        reached = previous or RepairProgress(release=release.key, job=name)
        if reached.done:
            return reached
        cluster = self._open_cluster(release.cluster)
        job = cluster.get("jobs", release.namespace, name)
        if job is None:
            cluster.create(
                "jobs", release.namespace, job_document(release.key, run, self._find_source(release), release.schema_loader)
            )
            begun = replace(reached, job=name, began_at=now, waits_for="", problem="", log=())
            return _waiting(begun, "the Schema Loader is being started")
        end = _end_of(job)
        if reached.problem or job["metadata"].get("deletionTimestamp"):
            if not job["metadata"].get("deletionTimestamp"):
                cluster.delete("jobs", release.namespace, name)
            return _waiting(reached, "the Job that has failed is being removed, to try again")
        began_at, pod = reached.began_at or now, _newest_pod(cluster, release, name)
        held_up = "" if end == "Complete" else held_up_by(job, pod, reached.waits_for)
        reached = replace(reached, began_at=began_at, waits_for=held_up)
        if not end and now - began_at <= timedelta(seconds=DEADLINE_SECONDS) + SLACK:
            what = f"has not been started yet: {held_up}" if held_up else "repairs the tables"
            return _waiting(reached, f"the Schema Loader {what}")
        log = _log(cluster, release, pod)
        if end == "Complete":
            message = f"{release.key}: the Schema Loader has repaired the tables."
            return replace(reached, done=True, log=log, wait_seconds=0.0, message=message)
        why = _why(job) or "it has not ended by its deadline"
        last = listed([line for line in log if line.strip()][-SHOWN_LINES:], " | ") or "nothing"
        came_to = f"It was never started: {held_up}." if held_up else f"Its last lines: {last}."
        problem = f"{release.key}: the Schema Loader's Job {name} has failed ({why}). {came_to}"
        return replace(reached, problem=problem, log=log, wait_seconds=0.0, message=problem)

    def _check(self, release: Release) -> CheckResult:
        cluster = self._open_cluster(release.cluster)
        try:
            source = self._find_source(release)
            job_document(release.key, "check", source, release.schema_loader)
            if not source.schema_type:
                _require_schema_file(cluster, release)
        except (NotReady, Forbidden) as error:
            return failed(NAME, release.key, error.message, error.hint)
        missing = [f"{verb} {kind}" for verb, kind in RIGHTS if not cluster.can_i(verb, kind, release.namespace)]
        if missing:
            return failed(
                NAME,
                release.key,
                f"The rights to {listed(missing)} in namespace {release.namespace} are not granted.",
                "Bind the ClusterRole scalar-schema-repair (infra/kubernetes/schema-repair.yaml) there.",
            )
        return passed(NAME, release.key, "the Schema Loader can be run beside it")


def _require_schema_file(cluster: RepairCluster, release: Release) -> None:
    """Raises NotReady. Without it the Job's pod would wait for its volume until the deadline, with everything stopped."""
    name, _, key = release.schema_loader.schema.partition("/")
    config_map, what = cluster.get("configmaps", release.namespace, name), f"{release.key}: its schema file: ConfigMap {name}"
    create = f"kubectl -n {release.namespace} create configmap {name} --from-file={key}=FILE"
    if config_map is None:
        raise NotReady(f"{what} does not exist in namespace {release.namespace}.", hint=f"{create}.")
    # A file that is not UTF-8 is stored as binaryData.
    keys = {*(config_map.get("data") or {}), *(config_map.get("binaryData") or {})}
    if key not in keys:
        raise NotReady(
            f"{what} has no key {key}, but {listed(sorted(keys)) or 'nothing'}.",
            hint=f"Correct schema_loader: schema_file in the plan, or delete the ConfigMap and make it anew: {create}.",
        )


def _newest_pod(cluster: RepairCluster, release: Release, job: str) -> KubernetesObject | None:
    pods = cluster.list("pods", release.namespace, {"job-name": job}).items
    return max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""), default=None)


def _log(cluster: RepairCluster, release: Release, pod: KubernetesObject | None) -> tuple[str, ...]:
    """Without what looks like a credential; empty where the pod is gone. How the Job has ended is known without it, so that
    neither a refusal nor a node that is lost (Unreachable) may keep that from being told."""
    if pod is None:
        return ()
    try:
        text = cluster.pod_log(release.namespace, pod["metadata"]["name"], LOG_LINES)
    except (NotReady, Forbidden, Unreachable) as error:
        return (f"(its log cannot be read: {error.message})",)
    return tuple(_SECRET.sub(r"\1\2\3…", line) for line in text.splitlines())


def _waiting(progress: RepairProgress, what: str) -> RepairProgress:
    return replace(progress, wait_seconds=POLL_SECONDS, message=f"{progress.release}: {what}.")


def _end_of(job: KubernetesObject) -> str:
    """`Complete`, `Failed`, or empty while it runs."""
    return next(
        (
            condition["type"]
            for condition in (job.get("status") or {}).get("conditions") or ()
            if condition.get("status") == "True" and condition["type"] in ("Complete", "Failed")
        ),
        "",
    )


def _why(job: KubernetesObject) -> str:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("status") == "True" and condition["type"] == "Failed":
            return ": ".join(text for text in (condition.get("reason"), condition.get("message")) if text)
    return ""
