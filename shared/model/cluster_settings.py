"""What a restore of an Aurora or Multi-AZ DB cluster loses or may change, noted from the live cluster so that it can be put
back and compared.

Source of what is lost: the API reference of RestoreDBClusterToPointInTime and RestoreDBClusterFromSnapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.model.records import Value
from shared.model.times import Instant


class AssociatedRole(Value):
    """An IAM role the cluster uses for a feature (`s3Import`); the feature is empty for Aurora MySQL."""

    role_arn: str
    feature: str = ""


class ServerlessScaling(Value):
    """Capacity of serverless v2 instances, in Aurora capacity units. `seconds_until_auto_pause` None: never pauses."""

    min_capacity: float
    max_capacity: float
    seconds_until_auto_pause: int | None = None


class CustomEndpoint(Value):
    """A custom cluster endpoint. `kind` is READER or ANY; the members are instance identifiers: those it leads to, or, when
    there are none of these, those it leaves out."""

    identifier: str
    kind: str
    static_members: tuple[str, ...] = ()
    excluded_members: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    endpoint: str = ""


class ReplicaScaling(Value):
    """Application Auto Scaling of a cluster's readers. `policies` and `scheduled_actions` are as the service describes them,
    without ARNs, alarms and times: those belong to the old target. `role_arn` is empty for the service-linked role."""

    min_capacity: int
    max_capacity: int
    role_arn: str = ""
    suspended: Mapping[str, bool] = {}
    policies: tuple[Mapping[str, Any], ...] = ()
    scheduled_actions: tuple[Mapping[str, Any], ...] = ()


class MemberSettings(Value):
    """Settings of one instance of an Aurora cluster. Empty means: not set, or the service's default."""

    identifier: str
    resource_id: str = ""
    """DbiResourceId: what tells who bears which name."""
    endpoint: str = ""
    is_writer: bool = False
    instance_class: str = ""
    promotion_tier: int | None = None
    availability_zone: str = ""
    parameter_group: str = ""
    maintenance_window: str = ""
    monitoring_interval_seconds: int = 0
    monitoring_role_arn: str = ""
    performance_insights: bool = False
    performance_insights_kms_key_id: str = ""
    performance_insights_retention_days: int | None = None
    ca_certificate: str = ""
    auto_minor_version_upgrade: bool = True
    publicly_accessible: bool = False
    tags: Mapping[str, str] = {}


class ClusterSettings(Value):
    """Settings of one cluster at `taken_at`. Empty means: not set, or the service's default.

    `unknown` maps the name of a field that could not be read to the reason; such a field's value means nothing.
    """

    taken_at: Instant
    identifier: str
    resource_id: str = ""
    """DbClusterResourceId: what tells who bears which name."""
    endpoint: str = ""
    reader_endpoint: str = ""
    engine: str
    engine_version: str = ""
    port: int | None = None
    security_groups: tuple[str, ...] = ()
    subnet_group: str = ""
    parameter_group: str = ""
    network_type: str = ""
    storage_type: str = ""
    """`aurora-iopt1`; empty for Aurora's standard storage. A Multi-AZ DB cluster always has one."""
    iops: int | None = None
    allocated_storage_gib: int | None = None
    """Of a Multi-AZ DB cluster."""
    instance_class: str = ""
    """Of a Multi-AZ DB cluster, whose three instances the service makes by itself."""
    publicly_accessible: bool = False
    """Of a Multi-AZ DB cluster."""
    kms_key_id: str = ""
    iam_authentication: bool = False
    deletion_protection: bool = False
    copy_tags_to_snapshot: bool = False
    backup_retention_days: int | None = None
    backup_window: str = ""
    maintenance_window: str = ""
    log_exports: tuple[str, ...] = ()
    backtrack_window_seconds: int = 0
    serverless_scaling: ServerlessScaling | None = None
    associated_roles: tuple[AssociatedRole, ...] = ()
    data_api: bool = False
    """The HTTP endpoint of the RDS Data API."""
    local_write_forwarding: bool = False
    domain: str = ""
    domain_role: str = ""
    monitoring_interval_seconds: int = 0
    monitoring_role_arn: str = ""
    performance_insights: bool = False
    performance_insights_kms_key_id: str = ""
    performance_insights_retention_days: int | None = None
    database_insights_mode: str = "standard"
    ca_certificate: str = ""
    """Of a Multi-AZ DB cluster."""
    auto_minor_version_upgrade: bool = True
    """Of a Multi-AZ DB cluster."""
    lifecycle_support: str = ""
    tags: Mapping[str, str] = {}
    members: tuple[MemberSettings, ...] = ()
    custom_endpoints: tuple[CustomEndpoint, ...] = ()
    replica_scaling: ReplicaScaling | None = None
    managed_master_password: bool = False
    """In Secrets Manager; a restored cluster gets another secret."""
    master_secret_kms_key_id: str = ""
    activity_stream: str = ""
    """Mode of the database activity stream, which a restored cluster does not have."""
    unknown: Mapping[str, str] = {}

    @property
    def is_aurora(self) -> bool:
        return self.engine.startswith("aurora")
