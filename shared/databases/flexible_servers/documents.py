"""Between the API's own JSON and our values: a server as it is described, a restore, and a change of some settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.databases.flexible_servers.engines import MYSQL, POSTGRESQL, Engine
from shared.databases.flexible_servers.servers import TAG_PREFIX, RestoreCall, Server
from shared.model.server_settings import MaintenanceWindow, ServerSettings
from shared.model.times import iso

Document = dict[str, Any]

DNS_ZONE = {MYSQL: "privateDnsZoneResourceId", POSTGRESQL: "privateDnsZoneArmResourceId"}
RESTORE_TIME = {MYSQL: "restorePointInTime", POSTGRESQL: "pointInTimeUTC"}
OWN_KEY, ZONE_REDUNDANT = "AzureKeyVault", "ZoneRedundant"
_NO_REPLICA = ("", "None", "Primary", "Source")


def server_of(document: Mapping[str, Any], engine: Engine) -> Server:
    found = document.get("properties") or {}
    backup, high_availability = found.get("backup") or {}, found.get("highAvailability") or {}
    role = str(found.get("replicationRole") or "")
    earliest = backup.get("earliestRestoreDate")
    return Server(
        name=str(document.get("name") or ""),
        state=str(found.get("state") or ""),
        settings=_settings(document, engine),
        tags=dict(document.get("tags") or {}),
        source_id=str(found.get("sourceServerResourceId") or ""),
        earliest_restore=api_time(earliest) if earliest else None,
        ha_state=str(high_availability.get("state") or ""),
        replica_of="" if role in _NO_REPLICA else str(found.get("sourceServerResourceId") or "another server"),
    )


def restore_document(call: RestoreCall, engine: Engine) -> Document:
    """A PUT that restores into a new server on the same kind of network: "no crossing between public and private access"."""
    wanted = call.settings
    properties: Document = {
        "createMode": "PointInTimeRestore",
        "sourceServerResourceId": call.source_id,
        RESTORE_TIME[engine]: iso(call.at),
        "network": _network(wanted, engine),
    }
    if wanted.zone:
        properties["availabilityZone"] = wanted.zone
    if wanted.geo_redundant_backup:
        properties["backup"] = {"geoRedundantBackup": "Enabled"}
    document: Document = {"location": wanted.location, "tags": dict(call.tags), "properties": properties}
    if wanted.sku:
        document["sku"] = {"name": wanted.sku, "tier": wanted.tier}
    if wanted.encryption == OWN_KEY:
        # The data stay encrypted with the owner's key, which the new server must be able to reach from the start.
        properties["dataEncryption"] = _encryption(wanted)
        document["identity"] = _identity(wanted)
    return document


def update_document(
    changed: Collection[str], wanted: ServerSettings, tags: Mapping[str, str], engine: Engine
) -> tuple[Document, tuple[str, ...]]:
    """The next PATCH that puts right some of the fields `changed`, and which those are; empty when none of them can be changed.

    One kind of change each: a server takes one operation at a time, and a change of size, storage or standby is one. The
    standby comes last, when everything that may need a restart is done.
    """
    for names, build in _PATCHES:
        covered = tuple(name for name in names if name in changed)
        if covered:
            return build(wanted, tags, engine), covered
    return {}, ()


def api_time(text: str) -> datetime:
    """A time of the API; one without an offset is in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _settings(document: Mapping[str, Any], engine: Engine) -> ServerSettings:
    found = document.get("properties") or {}
    part: Callable[[str], Mapping[str, Any]] = lambda name: found.get(name) or {}  # noqa: E731
    storage, network, key, auth = part("storage"), part("network"), part("dataEncryption"), part("authConfig")
    sku, identity = document.get("sku") or {}, document.get("identity") or {}
    mode = str(part("highAvailability").get("mode") or "")
    scales = _is_on(storage.get("autoIoScaling"))
    kind = str(storage.get("storageSku" if engine is MYSQL else "type") or "")
    chosen_iops = (engine is MYSQL and not scales) or kind.startswith(("PremiumV2", "UltraSSD"))
    return ServerSettings(
        server=str(document.get("name") or ""),
        resource_id=str(document.get("id") or ""),
        created_at=_text((document.get("systemData") or {}).get("createdAt")),
        endpoint=str(found.get("fullyQualifiedDomainName") or "").lower(),
        port=int(found.get("databasePort") or engine.port),
        engine=engine.name,
        version=str(found.get("version") or ""),
        location=str(document.get("location") or ""),
        administrator_login=str(found.get("administratorLogin") or ""),
        zone=str(found.get("availabilityZone") or ""),
        subnet=str(network.get("delegatedSubnetResourceId") or ""),
        dns_zone=str(network.get(DNS_ZONE[engine]) or ""),
        geo_redundant_backup=_is_on(part("backup").get("geoRedundantBackup")),
        storage_type=kind,
        encryption=OWN_KEY if key.get("type") == OWN_KEY else "",
        key_uri=str(key.get("primaryKeyURI") or ""),
        key_identity=str(key.get("primaryUserAssignedIdentityId") or ""),
        geo_key_uri=str(key.get("geoBackupKeyURI") or ""),
        geo_key_identity=str(key.get("geoBackupUserAssignedIdentityId") or ""),
        sku=str(sku.get("name") or ""),
        tier=str(sku.get("tier") or ""),
        storage_gib=int(storage.get("storageSizeGB") or 0),
        auto_grow=_is_on(storage.get("autoGrow")),
        storage_tier=str(storage.get("tier") or ""),
        iops=storage.get("iops") if chosen_iops else None,
        throughput_mib=storage.get("throughput") if chosen_iops else None,
        auto_io_scaling=scales,
        log_on_disk=_is_on(storage.get("logOnDisk")),
        ha_mode="" if mode == "Disabled" else mode,
        standby_zone=str(part("highAvailability").get("standbyAvailabilityZone") or "") if mode == ZONE_REDUNDANT else "",
        retention_days=int(part("backup").get("backupRetentionDays") or 0),
        backup_interval_hours=part("backup").get("backupIntervalHours"),
        maintenance=_maintenance(part("maintenanceWindow")),
        public_access=_is_on(network.get("publicNetworkAccess")),
        identity_kind="" if identity.get("type") in (None, "None") else str(identity["type"]),
        user_identities=tuple(sorted(identity.get("userAssignedIdentities") or ())),
        entra_auth=_is_on(auth.get("activeDirectoryAuth")),
        password_auth=not auth or _is_on(auth.get("passwordAuth", "Enabled")),
        tenant=str(auth.get("tenantId") or ""),
        tags={name: value for name, value in (document.get("tags") or {}).items() if not name.startswith(TAG_PREFIX)},
        private_endpoints=tuple(sorted(_endpoint(connection) for connection in found.get("privateEndpointConnections") or ())),
    )


def _endpoint(connection: Mapping[str, Any]) -> str:
    endpoint = (connection.get("properties") or {}).get("privateEndpoint") or {}
    return str(endpoint.get("id") or connection.get("id") or connection.get("name") or "")


def _maintenance(window: Mapping[str, Any]) -> MaintenanceWindow | None:
    if not _is_on(window.get("customWindow")):
        return None
    day, hour, minute = (int(window.get(name) or 0) for name in ("dayOfWeek", "startHour", "startMinute"))
    return MaintenanceWindow(day=day, hour=hour, minute=minute)


def _network(wanted: ServerSettings, engine: Engine) -> Document:
    if not wanted.is_private:
        return {"publicNetworkAccess": _switch(wanted.public_access)}
    zone = {DNS_ZONE[engine]: wanted.dns_zone} if wanted.dns_zone else {}
    return {"delegatedSubnetResourceId": wanted.subnet, **zone}


def _encryption(wanted: ServerSettings) -> Document:
    keys = {
        "primaryKeyURI": wanted.key_uri,
        "primaryUserAssignedIdentityId": wanted.key_identity,
        "geoBackupKeyURI": wanted.geo_key_uri,
        "geoBackupUserAssignedIdentityId": wanted.geo_key_identity,
    }
    return {"type": OWN_KEY, **{name: value for name, value in keys.items() if value}}


def _identity(wanted: ServerSettings) -> Document:
    identity: Document = {"type": wanted.identity_kind or "None"}
    if wanted.user_identities:
        identity["userAssignedIdentities"] = {item: {} for item in wanted.user_identities}
    return identity


def _storage(wanted: ServerSettings, engine: Engine) -> Document:
    storage: Document = {"storageSizeGB": wanted.storage_gib, "autoGrow": _switch(wanted.auto_grow)}
    if engine is MYSQL:
        storage |= {"autoIoScaling": _switch(wanted.auto_io_scaling), "logOnDisk": _switch(wanted.log_on_disk)}
    elif wanted.storage_tier:
        storage["tier"] = wanted.storage_tier
    given = {"iops": wanted.iops, "throughput": wanted.throughput_mib}
    return storage | {name: value for name, value in given.items() if value is not None}


def _backup(wanted: ServerSettings) -> Document:
    backup: Document = {"backupRetentionDays": wanted.retention_days}
    return backup if wanted.backup_interval_hours is None else {**backup, "backupIntervalHours": wanted.backup_interval_hours}


def _window(wanted: ServerSettings) -> Document:
    if wanted.maintenance is None:
        return {"customWindow": "Disabled"}
    chosen = wanted.maintenance
    return {"customWindow": "Enabled", "dayOfWeek": chosen.day, "startHour": chosen.hour, "startMinute": chosen.minute}


def _auth(wanted: ServerSettings) -> Document:
    auth = {"activeDirectoryAuth": _switch(wanted.entra_auth), "passwordAuth": _switch(wanted.password_auth)}
    return {**auth, "tenantId": wanted.tenant} if wanted.tenant else auth


def _standby(wanted: ServerSettings) -> Document:
    """A standby in the same zone has no zone to choose."""
    is_chosen = wanted.ha_mode == ZONE_REDUNDANT and wanted.standby_zone
    zone = {"standbyAvailabilityZone": wanted.standby_zone} if is_chosen else {}
    return {"mode": wanted.ha_mode or "Disabled", **zone}


def _switch(on: bool) -> str:
    return "Enabled" if on else "Disabled"


def _is_on(value: Any) -> bool:
    return str(value).lower() == "enabled"


def _text(value: Any) -> str:
    return iso(value) if isinstance(value, datetime) else str(value or "")


def _properties(name: str, build: Callable[[ServerSettings, Engine], Document]) -> Callable[..., Document]:
    return lambda wanted, tags, engine: {"properties": {name: build(wanted, engine)}}


_PATCHES: tuple[tuple[tuple[str, ...], Callable[..., Document]], ...] = (
    (("tags",), lambda wanted, tags, engine: {"tags": dict(tags)}),
    (("identity_kind", "user_identities"), lambda wanted, tags, engine: {"identity": _identity(wanted)}),
    (("sku", "tier"), lambda wanted, tags, engine: {"sku": {"name": wanted.sku, "tier": wanted.tier}}),
    (
        ("storage_gib", "auto_grow", "storage_tier", "iops", "throughput_mib", "auto_io_scaling", "log_on_disk"),
        _properties("storage", _storage),
    ),
    (("retention_days", "backup_interval_hours"), _properties("backup", lambda wanted, engine: _backup(wanted))),
    (("maintenance",), _properties("maintenanceWindow", lambda wanted, engine: _window(wanted))),
    (("entra_auth", "password_auth", "tenant"), _properties("authConfig", lambda wanted, engine: _auth(wanted))),
    (("public_access",), _properties("network", _network)),
    (("ha_mode", "standby_zone"), _properties("highAvailability", lambda wanted, engine: _standby(wanted))),
)
CHANGEABLE = frozenset(name for names, _ in _PATCHES for name in names)
"""The settings of a server itself that an update can put right."""
