"""The Job controller: pods are made until enough have succeeded, too many have failed, or the time is over.

Rules: https://kubernetes.io/docs/concepts/workloads/controllers/job/. Simplified: which pods have ended is kept in memory,
where a real controller holds pods back with a finalizer until they are counted; no indexed Jobs, no pod failure policies.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from infra.sandbox.cluster.api.clock import rfc3339
from infra.sandbox.cluster.api.resources import JOBS, PODS
from infra.sandbox.cluster.api_client import ApiClient
from infra.sandbox.cluster.controllers.ownership import controller_of, is_active, is_controlled_by, is_ready, reference_to
from infra.sandbox.cluster.controllers.reconcile import ReconcileQueue
from infra.sandbox.cluster.informer import Document, Informer, Name, name_of

_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 1.0, 8.0  # 10 s to 6 min in a real cluster


class Verdict(NamedTuple):
    """How a Job ends. `target` is the condition that says so while its last pods are still ending."""

    target: str
    final: str
    reason: str
    message: str


_COMPLETE = Verdict("SuccessCriteriaMet", "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
_BACKOFF = Verdict("FailureTarget", "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
_DEADLINE = Verdict("FailureTarget", "Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
_VERDICTS = {verdict.reason: verdict for verdict in (_COMPLETE, _BACKOFF, _DEADLINE)}


class _Ends:
    """Which pods of one Job have ended, by uid: whether with success, and when the last one failed."""

    def __init__(self) -> None:
        self._succeeded: dict[str, bool] = {}
        self.last_failure = datetime.min.replace(tzinfo=UTC)

    @property
    def succeeded(self) -> int:
        return sum(self._succeeded.values())

    @property
    def failed(self) -> int:
        return len(self._succeeded) - self.succeeded

    def note(self, pod: Document, *, is_gone: bool) -> None:
        """The first end that is seen of a pod counts; one that is being deleted or has vanished has failed
        (podReplacementPolicy TerminatingOrFailed)."""
        phase, is_going = pod["status"].get("phase"), is_gone or "deletionTimestamp" in pod["metadata"]
        if pod["metadata"]["uid"] in self._succeeded or not (is_going or phase in ("Succeeded", "Failed")):
            return
        self._succeeded[pod["metadata"]["uid"]] = phase == "Succeeded"
        if phase != "Succeeded":
            self.last_failure = datetime.now(UTC)


class JobController:
    def __init__(self, client: ApiClient, jobs: Informer, pods: Informer) -> None:
        self._client, self._jobs, self._pods = client, jobs, pods
        self._ends: dict[str, _Ends] = {}
        self._timers: dict[Name, asyncio.TimerHandle] = {}
        self.queue = ReconcileQueue(self._reconcile)
        jobs.on_change(self._job_changed)
        pods.on_change(self._pod_changed)

    def _job_changed(self, before: Document | None, after: Document | None) -> None:
        job = after or before or {}
        if after is None:
            self._ends.pop(job["metadata"]["uid"], None)
        self.queue.add(name_of(job))

    def _pod_changed(self, before: Document | None, after: Document | None) -> None:
        pod = after or before or {}
        owner = controller_of(pod)
        if owner is not None and owner["kind"] == JOBS.kind:
            self._ends.setdefault(owner["uid"], _Ends()).note(pod, is_gone=after is None)
            self.queue.add((pod["metadata"]["namespace"], owner["name"]))

    async def _reconcile(self, name: Name) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
        job = self._jobs.objects.get(name)
        if job is None or "deletionTimestamp" in job["metadata"] or job["spec"].get("suspend"):
            return
        if ended_at := _ended_at(job):
            await self._forget(job, ended_at)
            return
        ends = self._ends.setdefault(job["metadata"]["uid"], _Ends())
        pods = [pod for pod in self._pods.objects.values() if is_controlled_by(pod, job)]
        active = [pod for pod in pods if is_active(pod)]
        started_at = _moment(job["status"].get("startTime")) or datetime.now(UTC)
        verdict = _verdict(job, started_at, ends, active)
        if verdict is not None:
            await self._end(job, started_at, ends, pods, verdict)
            return
        missing = min(job["spec"]["parallelism"], job["spec"].get("completions", 1) - ends.succeeded) - len(active)
        backoff_seconds = _backoff_seconds(ends) if missing > 0 else 0.0
        for _ in range(0 if backoff_seconds else missing):
            created = await self._client.create(PODS, name[0], _new_pod(job))
            active.append(created)
            await self._pods.caught_up_with(created)
        await self._report(job, _status(started_at, ends, [*pods, *active]))
        self._look_again(name, *([backoff_seconds] if backoff_seconds else []), *_seconds_left(job, started_at))

    async def _end(self, job: Document, started_at: datetime, ends: _Ends, pods: list[Document], verdict: Verdict) -> None:
        """The last pods first; their ends bring the Job here again."""
        for pod in filter(is_active, pods):
            await self._client.delete(PODS, pod)
        remaining = [pod for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]
        status = _status(started_at, ends, pods)
        kinds = [verdict.target] if remaining else [verdict.target, verdict.final]
        status["conditions"] = [_condition(job, kind, verdict) for kind in kinds]
        if verdict.final in kinds and verdict == _COMPLETE:
            status["completionTime"] = rfc3339(datetime.now(UTC))
        await self._report(job, status)

    async def _forget(self, job: Document, ended_at: datetime) -> None:
        """What a controller of its own does for `ttlSecondsAfterFinished`."""
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return
        left = (ended_at + timedelta(seconds=seconds) - datetime.now(UTC)).total_seconds()
        if left > 0:
            self._look_again(name_of(job), left)
        else:
            await self._client.delete(JOBS, job)

    async def _report(self, job: Document, status: dict[str, Any]) -> None:
        if any(job["status"].get(field) != value for field, value in status.items()):
            changed = await self._client.patch(JOBS, *name_of(job), {"status": status}, subresource="status")
            await self._jobs.caught_up_with(changed)

    def _look_again(self, name: Name, *seconds: float) -> None:
        if seconds:
            self._timers[name] = asyncio.get_running_loop().call_later(min(seconds), self.queue.add, name)


def _verdict(job: Document, started_at: datetime, ends: _Ends, active: list[Document]) -> Verdict | None:
    """The one that stands already stays."""
    for condition in job["status"].get("conditions") or []:
        if condition["status"] == "True" and condition["reason"] in _VERDICTS:
            return _VERDICTS[condition["reason"]]
    spec = job["spec"]
    if ends.succeeded >= spec.get("completions", 1):
        return _COMPLETE
    if ends.failed > spec["backoffLimit"] or _restarts(active) >= max(1, spec["backoffLimit"]):
        return _BACKOFF
    if any(left <= 0 for left in _seconds_left(job, started_at)):
        return _DEADLINE
    return None


def _restarts(pods: list[Document]) -> int:
    """Of containers that are started again in their pod (restartPolicy OnFailure)."""
    return sum(each["restartCount"] for pod in pods for each in pod["status"].get("containerStatuses") or [])


def _seconds_left(job: Document, started_at: datetime) -> list[float]:
    """None or one."""
    seconds = job["spec"].get("activeDeadlineSeconds")
    return [] if seconds is None else [(started_at + timedelta(seconds=seconds) - datetime.now(UTC)).total_seconds()]


def _backoff_seconds(ends: _Ends) -> float:
    if not ends.failed:
        return 0.0
    pause = min(_FIRST_BACKOFF_SECONDS * 2 ** (ends.failed - 1), _LONGEST_BACKOFF_SECONDS)
    return max(0.0, (ends.last_failure + timedelta(seconds=pause) - datetime.now(UTC)).total_seconds())


def _status(started_at: datetime, ends: _Ends, pods: list[Document]) -> dict[str, Any]:
    """Zero counts are left out, but for those that the API can tell from unknown."""
    own = {pod["metadata"]["uid"]: pod for pod in pods}.values()
    active = [pod for pod in own if is_active(pod)]
    ending = [pod for pod in own if not is_active(pod) and pod["status"].get("phase") not in ("Succeeded", "Failed")]
    return {
        "startTime": rfc3339(started_at),
        "active": len(active) or None,
        "ready": sum(map(is_ready, active)),
        "terminating": len(ending),
        "succeeded": ends.succeeded or None,
        "failed": ends.failed or None,
    }


def _condition(job: Document, kind: str, verdict: Verdict) -> dict[str, Any]:
    """The condition as it was, if it is there already."""
    for condition in job["status"].get("conditions") or []:
        if condition["type"] == kind:
            return dict(condition)
    now = rfc3339(datetime.now(UTC))
    said = {"reason": verdict.reason, "message": verdict.message}
    return {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now, **said}


def _ended_at(job: Document) -> datetime | None:
    for condition in job["status"].get("conditions") or []:
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return _moment(condition["lastTransitionTime"])
    return None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _new_pod(job: Document) -> Document:
    template = job["spec"]["template"]
    metadata = {
        **template["metadata"],
        "generateName": job["metadata"]["name"] + "-",
        "ownerReferences": [reference_to(job)],
    }
    return {"metadata": metadata, "spec": template["spec"]}
