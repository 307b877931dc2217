"""Notes what a restore of a cluster loses, from the live cluster: the record behind `ItemProtection.settings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from shared.databases.rds import tags
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_scaling import read_scaling
from shared.databases.rds.cluster_scene import Described, Scene
from shared.model.cluster_settings import (
    AssociatedRole,
    ClusterSettings,
    CustomEndpoint,
    MemberSettings,
    ReplicaScaling,
    ServerlessScaling,
)
from shared.model.errors import BackupError, Temporary

T = TypeVar("T")

_ROLE_USED = ("ACTIVE", "PENDING")
_FORWARDING_ON = ("enabled", "enabling")
_STREAM_ON = ("started", "starting")
_AURORA_STANDARD = "aurora"


def read_cluster(cluster: Described, scene: Scene, at: datetime, calls: Calls) -> ClusterSettings:
    """The settings of a cluster with its members, custom endpoints and replica scaling.

    What the role may not read, or the endpoint does not offer, is `unknown` with the reason.

    Raises:
        Throttled, Unreachable: a later call reads again.
    """
    unknown: dict[str, str] = {}

    def part(field: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except Temporary:
            raise
        except BackupError as error:
            unknown[field] = f"{error.code}: {error.message}"
            return otherwise

    name = cluster["DBClusterIdentifier"]
    endpoints: tuple[CustomEndpoint, ...] = ()
    scaling: ReplicaScaling | None = None
    if cluster["Engine"].startswith("aurora"):
        endpoints = part("custom_endpoints", lambda: read_endpoints(name, calls), endpoints)
        scaling = part("replica_scaling", lambda: read_scaling(name, calls), scaling)
    return without_extras(cluster, scene.members(cluster), at, endpoints, scaling, unknown)


def without_extras(
    cluster: Described,
    members: Sequence[Described],
    at: datetime,
    endpoints: tuple[CustomEndpoint, ...] = (),
    scaling: ReplicaScaling | None = None,
    unknown: Mapping[str, str] | None = None,
) -> ClusterSettings:
    """What DescribeDBClusters and DescribeDBInstances alone tell; custom endpoints and scaling are as given."""
    is_aurora = cluster["Engine"].startswith("aurora")
    domain: Mapping[str, Any] = next(iter(cluster.get("DomainMemberships", ())), {})
    secret: Mapping[str, Any] = cluster.get("MasterUserSecret") or {}
    insights = bool(cluster.get("PerformanceInsightsEnabled"))
    writers = {member["DBInstanceIdentifier"] for member in cluster.get("DBClusterMembers", ()) if member["IsClusterWriter"]}
    stream_on = cluster.get("ActivityStreamStatus") in _STREAM_ON
    return ClusterSettings(
        taken_at=at,
        identifier=cluster["DBClusterIdentifier"],
        resource_id=cluster["DbClusterResourceId"],
        endpoint=cluster.get("Endpoint") or "",
        reader_endpoint=cluster.get("ReaderEndpoint") or "",
        engine=cluster["Engine"],
        engine_version=cluster.get("EngineVersion") or "",
        port=cluster.get("Port"),
        security_groups=tuple(sorted(group["VpcSecurityGroupId"] for group in cluster.get("VpcSecurityGroups", ()))),
        subnet_group=cluster.get("DBSubnetGroup") or "",
        parameter_group=cluster.get("DBClusterParameterGroup") or "",
        network_type=cluster.get("NetworkType") or "",
        storage_type=_storage_type(cluster),
        iops=None if is_aurora else cluster.get("Iops"),
        allocated_storage_gib=None if is_aurora else cluster.get("AllocatedStorage"),
        instance_class="" if is_aurora else cluster.get("DBClusterInstanceClass") or "",
        publicly_accessible=not is_aurora and bool(cluster.get("PubliclyAccessible")),
        kms_key_id=(cluster.get("KmsKeyId") or "") if cluster.get("StorageEncrypted") else "",
        iam_authentication=bool(cluster.get("IAMDatabaseAuthenticationEnabled")),
        deletion_protection=bool(cluster.get("DeletionProtection")),
        copy_tags_to_snapshot=bool(cluster.get("CopyTagsToSnapshot")),
        backup_retention_days=cluster.get("BackupRetentionPeriod"),
        backup_window=cluster.get("PreferredBackupWindow") or "",
        maintenance_window=cluster.get("PreferredMaintenanceWindow") or "",
        log_exports=tuple(sorted(cluster.get("EnabledCloudwatchLogsExports") or ())),
        backtrack_window_seconds=cluster.get("BacktrackWindow") or 0,
        serverless_scaling=_serverless(cluster),
        associated_roles=_roles(cluster),
        data_api=bool(cluster.get("HttpEndpointEnabled")),
        local_write_forwarding=cluster.get("LocalWriteForwardingStatus") in _FORWARDING_ON,
        domain=domain.get("Domain") or "",
        domain_role=domain.get("IAMRoleName") or "",
        monitoring_interval_seconds=cluster.get("MonitoringInterval") or 0,
        monitoring_role_arn=cluster.get("MonitoringRoleArn") or "",
        performance_insights=insights,
        performance_insights_kms_key_id=(cluster.get("PerformanceInsightsKMSKeyId") or "") if insights else "",
        performance_insights_retention_days=cluster.get("PerformanceInsightsRetentionPeriod") if insights else None,
        database_insights_mode=cluster.get("DatabaseInsightsMode") or "standard",
        ca_certificate="" if is_aurora else (cluster.get("CertificateDetails") or {}).get("CAIdentifier") or "",
        auto_minor_version_upgrade=is_aurora or bool(cluster.get("AutoMinorVersionUpgrade", True)),
        lifecycle_support=cluster.get("EngineLifecycleSupport") or "",
        tags=tags.of_owner(cluster.get("TagList") or ()),
        members=tuple(read_member(one, one["DBInstanceIdentifier"] in writers) for one in members) if is_aurora else (),
        custom_endpoints=endpoints,
        replica_scaling=scaling,
        managed_master_password=bool(secret),
        master_secret_kms_key_id=secret.get("KmsKeyId") or "",
        activity_stream=(cluster.get("ActivityStreamMode") or "on") if stream_on else "",
        unknown=unknown or {},
    )


def read_member(instance: Described, is_writer: bool) -> MemberSettings:
    insights = bool(instance.get("PerformanceInsightsEnabled"))
    groups = instance.get("DBParameterGroups", ())
    return MemberSettings(
        identifier=instance["DBInstanceIdentifier"],
        resource_id=instance["DbiResourceId"],
        endpoint=(instance.get("Endpoint") or {}).get("Address") or "",
        is_writer=is_writer,
        instance_class=instance["DBInstanceClass"],
        promotion_tier=instance.get("PromotionTier"),
        availability_zone=instance.get("AvailabilityZone") or "",
        parameter_group=groups[0]["DBParameterGroupName"] if groups else "",
        maintenance_window=instance.get("PreferredMaintenanceWindow") or "",
        monitoring_interval_seconds=instance.get("MonitoringInterval") or 0,
        monitoring_role_arn=instance.get("MonitoringRoleArn") or "",
        performance_insights=insights,
        performance_insights_kms_key_id=(instance.get("PerformanceInsightsKMSKeyId") or "") if insights else "",
        performance_insights_retention_days=instance.get("PerformanceInsightsRetentionPeriod") if insights else None,
        ca_certificate=instance.get("CACertificateIdentifier") or "",
        auto_minor_version_upgrade=bool(instance.get("AutoMinorVersionUpgrade", True)),
        publicly_accessible=bool(instance.get("PubliclyAccessible")),
        tags=tags.of_owner(instance.get("TagList") or ()),
    )


def read_endpoints(cluster: str, calls: Calls) -> tuple[CustomEndpoint, ...]:
    """The custom endpoints of a cluster, by name. One that is being deleted is none any more."""
    found = calls.rds_list(
        "describe_db_cluster_endpoints", "DBClusterEndpoints", f"cluster {cluster}", DBClusterIdentifier=cluster
    )
    custom = [one for one in found if one.get("EndpointType") == "CUSTOM" and one.get("Status") != "deleting"]
    return tuple(_endpoint(one, calls) for one in sorted(custom, key=lambda one: str(one["DBClusterEndpointIdentifier"])))


def _endpoint(described: Described, calls: Calls) -> CustomEndpoint:
    name, arn = described["DBClusterEndpointIdentifier"], described.get("DBClusterEndpointArn")
    answer = calls.rds("list_tags_for_resource", f"custom endpoint {name}", ResourceName=arn) if arn else {}
    return CustomEndpoint(
        identifier=name,
        kind=described["CustomEndpointType"],
        static_members=tuple(sorted(described.get("StaticMembers") or ())),
        excluded_members=tuple(sorted(described.get("ExcludedMembers") or ())),
        tags=tags.of_owner(answer.get("TagList") or ()),
        endpoint=described.get("Endpoint") or "",
    )


def _storage_type(cluster: Described) -> str:
    """DescribeDBClusters leaves Aurora's standard storage out, or calls it `aurora`."""
    found = str(cluster.get("StorageType") or "")
    return "" if found == _AURORA_STANDARD else found


def _serverless(cluster: Described) -> ServerlessScaling | None:
    found = cluster.get("ServerlessV2ScalingConfiguration")
    if not found or found.get("MaxCapacity") is None:
        return None
    return ServerlessScaling(
        min_capacity=float(found["MinCapacity"]),
        max_capacity=float(found["MaxCapacity"]),
        seconds_until_auto_pause=found.get("SecondsUntilAutoPause"),
    )


def _roles(cluster: Described) -> tuple[AssociatedRole, ...]:
    used = (role for role in cluster.get("AssociatedRoles") or () if role.get("Status", "ACTIVE") in _ROLE_USED)
    roles = (AssociatedRole(role_arn=role["RoleArn"], feature=role.get("FeatureName") or "") for role in used)
    return tuple(sorted(roles, key=lambda role: (role.role_arn, role.feature)))
