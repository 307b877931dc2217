"""What the API server writes into a new object when its author left it out, and how it stores emptiness.

Values: the SetDefaults_ and strategy functions of Kubernetes for the kinds served here. Both functions change their argument.
"""

from __future__ import annotations

from typing import Any

from infra.sandbox.cluster.api.resources import Resource

_METADATA_WITHOUT_EMPTY = ("labels", "annotations", "finalizers", "ownerReferences")


def canonical(document: dict[str, Any]) -> None:
    """Drops null values and empty metadata maps: they do not survive storage, so writing them is no change."""
    _drop_nulls(document)
    template = (document.get("spec") or {}).get("template") if isinstance(document.get("spec"), dict) else None
    for holder in (document, template):
        metadata = holder.get("metadata") if isinstance(holder, dict) else None
        for name in _METADATA_WITHOUT_EMPTY:
            if isinstance(metadata, dict) and metadata.get(name) in ({}, []):
                del metadata[name]
    for name in ("data", "binaryData", "stringData"):
        if document.get(name) == {}:
            del document[name]


def set_defaults(resource: Resource, document: dict[str, Any]) -> None:
    """Completes `document` for storage. Called for every write, because a patch can add a whole container."""
    spec = document.get("spec")
    match resource.kind:
        case "Pod" if spec is not None:
            _pod_spec(spec)
        case "Deployment" if spec is not None:
            _deployment(spec)
        case "ReplicaSet" if spec is not None:
            spec.setdefault("replicas", 1)
            _template(spec)
        case "Job" if spec is not None:
            _job(spec)
        case "Service":
            _service(document.setdefault("spec", {}))
        case "Secret":
            document.setdefault("type", "Opaque")
        case "Namespace":
            document.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        case "RoleBinding" | "ClusterRoleBinding":
            for subject in document.get("subjects") or []:
                if subject.get("kind") in ("User", "Group"):
                    subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def initial_status(resource: Resource) -> dict[str, Any]:
    match resource.kind:
        case "Pod":
            return {"phase": "Pending", "qosClass": "BestEffort"}
        case "Namespace":
            return {"phase": "Active"}
        case "Service":
            return {"loadBalancer": {}}
        case "ReplicaSet":
            return {"replicas": 0}
    return {}


def _drop_nulls(value: Any) -> None:
    if isinstance(value, dict):
        for name in [name for name, inner in value.items() if inner is None]:
            del value[name]
        for inner in value.values():
            _drop_nulls(inner)
    elif isinstance(value, list):
        for inner in value:
            _drop_nulls(inner)


def _deployment(spec: dict[str, Any]) -> None:
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    _template(spec)


def _job(spec: dict[str, Any]) -> None:
    if spec.get("parallelism") is None:
        spec.setdefault("completions", 1)
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    _template(spec)


def _template(spec: dict[str, Any]) -> None:
    template = spec.get("template")
    if isinstance(template, dict):
        template.setdefault("metadata", {})
        if isinstance(template.get("spec"), dict):
            _pod_spec(template["spec"])


def _pod_spec(spec: dict[str, Any]) -> None:
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _container(container)
    for volume in spec.get("volumes") or []:
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if isinstance(volume.get(source), dict):
                volume[source].setdefault("defaultMode", 0o644)


def _container(container: dict[str, Any]) -> None:
    image = str(container.get("image", ""))
    is_latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
    container.setdefault("imagePullPolicy", "Always" if is_latest else "IfNotPresent")
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        if isinstance(container.get(name), dict):
            for field, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1)):
                container[name].setdefault(field, value)
            container[name].setdefault("failureThreshold", 3)
    for variable in container.get("env") or []:
        field_ref = (variable.get("valueFrom") or {}).get("fieldRef")
        if field_ref:
            field_ref.setdefault("apiVersion", "v1")


def _service(spec: dict[str, Any]) -> None:
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
