"""Writes the edits that `endpoint_sources` found: one patch for each object, guarded by its version, and the way back."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from shared.model.errors import Conflict, InvalidRequest, NotReady
from shared.model.kubernetes import KubernetesObject
from shared.scalar.endpoint_edits import Edit, ObjectEdits, RewritePlan
from shared.scalar.java_properties import rewrite_property

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class ClusterWriter(Protocol):
    """What is needed of a cluster; `shared.clusters` implements it."""

    def get(self, kind: str, namespace: str, name: str) -> KubernetesObject | None: ...

    def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        content_type: str,
        resource_version: str | None = None,
    ) -> KubernetesObject: ...


@dataclass(frozen=True)
class Rewritten:
    """`undo`, given to `apply_rewrite`, brings the old values back, as long as nobody has changed the objects since."""

    undo: RewritePlan


def apply_rewrite(cluster: ClusterWriter, plan: RewritePlan) -> Rewritten:
    """Makes every edit of the plan. The release must be stopped: at 0 replicas no pod starts half-changed, and a change of the
    pod template rolls nothing.

    Objects are changed one after the other. When a call fails, find the sources again and apply those: what is done already
    is then no edit any more. Old credentials of an interrupted rewrite are gone from the cluster with this; the old endpoints
    are in the `EndpointChange` that was recorded before.

    Raises:
        NotReady: the Deployment is not at 0 replicas, or an object is gone. Nothing was written, or not this object.
        Conflict: somebody changed an object after its source was found; the message says who.
        InvalidRequest: the cluster refuses the new content, as an immutable object does.
        Unreachable, Throttled, Forbidden: the cluster.
    """
    namespace = plan.release.namespace
    deployment = cluster.get("deployments", namespace, plan.deployment)
    if deployment is None or deployment["spec"].get("replicas", 1) != 0:
        raise NotReady(
            f"{plan.release.key}: Deployment {plan.deployment} must be stopped before its endpoints are rewritten.",
            hint="Scale it to 0 replicas and wait until its pods are gone.",
        )
    undo = tuple(_apply(cluster, namespace, changed) for changed in plan.objects)
    return Rewritten(undo=replace(plan, objects=undo, properties_text=None, notes=()))


def _apply(cluster: ClusterWriter, namespace: str, changed: ObjectEdits) -> ObjectEdits:
    """Returns the edits that undo this one."""
    current = cluster.get(changed.kind, namespace, changed.name)
    if current is None:
        raise NotReady(f"{changed.title} in namespace {namespace} is gone.", hint="Bring it back with helm upgrade.")
    try:
        patch, content_type = _patch(current, changed)
    except KeyError as error:
        raise Conflict(
            f"{changed.title} in namespace {namespace} does not have {error} any more: somebody changed it in the meantime.",
            hint="Find the sources again, then try again.",
        ) from error
    try:
        after = cluster.patch(
            changed.kind, namespace, changed.name, patch, content_type=content_type, resource_version=changed.resource_version
        )
    except InvalidRequest as error:
        raise InvalidRequest(
            f"{changed.title} cannot be given the new values: {error.message}",
            hint="An immutable ConfigMap or Secret is replaced by helm upgrade with the new values, not changed.",
        ) from error
    back = tuple(replace(edit, old=edit.new, new=edit.old) for edit in changed.edits)
    return replace(changed, edits=back, resource_version=after["metadata"]["resourceVersion"])


def _patch(current: KubernetesObject, changed: ObjectEdits) -> tuple[dict[str, Any] | list[dict[str, Any]], str]:
    """Raises KeyError: something that was there when the source was found is not there now."""
    if changed.kind == "deployments":
        return [_variable(current, changed.container, edit) for edit in changed.edits], JSON_PATCH
    if changed.kind == "secrets":
        encoded = {edit.key: base64.b64encode(edit.new.reveal().encode()).decode() for edit in changed.edits}
        return {"data": encoded}, MERGE_PATCH
    data: dict[str, str] = {}
    for edit in changed.edits:
        text = data.get(edit.key, current["data"][edit.key])
        new = edit.new.reveal()
        data[edit.key] = rewrite_property(text, edit.properties[0], new) if edit.line else new
    return {"data": data}, MERGE_PATCH


def _variable(deployment: KubernetesObject, container: str, edit: Edit) -> dict[str, Any]:
    """By position, which the precondition on the version keeps right: of two variables with one name the last one counts, and a
    merge by name would find the first."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    at = next((index for index, item in enumerate(containers) if item["name"] == container), None)
    if at is None:
        raise KeyError(container)
    variables = containers[at].get("env") or []
    position = next((index for index in reversed(range(len(variables))) if variables[index]["name"] == edit.key), None)
    if position is None:
        raise KeyError(edit.key)
    path = f"/spec/template/spec/containers/{at}/env/{position}/value"
    return {"op": "add", "path": path, "value": edit.new.reveal()}
