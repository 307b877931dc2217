"""From the Kubernetes API's JSON to the states that the model compares."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from shared.model.kubernetes import KubernetesObject
from shared.model.pods import ContainerState, DeploymentState, PodState
from shared.model.times import parse_instant

TEMPLATE_HASH_LABEL = "pod-template-hash"
"""On the pods of a Deployment."""
REVISION_LABEL = "controller-revision-hash"
"""The same on the pods of a StatefulSet or DaemonSet."""
FINISHED_PHASES = ("Succeeded", "Failed")
"""The pod object is left, an evicted one for example; its containers are not."""


def pod_state(pod: KubernetesObject) -> PodState:
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    labels = metadata.get("labels") or {}
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    return PodState(
        name=metadata["name"],
        uid=metadata["uid"],
        ip=status.get("podIP") or "",
        node=spec.get("nodeName") or "",
        template_hash=labels.get(TEMPLATE_HASH_LABEL) or labels.get(REVISION_LABEL, ""),
        phase=status.get("phase") or "",
        ready=conditions.get("Ready") == "True",
        deleting=bool(metadata.get("deletionTimestamp")),
        containers=_containers(spec, status),
        resource_version=metadata.get("resourceVersion") or "",
    )


def _containers(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[ContainerState, ...]:
    """Init containers first. A container that has no status yet is there too: without an id."""
    found = []
    for declared, reported in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        statuses = {item["name"]: item for item in status.get(reported) or ()}
        names = dict.fromkeys([item["name"] for item in spec.get(declared) or ()] + list(statuses))
        found += [_container(name, statuses.get(name) or {}) for name in names]
    return tuple(found)


def _container(name: str, status: Mapping[str, Any]) -> ContainerState:
    state = status.get("state") or {}
    begun = (state.get("running") or state.get("terminated") or {}).get("startedAt")
    return ContainerState(
        name=name,
        id=status.get("containerID") or "",
        restarts=status.get("restartCount") or 0,
        started_at=_instant(begun),
        waiting=(state.get("waiting") or {}).get("reason") or "",
    )


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text, "startedAt") if text else None


def deployment_state(deployment: KubernetesObject) -> DeploymentState:
    metadata, spec, status = deployment["metadata"], deployment["spec"], deployment.get("status") or {}
    return DeploymentState(
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation") or 0,
        observed_generation=status.get("observedGeneration") or 0,
        replicas=_replicas(spec),
        updated_replicas=status.get("updatedReplicas") or 0,
        ready_replicas=status.get("readyReplicas") or 0,
        spec_digest=spec_digest(spec),
        resource_version=metadata.get("resourceVersion") or "",
    )


def spec_digest(spec: Mapping[str, Any]) -> str:
    """SHA-256, in hex, over what decides which pods run: the replicas and the pod template, as canonical JSON."""
    content = {"replicas": _replicas(spec), "template": spec.get("template")}
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _replicas(spec: Mapping[str, Any]) -> int:
    replicas = spec.get("replicas")
    return 1 if replicas is None else int(replicas)
