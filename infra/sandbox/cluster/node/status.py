"""A pod's status as the node reports it: phase, addresses, conditions and the state of each container."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from infra.sandbox.cluster.api.clock import rfc3339
from infra.sandbox.cluster.informer import Document

_PULL_FAILURES = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
"""The reason in the container's state, and how the kubelet words it when a log is asked for."""


@dataclass
class ContainerState:
    """`state` and `last_state` are ContainerState objects of the API."""

    name: str
    image: str
    state: dict[str, Any] = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last_state: dict[str, Any] = field(default_factory=dict)
    restart_count: int = 0
    started: bool = False
    ready: bool = False
    id: str = ""

    def wait(self, reason: str, message: str = "") -> None:
        self._settle({"waiting": {"reason": reason, **({"message": message} if message else {})}})

    def fail_to_pull(self, message: str) -> None:
        """Told in full once; then it waits to try again, as one sees it most of the time."""
        if self.state.get("waiting", {}).get("reason") in _PULL_FAILURES:
            self.wait("ImagePullBackOff", f'Back-off pulling image "{self.image}": ErrImagePull: {message}')
        else:
            self.wait("ErrImagePull", message)

    @property
    def why_no_log(self) -> str:
        """Empty once it has been started: then there is a log."""
        reason = self.state.get("waiting", {}).get("reason", "")
        return "" if self.id else _PULL_FAILURES.get(reason, reason)

    def run(self, container_id: str, started_at: datetime) -> None:
        if self.id:
            self.restart_count += 1
        self.id = container_id
        self._settle({"running": {"startedAt": rfc3339(started_at)}})

    def end(self, exit_code: int, reason: str, started_at: datetime) -> None:
        ended = {
            "exitCode": exit_code,
            "reason": reason,
            "startedAt": rfc3339(started_at),
            "finishedAt": rfc3339(datetime.now(UTC)),
            "containerID": self.id,
        }
        self._settle({"terminated": ended})

    @property
    def has_ended(self) -> bool:
        return "terminated" in self.state

    @property
    def succeeded(self) -> bool:
        return self.has_ended and self.state["terminated"]["exitCode"] == 0

    def document(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.image.encode()).hexdigest()
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"{self.image.rpartition(':')[0] or self.image}@sha256:{digest}" if self.id else "",
            "containerID": self.id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restart_count,
            "state": self.state,
            "lastState": self.last_state,
        }

    def _settle(self, state: dict[str, Any]) -> None:
        if self.has_ended:
            self.last_state = self.state
        self.state, self.started, self.ready = state, False, False


class PodStatus:
    def __init__(self, pod: Document, address: str, node_address: str) -> None:
        self.containers = [ContainerState(each["name"], each["image"]) for each in pod["spec"]["containers"]]
        self._address, self._node_address = address, node_address
        self._start_time = rfc3339(datetime.now(UTC))
        self._conditions: dict[str, dict[str, Any]] = {each["type"]: each for each in pod["status"].get("conditions") or []}
        self._was_running = False

    def document(self) -> dict[str, Any]:
        phase, is_ready = self._phase(), all(each.ready for each in self.containers)
        ready = {"status": "True"} if is_ready else {"status": "False", "reason": "ContainersNotReady"}
        for kind, condition in (("Initialized", {"status": "True"}), ("Ready", ready), ("ContainersReady", ready)):
            self._set_condition(kind, condition)
        return {
            "phase": phase,
            "hostIP": self._node_address,
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "startTime": self._start_time,
            "conditions": list(self._conditions.values()),
            "containerStatuses": [each.document() for each in self.containers],
        }

    def _phase(self) -> str:
        if all(each.has_ended for each in self.containers):
            return "Succeeded" if all(each.succeeded for each in self.containers) else "Failed"
        self._was_running = self._was_running or any("running" in each.state for each in self.containers)
        return "Running" if self._was_running else "Pending"

    def _set_condition(self, kind: str, condition: dict[str, str]) -> None:
        before = self._conditions.get(kind, {})
        same = before.get("status") == condition["status"]
        since = before["lastTransitionTime"] if same else rfc3339(datetime.now(UTC))
        self._conditions[kind] = {"type": kind, **condition, "lastTransitionTime": since}
