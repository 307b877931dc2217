"""An account: its properties, its keys, and how the API shows it."""

from __future__ import annotations

import base64
import re
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.azure.arm.operations import utc
from infra.sandbox.azure.cosmos.contents import RETENTION_SECONDS, Contents
from infra.sandbox.azure.refusals import RefusedError

Json = dict[str, Any]
NAMESPACE = "Microsoft.DocumentDB"
STRONG, SESSION = "Strong", "Session"
_LEVELS = {"Eventual", "ConsistentPrefix", SESSION, "BoundedStaleness", STRONG}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,42}[a-z0-9]")
KEY_KINDS = {
    "primary": "primaryMasterKey",
    "secondary": "secondaryMasterKey",
    "primaryReadonly": "primaryReadonlyMasterKey",
    "secondaryReadonly": "secondaryReadonlyMasterKey",
}
DEFAULTS: Json = {
    "consistencyPolicy": {"defaultConsistencyLevel": SESSION},
    "ipRules": [],
    "isVirtualNetworkFilterEnabled": False,
    "virtualNetworkRules": [],
    "enableAutomaticFailover": False,
    "enableMultipleWriteLocations": False,
    "capabilities": [],
    "publicNetworkAccess": "Enabled",
    "disableLocalAuth": False,
    "disableKeyBasedMetadataWriteAccess": False,
    "minimalTlsVersion": "Tls12",
    "networkAclBypass": "None",
    "networkAclBypassResourceIds": [],
    "cors": [],
    "enableFreeTier": False,
    "enableAnalyticalStorage": False,
    "enableBurstCapacity": False,
    "enablePartitionMerge": False,
    "defaultIdentity": "FirstPartyIdentity",
    "backupPolicy": {
        "type": "Periodic",
        "periodicModeProperties": {
            "backupIntervalInMinutes": 240,
            "backupRetentionIntervalInHours": 8,
            "backupStorageRedundancy": "Geo",
        },
    },
}
"""What an account has of which its PUT says nothing."""


@dataclass
class Account:
    """`properties` are those that can be written, without `locations`, which come as `regions` in the order of failover
    priority. `continuous_since` None: periodic backups. `extra_lag_seconds` hold a container's backups up."""

    subscription: str
    group: str
    name: str
    location: str
    kind: str
    regions: list[Json]
    properties: Json
    tags: dict[str, str]
    identity: Json
    created_at: float
    contents: Contents = field(default_factory=Contents)
    state: str = "Creating"
    create_mode: str = "Default"
    restore_parameters: Json | None = None
    instance_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    keys: dict[str, str] = field(default_factory=dict)
    private_endpoints: list[Json] = field(default_factory=list)
    role_definitions: dict[str, Json] = field(default_factory=dict)
    role_assignments: dict[str, Json] = field(default_factory=dict)
    continuous_since: float | None = None
    extra_lag_seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    deleted_at: float | None = None

    def __post_init__(self) -> None:
        for kind in KEY_KINDS.values():
            self.renew_key(kind)
        self.note_backup_policy(self.created_at)

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{NAMESPACE}/databaseAccounts/{self.name}"
        )

    @property
    def endpoint(self) -> str:
        return f"https://{self.name}.documents.azure.com:443/"

    @property
    def tier(self) -> str | None:
        """Continuous7Days or Continuous30Days; None under periodic backups."""
        policy: Json = self.properties["backupPolicy"]
        return policy["continuousModeProperties"]["tier"] if policy["type"] == "Continuous" else None

    @property
    def consistency(self) -> str:
        level: str = self.properties["consistencyPolicy"]["defaultConsistencyLevel"]
        return level

    def renew_key(self, kind: str) -> None:
        self.keys[kind] = base64.b64encode(secrets.token_bytes(64)).decode()

    def note_backup_policy(self, now: float) -> None:
        """Keeps the recovery window true: it begins when continuous backup does, and a shorter tier loses the older part."""
        if self.tier is not None:
            self.continuous_since = now if self.continuous_since is None else self.continuous_since
            self.contents.forget_seconds = RETENTION_SECONDS[self.tier]

    def oldest_restorable(self, now: float) -> float:
        assert self.continuous_since is not None
        assert self.tier is not None
        return max(self.continuous_since, now - RETENTION_SECONDS[self.tier])

    def latest_restorable(self, place: tuple[str, str], lag_seconds: float, now: float) -> float:
        """Of one container; for the account it is the minimum over all of them."""
        reached = now if self.deleted_at is None else self.deleted_at + lag_seconds
        return min(now, reached) - lag_seconds - self.extra_lag_seconds.get(place, 0.0)

    def shown(self) -> Json:
        locations = [self._region(region) for region in self.regions]
        several = self.properties["enableMultipleWriteLocations"]
        properties: Json = {
            "provisioningState": self.state,
            "databaseAccountOfferType": "Standard",
            "createMode": self.create_mode,
            "instanceId": self.instance_id,
            **self.properties,
            "locations": locations,
            "writeLocations": locations if several else locations[:1],
            "readLocations": locations,
            "failoverPolicies": [
                {name: each[name] for name in ("id", "locationName", "failoverPriority")} for each in locations
            ],
            "privateEndpointConnections": self.private_endpoints,
        }
        if self.state not in ("Creating", "Failed"):
            properties["documentEndpoint"] = self.endpoint
        if self.restore_parameters is not None:
            properties["restoreParameters"] = self.restore_parameters
        return {
            "id": self.id,
            "name": self.name,
            "type": f"{NAMESPACE}/databaseAccounts",
            "location": self.location,
            "kind": self.kind,
            "tags": self.tags,
            "identity": self.identity,
            "systemData": {"createdAt": utc(self.created_at)},
            "properties": properties,
        }

    def _region(self, region: Json) -> Json:
        part = region_id(region["locationName"])
        return {
            "id": f"{self.name}-{part}",
            "locationName": region["locationName"],
            "documentEndpoint": f"https://{self.name}-{part}.documents.azure.com:443/",
            "provisioningState": self.state if self.state != "Updating" else "Succeeded",
            "failoverPriority": region["failoverPriority"],
            "isZoneRedundant": region.get("isZoneRedundant", False),
        }


def region_id(name: str) -> str:
    """`West US` as ids have it: westus."""
    return name.replace(" ", "").lower()


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        message = f"The account name '{name}' is not valid: 3 to 44 lower-case letters, digits and inner hyphens."
        raise bad_request(message)


def check_properties(properties: Json, regions: list[Json]) -> None:
    """RefusedError for what Cosmos DB does not let stand together."""
    policy = properties["consistencyPolicy"]
    level = policy.get("defaultConsistencyLevel")
    if level not in _LEVELS:
        raise bad_request(f"defaultConsistencyLevel is {level!r}; it must be one of {', '.join(sorted(_LEVELS))}.")
    if level == STRONG and properties["enableMultipleWriteLocations"]:
        raise bad_request("Strong consistency is not supported together with multiple write locations.")
    backup = properties["backupPolicy"]
    if backup.get("type") == "Continuous":
        tier = backup.setdefault("continuousModeProperties", {"tier": "Continuous30Days"}).get("tier")
        if tier not in RETENTION_SECONDS:
            raise bad_request(f"The tier of continuous backup is {tier!r}; it must be one of {', '.join(RETENTION_SECONDS)}.")
    elif backup.get("type") != "Periodic":
        raise bad_request(f"The type of the backup policy is {backup.get('type')!r}; it must be Continuous or Periodic.")
    priorities = sorted(region.get("failoverPriority", -1) for region in regions)
    if priorities != list(range(len(regions))) or not regions:
        raise bad_request("The failover priorities of the locations must be 0, 1, 2 and so on, each once.")
    if len({region_id(region["locationName"]) for region in regions}) < len(regions):
        raise bad_request("A location must not be named twice.")
    if properties["virtualNetworkRules"] and not properties["isVirtualNetworkFilterEnabled"]:
        raise bad_request("virtualNetworkRules need isVirtualNetworkFilterEnabled.")


def bad_request(message: str) -> RefusedError:
    return RefusedError(400, "BadRequest", message)
