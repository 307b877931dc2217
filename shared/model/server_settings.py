"""What a restore of an Azure Database flexible server loses, resets or may change, noted from the live server so that it can be
put back and compared.

A restore always makes a new server in the same region. Sources: "Backup and restore" of Azure Database for MySQL and for
PostgreSQL flexible server, whose texts contradict each other about firewall, tags and network: so nothing is taken for granted.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.model.records import Value
from shared.model.times import Instant


class EntraAdministrator(Value):
    """A Microsoft Entra administrator. `kind` is User, Group or ServicePrincipal (PostgreSQL); `identity` is the resource id of
    the managed identity by which the server looks people up (MySQL)."""

    object_id: str
    name: str
    kind: str = ""
    tenant: str = ""
    identity: str = ""


class MaintenanceWindow(Value):
    """`day` 0 is Sunday; the hour is in the region's own time."""

    day: int
    hour: int
    minute: int


class ServerSettings(Value):
    """Settings of one server at `taken_at`. Empty or None means: not set, or not offered by its engine."""

    taken_at: Instant | None = None
    """None while only the server itself was read, without parameters, firewall and administrators."""

    # Which server it is.
    server: str
    resource_id: str
    created_at: str = ""
    """As Azure writes it: another server of the same name was made at another time."""
    endpoint: str = ""
    """Fully qualified domain name."""
    port: int | None = None

    # Comes with the data, or is chosen when a server is made.
    engine: str = ""
    version: str = ""
    location: str = ""
    administrator_login: str = ""
    zone: str = ""
    subnet: str = ""
    """Resource id of the delegated subnet: private access. Empty: public access."""
    dns_zone: str = ""
    """Resource id of the private DNS zone."""
    geo_redundant_backup: bool = False
    storage_type: str = ""
    encryption: str = ""
    """AzureKeyVault, or empty for the service's own key."""
    key_uri: str = ""
    key_identity: str = ""
    geo_key_uri: str = ""
    geo_key_identity: str = ""

    # Compute and storage.
    sku: str = ""
    tier: str = ""
    storage_gib: int = 0
    auto_grow: bool = False
    storage_tier: str = ""
    iops: int | None = None
    """None where it follows from the size, or scales by itself."""
    throughput_mib: int | None = None
    auto_io_scaling: bool = False
    log_on_disk: bool = False

    # Availability, backup, maintenance.
    ha_mode: str = ""
    """ZoneRedundant or SameZone; empty without a standby."""
    standby_zone: str = ""
    retention_days: int = 0
    backup_interval_hours: int | None = None
    maintenance: MaintenanceWindow | None = None
    """None: Azure chooses."""

    # Network and access.
    public_access: bool = False
    identity_kind: str = ""
    user_identities: tuple[str, ...] = ()
    entra_auth: bool = False
    """With authentication settings of their own only on PostgreSQL."""
    password_auth: bool = True
    tenant: str = ""

    tags: Mapping[str, str] = {}
    """Without those that this product sets."""

    # What is read by calls of their own.
    configurations: Mapping[str, str] = {}
    """Server parameters that somebody has set, by name."""
    firewall_rules: Mapping[str, tuple[str, str]] = {}
    """First and last address by name of the rule."""
    administrators: tuple[EntraAdministrator, ...] = ()

    # Nothing here puts these back; a forecast says so.
    replicas: tuple[str, ...] = ()
    private_endpoints: tuple[str, ...] = ()
    """Resource ids of private endpoints that are connected to the server."""

    @property
    def is_private(self) -> bool:
        return bool(self.subnet)
