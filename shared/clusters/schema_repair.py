"""Runs the Schema Loader with `--repair-all` in the cluster of a release, one small advance per call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from shared.clusters.schema_repair_job import DEADLINE_SECONDS, job_document, job_name
from shared.model.checks import CheckResult, failed, passed
from shared.model.errors import Forbidden, NotReady
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
        makes it anew, so that whoever continues a restore tries again.

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
            return _waiting(replace(reached, job=name, began_at=now, problem="", log=()), "the Schema Loader is being started")
        end = _end_of(job)
        if reached.problem or job["metadata"].get("deletionTimestamp"):
            if not job["metadata"].get("deletionTimestamp"):
                cluster.delete("jobs", release.namespace, name)
            return _waiting(reached, "the Job that has failed is being removed, to try again")
        began_at = reached.began_at or now
        if not end and now - began_at <= timedelta(seconds=DEADLINE_SECONDS) + SLACK:
            return _waiting(replace(reached, began_at=began_at), "the Schema Loader repairs the tables")
        log = self._log(cluster, release, name)
        if end == "Complete":
            message = f"{release.key}: the Schema Loader has repaired the tables."
            return replace(reached, began_at=began_at, done=True, log=log, wait_seconds=0.0, message=message)
        why = _why(job) or "it has not ended by its deadline"
        last = listed([line for line in log if line.strip()][-SHOWN_LINES:], " | ") or "nothing"
        problem = f"{release.key}: the Schema Loader's Job {name} has failed ({why}). Its last lines: {last}."
        return replace(reached, began_at=began_at, problem=problem, log=log, wait_seconds=0.0, message=problem)

    def _check(self, release: Release) -> CheckResult:
        cluster = self._open_cluster(release.cluster)
        try:
            job_document(release.key, "check", self._find_source(release), release.schema_loader)
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

    def _log(self, cluster: RepairCluster, release: Release, job: str) -> tuple[str, ...]:
        """Of the newest pod, without what looks like a credential; empty where its pod is gone."""
        pods = cluster.list("pods", release.namespace, {"job-name": job}).items
        if not pods:
            return ()
        newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""))
        try:
            text = cluster.pod_log(release.namespace, newest["metadata"]["name"], LOG_LINES)
        except (NotReady, Forbidden) as error:
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
