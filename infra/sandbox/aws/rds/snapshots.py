"""Manual snapshots of instances, and RestoreDBInstanceFromDBSnapshot."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import groups, instance_settings, instances, taking_snapshots
from infra.sandbox.aws.rds.inventory import Instance, Recovery, Snapshot, bare, new_resource_id, tag_list, tags_of, utc
from infra.sandbox.aws.rds.refusals import Refusal, invalid_value
from infra.sandbox.aws.rds.requests import Operation, Request
from infra.sandbox.relational.volume import Volume

_FILTERS = ("db-instance-id", "db-snapshot-id", "dbi-resource-id", "engine", "snapshot-type")
_SHOWN_SETTINGS = (
    "AllocatedStorage",
    "AvailabilityZone",
    "Engine",
    "EngineVersion",
    "Iops",
    "KmsKeyId",
    "LicenseModel",
    "MasterUsername",
    "OptionGroupName",
    "Port",
    "StorageThroughput",
    "StorageType",
    "Timezone",
)


def check_type(request: Request) -> None:
    """Only manual snapshots exist here as resources: automated ones show as automated backups."""
    kind = request.given.get("SnapshotType", "manual")
    if kind not in ("manual", "automated", "shared", "public", "awsbackup"):
        raise invalid_value(f"Invalid SnapshotType {kind}.")


def _describe_one(snapshot: Snapshot, request: Request) -> dict[str, Any]:
    inventory, settings = request.inventory, snapshot.settings
    return {
        **{name: settings[name] for name in _SHOWN_SETTINGS if settings.get(name) is not None},
        "DBSnapshotIdentifier": snapshot.identifier,
        "DBSnapshotArn": inventory.arn("snapshot", snapshot.identifier),
        "DBInstanceIdentifier": snapshot.source_identifier,
        "DbiResourceId": snapshot.source.resource_id,
        "SnapshotCreateTime": utc(snapshot.requested_at),
        "OriginalSnapshotCreateTime": utc(snapshot.requested_at),
        "InstanceCreateTime": utc(snapshot.source.created_at),
        "SnapshotType": "manual",
        "SnapshotTarget": "region",
        "Status": snapshot.status,
        "PercentProgress": snapshot.percent(request.now),
        "Encrypted": settings["StorageEncrypted"],
        "IAMDatabaseAuthenticationEnabled": settings["EnableIAMDatabaseAuthentication"],
        "VpcId": groups.subnet_group(inventory, settings["DBSubnetGroupName"])["VpcId"],
        "TagList": tag_list(snapshot.tags),
    }


def _create(request: Request) -> dict[str, Any]:
    name = request.new_snapshot_name("DBSnapshotIdentifier")
    instance = request.inventory.instance(request.given["DBInstanceIdentifier"])
    if instance.cluster is not None:
        raise Refusal(
            "InvalidDBInstanceState",
            f"{instance.identifier} is a member of cluster {instance.cluster.identifier}: use CreateDBClusterSnapshot.",
        )
    instances.require_available(instance)
    return {"DBSnapshot": _describe_one(taking_snapshots.of_instance(request, instance, name), request)}


def _describe(request: Request) -> dict[str, Any]:
    check_type(request)
    filters, given = request.filters(_FILTERS), request.given
    found = list(request.inventory.snapshots.values())
    if given.get("SnapshotType", "manual") != "manual" or "manual" not in filters.get("snapshot-type", {"manual"}):
        found = []
    if name := given.get("DBSnapshotIdentifier"):
        found = [item for item in found if item.identifier == bare(name)]
        if not found:
            raise Refusal("DBSnapshotNotFound", f"DBSnapshot {name} not found.")
    if source := given.get("DBInstanceIdentifier"):
        found = [item for item in found if item.source_identifier == bare(source)]
    values = {
        "db-instance-id": lambda item: item.source_identifier,
        "db-snapshot-id": lambda item: item.identifier,
        "dbi-resource-id": lambda item: item.source.resource_id,
        "engine": lambda item: item.settings["Engine"],
    }
    for filter_name in filters.keys() & values.keys():
        found = [item for item in found if values[filter_name](item) in filters[filter_name]]
    return request.page("DBSnapshots", found, lambda item: _describe_one(item, request))


def _delete(request: Request) -> dict[str, Any]:
    snapshot = _find(request, request.given["DBSnapshotIdentifier"])
    answer = _describe_one(snapshot, request)
    del request.inventory.snapshots[snapshot.identifier]
    return {"DBSnapshot": {**answer, "Status": "deleted"}}


def _find(request: Request, name: str) -> Snapshot:
    """Available; DBSnapshotNotFound or InvalidDBSnapshotState."""
    snapshot = request.inventory.snapshots.get(bare(name))
    if snapshot is None:
        raise Refusal("DBSnapshotNotFound", f"DBSnapshot {name} not found.")
    if snapshot.contents is None:
        raise Refusal("InvalidDBSnapshotState", f"Snapshot {name} is {snapshot.status}; it must be available.")
    return snapshot


def _restore(request: Request) -> dict[str, Any]:
    inventory, given = request.inventory, request.given
    name = request.new_name("DBInstanceIdentifier")
    if "DBSnapshotIdentifier" not in given:
        raise invalid_value("The parameter DBSnapshotIdentifier must be provided and must not be blank.")
    snapshot = _find(request, given["DBSnapshotIdentifier"])
    inventory.check_instance_name_free(name, request.now)
    instances.check_quota(request)
    # From the description of CopyTagsToSnapshot: without new tags RDS takes those of the snapshot's source.
    tags = tags_of(given) if given.get("Tags") else dict(snapshot.source_tags)
    settings = instance_settings.restored(inventory, snapshot.settings, given)
    volume = Volume(snapshot.contents)
    restored = Instance(name, new_resource_id("db-"), settings, volume, Recovery(), request.now, tags)
    instances.add(request, restored, request.settings.rds_restore_seconds)
    return {"DBInstance": instances.describe(restored, request)}


OPERATIONS: dict[str, Operation] = {
    "CreateDBSnapshot": _create,
    "DescribeDBSnapshots": _describe,
    "DeleteDBSnapshot": _delete,
    "RestoreDBInstanceFromDBSnapshot": _restore,
}
