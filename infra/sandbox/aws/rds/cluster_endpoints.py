"""Custom endpoints of Aurora clusters: a host name for a chosen set of members. A restore of the cluster has none of them."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import clusters
from infra.sandbox.aws.rds.inventory import Cluster, CustomEndpoint, Instance, Inventory, bare, new_resource_id, tags_of
from infra.sandbox.aws.rds.refusals import Refusal, invalid_combination, invalid_value
from infra.sandbox.aws.rds.requests import Operation, Request

_KINDS = ("READER", "ANY")
_FILTERS = (
    "db-cluster-endpoint-type",
    "db-cluster-endpoint-custom-type",
    "db-cluster-endpoint-id",
    "db-cluster-endpoint-status",
)
_MOST_PER_CLUSTER = 5


def members_behind(inventory: Inventory, endpoint: CustomEndpoint) -> list[Instance]:
    """The members that connections to it may reach: the static ones, or all but the excluded; READER leaves the writer out."""
    members = inventory.members(endpoint.cluster)
    if endpoint.static_members:
        members = [member for member in members if member.resource_id in endpoint.static_members]
    members = [member for member in members if member.resource_id not in endpoint.excluded_members]
    return [member for member in members if endpoint.kind == "ANY" or not member.writer]


def _describe_custom(inventory: Inventory, endpoint: CustomEndpoint) -> dict[str, Any]:
    def names(ids: set[str]) -> list[str]:
        return sorted(member.identifier for member in inventory.members(endpoint.cluster) if member.resource_id in ids)

    return {
        "DBClusterEndpointIdentifier": endpoint.identifier,
        "DBClusterIdentifier": endpoint.cluster.identifier,
        "DBClusterEndpointResourceIdentifier": endpoint.resource_id,
        "DBClusterEndpointArn": inventory.arn("cluster-endpoint", endpoint.identifier),
        "Endpoint": inventory.host(endpoint.identifier, "cluster-custom-"),
        "Status": endpoint.life.status(),
        "EndpointType": "CUSTOM",
        "CustomEndpointType": endpoint.kind,
        "StaticMembers": names(endpoint.static_members),
        "ExcludedMembers": names(endpoint.excluded_members),
    }


def _describe_own(inventory: Inventory, cluster: Cluster) -> list[dict[str, Any]]:
    own = {"DBClusterIdentifier": cluster.identifier, "Status": cluster.life.status()}
    return [
        {**own, "EndpointType": "WRITER", "Endpoint": inventory.host(cluster.identifier, "cluster-")},
        {**own, "EndpointType": "READER", "Endpoint": inventory.host(cluster.identifier, "cluster-ro-")},
    ]


def _create(request: Request) -> dict[str, Any]:
    given, inventory = request.given, request.inventory
    name = request.new_name("DBClusterEndpointIdentifier")
    cluster = inventory.cluster(given["DBClusterIdentifier"])
    if cluster.multi_az:
        raise invalid_combination(f"{cluster.identifier} is a Multi-AZ DB cluster; custom endpoints are for Aurora.")
    clusters.require_available(cluster)
    if name in inventory.endpoints:
        raise Refusal("DBClusterEndpointAlreadyExistsFault", f"DB cluster endpoint already exists: {name}")
    if sum(endpoint.cluster is cluster for endpoint in inventory.endpoints.values()) >= _MOST_PER_CLUSTER:
        raise Refusal(
            "DBClusterEndpointQuotaExceededFault",
            f"Cluster {cluster.identifier} has {_MOST_PER_CLUSTER} custom endpoints already.",
        )
    kind = _kind(given["EndpointType"])
    static, excluded = _member_lists(inventory, cluster, given)
    resource_id = new_resource_id("cluster-endpoint-")
    endpoint = CustomEndpoint(name, resource_id, cluster, kind, static, excluded, tags_of(given))
    endpoint.life.goes_through("creating", request.settings.rds_modify_seconds, request.now)
    inventory.endpoints[name] = endpoint
    return _describe_custom(inventory, endpoint)


def _kind(wished: str) -> str:
    if wished.upper() not in _KINDS:
        raise invalid_value(f"EndpointType must be one of {', '.join(_KINDS)}, it is {wished}.")
    return wished.upper()


def _member_lists(inventory: Inventory, cluster: Cluster, given: dict[str, Any]) -> tuple[set[str], set[str]]:
    if given.get("StaticMembers") and given.get("ExcludedMembers"):
        raise invalid_combination("StaticMembers and ExcludedMembers cannot both be specified.")
    lists = []
    for parameter in ("StaticMembers", "ExcludedMembers"):
        instances = [inventory.instance(name) for name in given.get(parameter, ())]
        for instance in instances:
            if instance.cluster is not cluster:
                raise invalid_combination(f"{instance.identifier} is not a member of cluster {cluster.identifier}.")
        lists.append({instance.resource_id for instance in instances})
    return lists[0], lists[1]


def _describe(request: Request) -> dict[str, Any]:
    filters, given, inventory = request.filters(_FILTERS), request.given, request.inventory
    wished = given.get("DBClusterIdentifier")
    cluster = inventory.cluster(wished) if wished else None
    own = [cluster] if cluster else list(inventory.clusters.values())
    found = [entry for each in own if each.life.status() != "renaming" for entry in _describe_own(inventory, each)]
    custom = [endpoint for endpoint in inventory.endpoints.values() if cluster is None or endpoint.cluster is cluster]
    found += [_describe_custom(inventory, endpoint) for endpoint in custom]
    if name := given.get("DBClusterEndpointIdentifier"):
        found = [entry for entry in found if entry.get("DBClusterEndpointIdentifier") == bare(name)]
    keys = {
        "db-cluster-endpoint-type": "EndpointType",
        "db-cluster-endpoint-custom-type": "CustomEndpointType",
        "db-cluster-endpoint-id": "DBClusterEndpointIdentifier",
        "db-cluster-endpoint-status": "Status",
    }
    for filter_name, values in filters.items():
        wanted = {value.lower() for value in values}
        found = [entry for entry in found if str(entry.get(keys[filter_name], "")).lower() in wanted]
    return request.page("DBClusterEndpoints", found, lambda entry: entry)


def _find(request: Request) -> CustomEndpoint:
    name = request.given["DBClusterEndpointIdentifier"]
    endpoint = request.inventory.endpoints.get(bare(name))
    if endpoint is None:
        raise Refusal("DBClusterEndpointNotFoundFault", f"DB cluster endpoint not found: {name}")
    if (status := endpoint.life.status()) != "available":
        raise Refusal("InvalidDBClusterEndpointStateFault", f"Endpoint {name} is {status}; it must be available.")
    return endpoint


def _modify(request: Request) -> dict[str, Any]:
    endpoint, given = _find(request), request.given
    if "EndpointType" in given:
        endpoint.kind = _kind(given["EndpointType"])
    if "StaticMembers" in given or "ExcludedMembers" in given:
        # One list replaces the other: an endpoint has either.
        endpoint.static_members, endpoint.excluded_members = _member_lists(request.inventory, endpoint.cluster, given)
    endpoint.life.goes_through("modifying", request.settings.rds_modify_seconds, request.now)
    return _describe_custom(request.inventory, endpoint)


def _delete(request: Request) -> dict[str, Any]:
    endpoint, inventory = _find(request), request.inventory

    def gone(_: float) -> None:
        inventory.endpoints.pop(endpoint.identifier, None)

    endpoint.life.goes_through("deleting", request.settings.rds_delete_seconds, request.now, gone)
    return _describe_custom(inventory, endpoint)


OPERATIONS: dict[str, Operation] = {
    "CreateDBClusterEndpoint": _create,
    "DescribeDBClusterEndpoints": _describe,
    "ModifyDBClusterEndpoint": _modify,
    "DeleteDBClusterEndpoint": _delete,
}
