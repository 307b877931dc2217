"""ModifyDBCluster: what applies at once, what waits for the maintenance window unless told otherwise, and the rename."""

from __future__ import annotations

import copy
from typing import Any

from infra.sandbox.aws.rds import cluster_settings, clusters, instances
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
    "EnablePerformanceInsights",
    "MasterUserPassword",
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
        _rename(request, cluster, begun[_NAME])
    if others:

        def done(at: float) -> None:
            _apply(request, cluster, others, at)

        cluster.life.goes_through("modifying", request.settings.rds_modify_seconds, request.now, done)


def _rename(request: Request, cluster: Cluster, name: str) -> None:
    """The old name and its addresses are gone at once, the new ones effective after the phase. Members follow, unrenamed."""
    inventory, old = request.inventory, cluster.identifier
    inventory.check_cluster_name_free(name, request.now)
    del inventory.clusters[old], cluster.pending[_NAME]
    inventory.freed_names["cluster", old] = request.now + request.settings.name_free_seconds
    cluster.identifier = name
    inventory.clusters[name] = cluster
    cluster.life.goes_through("renaming", request.settings.rename_seconds, request.now)


def _apply(request: Request, cluster: Cluster, changes: dict[str, Any], at: float) -> None:
    for name, value in changes.items():
        if cluster.pending.get(name) == value:
            del cluster.pending[name]
        if name == "MasterUserPassword":
            cluster.volume.set_password(value, at, cluster.recovery.forget_before(at))
        elif name == "CloudwatchLogsExportConfiguration":
            logs = exported_logs(cluster.settings["EnableCloudwatchLogsExports"], value)
            cluster.settings["EnableCloudwatchLogsExports"] = logs
        else:
            cluster.settings[name] = copy.deepcopy(value)
        if name == "BackupRetentionPeriod":
            cluster.recovery.days = value
        if name == "DBClusterInstanceClass":
            for member in request.inventory.members(cluster):
                member.settings["DBInstanceClass"] = value


OPERATIONS: dict[str, Operation] = {"ModifyDBCluster": _modify}
