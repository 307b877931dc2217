"""Which objects and changes the API server refuses with 422, as far as the kinds served here need it."""

from __future__ import annotations

import json
import re
from typing import Any

from infra.sandbox.cluster.api import errors
from infra.sandbox.cluster.api.errors import FieldError
from infra.sandbox.cluster.api.resources import Resource
from infra.sandbox.cluster.api.selectors import match_labels

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_QUALIFIED = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_RBAC = "rbac.authorization.k8s.io"


def check_new(resource: Resource, document: dict[str, Any]) -> None:
    """Raises the ApiError that refuses a new object."""
    _refuse(resource, document, [*_metadata(resource, document), *_content(resource, document)])


def check_change(resource: Resource, old: dict[str, Any], new: dict[str, Any]) -> None:
    """Raises the ApiError that refuses to turn `old` into `new`."""
    causes = [*_metadata(resource, new), *_content(resource, new), *_immutable(resource, old, new)]
    _refuse(resource, new, causes)


def _refuse(resource: Resource, document: dict[str, Any], causes: list[FieldError]) -> None:
    if causes:
        name = document["metadata"].get("name", "")
        raise errors.invalid(resource.kind, resource.group, name, causes)


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(field, "FieldValueRequired", "Required value" + (f": {detail}" if detail else ""))


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    shown = value if isinstance(value, int | float) else json.dumps(value)
    return FieldError(field, "FieldValueInvalid", f"Invalid value: {shown}: {detail}")


def _metadata(resource: Resource, document: dict[str, Any]) -> list[FieldError]:
    metadata, causes = document["metadata"], []
    name = metadata.get("name")
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    # Names in RBAC are path segments: "system:masters" is allowed there and nowhere else.
    legal = "/" not in name if resource.group == _RBAC else _SUBDOMAIN.fullmatch(name) and len(name) <= 253
    if not legal:
        detail = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
        causes.append(invalid_value("metadata.name", name, detail))
    return causes + _labels("metadata.labels", metadata.get("labels") or {})


def _labels(field: str, labels: dict[str, Any]) -> list[FieldError]:
    causes = []
    for key, value in labels.items():
        if not _QUALIFIED.fullmatch(key):
            causes.append(invalid_value(field, key, "name part must consist of alphanumeric characters, '-', '_' or '.'"))
        if not isinstance(value, str) or len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            detail = "a valid label must be at most 63 alphanumeric characters, '-', '_' or '.'"
            causes.append(invalid_value(field, value, detail))
    return causes


def _content(resource: Resource, document: dict[str, Any]) -> list[FieldError]:
    spec = document.get("spec") or {}
    match resource.kind:
        case "Pod":
            return _pod_spec("spec", spec)
        case "Deployment" | "ReplicaSet":
            return _workload(spec)
        case "Job":
            return _job(spec)
        case "Service":
            return _service(spec)
        case "RoleBinding" | "ClusterRoleBinding" if not (document.get("roleRef") or {}).get("name"):
            return [required("roleRef.name")]
    return []


def _workload(spec: dict[str, Any]) -> list[FieldError]:
    causes = _template(spec)
    replicas = spec.get("replicas", 1)
    if not isinstance(replicas, int) or replicas < 0:
        causes.append(invalid_value("spec.replicas", replicas, "must be greater than or equal to 0"))
    selector = spec.get("selector") or {}
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        causes.append(required("spec.selector"))
    elif not match_labels(selector)(labels):
        detail = "`selector` does not match template `labels`"
        causes.append(invalid_value("spec.template.metadata.labels", labels, detail))
    return causes


def _job(spec: dict[str, Any]) -> list[FieldError]:
    causes = []
    for name in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"):
        value = spec.get(name, 0)
        if not isinstance(value, int) or value < 0:
            causes.append(invalid_value(f"spec.{name}", value, "must be greater than or equal to 0"))
    causes += _template(spec)
    if ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy") not in ("OnFailure", "Never"):
        causes.append(required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    return causes


def _template(spec: dict[str, Any]) -> list[FieldError]:
    template = spec.get("template") or {}
    labels = (template.get("metadata") or {}).get("labels") or {}
    return _labels("spec.template.labels", labels) + _pod_spec("spec.template.spec", template.get("spec") or {})


def _pod_spec(field: str, spec: dict[str, Any]) -> list[FieldError]:
    containers = spec.get("containers") or []
    causes = [] if containers else [required(f"{field}.containers")]
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    seen: set[str] = set()
    for at, container in enumerate(containers):
        where = f"{field}.containers[{at}]"
        causes += [required(f"{where}.{name}") for name in ("name", "image") if not container.get(name)]
        if container.get("name") in seen:
            causes.append(FieldError(f"{where}.name", "FieldValueDuplicate", f'Duplicate value: "{container["name"]}"'))
        seen.add(container.get("name", ""))
        for mount_at, mount in enumerate(container.get("volumeMounts") or []):
            if mount.get("name") not in volumes:
                message = f'Not found: "{mount.get("name")}"'
                causes.append(FieldError(f"{where}.volumeMounts[{mount_at}].name", "FieldValueNotFound", message))
    return causes


def _service(spec: dict[str, Any]) -> list[FieldError]:
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None":
        return [required("spec.ports")]
    return [required(f"spec.ports[{at}].name") for at, port in enumerate(ports) if len(ports) > 1 and not port.get("name")]


def _immutable(resource: Resource, old: dict[str, Any], new: dict[str, Any]) -> list[FieldError]:
    causes = []
    if new["metadata"].get("uid") != old["metadata"]["uid"]:
        causes.append(invalid_value("metadata.uid", new["metadata"].get("uid"), "field is immutable"))
    match resource.kind:
        case "ConfigMap" | "Secret" if old.get("immutable"):
            detail = "Forbidden: field is immutable when `immutable` is set"
            changed = [each for each in ("immutable", "data", "binaryData") if new.get(each) != old.get(each)]
            causes += [FieldError(each, "FieldValueForbidden", detail) for each in changed]
        case "Deployment" | "ReplicaSet" if new["spec"].get("selector") != old["spec"].get("selector"):
            causes.append(invalid_value("spec.selector", new["spec"].get("selector"), "field is immutable"))
        case "Job":
            fixed = ("completions", "completionMode", "selector", "template")
            changed = [name for name in fixed if new["spec"].get(name) != old["spec"].get(name)]
            causes += [invalid_value(f"spec.{name}", new["spec"].get(name), "field is immutable") for name in changed]
        case "RoleBinding" | "ClusterRoleBinding" if new.get("roleRef") != old.get("roleRef"):
            causes.append(invalid_value("roleRef", new.get("roleRef"), "cannot change roleRef"))
        case "Pod" if _frozen_pod_spec(new["spec"]) != _frozen_pod_spec(old["spec"]):
            detail = (
                "Forbidden: pod updates may not change fields other than `spec.containers[*].image`, "
                "`spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or `spec.tolerations`"
            )
            causes.append(FieldError("spec", "FieldValueForbidden", detail))
    return causes


def _frozen_pod_spec(spec: dict[str, Any]) -> dict[str, Any]:
    frozen = {name: value for name, value in spec.items() if name not in ("activeDeadlineSeconds", "tolerations")}
    for name in ("containers", "initContainers"):
        frozen[name] = [{**container, "image": ""} for container in spec.get(name) or []]
    return frozen
