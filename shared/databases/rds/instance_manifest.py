"""The settings of a DB instance, from DescribeDBInstances: the record behind `ItemProtection.settings`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.databases.rds import tags
from shared.databases.rds.inventory import Instance
from shared.model.instance_settings import DirectoryDomain, InstanceSettings, StorageVolume

_LEAVING = ("removed", "removing", "failed")


def read(instance: Instance, at: datetime) -> InstanceSettings:
    """What DescribeDBInstances says holds everything that a restore loses; nothing else has to be asked."""
    found = instance.described
    multi_az = bool(found.get("MultiAZ"))
    secret = found.get("MasterUserSecret") or {}
    roles = found.get("AssociatedRoles", [])
    return InstanceSettings(
        taken_at=at,
        identifier=instance.identifier,
        resource_id=instance.resource_id,
        arn=instance.arn,
        endpoint=instance.host,
        engine=instance.engine,
        engine_version=found.get("EngineVersion", ""),
        storage_encrypted=bool(found.get("StorageEncrypted")),
        kms_key_id=found.get("KmsKeyId") or "",
        master_username=found.get("MasterUsername") or "",
        db_name=found.get("DBName") or "",
        character_set=found.get("CharacterSetName") or "",
        nchar_character_set=found.get("NcharCharacterSetName") or "",
        timezone=found.get("Timezone") or "",
        multi_tenant=bool(found.get("MultiTenant")),
        tde_credential_arn=found.get("TdeCredentialArn") or "",
        instance_class=found.get("DBInstanceClass", ""),
        processor_features={one["Name"]: one["Value"] for one in found.get("ProcessorFeatures", [])},
        license_model=found.get("LicenseModel") or "",
        allocated_gib=int(found.get("AllocatedStorage", 0)),
        max_allocated_gib=found.get("MaxAllocatedStorage"),
        storage_type=found.get("StorageType") or "",
        iops=found.get("Iops"),
        throughput_mib=found.get("StorageThroughput") if found.get("StorageType") == "gp3" else None,
        dedicated_log_volume=bool(found.get("DedicatedLogVolume")),
        additional_volumes=tuple(
            sorted((_volume(one) for one in found.get("AdditionalStorageVolumes", [])), key=lambda one: one.name)
        ),
        multi_az=multi_az,
        availability_zone="" if multi_az else found.get("AvailabilityZone") or "",
        subnet_group=found.get("DBSubnetGroup", {}).get("DBSubnetGroupName", ""),
        security_groups=tuple(
            sorted(one["VpcSecurityGroupId"] for one in found.get("VpcSecurityGroups", []) if one.get("Status") != "removing")
        ),
        network_type=found.get("NetworkType") or "",
        publicly_accessible=bool(found.get("PubliclyAccessible")),
        customer_owned_ip=bool(found.get("CustomerOwnedIpEnabled")),
        port=instance.port,
        ca_certificate=found.get("CACertificateIdentifier") or "",
        domain=_domain(found),
        parameter_group=_first(found, "DBParameterGroups", "DBParameterGroupName"),
        option_group=_first(found, "OptionGroupMemberships", "OptionGroupName"),
        iam_authentication=bool(found.get("IAMDatabaseAuthenticationEnabled")),
        managed_master_password=bool(secret),
        master_secret_kms_key_id=secret.get("KmsKeyId", ""),
        log_exports=tuple(sorted(found.get("EnabledCloudwatchLogsExports", []))),
        auto_minor_version_upgrade=bool(found.get("AutoMinorVersionUpgrade")),
        extended_support=found.get("EngineLifecycleSupport") or "",
        associated_roles={one.get("FeatureName", ""): one["RoleArn"] for one in roles if one.get("Status") != "INVALID"},
        backup_retention_days=instance.retention_days,
        backup_window=found.get("PreferredBackupWindow") or "",
        backup_target=found.get("BackupTarget") or "",
        maintenance_window=found.get("PreferredMaintenanceWindow") or "",
        copy_tags_to_snapshot=bool(found.get("CopyTagsToSnapshot")),
        deletion_protection=bool(found.get("DeletionProtection")),
        monitoring_interval_seconds=int(found.get("MonitoringInterval") or 0),
        monitoring_role_arn=found.get("MonitoringRoleArn") or "",
        database_insights=found.get("DatabaseInsightsMode") or "",
        performance_insights=bool(found.get("PerformanceInsightsEnabled")),
        performance_insights_kms_key_id=found.get("PerformanceInsightsKMSKeyId") or "",
        performance_insights_retention_days=found.get("PerformanceInsightsRetentionPeriod"),
        tags=tags.of_owner(found.get("TagList", [])),
        read_replicas=tuple(
            sorted([*found.get("ReadReplicaDBInstanceIdentifiers", []), *found.get("ReadReplicaDBClusterIdentifiers", [])])
        ),
        activity_stream=found.get("ActivityStreamKinesisStreamName") or "",
        replicated_backups=tuple(
            sorted(one["DBInstanceAutomatedBackupsArn"] for one in found.get("DBInstanceAutomatedBackupsReplications", []))
        ),
    )


def _first(found: Mapping[str, Any], groups: str, name: str) -> str:
    """An instance has one group of each kind; while it changes, the old one is listed too, as removing."""
    names = [group[name] for group in found.get(groups, []) if group.get("Status", "in-sync") not in _LEAVING]
    return str(names[0]) if names else ""


def _volume(found: Mapping[str, Any]) -> StorageVolume:
    return StorageVolume(
        name=found["VolumeName"],
        allocated_gib=int(found.get("AllocatedStorage", 0)),
        max_allocated_gib=found.get("MaxAllocatedStorage"),
        storage_type=found.get("StorageType") or "",
        iops=found.get("IOPS"),
        throughput_mib=found.get("StorageThroughput"),
    )


def _domain(found: Mapping[str, Any]) -> DirectoryDomain | None:
    memberships = [one for one in found.get("DomainMemberships", []) if one.get("Status") not in _LEAVING]
    if not memberships:
        return None
    one = memberships[0]
    return DirectoryDomain(
        domain=one.get("Domain") or "",
        iam_role=one.get("IAMRoleName") or "",
        fqdn=one.get("FQDN") or "",
        organizational_unit=one.get("OU") or "",
        auth_secret_arn=one.get("AuthSecretArn") or "",
        dns_ips=tuple(one.get("DnsIps", [])),
    )
