"""ModifyDBCluster: what applies at once, what waits for the maintenance window unless told otherwise, and the rename."""

from __future__ import annotations

import copy
from typing import Any

from infra.sandbox.aws.rds import cluster_settings, clusters, instances, master_secret
from infra.sandbox.aws.rds.inventory import Cluster
from infra.sandbox.aws.rds.modification import exported_logs
from infra.sandbox.aws.rds.requests import Operation, Request

_NAME = "NewDBClusterIdentifier"
_AT_ONCE = {
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "EngineLifecycleSupport",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
}
"""Known to the service only: in force when the call returns."""
_AS_SOON_AS_POSSIBLE = {
    "BacktrackWindow",
    "BackupRetentionPeriod",
    "CloudwatchLogsExportConfiguration",
    "DBClusterParameterGroupName",
    "DatabaseInsightsMode",
    "Domain",
    "DomainIAMRoleName",
    "EnableLocalWriteForwarding",
    "EnablePerformanceInsights",
    "ManageMasterUserPassword",
    "MasterUserPassword",
    "MasterUserSecretKmsKeyId",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "ServerlessV2ScalingConfiguration",
    "VpcSecurityGroupIds",
}
"""Applied whatever ApplyImmediately says."""
_IN_THE_WINDOW = {
    "AllocatedStorage",
    "CACertificateIdentifier",
    "DBClusterInstanceClass",
    "EnableIAMDatabaseAuthentication",
    "EngineVersion",
    "Iops",
    "NetworkType",
    _NAME,
    "Port",
    "StorageType",
}
PARAMETERS = frozenset({"DBClusterIdentifier", "ApplyImmediately", *_AT_ONCE, *_AS_SOON_AS_POSSIBLE, *_IN_THE_WINDOW})


def _modify(request: Request) -> dict[str, Any]:
    given, now = request.given, request.now
    cluster = request.inventory.cluster(given["DBClusterIdentifier"])
    clusters.require_available(cluster)
    changes = {name: value for name, value in given.items() if name not in ("DBClusterIdentifier", "ApplyImmediately")}
    if _NAME in changes:
        changes[_NAME] = request.new_name(_NAME)
        request.inventory.check_cluster_name_free(changes[_NAME], now)
    master_secret.check(cluster, changes)
    if "MasterUserPassword" in changes:
        instances.check_password(changes["MasterUserPassword"])
    wished = {name: value for name, value in changes.items() if name in cluster_settings.SETTINGS}
    cluster_settings.check(request.inventory, {**cluster.settings, **wished}, changes)
    _apply(request, cluster, {name: value for name, value in changes.items() if name in _AT_ONCE}, now)
    cluster.pending.update({name: value for name, value in changes.items() if name not in _AT_ONCE})
    begun = {
        name: value for name, value in cluster.pending.items() if given.get("ApplyImmediately") or name in _AS_SOON_AS_POSSIBLE
    }
    answer = clusters.describe(cluster, request)
    _begin(request, cluster, begun)
    return {"DBCluster": answer}


def _begin(request: Request, cluster: Cluster, begun: dict[str, Any]) -> None:
    others = {name: value for name, value in begun.items() if name != _NAME}
    if _NAME in begun:
        request.inventory.check_cluster_name_free(begun[_NAME], request.now)
        del cluster.pending[_NAME]
        seconds, free_seconds = request.settings.rename_seconds, request.settings.name_free_seconds
        request.inventory.rename(cluster, begun[_NAME], request.now, seconds, free_seconds)
    if others:

        def done(at: float) -> None:
            _apply(request, cluster, others, at)

        cluster.life.goes_through("modifying", request.settings.rds_modify_seconds, request.now, done)


def _apply(request: Request, cluster: Cluster, changes: dict[str, Any], at: float) -> None:
    for name, value in changes.items():
        if cluster.pending.get(name) == value:
            del cluster.pending[name]
        if name == "MasterUserPassword":
            master_secret.forget(request.inventory, cluster)
            cluster.volume.set_password(value, at, cluster.recovery.forget_before(at))
        elif name == "CloudwatchLogsExportConfiguration":
            logs = exported_logs(cluster.settings["EnableCloudwatchLogsExports"], value)
            cluster.settings["EnableCloudwatchLogsExports"] = logs
        elif name not in ("ManageMasterUserPassword", "MasterUserSecretKmsKeyId"):
            if name == "DBClusterParameterGroupName" and cluster.settings[name] != value:
                for member in request.inventory.members(cluster):
                    member.awaiting_reboot.add("cluster")
            cluster.settings[name] = copy.deepcopy(value)
        if name == "BackupRetentionPeriod":
            cluster.recovery.days = value
        if name == "DBClusterInstanceClass":
            for member in request.inventory.members(cluster):
                member.settings["DBInstanceClass"] = value
    if changes.get("ManageMasterUserPassword"):
        master_secret.manage(request.inventory, cluster, changes.get("MasterUserSecretKmsKeyId"), at)


OPERATIONS: dict[str, Operation] = {"ModifyDBCluster": _modify}
