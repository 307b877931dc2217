"""Tags by ARN of what lives in the inventory. The ARN follows the identifier, the tags stay with the resource."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds.inventory import tag_list, tags_of
from infra.sandbox.aws.rds.refusals import Refusal
from infra.sandbox.aws.rds.requests import Operation, Request

KINDS = ("db", "cluster", "snapshot", "cluster-snapshot", "cluster-endpoint")
_MOST_TAGS = 50


def kind_of(arn: str) -> str:
    """The kind of resource that an ARN names; tags of other kinds than KINDS are moto's."""
    parts = arn.split(":")
    return parts[5] if len(parts) == 7 else ""


def _tags(request: Request) -> dict[str, str]:
    arn, inventory = request.given["ResourceName"], request.inventory
    kind, name = kind_of(arn), arn.rpartition(":")[2]
    if kind == "db":
        return inventory.instance(name).tags
    if kind == "cluster":
        return inventory.cluster(name).tags
    holders: dict[str, tuple[dict[str, Any], str]] = {
        "snapshot": (inventory.snapshots, "DBSnapshotNotFound"),
        "cluster-snapshot": (inventory.cluster_snapshots, "DBClusterSnapshotNotFoundFault"),
        "cluster-endpoint": (inventory.endpoints, "DBClusterEndpointNotFoundFault"),
    }
    held, code = holders[kind]
    if name not in held:
        raise Refusal(code, f"{arn} not found.")
    tags: dict[str, str] = held[name].tags
    return tags


def _add(request: Request) -> dict[str, Any]:
    tags = _tags(request)
    wished = {**tags, **tags_of(request.given)}
    if len(wished) > _MOST_TAGS:
        raise Refusal("InvalidParameterValue", f"A resource can have at most {_MOST_TAGS} tags.")
    tags.update(wished)
    return {}


def _remove(request: Request) -> dict[str, Any]:
    tags = _tags(request)
    for key in request.given["TagKeys"]:
        tags.pop(key, None)
    return {}


def _list(request: Request) -> dict[str, Any]:
    return {"TagList": tag_list(_tags(request))}


OPERATIONS: dict[str, Operation] = {
    "AddTagsToResource": _add,
    "RemoveTagsFromResource": _remove,
    "ListTagsForResource": _list,
}
