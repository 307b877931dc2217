"""The settings of a DB instance as parameters: of the restores, so that nothing starts at a default, and of the modification
that puts right what no restore can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.databases.rds import tags
from shared.model.instance_settings import DirectoryDomain, InstanceSettings, StorageVolume

GP3_BASELINES = ((3000, 125), (12000, 500))
"""IOPS and MiB/s that gp3 has without being provisioned, below and from 400 GiB on (200 GiB for Oracle). RDS refuses them as
parameters where storage is too small to choose (RDS User Guide, gp3 storage)."""


def of_restore(settings: InstanceSettings, own_tags: Mapping[str, str]) -> dict[str, Any]:
    """What RestoreDBInstanceToPointInTime and RestoreDBInstanceFromDBSnapshot have in common, without source, target and time.

    Left out: engine, user, key, character sets and time zone, which come with the data; deletion protection, which is set last,
    when all else compares; what only a modification can set.
    """
    given: dict[str, Any] = {
        "DBInstanceClass": settings.instance_class,
        "Port": settings.port,
        "DBSubnetGroupName": settings.subnet_group,
        "VpcSecurityGroupIds": list(settings.security_groups),
        "DBParameterGroupName": settings.parameter_group,
        "OptionGroupName": settings.option_group,
        "LicenseModel": settings.license_model,
        "NetworkType": settings.network_type,
        "CACertificateIdentifier": settings.ca_certificate,
        "EngineLifecycleSupport": settings.extended_support,
        "BackupTarget": settings.backup_target,
        "PreferredBackupWindow": settings.backup_window,
        "ProcessorFeatures": _processor(settings.processor_features),
        "EnableCloudwatchLogsExports": list(settings.log_exports),
        "AdditionalStorageVolumes": [_volume(one) for one in settings.additional_volumes],
        "TdeCredentialArn": settings.tde_credential_arn,
        **_storage(settings),
        **_place(settings),
        **_domain(settings.domain),
    }
    switches = {
        "PubliclyAccessible": settings.publicly_accessible,
        "EnableIAMDatabaseAuthentication": settings.iam_authentication,
        "CopyTagsToSnapshot": settings.copy_tags_to_snapshot,
        "AutoMinorVersionUpgrade": settings.auto_minor_version_upgrade,
        "BackupRetentionPeriod": settings.backup_retention_days,
        "DeletionProtection": False,
        "Tags": tags.as_list({**settings.tags, **own_tags}),
    }
    if settings.dedicated_log_volume:
        switches["DedicatedLogVolume"] = True
    if settings.customer_owned_ip:
        switches["EnableCustomerOwnedIp"] = True
    return {**{name: value for name, value in given.items() if value not in ("", None, [], {})}, **switches}


def autoscaling_limit(settings: InstanceSettings) -> dict[str, int]:
    """MaxAllocatedStorage, a parameter of the point-in-time restore only. Storage that has reached its limit has no room left
    to give, and RDS refuses a limit that is not above the size."""
    limit = settings.max_allocated_gib
    return {"MaxAllocatedStorage": limit} if limit and limit > settings.allocated_gib else {}


def of_modification(fields: Iterable[str], wanted: InstanceSettings, found: InstanceSettings) -> dict[str, Any]:
    """Parameters of ModifyDBInstance for those of the differing `fields` that it can change; empty when it can change none."""
    differing = frozenset(fields)
    given: dict[str, Any] = {}
    for name, parameter in _MODIFIED.items():
        if name in differing:
            value = getattr(wanted, name)
            given[parameter] = list(value) if isinstance(value, tuple) else value
    if differing & {"storage_type", "iops", "throughput_mib"}:
        given |= {"AllocatedStorage": max(found.allocated_gib, wanted.allocated_gib), **_storage(wanted)}
    if "allocated_gib" in differing:
        given["AllocatedStorage"] = wanted.allocated_gib
    if "max_allocated_gib" in differing:
        # Autoscaling is switched off by a limit that equals the size (API reference of ModifyDBInstance).
        given["MaxAllocatedStorage"] = wanted.max_allocated_gib or found.allocated_gib
    if "processor_features" in differing:
        features = _processor(wanted.processor_features)
        given |= {"ProcessorFeatures": features} if features else {"UseDefaultProcessorFeatures": True}
    if "domain" in differing:
        given |= _domain(wanted.domain) or {"DisableDomain": True}
    if "log_exports" in differing:
        given["CloudwatchLogsExportConfiguration"] = _log_exports(wanted.log_exports, found.log_exports)
    if differing & {"monitoring_interval_seconds", "monitoring_role_arn"}:
        given |= _monitoring(wanted)
    if differing & _INSIGHTS:
        given |= _insights(wanted)
    if differing & {"managed_master_password", "master_secret_kms_key_id"}:
        given |= _master_password(wanted)
    return given


_MODIFIED = {
    "auto_minor_version_upgrade": "AutoMinorVersionUpgrade",
    "backup_retention_days": "BackupRetentionPeriod",
    "backup_window": "PreferredBackupWindow",
    "ca_certificate": "CACertificateIdentifier",
    "copy_tags_to_snapshot": "CopyTagsToSnapshot",
    "customer_owned_ip": "EnableCustomerOwnedIp",
    "dedicated_log_volume": "DedicatedLogVolume",
    "deletion_protection": "DeletionProtection",
    "engine_version": "EngineVersion",
    "extended_support": "EngineLifecycleSupport",
    "iam_authentication": "EnableIAMDatabaseAuthentication",
    "instance_class": "DBInstanceClass",
    "license_model": "LicenseModel",
    "maintenance_window": "PreferredMaintenanceWindow",
    "multi_az": "MultiAZ",
    "network_type": "NetworkType",
    "option_group": "OptionGroupName",
    "parameter_group": "DBParameterGroupName",
    "port": "DBPortNumber",
    "publicly_accessible": "PubliclyAccessible",
    "security_groups": "VpcSecurityGroupIds",
    "subnet_group": "DBSubnetGroupName",
}
_INSIGHTS = frozenset(
    {
        "database_insights",
        "performance_insights",
        "performance_insights_kms_key_id",
        "performance_insights_retention_days",
    }
)


def _storage(settings: InstanceSettings) -> dict[str, Any]:
    """gp3 is the default, and what it has without provisioning cannot always be given."""
    if settings.storage_type == "gp3":
        if settings.iops is None or (settings.iops, settings.throughput_mib) in GP3_BASELINES:
            return {}
        throughput = {"StorageThroughput": settings.throughput_mib} if settings.throughput_mib else {}
        return {"StorageType": "gp3", "Iops": settings.iops, **throughput}
    if not settings.storage_type:
        return {}
    return {"StorageType": settings.storage_type, **({"Iops": settings.iops} if settings.iops else {})}


def _place(settings: InstanceSettings) -> dict[str, Any]:
    """SQL Server becomes Multi-AZ by itself when its option group mirrors, and is told afterwards when it did not."""
    if settings.multi_az:
        return {} if settings.engine.startswith("sqlserver") else {"MultiAZ": True}
    return {"MultiAZ": False, "AvailabilityZone": settings.availability_zone}


def _processor(features: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in sorted(features.items())]


def _volume(volume: StorageVolume) -> dict[str, Any]:
    given = {
        "VolumeName": volume.name,
        "AllocatedStorage": volume.allocated_gib,
        "MaxAllocatedStorage": volume.max_allocated_gib,
        "StorageType": volume.storage_type,
        "IOPS": volume.iops,
        "StorageThroughput": volume.throughput_mib,
    }
    return {name: value for name, value in given.items() if value}


def _domain(domain: DirectoryDomain | None) -> dict[str, Any]:
    """AWS's directory is named by its id, an owner's own by its FQDN."""
    if domain is None:
        return {}
    if domain.auth_secret_arn:
        given: dict[str, Any] = {
            "DomainFqdn": domain.fqdn,
            "DomainOu": domain.organizational_unit,
            "DomainAuthSecretArn": domain.auth_secret_arn,
            "DomainDnsIps": list(domain.dns_ips),
        }
    else:
        given = {"Domain": domain.domain, "DomainIAMRoleName": domain.iam_role}
    return {name: value for name, value in given.items() if value}


def _log_exports(wanted: Iterable[str], found: Iterable[str]) -> dict[str, list[str]]:
    return {"EnableLogTypes": sorted(set(wanted) - set(found)), "DisableLogTypes": sorted(set(found) - set(wanted))}


def _monitoring(wanted: InstanceSettings) -> dict[str, Any]:
    if not wanted.monitoring_interval_seconds:
        return {"MonitoringInterval": 0}
    return {"MonitoringInterval": wanted.monitoring_interval_seconds, "MonitoringRoleArn": wanted.monitoring_role_arn}


def _insights(wanted: InstanceSettings) -> dict[str, Any]:
    mode = {"DatabaseInsightsMode": wanted.database_insights} if wanted.database_insights else {}
    if not wanted.performance_insights:
        return {**mode, "EnablePerformanceInsights": False}
    given = {
        **mode,
        "EnablePerformanceInsights": True,
        "PerformanceInsightsKMSKeyId": wanted.performance_insights_kms_key_id,
        "PerformanceInsightsRetentionPeriod": wanted.performance_insights_retention_days,
    }
    return {name: value for name, value in given.items() if value}


def _master_password(wanted: InstanceSettings) -> dict[str, Any]:
    if not wanted.managed_master_password:
        return {}
    key = {"MasterUserSecretKmsKeyId": wanted.master_secret_kms_key_id} if wanted.master_secret_kms_key_id else {}
    return {"ManageMasterUserPassword": True, **key}
