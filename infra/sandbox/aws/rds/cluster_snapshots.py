"""Manual snapshots of clusters, and RestoreDBClusterFromSnapshot, which makes the cluster and none of Aurora's instances."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import cluster_settings, clusters, groups, snapshots, taking_snapshots
from infra.sandbox.aws.rds.engines import engine_of
from infra.sandbox.aws.rds.inventory import Cluster, Recovery, Snapshot, bare, new_resource_id, tag_list, tags_of, utc
from infra.sandbox.aws.rds.refusals import Refusal, invalid_combination
from infra.sandbox.aws.rds.requests import Operation, Request
from infra.sandbox.relational.volume import Volume

_FILTERS = ("db-cluster-id", "db-cluster-snapshot-id", "engine", "snapshot-type")
_SHOWN_SETTINGS = (
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "Engine",
    "EngineMode",
    "EngineVersion",
    "KmsKeyId",
    "MasterUsername",
    "Port",
    "PreferredBackupWindow",
    "StorageEncrypted",
    "StorageType",
)


def _describe_one(snapshot: Snapshot, request: Request) -> dict[str, Any]:
    inventory, settings = request.inventory, snapshot.settings
    return {
        **{name: settings[name] for name in _SHOWN_SETTINGS if settings.get(name) is not None},
        "DBClusterSnapshotIdentifier": snapshot.identifier,
        "DBClusterSnapshotArn": inventory.arn("cluster-snapshot", snapshot.identifier),
        "DBClusterIdentifier": snapshot.source_identifier,
        "DbClusterResourceId": snapshot.source.resource_id,
        "SnapshotCreateTime": utc(snapshot.requested_at),
        "ClusterCreateTime": utc(snapshot.source.created_at),
        "SnapshotType": "manual",
        "Status": snapshot.status,
        "PercentProgress": snapshot.percent(request.now),
        "LicenseModel": engine_of(settings["Engine"]).licences[0],
        "IAMDatabaseAuthenticationEnabled": settings["EnableIAMDatabaseAuthentication"],
        "VpcId": groups.subnet_group(inventory, settings["DBSubnetGroupName"])["VpcId"],
        "AvailabilityZones": [f"{inventory.region}{letter}" for letter in "acd"],
        "TagList": tag_list(snapshot.tags),
    }


def _create(request: Request) -> dict[str, Any]:
    name = request.new_snapshot_name("DBClusterSnapshotIdentifier")
    cluster = request.inventory.cluster(request.given["DBClusterIdentifier"])
    clusters.require_available(cluster)
    return {"DBClusterSnapshot": _describe_one(taking_snapshots.of_cluster(request, cluster, name), request)}


def _describe(request: Request) -> dict[str, Any]:
    snapshots.check_type(request)
    filters, given = request.filters(_FILTERS), request.given
    found = list(request.inventory.cluster_snapshots.values())
    if given.get("SnapshotType", "manual") != "manual" or "manual" not in filters.get("snapshot-type", {"manual"}):
        found = []
    if name := given.get("DBClusterSnapshotIdentifier"):
        found = [item for item in found if item.identifier == bare(name)]
        if not found:
            raise Refusal("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot {name} not found.")
    if source := given.get("DBClusterIdentifier"):
        found = [item for item in found if item.source_identifier == bare(source)]
    values = {
        "db-cluster-id": lambda item: item.source_identifier,
        "db-cluster-snapshot-id": lambda item: item.identifier,
        "engine": lambda item: item.settings["Engine"],
    }
    for filter_name in filters.keys() & values.keys():
        found = [item for item in found if values[filter_name](item) in filters[filter_name]]
    return request.page("DBClusterSnapshots", found, lambda item: _describe_one(item, request))


def _find(request: Request, name: str) -> Snapshot:
    snapshot = request.inventory.cluster_snapshots.get(bare(name))
    if snapshot is None:
        raise Refusal("DBClusterSnapshotNotFoundFault", f"DBClusterSnapshot {name} not found.")
    if snapshot.contents is None:
        raise Refusal("InvalidDBClusterSnapshotStateFault", f"Snapshot {name} is {snapshot.status}; it must be available.")
    return snapshot


def _delete(request: Request) -> dict[str, Any]:
    snapshot = _find(request, request.given["DBClusterSnapshotIdentifier"])
    answer = _describe_one(snapshot, request)
    del request.inventory.cluster_snapshots[snapshot.identifier]
    return {"DBClusterSnapshot": {**answer, "Status": "deleted"}}


def _restore(request: Request) -> dict[str, Any]:
    inventory, given = request.inventory, request.given
    name = request.new_name("DBClusterIdentifier")
    snapshot = _find(request, given["SnapshotIdentifier"])
    if given["Engine"] != snapshot.settings["Engine"]:
        raise invalid_combination(
            f"A snapshot of {snapshot.settings['Engine']} cannot be restored to engine {given['Engine']}."
        )
    inventory.check_cluster_name_free(name, request.now)
    settings = cluster_settings.restored(inventory, snapshot.settings, given)
    clusters.check_room(request, settings)
    volume = Volume(snapshot.contents)
    roles = list(given.get("AssociatedRoles", ()))
    restored = Cluster(
        name, new_resource_id("cluster-"), settings, volume, Recovery(), request.now, tags_of(given), roles=roles
    )
    clusters.add(request, restored, request.settings.rds_restore_seconds)
    return {"DBCluster": clusters.describe(restored, request)}


OPERATIONS: dict[str, Operation] = {
    "CreateDBClusterSnapshot": _create,
    "DescribeDBClusterSnapshots": _describe,
    "DeleteDBClusterSnapshot": _delete,
    "RestoreDBClusterFromSnapshot": _restore,
}
