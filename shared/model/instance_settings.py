"""What a restore of an RDS DB instance loses, resets or may change, noted from the live instance so that it can be put back and
compared.

Source of what is lost: the API reference of RestoreDBInstanceToPointInTime and RestoreDBInstanceFromDBSnapshot, which make an
instance with default groups, in one Availability Zone, unless a parameter says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.model.records import Value
from shared.model.times import Instant


class DirectoryDomain(Value):
    """The Active Directory that an instance is in: `domain` with `iam_role` where AWS manages the directory, the others where
    its owner does."""

    domain: str = ""
    iam_role: str = ""
    fqdn: str = ""
    organizational_unit: str = ""
    auth_secret_arn: str = ""
    dns_ips: tuple[str, ...] = ()


class StorageVolume(Value):
    """An additional storage volume of Oracle or SQL Server."""

    name: str
    allocated_gib: int
    max_allocated_gib: int | None = None
    storage_type: str = ""
    iops: int | None = None
    throughput_mib: int | None = None


class InstanceSettings(Value):
    """Settings of one DB instance at `taken_at`. Empty or None means: not set, or not offered by its engine."""

    taken_at: Instant

    # Which instance it is.
    identifier: str
    resource_id: str
    """DbiResourceId: stays the same whatever the instance is called."""
    arn: str
    endpoint: str = ""
    """Host name."""

    # Belongs to the data, and no restore can change it.
    engine: str = ""
    engine_version: str = ""
    storage_encrypted: bool = False
    kms_key_id: str = ""
    master_username: str = ""
    db_name: str = ""
    character_set: str = ""
    nchar_character_set: str = ""
    timezone: str = ""
    multi_tenant: bool = False
    """Oracle: the CDB may hold several PDBs."""
    tde_credential_arn: str = ""

    # Class and storage.
    instance_class: str = ""
    processor_features: Mapping[str, str] = {}
    license_model: str = ""
    allocated_gib: int = 0
    max_allocated_gib: int | None = None
    """The upper limit of storage autoscaling; None: off."""
    storage_type: str = ""
    iops: int | None = None
    throughput_mib: int | None = None
    dedicated_log_volume: bool = False
    additional_volumes: tuple[StorageVolume, ...] = ()

    # Place and network.
    multi_az: bool = False
    availability_zone: str = ""
    """Empty for Multi-AZ, where AWS chooses."""
    subnet_group: str = ""
    security_groups: tuple[str, ...] = ()
    network_type: str = ""
    publicly_accessible: bool = False
    customer_owned_ip: bool = False
    port: int | None = None
    ca_certificate: str = ""
    domain: DirectoryDomain | None = None

    # Groups and behaviour.
    parameter_group: str = ""
    option_group: str = ""
    iam_authentication: bool = False
    managed_master_password: bool = False
    """In Secrets Manager; a restored instance gets another secret."""
    master_secret_kms_key_id: str = ""
    log_exports: tuple[str, ...] = ()
    auto_minor_version_upgrade: bool = False
    extended_support: str = ""
    """EngineLifecycleSupport."""
    associated_roles: Mapping[str, str] = {}
    """ARN of the role by feature name."""

    # Backup and maintenance.
    backup_retention_days: int = 0
    backup_window: str = ""
    backup_target: str = ""
    maintenance_window: str = ""
    copy_tags_to_snapshot: bool = False
    deletion_protection: bool = False

    # Observation.
    monitoring_interval_seconds: int = 0
    monitoring_role_arn: str = ""
    database_insights: str = ""
    """DatabaseInsightsMode."""
    performance_insights: bool = False
    performance_insights_kms_key_id: str = ""
    performance_insights_retention_days: int | None = None

    tags: Mapping[str, str] = {}
    """Without those that AWS or this product sets."""

    # Nothing puts these back; a forecast says so.
    read_replicas: tuple[str, ...] = ()
    activity_stream: str = ""
    """Name of its Kinesis data stream."""
    replicated_backups: tuple[str, ...] = ()
    """ARNs of the automated backups kept in other regions."""
