"""A cluster in memory that has one Deployment with its ReplicaSet and pods, and keeps what was written to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.clusters.api import FIELD_MANAGER
from shared.model.errors import Conflict, Forbidden, Misconfigured
from shared.model.kubernetes import KubernetesObject, ObjectList

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
NAMESPACE, NAME = "scalar", "orders"
LABELS = {"app.kubernetes.io/instance": "orders", "app.kubernetes.io/app": "scalardb-cluster"}


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def written_by(manager: str, fields: Mapping[str, Any], *, time: str = "2026-11-24T02:59:00Z", operation: str = "Update"):
    return {"manager": manager, "operation": operation, "time": time, "fieldsV1": fields}


REPLICAS_FIELD = {"f:spec": {"f:replicas": {}}}


def pod(name: str, *, ready: bool = True, owner: str = "rs-uid", **status: Any) -> KubernetesObject:
    ready_condition = {"type": "Ready", "status": "True" if ready else "False"}
    references = [{"kind": "ReplicaSet", "uid": owner, "controller": True}] if owner else []
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": LABELS, "ownerReferences": references},
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running", "conditions": [ready_condition], **status},
    }


class OneDeployment:
    """Takes the part of the `KubernetesApi` that is used here. Its controllers act only in `controllers_catch_up`, its pods end
    only in `pods_end`. `denied` are rights such as "patch deployments"."""

    def __init__(self, replicas: int = 3) -> None:
        self.pods = [pod(f"orders-{number}") for number in range(replicas)]
        self.deployment: KubernetesObject = {
            "kind": "Deployment",
            "metadata": {
                "name": NAME,
                "namespace": NAMESPACE,
                "uid": "deployment-uid",
                "resourceVersion": "1",
                "generation": 1,
                "annotations": {},
                "managedFields": [],
            },
            "spec": {"replicas": replicas, "selector": {"matchLabels": LABELS}},
            "status": {},
        }
        owner = {"kind": "Deployment", "uid": "deployment-uid", "controller": True}
        self.replica_set: KubernetesObject = {
            "metadata": {"name": "orders-1", "uid": "rs-uid", "generation": 1, "ownerReferences": [owner]},
            "spec": {"replicas": replicas},
            "status": {"observedGeneration": 1},
        }
        self.others: dict[str, list[KubernetesObject]] = {"horizontalpodautoscalers": []}
        self.denied: set[str] = set()
        self.writes: list[tuple[str, Any]] = []
        self.before_patch = lambda: None
        self.controllers_catch_up()

    # what the product calls

    def get(self, kind: str, namespace: str, name: str) -> KubernetesObject | None:
        assert (kind, namespace) == ("deployments", NAMESPACE)
        return self.deployment if self.deployment and name == NAME else None

    def list(self, kind: str, namespace: str, labels: Mapping[str, str]) -> ObjectList:
        assert namespace == NAMESPACE
        if f"list {kind}" in self.denied:
            raise Forbidden(f"cannot list {kind}.")
        if kind in ("pods", "replicasets"):
            assert labels == LABELS
            return ObjectList(tuple(self.pods if kind == "pods" else [self.replica_set]), "1")
        if kind not in self.others:
            raise Misconfigured("the answer is not of the Kubernetes API: 404 page not found.")
        return ObjectList(tuple(self.others[kind]), "1")

    def can_i(self, verb: str, resource: str, namespace: str, *, name: str = "") -> bool:
        return f"{verb} {resource}" not in self.denied

    def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        content_type: str,
        resource_version: str | None = None,
        subresource: str = "",
    ) -> KubernetesObject:
        assert (kind, namespace, name, content_type) == ("deployments", NAMESPACE, NAME, "application/merge-patch+json")
        self.before_patch()
        if f"patch deployments{'/' if subresource else ''}{subresource}" in self.denied:
            raise Forbidden("cannot patch.")
        if resource_version not in (None, self.deployment["metadata"]["resourceVersion"]):
            raise Conflict("it was changed in the meantime, last by kubelet.")
        if subresource:
            assert set(patch) == {"spec"}, "the scale subresource holds nothing else"
            self.writes.append(("replicas", patch["spec"]["replicas"]))
            self.set_replicas(patch["spec"]["replicas"], by=FIELD_MANAGER)
        else:
            (annotation,) = patch["metadata"]["annotations"].items()
            self.writes.append(annotation)
            self.annotate(*annotation)
        return self.deployment

    # what others do

    def set_replicas(self, replicas: int, *, by: str = "", time: str = "2026-11-24T03:00:00Z") -> None:
        self.deployment["spec"]["replicas"] = replicas
        if by:
            self.deployment["metadata"]["managedFields"].append(written_by(by, REPLICAS_FIELD, time=time))
        self._changed()

    def annotate(self, name: str, value: str | None) -> None:
        annotations = self.deployment["metadata"]["annotations"]
        annotations.pop(name, None)
        if value is not None:
            annotations[name] = value
        self._changed()

    def touch(self) -> None:
        """A status update: another resourceVersion, nothing else."""
        metadata = self.deployment["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def controllers_catch_up(self) -> None:
        """The Deployment's status and the ReplicaSet follow; pods that are too many begin to end."""
        replicas = self.deployment["spec"]["replicas"]
        generation = self.deployment["metadata"]["generation"]
        self.deployment["status"] = {
            "observedGeneration": generation,
            "replicas": replicas,
            "updatedReplicas": replicas,
        }
        if self.replica_set["spec"]["replicas"] != replicas:
            self.replica_set["spec"]["replicas"] = replicas
            self.replica_set["metadata"]["generation"] += 1
        self.replica_set["status"]["observedGeneration"] = self.replica_set["metadata"]["generation"]
        for each in self.pods[replicas:]:
            each["metadata"].setdefault("deletionTimestamp", at(NOW + timedelta(seconds=90)))
        self.pods += [pod(f"orders-new-{number}", ready=False) for number in range(len(self.pods), replicas)]

    def pods_end(self) -> None:
        self.pods = [each for each in self.pods if "deletionTimestamp" not in each["metadata"]]

    def pods_become_ready(self) -> None:
        for each in self.pods:
            each["status"]["conditions"] = [{"type": "Ready", "status": "True"}]

    def _changed(self) -> None:
        self.deployment["metadata"]["generation"] += 1
        self.touch()
