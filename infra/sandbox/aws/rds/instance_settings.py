"""The settings of a DB instance: defaults, what may stand together, how DescribeDBInstances shows them, what a restore keeps.

They are kept under the names of CreateDBInstance's parameters, which the restores and, but for few, ModifyDBInstance share.
"""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import directory_domain, groups, storage_types
from infra.sandbox.aws.rds.engines import Engine, engine_of
from infra.sandbox.aws.rds.inventory import Inventory
from infra.sandbox.aws.rds.refusals import invalid_combination, invalid_value

LONGEST_RETENTION_DAYS = 35
DEFAULT_CERTIFICATE = "rds-ca-rsa2048-g1"
DEFAULT_BACKUP_WINDOW = "13:14-13:44"
_DEFAULT_MAINTENANCE_WINDOW = "wed:06:38-wed:07:08"
_MONITORING_INTERVALS = (0, 1, 5, 10, 15, 30, 60)

KEPT_BY_RESTORE = (
    "DBInstanceClass",
    "Engine",
    "EngineVersion",
    "AllocatedStorage",
    "MasterUsername",
    "DBName",
    "Port",
    "LicenseModel",
    "CharacterSetName",
    "NcharCharacterSetName",
    "Timezone",
    "StorageEncrypted",
    "KmsKeyId",
    "BackupRetentionPeriod",
    "PreferredMaintenanceWindow",
    "AutoMinorVersionUpgrade",
)
"""Of an instance; all else is at its default in the restored one unless the restore names it.

From the parameter descriptions of RestoreDBInstanceToPointInTime: same as the source are class, engine, port, licence model,
retention ("uses existing setting"); character sets, time zone, encryption and user have no parameter and come with the data.
"""

_FALSE_BY_DEFAULT = (
    "MultiAZ",
    "PubliclyAccessible",
    "StorageEncrypted",
    "CopyTagsToSnapshot",
    "EnableIAMDatabaseAuthentication",
    "EnablePerformanceInsights",
    "DeletionProtection",
    "DedicatedLogVolume",
)
_SHOWN_AS = {
    "EnableCustomerOwnedIp": "CustomerOwnedIpEnabled",
    "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    "EnablePerformanceInsights": "PerformanceInsightsEnabled",
    "EnableCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
}
_SHOWN_IN_STRUCTURES = (
    *directory_domain.PARAMETERS,
    "VpcSecurityGroupIds",
    "DBSubnetGroupName",
    "DBParameterGroupName",
    "OptionGroupName",
    "Port",
)
SETTINGS = frozenset(
    {
        *KEPT_BY_RESTORE,
        *_FALSE_BY_DEFAULT,
        *_SHOWN_AS,
        *_SHOWN_IN_STRUCTURES,
        "AvailabilityZone",
        "BackupTarget",
        "CACertificateIdentifier",
        "DatabaseInsightsMode",
        "EngineLifecycleSupport",
        "Iops",
        "MaxAllocatedStorage",
        "MonitoringInterval",
        "MonitoringRoleArn",
        "NetworkType",
        "PerformanceInsightsKMSKeyId",
        "PerformanceInsightsRetentionPeriod",
        "PreferredBackupWindow",
        "ProcessorFeatures",
        "PromotionTier",
        "StorageThroughput",
        "StorageType",
    }
)


def complete(inventory: Inventory, given: dict[str, Any]) -> dict[str, Any]:
    """Every setting of a new instance that stands alone, checked. `given` may hold other parameters too: they are left out."""
    engine = engine_of(given["Engine"])
    settings: dict[str, Any] = {
        **dict.fromkeys(_FALSE_BY_DEFAULT, False),
        "EngineVersion": engine.version,
        "AllocatedStorage": 20,
        "StorageType": "io1" if "Iops" in given else "gp3",
        "Port": engine.port,
        "LicenseModel": engine.licences[0],
        "BackupRetentionPeriod": 1,
        "PreferredBackupWindow": DEFAULT_BACKUP_WINDOW,
        "PreferredMaintenanceWindow": _DEFAULT_MAINTENANCE_WINDOW,
        "AutoMinorVersionUpgrade": True,
        "DBSubnetGroupName": groups.DEFAULT_SUBNET_GROUP,
        "AvailabilityZone": f"{inventory.region}a",
        "BackupTarget": "region",
        "CACertificateIdentifier": DEFAULT_CERTIFICATE,
        "MonitoringInterval": 0,
        "EnableCloudwatchLogsExports": [],
        "NetworkType": "IPV4",
        "DatabaseInsightsMode": "standard",
        "EngineLifecycleSupport": "open-source-rds-extended-support",
        **{name: value for name, value in given.items() if name in SETTINGS},
    }
    version = settings["EngineVersion"]
    settings.setdefault("DBParameterGroupName", groups.default_parameter_group(engine, version))
    settings.setdefault("OptionGroupName", engine.default_option_group(version))
    settings.setdefault("VpcSecurityGroupIds", groups.default_security_groups(inventory, settings["DBSubnetGroupName"]))
    if settings["StorageEncrypted"]:
        settings.setdefault("KmsKeyId", storage_types.default_key(inventory))
    if engine.name.startswith("oracle"):
        settings.setdefault("CharacterSetName", "AL32UTF8")
        settings.setdefault("NcharCharacterSetName", "AL16UTF16")
        settings.setdefault("DBName", "ORCL")
    if engine.name.startswith("sqlserver"):
        settings.setdefault("CharacterSetName", "SQL_Latin1_General_CP1_CI_AS")
        settings.setdefault("Timezone", "UTC")
    check(inventory, settings, given)
    return settings


def check(inventory: Inventory, settings: dict[str, Any], given: dict[str, Any]) -> None:
    """Refuse settings that RDS refuses; `given` are those that the request names."""
    engine, version = engine_of(settings["Engine"]), settings["EngineVersion"]
    engine.check_licence(settings["LicenseModel"])
    groups.subnet_group(inventory, settings["DBSubnetGroupName"])
    groups.check_security_groups(inventory, settings["VpcSecurityGroupIds"])
    groups.check_parameter_group(inventory, settings["DBParameterGroupName"], engine, version)
    groups.check_option_group(inventory, settings["OptionGroupName"], engine, version)
    check_retention(settings["BackupRetentionPeriod"], shortest=0)
    check_monitoring(settings)
    storage_types.check(settings, given)
    if "KmsKeyId" in settings and not settings["StorageEncrypted"]:
        raise invalid_combination("KmsKeyId can only be given together with StorageEncrypted.")
    if settings["MultiAZ"] and "AvailabilityZone" in given:
        raise invalid_combination("Requesting a specific availability zone is not valid for Multi-AZ instances.")
    if "MaxAllocatedStorage" in settings and settings["MaxAllocatedStorage"] <= settings["AllocatedStorage"]:
        raise invalid_combination("Max storage size must be greater than storage size")
    _check_engine_only(engine, given)


def check_retention(days: int, shortest: int) -> None:
    if not shortest <= days <= LONGEST_RETENTION_DAYS:
        raise invalid_value(
            f"Invalid backup retention period: {days}. Retention period must be between {shortest} and {LONGEST_RETENTION_DAYS}"
        )


def check_monitoring(settings: dict[str, Any]) -> None:
    interval = settings.get("MonitoringInterval", 0)
    if interval not in _MONITORING_INTERVALS:
        raise invalid_value(f"Invalid MonitoringInterval {interval}: it must be one of {_MONITORING_INTERVALS}.")
    if interval and not settings.get("MonitoringRoleArn"):
        raise invalid_combination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0."
        )


def described(inventory: Inventory, settings: dict[str, Any], group_status: str) -> dict[str, Any]:
    """The part of DescribeDBInstances that is settings. `group_status`: in-sync or pending-reboot."""
    shown = {
        _SHOWN_AS.get(name, name): value
        for name, value in settings.items()
        if name not in _SHOWN_IN_STRUCTURES and value is not None
    }
    if (own := storage_types.baseline(settings)) is not None:
        shown = {"Iops": own[0], "StorageThroughput": own[1], **shown}
    return {
        **shown,
        "VpcSecurityGroups": security_groups(settings["VpcSecurityGroupIds"]),
        "DBSubnetGroup": groups.subnet_group(inventory, settings["DBSubnetGroupName"]),
        "DBParameterGroups": [{"DBParameterGroupName": settings["DBParameterGroupName"], "ParameterApplyStatus": group_status}],
        "DomainMemberships": directory_domain.described(settings),
        "OptionGroupMemberships": [{"OptionGroupName": settings["OptionGroupName"], "Status": "in-sync"}],
    }


def security_groups(ids: list[str]) -> list[dict[str, str]]:
    return [{"VpcSecurityGroupId": group_id, "Status": "active"} for group_id in ids]


def restored(inventory: Inventory, source: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The settings of an instance restored from one with `source`: most are at their defaults unless given."""
    engine = engine_of(source["Engine"])
    if given.get("Engine", engine.name) != engine.name:
        raise invalid_combination(f"A {engine.name} database cannot be restored to engine {given['Engine']}.")
    if "DBName" in given and not engine.takes_database_name_in_restore:
        raise invalid_combination(f"DBName cannot be given in a restore of {engine.name}: the databases come with the data.")
    if given.get("AllocatedStorage", source["AllocatedStorage"]) < source["AllocatedStorage"]:
        raise invalid_value("Allocated storage size can't be less than the source instance size.")
    if "AllocatedStorage" in given and engine.name.startswith("sqlserver"):
        raise invalid_combination("AllocatedStorage isn't valid in a restore of SQL Server.")
    kept = {name: source[name] for name in KEPT_BY_RESTORE if name in source}
    return complete(inventory, {**kept, **{name: value for name, value in given.items() if name in SETTINGS}})


def _check_engine_only(engine: Engine, given: dict[str, Any]) -> None:
    of_oracle, of_sql_server = engine.name.startswith("oracle"), engine.name.startswith("sqlserver")
    if "NcharCharacterSetName" in given and not of_oracle:
        raise invalid_combination(f"NcharCharacterSetName is not valid for engine {engine.name}.")
    if "CharacterSetName" in given and not (of_oracle or of_sql_server):
        raise invalid_combination(f"CharacterSetName is not valid for engine {engine.name}.")
    if "Timezone" in given and not of_sql_server:
        raise invalid_combination(f"Timezone is not valid for engine {engine.name}: it is a parameter of its parameter group.")
