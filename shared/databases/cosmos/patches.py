"""From settings of an account to the documents that Azure takes: the restore itself, and what puts each setting right.

An account is changed by one operation at a time, and regions by operations of their own: "You can't simultaneously add or
remove locations and modify other properties for an Azure Cosmos DB account" (Manage an account with Azure Resource Manager).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from shared.model.cosmos_settings import ContainerSettings, CosmosSettings, DataRole, DataRoleAssignment, Throughput
from shared.model.times import iso

Document = dict[str, Any]

_PROPERTIES: Mapping[str, Callable[[CosmosSettings], Document]] = {
    "automatic_failover": lambda wanted: {"enableAutomaticFailover": wanted.automatic_failover},
    "public_network_access": lambda wanted: {"publicNetworkAccess": wanted.public_network_access or "Enabled"},
    "ip_rules": lambda wanted: {"ipRules": [{"ipAddressOrRange": item} for item in wanted.ip_rules]},
    "virtual_network_filter": lambda wanted: {"isVirtualNetworkFilterEnabled": wanted.virtual_network_filter},
    "virtual_network_rules": lambda wanted: {
        "virtualNetworkRules": [
            {"id": subnet, "ignoreMissingVNetServiceEndpoint": ignored}
            for subnet, ignored in sorted(wanted.virtual_network_rules.items())
        ]
    },
    "acl_bypass": lambda wanted: {"networkAclBypass": wanted.acl_bypass or "None"},
    "acl_bypass_resources": lambda wanted: {"networkAclBypassResourceIds": list(wanted.acl_bypass_resources)},
    "minimal_tls": lambda wanted: {"minimalTlsVersion": wanted.minimal_tls or "Tls12"},
    "cors": lambda wanted: {"cors": [dict(item) for item in wanted.cors]},
    "local_auth_disabled": lambda wanted: {"disableLocalAuth": wanted.local_auth_disabled},
    "key_metadata_writes_disabled": lambda wanted: {"disableKeyBasedMetadataWriteAccess": wanted.key_metadata_writes_disabled},
    "default_identity": lambda wanted: {"defaultIdentity": wanted.default_identity},
    "throughput_limit": lambda wanted: {
        "capacity": {"totalThroughputLimit": -1 if wanted.throughput_limit is None else wanted.throughput_limit}
    },
    "burst_capacity": lambda wanted: {"enableBurstCapacity": wanted.burst_capacity},
    "partition_merge": lambda wanted: {"enablePartitionMerge": wanted.partition_merge},
}


def restore_document(
    wanted: CosmosSettings, region: str, source: str, at: datetime, tags: Mapping[str, str], *, without_ttl: bool
) -> Document:
    """A PUT that restores everything of the account into a new one. Its door to the public network stays shut until the
    firewall is as it shall be. `without_ttl`: nothing expires while the rest is being put back."""
    parameters: Document = {
        "restoreMode": "PointInTime",
        "restoreSource": source,
        "restoreTimestampInUtc": iso(at),
    }
    if without_ttl:
        parameters["restoreWithTtlDisabled"] = True
    here = next((item for item in wanted.regions if item.priority == 0), None)
    properties: Document = {
        "locations": [
            {"locationName": region, "failoverPriority": 0, "isZoneRedundant": bool(here and here.zone_redundant)},
        ],
        "databaseAccountOfferType": "Standard",
        "createMode": "Restore",
        "restoreParameters": parameters,
        "publicNetworkAccess": "Disabled",
    }
    if wanted.backup_tier:
        properties["backupPolicy"] = _backup_policy(wanted)
    document: Document = {"location": region, "kind": wanted.kind, "tags": dict(tags), "properties": properties}
    if wanted.key_vault_key:
        # The data stay encrypted with the owner's key, which the new account must be able to reach from the start.
        properties |= {"keyVaultKeyUri": wanted.key_vault_key, "defaultIdentity": wanted.default_identity}
        document["identity"] = _identity(wanted)
    return document


def account_patch(names: Collection[str], wanted: CosmosSettings, ours: Mapping[str, str]) -> tuple[Document, tuple[str, ...]]:
    """The next PATCH that puts right some of the differing settings `names`, and which those are: consistency first, since
    nothing may be read by the application without it; then identity and tags, the door, backups, and regions last, which take
    longest. Empty when none of them can be changed. `ours` are tags that this product sets.
    """
    if "consistency" in names:
        return {"properties": {"consistencyPolicy": {"defaultConsistencyLevel": wanted.consistency}}}, ("consistency",)
    top: Document = {}
    if "tags" in names:
        top["tags"] = {**wanted.tags, **ours}
    if {"identity_kind", "user_identities"} & set(names):
        top["identity"] = _identity(wanted)
    if top:
        return top, tuple(name for name in ("tags", "identity_kind", "user_identities") if name in names)
    plain = [name for name in _PROPERTIES if name in names]
    if plain:
        properties: Document = {}
        for name in plain:
            properties |= _PROPERTIES[name](wanted)
        return {"properties": properties}, tuple(plain)
    if "backup_tier" in names:
        return {"properties": {"backupPolicy": _backup_policy(wanted)}}, ("backup_tier",)
    if "regions" in names:
        return {"properties": {"locations": _locations(wanted)}}, ("regions",)
    if "multiple_write_regions" in names:
        return {"properties": {"enableMultipleWriteLocations": wanted.multiple_write_regions}}, ("multiple_write_regions",)
    return {}, ()


def role_document(role: DataRole, account_id: str) -> Document:
    return {
        "roleName": role.name,
        "type": "CustomRole",
        "assignableScopes": [account_id + scope for scope in role.scopes],
        "permissions": [{"dataActions": list(role.data_actions)}],
    }


def assignment_document(assignment: DataRoleAssignment, account_id: str) -> Document:
    return {
        "roleDefinitionId": f"{account_id}/sqlRoleDefinitions/{assignment.role}",
        "principalId": assignment.principal,
        "scope": account_id + assignment.scope,
    }


def container_resource(wanted: ContainerSettings, found: ContainerSettings) -> Document:
    """A PUT replaces: what cannot be changed goes in as it is, the rest as it shall be."""
    resource: Document = {"id": wanted.name, **found.definition}
    if "indexingPolicy" in wanted.definition:
        resource["indexingPolicy"] = wanted.definition["indexingPolicy"]
    if wanted.ttl_seconds is not None:
        resource["defaultTtl"] = wanted.ttl_seconds
    if wanted.analytical_ttl_seconds is not None:
        resource["analyticalStorageTtl"] = wanted.analytical_ttl_seconds
    return resource


def throughput_resource(wanted: Throughput) -> Document:
    if wanted.autoscale_most is not None:
        return {"autoscaleSettings": {"maxThroughput": wanted.autoscale_most}}
    return {"throughput": wanted.fixed}


def _locations(wanted: CosmosSettings) -> list[Document]:
    return [
        {"locationName": item.name, "failoverPriority": item.priority, "isZoneRedundant": item.zone_redundant}
        for item in sorted(wanted.regions, key=lambda region: region.priority)
    ]


def _backup_policy(wanted: CosmosSettings) -> Document:
    return {"type": "Continuous", "continuousModeProperties": {"tier": wanted.backup_tier}}


def _identity(wanted: CosmosSettings) -> Document:
    identity: Document = {"type": wanted.identity_kind}
    if wanted.user_identities:
        identity["userAssignedIdentities"] = {item: {} for item in wanted.user_identities}
    return identity
