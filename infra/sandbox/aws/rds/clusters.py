"""DB clusters of Aurora and Multi-AZ DB clusters of RDS: made, shown, failed over, stopped, deleted."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import (
    automated_backups,
    cluster_members,
    cluster_settings,
    instances,
    master_secret,
    roles,
    taking_snapshots,
)
from infra.sandbox.aws.rds.inventory import Cluster, Instance, Recovery, bare, new_resource_id, tag_list, tags_of, utc
from infra.sandbox.aws.rds.refusals import Refusal, cluster_busy, invalid_combination
from infra.sandbox.aws.rds.requests import Operation, Request
from infra.sandbox.relational.volume import Volume

_FILTERS = ("db-cluster-id", "db-cluster-resource-id", "engine")


def describe(cluster: Cluster, request: Request) -> dict[str, Any]:
    """A DBCluster of the API."""
    inventory, status = request.inventory, cluster.life.status()
    members = inventory.members(cluster)
    zones = {member.settings["AvailabilityZone"] for member in members}
    name = cluster.identifier
    answer = {
        **cluster_settings.described(cluster.settings),
        "DBClusterIdentifier": name,
        "DBClusterArn": inventory.arn("cluster", name),
        "DbClusterResourceId": cluster.resource_id,
        "Status": status,
        "ClusterCreateTime": utc(cluster.created_at),
        "AvailabilityZones": [f"{inventory.region}{letter}" for letter in "acd"],
        "MultiAZ": len(zones) > 1,
        "HostedZoneId": "Z24O6O9L7SGTNB",
        "DBClusterMembers": [_member(member) for member in members],
        "PendingModifiedValues": instances.pending_values(cluster),
        "AssociatedRoles": roles.described(cluster),
        "ReadReplicaIdentifiers": [],
        "CrossAccountClone": False,
        "TagList": tag_list(cluster.tags),
    }
    if status != "renaming":
        answer["Endpoint"] = inventory.host(name, "cluster-")
        answer["ReaderEndpoint"] = inventory.host(name, "cluster-ro-")
        answer["CustomEndpoints"] = [
            inventory.host(endpoint.identifier, "cluster-custom-")
            for endpoint in inventory.endpoints.values()
            if endpoint.cluster is cluster
        ]
    if window := cluster.recovery.window(request.now, request.settings.rds_lag_seconds):
        answer["EarliestRestorableTime"], answer["LatestRestorableTime"] = utc(window[0]), utc(window[1])
    return answer


def add(request: Request, cluster: Cluster, seconds: float) -> None:
    """Let a new cluster begin. Of a Multi-AZ DB cluster RDS makes the instances, of Aurora the customer does."""
    inventory = request.inventory
    inventory.clusters[cluster.identifier] = cluster

    def backed_up(at: float) -> None:
        cluster.recovery.since = at

    cluster.recovery.days = cluster.settings["BackupRetentionPeriod"]
    cluster.life.goes_through("creating", seconds, request.now, backed_up)
    if not cluster.multi_az:
        return
    for number in range(1, cluster_members.MULTI_AZ_INSTANCES + 1):
        given = {
            name: value
            for name, value in cluster.settings.items()
            if name.startswith(("EnablePerformanceInsights", "PerformanceInsights", "Monitoring"))
        }
        given["DBInstanceClass"] = cluster.settings["DBClusterInstanceClass"]
        member = cluster_members.join(request, cluster, f"{cluster.identifier}-instance-{number}", given, {})
        instances.add(request, member, seconds)


def check_room(request: Request, settings: dict[str, Any]) -> None:
    """DBClusterQuotaExceededFault or InstanceQuotaExceeded."""
    most = request.settings.rds_max_clusters
    if len(request.inventory.clusters) >= most:
        raise Refusal("DBClusterQuotaExceededFault", f"Maximum number of DB clusters exceeded: the account may have {most}")
    if "DBClusterInstanceClass" in settings:
        instances.check_quota(request, cluster_members.MULTI_AZ_INSTANCES)


def require_available(cluster: Cluster) -> None:
    if (status := cluster.life.status()) != "available":
        raise cluster_busy(cluster.identifier, status)


def _member(member: Instance) -> dict[str, Any]:
    return {
        "DBInstanceIdentifier": member.identifier,
        "IsClusterWriter": member.writer,
        "DBClusterParameterGroupStatus": instances.group_status(member, "cluster"),
        "PromotionTier": member.settings.get("PromotionTier", 1),
    }


def _create(request: Request) -> dict[str, Any]:
    given, inventory = request.given, request.inventory
    name = request.new_name("DBClusterIdentifier")
    inventory.check_cluster_name_free(name, request.now)
    instances.check_credentials(given)
    settings = cluster_settings.complete(inventory, given)
    if "DBClusterInstanceClass" in settings and not {"AllocatedStorage", "Iops"} <= given.keys():
        raise invalid_combination("A Multi-AZ DB cluster needs AllocatedStorage and Iops.")
    check_room(request, settings)
    associated = list(given.get("AssociatedRoles", ()))
    cluster = Cluster(
        name, new_resource_id("cluster-"), settings, Volume(), Recovery(), request.now, tags_of(given), roles=associated
    )
    instances.set_first_password(request, cluster)
    add(request, cluster, request.settings.rds_create_seconds)
    return {"DBCluster": describe(cluster, request)}


def _describe(request: Request) -> dict[str, Any]:
    filters, inventory = request.filters(_FILTERS), request.inventory
    found = list(inventory.clusters.values())
    if name := request.given.get("DBClusterIdentifier"):
        found = [inventory.cluster(name)]
    if "db-cluster-id" in filters:
        names = {bare(value) for value in filters["db-cluster-id"]}
        found = [cluster for cluster in found if cluster.identifier in names]
    if "db-cluster-resource-id" in filters:
        found = [cluster for cluster in found if cluster.resource_id in filters["db-cluster-resource-id"]]
    if "engine" in filters:
        found = [cluster for cluster in found if cluster.settings["Engine"] in filters["engine"]]
    return request.page("DBClusters", found, lambda cluster: describe(cluster, request))


def _failover(request: Request) -> dict[str, Any]:
    inventory, given = request.inventory, request.given
    cluster = inventory.cluster(given["DBClusterIdentifier"])
    require_available(cluster)
    target = None
    if wished := given.get("TargetDBInstanceIdentifier"):
        target = inventory.instance(wished)
        if target.cluster is not cluster:
            raise invalid_combination(f"{wished} is not a member of cluster {cluster.identifier}.")
        instances.require_available(target)
    if len(inventory.members(cluster)) < 2:
        raise Refusal(
            "InvalidDBClusterStateFault",
            f"Database cluster:{cluster.identifier} should have at least two database instances for failover",
        )

    def failed_over(_: float) -> None:
        cluster_members.promote(inventory, cluster, target)

    cluster.life.goes_through("failing-over", request.settings.rds_modify_seconds, request.now, failed_over)
    return {"DBCluster": describe(cluster, request)}


def _stop(request: Request) -> dict[str, Any]:
    cluster = request.inventory.cluster(request.given["DBClusterIdentifier"])
    require_available(cluster)
    for resource in (cluster, *request.inventory.members(cluster)):
        resource.life.goes_through("stopping", request.settings.rds_modify_seconds, request.now)
        resource.life.rest = "stopped"
    return {"DBCluster": describe(cluster, request)}


def _start(request: Request) -> dict[str, Any]:
    cluster = request.inventory.cluster(request.given["DBClusterIdentifier"])
    if (status := cluster.life.status()) != "stopped":
        raise cluster_busy(cluster.identifier, status, "stopped")
    for resource in (cluster, *request.inventory.members(cluster)):
        resource.life.rest = "available"
        resource.life.goes_through("starting", request.settings.rds_modify_seconds, request.now)
    return {"DBCluster": describe(cluster, request)}


def _delete(request: Request) -> dict[str, Any]:
    given, inventory = request.given, request.inventory
    cluster = inventory.cluster(given["DBClusterIdentifier"])
    status = cluster.life.status()
    if status == "deleting":
        raise cluster_busy(cluster.identifier, status)
    if cluster.settings["DeletionProtection"]:
        raise invalid_combination("Cannot delete protected Cluster, please disable deletion protection and try again.")
    skipped, final = given.get("SkipFinalSnapshot", False), given.get("FinalDBSnapshotIdentifier")
    if skipped == bool(final):
        raise invalid_combination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified, and refused if it is."
        )
    members = inventory.members(cluster)
    if not cluster.multi_az and any(member.life.status() != "deleting" for member in members):
        raise Refusal(
            "InvalidDBClusterStateFault", "Cluster cannot be deleted, it still contains DB instances in non-deleting state."
        )
    if final:
        require_available(cluster)
        taking_snapshots.of_cluster(request, cluster, request.new_snapshot_name("FinalDBSnapshotIdentifier"))
    if not given.get("DeleteAutomatedBackups", True):
        automated_backups.keep(inventory, cluster, request.now)
    if cluster.multi_az:
        for member in members:
            instances.remove(request, member)
    _remove(request, cluster)
    return {"DBCluster": describe(cluster, request)}


def _remove(request: Request, cluster: Cluster) -> None:
    inventory = request.inventory

    def gone(_: float) -> None:
        del inventory.clusters[cluster.identifier]
        for name in [name for name, endpoint in inventory.endpoints.items() if endpoint.cluster is cluster]:
            del inventory.endpoints[name]

    master_secret.forget(inventory, cluster)
    ends = [phase.until for member in inventory.members(cluster) for phase in member.life.phases]
    lasts = max([request.now + request.settings.rds_delete_seconds, *ends]) - request.now
    cluster.life.drop()
    cluster.life.goes_through("deleting", lasts, request.now, gone)


def _enable_data_api(request: Request) -> dict[str, Any]:
    return _switch_data_api(request, enabled=True)


def _disable_data_api(request: Request) -> dict[str, Any]:
    return _switch_data_api(request, enabled=False)


def _switch_data_api(request: Request, *, enabled: bool) -> dict[str, Any]:
    """RDS Data API; a restored cluster has it off. ResourceNotFoundFault when there is no such cluster."""
    arn = request.given["ResourceArn"]
    cluster = request.inventory.clusters.get(bare(arn))
    if cluster is None:
        raise Refusal("ResourceNotFoundFault", f"{arn} not found.")
    if cluster.multi_az:
        raise invalid_combination(f"{cluster.identifier} is a Multi-AZ DB cluster; the Data API is for Aurora.")
    cluster.settings["EnableHttpEndpoint"] = enabled
    return {"ResourceArn": arn, "HttpEndpointEnabled": enabled}


OPERATIONS: dict[str, Operation] = {
    "CreateDBCluster": _create,
    "DescribeDBClusters": _describe,
    "FailoverDBCluster": _failover,
    "StopDBCluster": _stop,
    "StartDBCluster": _start,
    "DeleteDBCluster": _delete,
    "EnableHttpEndpoint": _enable_data_api,
    "DisableHttpEndpoint": _disable_data_api,
}
