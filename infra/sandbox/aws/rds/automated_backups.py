"""Automated backups as resources of their own: the restore window of what lives, and what is kept of what was deleted."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import groups
from infra.sandbox.aws.rds.inventory import (
    Cluster,
    Instance,
    Inventory,
    Resource,
    RetainedBackup,
    bare,
    tag_list,
    utc,
)
from infra.sandbox.aws.rds.life import SECONDS_PER_DAY
from infra.sandbox.aws.rds.refusals import Refusal
from infra.sandbox.aws.rds.requests import Operation, Request

_SHOWN_SETTINGS = (
    "AllocatedStorage",
    "AvailabilityZone",
    "BackupRetentionPeriod",
    "Engine",
    "EngineVersion",
    "Iops",
    "KmsKeyId",
    "LicenseModel",
    "MasterUsername",
    "OptionGroupName",
    "Port",
    "PreferredBackupWindow",
    "StorageThroughput",
    "StorageType",
    "Timezone",
)


def keep(inventory: Inventory, resource: Resource, now: float) -> None:
    """Keep the automated backups of what is being deleted, as long as its retention says."""
    if resource.recovery.since is None:
        return
    resource.recovery.frozen_at = now
    kept_until = now + resource.recovery.days * SECONDS_PER_DAY
    inventory.retained[resource.resource_id] = RetainedBackup(resource, arn(inventory, resource), kept_until)


def arn(inventory: Inventory, resource: Resource) -> str:
    kind = "auto-backup" if isinstance(resource, Instance) else "cluster-auto-backup"
    return inventory.arn(kind, "ab-" + resource.resource_id.rpartition("-")[2].lower())


def retained_instance(inventory: Inventory, *, resource_id: str | None = None, backup_arn: str | None = None) -> Instance:
    """The instance, alive or deleted, that kept automated backups are of; DBInstanceAutomatedBackupNotFound."""
    deleted = [backup.resource for backup in inventory.retained.values()]
    for resource in [*inventory.instances.values(), *deleted]:
        if isinstance(resource, Instance) and (resource.resource_id == resource_id or arn(inventory, resource) == backup_arn):
            return resource
    raise Refusal("DBInstanceAutomatedBackupNotFound", f"No automated backup of {resource_id or backup_arn}.")


def retained_cluster(inventory: Inventory, resource_id: str) -> Cluster:
    """The cluster, alive or deleted, with this resource id; DBClusterAutomatedBackupNotFoundFault."""
    deleted = [backup.resource for backup in inventory.retained.values()]
    for resource in [*inventory.clusters.values(), *deleted]:
        if isinstance(resource, Cluster) and resource.resource_id == resource_id:
            return resource
    raise Refusal("DBClusterAutomatedBackupNotFoundFault", f"No automated backup of {resource_id}.")


def _of_instances(request: Request) -> dict[str, Any]:
    given, inventory = request.given, request.inventory
    filters = request.filters(("status", "db-instance-id", "dbi-resource-id"))
    lives = [item for item in inventory.instances.values() if item.cluster is None]
    found = _matching(request, lives, Instance, filters, "db-instance-id", "dbi-resource-id")
    if name := given.get("DBInstanceIdentifier"):
        found = [item for item in found if item.identifier == bare(name)]
    if resource_id := given.get("DbiResourceId"):
        found = [item for item in found if item.resource_id == resource_id]
    if backup_arn := given.get("DBInstanceAutomatedBackupsArn"):
        found = [item for item in found if arn(inventory, item) == backup_arn]
    if not found and (name or resource_id or backup_arn):
        raise Refusal("DBInstanceAutomatedBackupNotFound", f"No automated backup of {name or resource_id or backup_arn}.")
    return request.page("DBInstanceAutomatedBackups", found, lambda item: _instance_backup(request, item))


def _of_clusters(request: Request) -> dict[str, Any]:
    given, inventory = request.given, request.inventory
    filters = request.filters(("status", "db-cluster-id", "db-cluster-resource-id"))
    found = _matching(request, inventory.clusters.values(), Cluster, filters, "db-cluster-id", "db-cluster-resource-id")
    if name := given.get("DBClusterIdentifier"):
        found = [item for item in found if item.identifier == bare(name)]
    if resource_id := given.get("DbClusterResourceId"):
        found = [item for item in found if item.resource_id == resource_id]
    if not found and (name or resource_id):
        raise Refusal("DBClusterAutomatedBackupNotFoundFault", f"No automated backup of {name or resource_id}.")
    return request.page("DBClusterAutomatedBackups", found, lambda item: _cluster_backup(request, item))


def _matching(
    request: Request, alive: Any, kind: type[Resource], filters: dict[str, set[str]], name_filter: str, id_filter: str
) -> list[Any]:
    inventory = request.inventory
    deleted = [backup.resource for backup in inventory.retained.values() if isinstance(backup.resource, kind)]
    found: list[Any] = [
        *(item for item in alive if item.recovery.days and item.resource_id not in inventory.retained),
        *deleted,
    ]
    names = {bare(value) for value in filters.get(name_filter, ())}
    ids, statuses = filters.get(id_filter), filters.get("status")
    return [
        item
        for item in found
        if (not names or item.identifier in names)
        and (ids is None or item.resource_id in ids)
        and (statuses is None or _status(item) in statuses)
    ]


def _status(item: Resource) -> str:
    if item.recovery.frozen_at is not None:
        return "retained"
    return "active" if item.recovery.since is not None else "creating"


def _backup(request: Request, item: Resource) -> dict[str, Any]:
    inventory, settings = request.inventory, item.settings
    window = item.recovery.window(request.now, request.settings.rds_lag_seconds)
    shown = {name: settings[name] for name in _SHOWN_SETTINGS if settings.get(name) is not None}
    times = {} if window is None else {"EarliestTime": utc(window[0]), "LatestTime": utc(window[1])}
    return {
        **shown,
        "Region": inventory.region,
        "Status": _status(item),
        "RestoreWindow": times,
        "VpcId": groups.subnet_group(inventory, settings["DBSubnetGroupName"])["VpcId"],
        "IAMDatabaseAuthenticationEnabled": settings["EnableIAMDatabaseAuthentication"],
        "TagList": tag_list(item.tags),
    }


def _instance_backup(request: Request, item: Instance) -> dict[str, Any]:
    return {
        **_backup(request, item),
        "DBInstanceIdentifier": item.identifier,
        "DBInstanceArn": request.inventory.arn("db", item.identifier),
        "DbiResourceId": item.resource_id,
        "DBInstanceAutomatedBackupsArn": arn(request.inventory, item),
        "InstanceCreateTime": utc(item.created_at),
        "Encrypted": item.settings["StorageEncrypted"],
        "BackupTarget": "region",
    }


def _cluster_backup(request: Request, item: Cluster) -> dict[str, Any]:
    return {
        **_backup(request, item),
        "DBClusterIdentifier": item.identifier,
        "DBClusterArn": request.inventory.arn("cluster", item.identifier),
        "DbClusterResourceId": item.resource_id,
        "DBClusterAutomatedBackupsArn": arn(request.inventory, item),
        "ClusterCreateTime": utc(item.created_at),
        "StorageEncrypted": item.settings["StorageEncrypted"],
        "EngineMode": item.settings["EngineMode"],
    }


def _delete_of_instance(request: Request) -> dict[str, Any]:
    given = request.given
    item = retained_instance(
        request.inventory,
        resource_id=given.get("DbiResourceId"),
        backup_arn=given.get("DBInstanceAutomatedBackupsArn"),
    )
    if item.resource_id not in request.inventory.retained:
        raise Refusal("InvalidDBInstanceAutomatedBackupState", f"{item.identifier} still exists: its backups go with it.")
    answer = _instance_backup(request, item)
    del request.inventory.retained[item.resource_id]
    return {"DBInstanceAutomatedBackup": answer}


def _delete_of_cluster(request: Request) -> dict[str, Any]:
    item = retained_cluster(request.inventory, request.given["DbClusterResourceId"])
    if item.resource_id not in request.inventory.retained:
        raise Refusal("InvalidDBClusterAutomatedBackupStateFault", f"{item.identifier} still exists: its backups go with it.")
    answer = _cluster_backup(request, item)
    del request.inventory.retained[item.resource_id]
    return {"DBClusterAutomatedBackup": answer}


OPERATIONS: dict[str, Operation] = {
    "DescribeDBInstanceAutomatedBackups": _of_instances,
    "DescribeDBClusterAutomatedBackups": _of_clusters,
    "DeleteDBInstanceAutomatedBackup": _delete_of_instance,
    "DeleteDBClusterAutomatedBackup": _delete_of_cluster,
}
