"""IAM roles associated with instances and clusters. A restored instance has none, a cluster those that its restore names."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds.inventory import Resource
from infra.sandbox.aws.rds.refusals import Refusal
from infra.sandbox.aws.rds.requests import Operation, Request


def described(resource: Resource) -> list[dict[str, str]]:
    """AssociatedRoles of the API."""
    return [
        {"RoleArn": role["RoleArn"], "FeatureName": role.get("FeatureName", ""), "Status": "ACTIVE"} for role in resource.roles
    ]


def _add(resource: Resource, given: dict[str, Any], code: str) -> dict[str, Any]:
    role: dict[str, str] = {name: given[name] for name in ("RoleArn", "FeatureName") if name in given}
    if role in resource.roles:
        raise Refusal(code, f"Role {role['RoleArn']} is associated with {resource.identifier} already.")
    resource.roles.append(role)
    return {}


def _remove(resource: Resource, given: dict[str, Any], code: str) -> dict[str, Any]:
    role: dict[str, str] = {name: given[name] for name in ("RoleArn", "FeatureName") if name in given}
    if role not in resource.roles:
        raise Refusal(code, f"Role {role['RoleArn']} is not associated with {resource.identifier}.")
    resource.roles.remove(role)
    return {}


def _add_to_instance(request: Request) -> dict[str, Any]:
    instance = request.inventory.instance(request.given["DBInstanceIdentifier"])
    return _add(instance, request.given, "DBInstanceRoleAlreadyExists")


def _remove_from_instance(request: Request) -> dict[str, Any]:
    instance = request.inventory.instance(request.given["DBInstanceIdentifier"])
    return _remove(instance, request.given, "DBInstanceRoleNotFound")


def _add_to_cluster(request: Request) -> dict[str, Any]:
    cluster = request.inventory.cluster(request.given["DBClusterIdentifier"])
    return _add(cluster, request.given, "DBClusterRoleAlreadyExists")


def _remove_from_cluster(request: Request) -> dict[str, Any]:
    cluster = request.inventory.cluster(request.given["DBClusterIdentifier"])
    return _remove(cluster, request.given, "DBClusterRoleNotFound")


OPERATIONS: dict[str, Operation] = {
    "AddRoleToDBInstance": _add_to_instance,
    "RemoveRoleFromDBInstance": _remove_from_instance,
    "AddRoleToDBCluster": _add_to_cluster,
    "RemoveRoleFromDBCluster": _remove_from_cluster,
}
