"""Instances inside a cluster: how they are made, what they take from it, who of them writes, what they refuse."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import groups, instance_settings
from infra.sandbox.aws.rds.engines import engine_of
from infra.sandbox.aws.rds.inventory import Cluster, Instance, Inventory, new_resource_id, tags_of
from infra.sandbox.aws.rds.refusals import Refusal, cluster_busy, invalid_combination, invalid_value
from infra.sandbox.aws.rds.requests import Request

_FROM_THE_CLUSTER = (
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "EngineVersion",
    "MasterUsername",
    "VpcSecurityGroupIds",
    "DBSubnetGroupName",
    "StorageEncrypted",
    "StorageType",
    "KmsKeyId",
    "PreferredBackupWindow",
    "EnableIAMDatabaseAuthentication",
    "Port",
    "NetworkType",
)
"""Of a member, these are the cluster's whatever the member was made with."""

MANAGED_BY_THE_CLUSTER = (
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "CharacterSetName",
    "CopyTagsToSnapshot",
    "DBPortNumber",
    "DBSubnetGroupName",
    "DeletionProtection",
    "EnableCloudwatchLogsExports",
    "EnableIAMDatabaseAuthentication",
    "EngineVersion",
    "Iops",
    "LicenseModel",
    "MasterUserPassword",
    "MasterUsername",
    "MaxAllocatedStorage",
    "MultiAZ",
    "OptionGroupName",
    "PreferredBackupWindow",
    "StorageEncrypted",
    "StorageThroughput",
    "StorageType",
    "VpcSecurityGroupIds",
)
"""Refused at a member. CreateDBInstance and ModifyDBInstance: "is managed by the DB cluster", "doesn't apply to Aurora"."""
_HIGHEST_TIER = 15
_DEFAULT_TIER = 1
_MOST_INSTANCES = 16
MULTI_AZ_INSTANCES = 3


def new_member(request: Request, name: str) -> Instance:
    """An instance that CreateDBInstance puts into a cluster; the first one writes, unless one does."""
    given, inventory = request.given, request.inventory
    cluster = inventory.cluster(given["DBClusterIdentifier"])
    if cluster.multi_az:
        raise invalid_combination(
            f"{cluster.identifier} is a Multi-AZ DB cluster: RDS makes its {MULTI_AZ_INSTANCES} instances itself."
        )
    if (status := cluster.life.status()) != "available":
        raise cluster_busy(cluster.identifier, status)
    if given["Engine"] != cluster.settings["Engine"]:
        raise invalid_combination(
            f"The engine name requested for your DB instance ({given['Engine']}) doesn't match the engine name of your DB "
            f"cluster ({cluster.settings['Engine']})."
        )
    _refuse_managed(cluster, given)
    if given["DBInstanceClass"] == "db.serverless" and "ServerlessV2ScalingConfiguration" not in cluster.settings:
        raise invalid_combination(
            "Set the Serverless v2 scaling configuration on the parent DB cluster before creating a Serverless v2 DB instance."
        )
    if len(inventory.members(cluster)) >= _MOST_INSTANCES:
        raise invalid_value(
            f"Cluster {cluster.identifier} has {_MOST_INSTANCES} instances, the most an Aurora cluster can have."
        )
    member = join(request, cluster, name, {"PromotionTier": _DEFAULT_TIER, **given}, tags_of(given))
    check(inventory, cluster, member.settings)
    return member


def join(request: Request, cluster: Cluster, name: str, given: dict[str, Any], tags: dict[str, str]) -> Instance:
    """An instance object with the cluster's volume, not yet in the inventory."""
    inventory = request.inventory
    ahead = inventory.members(cluster)
    settings = instance_settings.complete(
        inventory, {"EngineVersion": cluster.settings["EngineVersion"], **given, "Engine": cluster.settings["Engine"]}
    )
    settings.setdefault("AvailabilityZone", f"{inventory.region}a")
    if "AvailabilityZone" not in given:
        settings["AvailabilityZone"] = f"{inventory.region}{'acd'[len(ahead) % MULTI_AZ_INSTANCES]}"
    return Instance(
        name,
        new_resource_id("db-"),
        settings,
        cluster.volume,
        cluster.recovery,
        request.now,
        tags,
        cluster=cluster,
        writer=not any(member.writer for member in ahead),
    )


def effective_settings(instance: Instance, cluster: Cluster) -> dict[str, Any]:
    """A member's settings with those that are the cluster's."""
    shared = {name: cluster.settings[name] for name in _FROM_THE_CLUSTER if cluster.settings.get(name) is not None}
    return {**instance.settings, **shared, "CopyTagsToSnapshot": False, "DeletionProtection": False}


def check(inventory: Inventory, cluster: Cluster, settings: dict[str, Any]) -> None:
    """Refuse settings that a member cannot have."""
    engine = engine_of(cluster.settings["Engine"])
    groups.check_parameter_group(inventory, settings["DBParameterGroupName"], engine, cluster.settings["EngineVersion"])
    instance_settings.check_monitoring(settings)
    if not 0 <= settings.get("PromotionTier", _DEFAULT_TIER) <= _HIGHEST_TIER:
        raise invalid_value(f"PromotionTier must be between 0 and {_HIGHEST_TIER}.")


def check_modifiable(cluster: Cluster, given: dict[str, Any]) -> None:
    if cluster.multi_az:
        raise invalid_combination(f"The instance belongs to Multi-AZ DB cluster {cluster.identifier}: modify the cluster.")
    _refuse_managed(cluster, given)


def check_deletable(inventory: Inventory, instance: Instance, cluster: Cluster, given: dict[str, Any]) -> None:
    """A member of Aurora can go, the last one too; a member of a Multi-AZ DB cluster only with its cluster."""
    if cluster.multi_az:
        raise Refusal(
            "InvalidDBClusterStateFault",
            f"{instance.identifier} belongs to Multi-AZ DB cluster {cluster.identifier}: delete that.",
        )
    if "FinalDBSnapshotIdentifier" in given:
        raise invalid_combination("FinalDBSnapshotIdentifier cannot be specified when deleting a cluster instance.")


def promote(inventory: Inventory, cluster: Cluster, target: Instance | None = None) -> None:
    """Another member becomes the writer: `target`, or the available one with the lowest tier; with none, nobody writes."""
    members = inventory.members(cluster)
    candidates = [member for member in members if member.life.status() == "available" and not member.writer]
    chosen = target or min(candidates, key=lambda member: member.settings.get("PromotionTier", _DEFAULT_TIER), default=None)
    for member in members:
        member.writer = member is chosen


def _refuse_managed(cluster: Cluster, given: dict[str, Any]) -> None:
    if wrong := [name for name in MANAGED_BY_THE_CLUSTER if name in given]:
        raise invalid_combination(
            f"{', '.join(wrong)} cannot be set on an instance of cluster {cluster.identifier}: it is managed by the DB cluster."
        )
