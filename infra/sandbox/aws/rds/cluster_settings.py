"""The settings of a DB cluster, Aurora or Multi-AZ: defaults, checks, how they are shown, what a restore keeps.

They are kept under the names of CreateDBCluster's parameters.
"""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import directory_domain, groups, storage_types
from infra.sandbox.aws.rds.engines import engine_of
from infra.sandbox.aws.rds.instance_settings import (
    DEFAULT_BACKUP_WINDOW,
    DEFAULT_CERTIFICATE,
    check_monitoring,
    check_retention,
    security_groups,
)
from infra.sandbox.aws.rds.inventory import Inventory
from infra.sandbox.aws.rds.refusals import invalid_combination, invalid_value

_LONGEST_BACKTRACK_SECONDS = 259_200
_MULTI_AZ_ONLY = (
    "AllocatedStorage",
    "CACertificateIdentifier",
    "DBClusterInstanceClass",
    "Iops",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "PubliclyAccessible",
)
"""CreateDBCluster: "valid for cluster type: Multi-AZ DB clusters"; Aurora has them at its instances, or not at all."""

KEPT_BY_RESTORE = (
    "Engine",
    "EngineVersion",
    "EngineMode",
    "MasterUsername",
    "DatabaseName",
    "CharacterSetName",
    "StorageEncrypted",
    "KmsKeyId",
    "BackupRetentionPeriod",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "AutoMinorVersionUpgrade",
    "AllocatedStorage",
    "DBClusterInstanceClass",
    "Iops",
    "ServerlessV2ScalingConfiguration",
)
"""RestoreDBClusterToPointInTime: "the same configuration as the original", but for what its parameters say has a default:
security and subnet group, parameter group, port, storage type, backtracking, log exports, monitoring, IAM authentication,
deletion protection, tag copying, associated roles, tags.
"""

_FALSE_BY_DEFAULT = (
    "StorageEncrypted",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "EnableIAMDatabaseAuthentication",
    "EnableHttpEndpoint",
    "EnablePerformanceInsights",
    "PubliclyAccessible",
)
_SHOWN_AS = {
    "EnableHttpEndpoint": "HttpEndpointEnabled",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
    "DBClusterParameterGroupName": "DBClusterParameterGroup",
    "DBSubnetGroupName": "DBSubnetGroup",
}
_SHOWN_IN_STRUCTURES = (
    "Domain",
    "DomainIAMRoleName",
    "VpcSecurityGroupIds",
    "CACertificateIdentifier",
    "EnableLocalWriteForwarding",
)
SETTINGS = frozenset(
    {
        *KEPT_BY_RESTORE,
        *_FALSE_BY_DEFAULT,
        *_SHOWN_AS,
        *_MULTI_AZ_ONLY,
        *_SHOWN_IN_STRUCTURES,
        "BacktrackWindow",
        "DatabaseInsightsMode",
        "EngineLifecycleSupport",
        "NetworkType",
        "PerformanceInsightsKMSKeyId",
        "PerformanceInsightsRetentionPeriod",
        "Port",
        "StorageType",
    }
)


def complete(inventory: Inventory, given: dict[str, Any]) -> dict[str, Any]:
    """Every setting of a new cluster, checked. `given` may hold other parameters too: they are left out."""
    engine = engine_of(given["Engine"])
    multi_az = "DBClusterInstanceClass" in given
    if not engine.clustered and not (multi_az and engine.multi_az_cluster):
        raise invalid_combination(
            f"Engine {engine.name} is not Aurora: a cluster of it is a Multi-AZ DB cluster, which mysql and postgres have, and "
            "needs DBClusterInstanceClass, AllocatedStorage and Iops."
        )
    settings: dict[str, Any] = {
        **dict.fromkeys(_FALSE_BY_DEFAULT, False),
        "EngineVersion": engine.version,
        "EngineMode": "provisioned",
        "Port": engine.port,
        "StorageType": "io1" if multi_az else "aurora",
        "AllocatedStorage": 100 if multi_az else 1,
        "BackupRetentionPeriod": 1,
        "PreferredBackupWindow": DEFAULT_BACKUP_WINDOW,
        "PreferredMaintenanceWindow": "wed:02:40-wed:03:10",
        "AutoMinorVersionUpgrade": True,
        "DBSubnetGroupName": groups.DEFAULT_SUBNET_GROUP,
        "EnableCloudwatchLogsExports": [],
        "NetworkType": "IPV4",
        "DatabaseInsightsMode": "standard",
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        **{name: value for name, value in given.items() if name in SETTINGS},
    }
    settings.setdefault("DBClusterParameterGroupName", groups.default_parameter_group(engine, settings["EngineVersion"]))
    if settings["StorageEncrypted"]:
        settings.setdefault("KmsKeyId", storage_types.default_key(inventory))
    if multi_az:
        settings.setdefault("CACertificateIdentifier", DEFAULT_CERTIFICATE)
        settings.setdefault("MonitoringInterval", 0)
    settings.setdefault("VpcSecurityGroupIds", groups.default_security_groups(inventory, settings["DBSubnetGroupName"]))
    check(inventory, settings, given)
    return settings


def check(inventory: Inventory, settings: dict[str, Any], given: dict[str, Any]) -> None:
    """Refuse settings that RDS refuses; `given` are those that the request names."""
    engine = engine_of(settings["Engine"])
    if engine.clustered and (wrong := [name for name in _MULTI_AZ_ONLY if name in given]):
        raise invalid_combination(f"{', '.join(wrong)} is not valid for Aurora clusters, only for Multi-AZ DB clusters.")
    if settings["EngineMode"] != "provisioned":
        raise invalid_combination(
            "EngineMode serverless is Aurora Serverless v1, which is retired; use db.serverless instances."
        )
    groups.subnet_group(inventory, settings["DBSubnetGroupName"])
    groups.check_security_groups(inventory, settings["VpcSecurityGroupIds"])
    name, version = settings["DBClusterParameterGroupName"], settings["EngineVersion"]
    groups.check_parameter_group(inventory, name, engine, version, of_cluster=True)
    check_retention(settings["BackupRetentionPeriod"], shortest=1)
    check_monitoring(settings)
    if "EnableHttpEndpoint" in given:
        raise invalid_combination("EnableHttpEndpoint as a parameter is for Aurora Serverless v1: call EnableHttpEndpoint.")
    if "BacktrackWindow" in given and engine.name != "aurora-mysql":
        raise invalid_combination(f"Backtrack is not enabled for engine {engine.name}.")
    if not 0 <= settings.get("BacktrackWindow", 0) <= _LONGEST_BACKTRACK_SECONDS:
        raise invalid_value(f"BacktrackWindow must be between 0 and {_LONGEST_BACKTRACK_SECONDS} seconds.")


def described(settings: dict[str, Any]) -> dict[str, Any]:
    """The part of DescribeDBClusters that is settings."""
    shown = {
        _SHOWN_AS.get(name, name): value
        for name, value in settings.items()
        if name not in _SHOWN_IN_STRUCTURES and value is not None
    }
    shown["VpcSecurityGroups"] = security_groups(settings["VpcSecurityGroupIds"])
    shown["DomainMemberships"] = directory_domain.described(settings)
    if "EnableLocalWriteForwarding" in settings:
        shown["LocalWriteForwardingStatus"] = "enabled" if settings["EnableLocalWriteForwarding"] else "disabled"
    if "DBClusterInstanceClass" in settings:
        shown["CertificateDetails"] = {"CAIdentifier": settings["CACertificateIdentifier"]}
    return shown


def restored(inventory: Inventory, source: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a cluster restored from one with `source`."""
    kept = {name: source[name] for name in KEPT_BY_RESTORE if name in source}
    if engine_of(source["Engine"]).clustered:
        del kept["AllocatedStorage"]
    if "KmsKeyId" in given:  # an unencrypted Aurora snapshot can be restored encrypted
        kept["StorageEncrypted"] = True
    return complete(inventory, {**kept, **{name: value for name, value in given.items() if name in SETTINGS}})
