"""Reads the settings of an account, as they are now: what is said of the account itself by one call, the rest by many."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from shared.databases.azure_errors import none_if_gone
from shared.databases.cosmos import names
from shared.databases.cosmos.account import Account
from shared.databases.cosmos.calls import Calls, Document
from shared.model.cosmos_settings import (
    ContainerSettings,
    CosmosRegion,
    CosmosSettings,
    DatabaseSettings,
    DataRole,
    DataRoleAssignment,
    Throughput,
)
from shared.model.records import replace

T = TypeVar("T")
R = TypeVar("R")

DEFINITION = (
    "partitionKey",
    "uniqueKeyPolicy",
    "indexingPolicy",
    "computedProperties",
    "vectorEmbeddingPolicy",
    "fullTextPolicy",
)
"""What of a container comes with its data; of these, only indexing can be changed later."""
SCRIPTS = ("stored_procedures", "triggers", "user_defined_functions")
_BUILT_IN, _EVERYWHERE = "BuiltInRole", ""


def read_account(account: Account, now: datetime) -> CosmosSettings:
    """What the account's own description says; without roles, databases and containers."""
    found, told = account.properties, account.described
    identity = told.get("identity") or {}
    capacity = found.get("capacity") or {}
    limit = capacity.get("totalThroughputLimit")
    return CosmosSettings(
        taken_at=now,
        account=account.name,
        resource_id=str(told.get("id") or ""),
        instance_id=account.instance_id,
        endpoint=account.host,
        port=account.port,
        kind=str(told.get("kind") or "GlobalDocumentDB"),
        capabilities=account.capabilities,
        key_vault_key=str(found.get("keyVaultKeyUri") or ""),
        analytical_storage=bool(found.get("enableAnalyticalStorage")),
        consistency=account.consistency,
        regions=tuple(_region(item) for item in account.locations),
        automatic_failover=bool(found.get("enableAutomaticFailover")),
        multiple_write_regions=account.writes_everywhere,
        public_network_access=str(found.get("publicNetworkAccess") or ""),
        ip_rules=tuple(sorted(item["ipAddressOrRange"] for item in found.get("ipRules") or ())),
        virtual_network_filter=bool(found.get("isVirtualNetworkFilterEnabled")),
        virtual_network_rules={
            item["id"]: bool(item.get("ignoreMissingVNetServiceEndpoint")) for item in found.get("virtualNetworkRules") or ()
        },
        acl_bypass=str(found.get("networkAclBypass") or ""),
        acl_bypass_resources=tuple(sorted(found.get("networkAclBypassResourceIds") or ())),
        minimal_tls=str(found.get("minimalTlsVersion") or ""),
        cors=tuple(found.get("cors") or ()),
        local_auth_disabled=bool(found.get("disableLocalAuth")),
        key_metadata_writes_disabled=bool(found.get("disableKeyBasedMetadataWriteAccess")),
        identity_kind=str(identity.get("type") or "None"),
        user_identities=tuple(sorted(identity.get("userAssignedIdentities") or ())),
        default_identity=str(found.get("defaultIdentity") or ""),
        backup_tier=account.backup_tier,
        # -1 is the service's word for no limit.
        throughput_limit=int(limit) if limit is not None and int(limit) >= 0 else None,
        burst_capacity=bool(found.get("enableBurstCapacity")),
        partition_merge=bool(found.get("enablePartitionMerge")),
        tags={key: value for key, value in account.tags.items() if not key.startswith(names.PREFIX)},
        private_endpoints=tuple(
            sorted(
                str(((item.get("properties") or {}).get("privateEndpoint") or {}).get("id") or item.get("id") or "")
                for item in found.get("privateEndpointConnections") or ()
            )
        ),
    )


def with_roles(settings: CosmosSettings, calls: Calls) -> CosmosSettings:
    """Data-plane roles: the owner's definitions, and every assignment."""
    definitions = [item for item in calls.role_definitions(settings.account) if item["properties"].get("type") != _BUILT_IN]
    roles = [_role(item, settings.resource_id) for item in definitions]
    assignments = [_assignment(item, settings.resource_id) for item in calls.role_assignments(settings.account)]
    return replace(
        settings,
        roles=tuple(sorted(roles, key=lambda role: role.guid)),
        role_assignments=tuple(sorted(assignments, key=lambda assignment: assignment.guid)),
    )


def with_contents(settings: CosmosSettings, calls: Calls, *, scripts: bool) -> CosmosSettings:
    """Databases and containers, several at once; their scripts only on request: three calls for each container."""
    account = settings.account
    found = calls.databases(account)
    databases = calls.at_once(lambda name: DatabaseSettings(name=name, throughput=_throughput(calls, account, name)), found)
    resources = [
        (database, resource)
        for database, listed in zip(found, calls.at_once(lambda name: calls.containers(account, name), found), strict=True)
        for resource in listed
    ]
    containers = calls.at_once(lambda item: _container(calls, account, *item, scripts=scripts), resources)
    return replace(settings, databases=tuple(databases), containers=tuple(containers))


def read(account: Account, now: datetime, calls: Calls) -> CosmosSettings:
    """Everything."""
    return with_contents(with_roles(read_account(account, now), calls), calls, scripts=True)


def _region(item: Document) -> CosmosRegion:
    return CosmosRegion(
        name=str(item.get("locationName") or ""),
        priority=int(item.get("failoverPriority") or 0),
        zone_redundant=bool(item.get("isZoneRedundant")),
    )


def _throughput(calls: Calls, account: str, database: str, container: str = "") -> Throughput:
    found = none_if_gone(lambda: calls.throughput(account, database, container))
    if not found:
        return Throughput()
    most = (found.get("autoscaleSettings") or {}).get("maxThroughput")
    if most:
        return Throughput(autoscale_most=int(most))
    fixed = found.get("throughput")
    return Throughput(fixed=int(fixed) if fixed is not None else None)


def _container(calls: Calls, account: str, database: str, resource: Document, *, scripts: bool) -> ContainerSettings:
    name = str(resource["id"])
    listed: dict[str, tuple[str, ...]] = {}
    if scripts:
        listed = {kind: calls.scripts(kind, account, database, name) for kind in SCRIPTS}
    return ContainerSettings(
        database=database,
        name=name,
        ttl_seconds=_number(resource.get("defaultTtl")),
        analytical_ttl_seconds=_number(resource.get("analyticalStorageTtl")),
        throughput=_throughput(calls, account, database, name),
        definition={key: resource[key] for key in DEFINITION if resource.get(key)},
        stored_procedures=listed.get("stored_procedures", ()),
        triggers=listed.get("triggers", ()),
        functions=listed.get("user_defined_functions", ()),
    )


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _role(item: Document, account_id: str) -> DataRole:
    told = item["properties"]
    actions = {action for permission in told.get("permissions") or () for action in permission.get("dataActions") or ()}
    return DataRole(
        guid=_last(str(item["id"])),
        name=str(told.get("roleName") or ""),
        data_actions=tuple(sorted(actions)),
        scopes=tuple(sorted(_under(scope, account_id) for scope in told.get("assignableScopes") or (account_id,))),
    )


def _assignment(item: Document, account_id: str) -> DataRoleAssignment:
    told = item["properties"]
    return DataRoleAssignment(
        guid=_last(str(item["id"])),
        role=_last(str(told["roleDefinitionId"])),
        principal=str(told["principalId"]),
        scope=_under(str(told.get("scope") or account_id), account_id),
    )


def _last(resource_id: str) -> str:
    return resource_id.rpartition("/")[2]


def _under(scope: str, account_id: str) -> str:
    """The path below the account: another account has the same paths. Resource ids know no case."""
    if scope.lower().startswith(account_id.lower()):
        return scope[len(account_id) :]
    return _EVERYWHERE if scope in ("", "/") else scope
