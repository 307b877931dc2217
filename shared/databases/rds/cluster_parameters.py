"""Which setting of a cluster is which parameter: of its restore, of ModifyDBCluster, of CreateDBInstance, of ModifyDBInstance.

One table for clusters and one for their instances. Sources: the API reference of RestoreDBClusterToPointInTime,
RestoreDBClusterFromSnapshot, ModifyDBCluster, CreateDBInstance and ModifyDBInstance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.model.cluster_settings import ClusterSettings, MemberSettings

Parameters = dict[str, Any]

SMALLEST_GP3_WITH_IOPS_GIB = 400
"""Below it gp3 has the baseline IOPS, and naming them is refused (RDS user guide, DB instance storage)."""


@dataclass(frozen=True)
class _Group:
    """Fields that go into a request together. `parameters` leaves out what is not set. `modify` is what ModifyDBCluster or
    ModifyDBInstance wants when any field differs, given the wanted and the actual settings; None: it cannot be modified."""

    fields: tuple[str, ...]
    parameters: Callable[[Any], Parameters] | None
    modify: Callable[[Any, Any], Parameters] | None


def _plain(field: str, parameter: str, *, restore: bool = True, modify: bool = True) -> _Group:
    """A field that is one parameter of the same form; an empty one is left to the service."""

    def given(settings: Any) -> Parameters:
        value = getattr(settings, field)
        if value is None or value == "" or value == ():
            return {}
        return {parameter: list(value) if isinstance(value, tuple) else value}

    return _Group((field,), given if restore else None, (lambda wanted, _: given(wanted)) if modify else None)


def _monitoring(settings: ClusterSettings | MemberSettings) -> Parameters:
    if not settings.monitoring_interval_seconds:
        return {}
    return {"MonitoringInterval": settings.monitoring_interval_seconds, "MonitoringRoleArn": settings.monitoring_role_arn}


def _monitoring_changed(wanted: ClusterSettings | MemberSettings, _: object) -> Parameters:
    return _monitoring(wanted) or {"MonitoringInterval": 0}


def _insights(settings: ClusterSettings | MemberSettings) -> Parameters:
    if not settings.performance_insights:
        return {}
    given: Parameters = {"EnablePerformanceInsights": True}
    if settings.performance_insights_kms_key_id:
        given["PerformanceInsightsKMSKeyId"] = settings.performance_insights_kms_key_id
    if settings.performance_insights_retention_days:
        given["PerformanceInsightsRetentionPeriod"] = settings.performance_insights_retention_days
    return given


def _insights_changed(wanted: MemberSettings, _: object) -> Parameters:
    return _insights(wanted) or {"EnablePerformanceInsights": False}


def _cluster_insights_changed(wanted: ClusterSettings, _: object) -> Parameters:
    """The mode goes along: `advanced` is refused without Performance Insights in the same request."""
    return {
        **(_insights(wanted) or {"EnablePerformanceInsights": False}),
        "DatabaseInsightsMode": wanted.database_insights_mode,
    }


def _logs_changed(wanted: ClusterSettings, actual: ClusterSettings) -> Parameters:
    more = sorted(set(wanted.log_exports) - set(actual.log_exports))
    fewer = sorted(set(actual.log_exports) - set(wanted.log_exports))
    changes = {"EnableLogTypes": more, "DisableLogTypes": fewer}
    return {"CloudwatchLogsExportConfiguration": {kind: types for kind, types in changes.items() if types}}


def _serverless(settings: ClusterSettings) -> Parameters:
    found = settings.serverless_scaling
    if found is None:
        return {}
    limits: Parameters = {"MinCapacity": found.min_capacity, "MaxCapacity": found.max_capacity}
    if found.seconds_until_auto_pause is not None:
        limits["SecondsUntilAutoPause"] = found.seconds_until_auto_pause
    return {"ServerlessV2ScalingConfiguration": limits}


def _storage(settings: ClusterSettings) -> Parameters:
    given: Parameters = {"StorageType": settings.storage_type} if settings.storage_type else {}
    is_small = settings.storage_type == "gp3" and (settings.allocated_storage_gib or 0) < SMALLEST_GP3_WITH_IOPS_GIB
    if settings.iops and not is_small:
        given["Iops"] = settings.iops
    return given


def _storage_changed(wanted: ClusterSettings, _: object) -> Parameters:
    return _storage(wanted) or ({"StorageType": "aurora"} if wanted.is_aurora else {})


def _password_changed(wanted: ClusterSettings, _: object) -> Parameters:
    """Management can only be turned off by giving a password, which nobody here knows: such a difference stays one."""
    if not wanted.managed_master_password:
        return {}
    key = {"MasterUserSecretKmsKeyId": wanted.master_secret_kms_key_id} if wanted.master_secret_kms_key_id else {}
    return {"ManageMasterUserPassword": True, **key}


def _domain(settings: ClusterSettings) -> Parameters:
    return {"Domain": settings.domain, "DomainIAMRoleName": settings.domain_role} if settings.domain else {}


def _backtrack(settings: ClusterSettings) -> Parameters:
    return {"BacktrackWindow": settings.backtrack_window_seconds} if settings.backtrack_window_seconds else {}


def _multi_az_only(field: str, parameter: str, *, restore: bool, modify: bool) -> _Group:
    """Refused for Aurora, where the instances have it."""

    def given(settings: ClusterSettings) -> Parameters:
        value = getattr(settings, field)
        return {} if settings.is_aurora or value == "" else {parameter: value}

    return _Group((field,), given if restore else None, (lambda wanted, _: given(wanted)) if modify else None)


_CLUSTER = (
    _plain("port", "Port"),
    _plain("security_groups", "VpcSecurityGroupIds"),
    _plain("subnet_group", "DBSubnetGroupName", modify=False),
    _plain("parameter_group", "DBClusterParameterGroupName"),
    _plain("network_type", "NetworkType"),
    _Group(("storage_type", "iops"), _storage, _storage_changed),
    _multi_az_only("instance_class", "DBClusterInstanceClass", restore=True, modify=True),
    _multi_az_only("publicly_accessible", "PubliclyAccessible", restore=True, modify=False),
    _plain("kms_key_id", "KmsKeyId", modify=False),
    _plain("iam_authentication", "EnableIAMDatabaseAuthentication"),
    _plain("copy_tags_to_snapshot", "CopyTagsToSnapshot"),
    _plain("backup_retention_days", "BackupRetentionPeriod", restore=False),
    _plain("backup_window", "PreferredBackupWindow", restore=False),
    _plain("maintenance_window", "PreferredMaintenanceWindow", restore=False),
    _Group(("log_exports",), _plain("log_exports", "EnableCloudwatchLogsExports").parameters, _logs_changed),
    _Group(("backtrack_window_seconds",), _backtrack, lambda wanted, _: {"BacktrackWindow": wanted.backtrack_window_seconds}),
    _Group(("serverless_scaling",), _serverless, lambda wanted, _: _serverless(wanted)),
    _Group(("local_write_forwarding",), None, lambda wanted, _: {"EnableLocalWriteForwarding": wanted.local_write_forwarding}),
    _Group(("domain", "domain_role"), _domain, lambda wanted, _: _domain(wanted)),
    _Group(("monitoring_interval_seconds", "monitoring_role_arn"), _monitoring, _monitoring_changed),
    _Group(
        (
            "performance_insights",
            "performance_insights_kms_key_id",
            "performance_insights_retention_days",
            "database_insights_mode",
        ),
        _insights,
        _cluster_insights_changed,
    ),
    _multi_az_only("ca_certificate", "CACertificateIdentifier", restore=False, modify=True),
    _multi_az_only("auto_minor_version_upgrade", "AutoMinorVersionUpgrade", restore=False, modify=True),
    _plain("lifecycle_support", "EngineLifecycleSupport"),
    _Group(("managed_master_password", "master_secret_kms_key_id"), None, _password_changed),
    _plain("deletion_protection", "DeletionProtection", restore=False),
)
"""Deletion protection is no parameter of the restore here: a copy must stay deletable until it is live. Retention and backup
window, which a copy has from its source, and associated roles became parameters so late that an older boto3 refuses them."""

_MEMBER = (
    _plain("instance_class", "DBInstanceClass"),
    _plain("promotion_tier", "PromotionTier"),
    _plain("availability_zone", "AvailabilityZone", modify=False),
    _plain("parameter_group", "DBParameterGroupName"),
    _plain("maintenance_window", "PreferredMaintenanceWindow"),
    _Group(("monitoring_interval_seconds", "monitoring_role_arn"), _monitoring, _monitoring_changed),
    _Group(
        ("performance_insights", "performance_insights_kms_key_id", "performance_insights_retention_days"),
        _insights,
        _insights_changed,
    ),
    _plain("ca_certificate", "CACertificateIdentifier"),
    _plain("auto_minor_version_upgrade", "AutoMinorVersionUpgrade"),
    _plain("publicly_accessible", "PubliclyAccessible"),
)


def restore_parameters(settings: ClusterSettings) -> Parameters:
    """Everything that a restore takes, so that nothing falls back to a default."""
    return _all(_CLUSTER, settings)


def create_member_parameters(settings: MemberSettings) -> Parameters:
    return _all(_MEMBER, settings)


def modify_cluster_parameters(wanted: ClusterSettings, actual: ClusterSettings) -> Parameters:
    """What ModifyDBCluster has to be told; empty when nothing that it can change differs."""
    return _changes(_CLUSTER, wanted, actual)


def modify_member_parameters(wanted: MemberSettings, actual: MemberSettings) -> Parameters:
    return _changes(_MEMBER, wanted, actual)


def _all(groups: tuple[_Group, ...], settings: Any) -> Parameters:
    given: Parameters = {}
    for group in groups:
        if group.parameters is not None:
            given |= group.parameters(settings)
    return given


def _changes(groups: tuple[_Group, ...], wanted: Any, actual: Any) -> Parameters:
    given: Parameters = {}
    for group in groups:
        differs = any(getattr(wanted, field) != getattr(actual, field) for field in group.fields)
        if differs and group.modify is not None:
            given |= group.modify(wanted, actual)
    return given
