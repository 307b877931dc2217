"""An account as Azure describes it, and the records of its backups: the fields that decide something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from shared.databases.azure_errors import none_if_gone
from shared.databases.cosmos import names
from shared.databases.cosmos.calls import Calls, Document, api_time

SUCCEEDED = "Succeeded"
STUCK = frozenset({"Failed", "Canceled", "Deleting", "DeletionFailed"})
"""Provisioning states that do not end by themselves, or not well."""
CONTINUOUS = "Continuous"
TIER_DAYS = {"Continuous7Days": 7, "Continuous30Days": 30}
OTHER_APIS = {
    "EnableCassandra": "Cassandra",
    "EnableGremlin": "Gremlin",
    "EnableMongo": "MongoDB",
    "EnableTable": "Table",
}
SERVERLESS = "EnableServerless"


@dataclass(frozen=True)
class Account:
    described: Document

    @property
    def name(self) -> str:
        return str(self.described["name"])

    @property
    def properties(self) -> Document:
        return self.described.get("properties") or {}

    @property
    def instance_id(self) -> str:
        return str(self.properties.get("instanceId") or "")

    @property
    def state(self) -> str:
        return str(self.properties.get("provisioningState") or "")

    @property
    def is_settled(self) -> bool:
        return self.state == SUCCEEDED

    @property
    def tags(self) -> dict[str, str]:
        return dict(self.described.get("tags") or {})

    @property
    def capabilities(self) -> tuple[str, ...]:
        return tuple(sorted(item["name"] for item in self.properties.get("capabilities") or ()))

    @property
    def api(self) -> str:
        """NoSQL, or the other API that the account was made for."""
        if self.described.get("kind") == "MongoDB":
            return "MongoDB"
        return next((OTHER_APIS[name] for name in self.capabilities if name in OTHER_APIS), "NoSQL")

    @property
    def is_serverless(self) -> bool:
        mode = str(self.properties.get("capacityMode") or "")
        return SERVERLESS in self.capabilities or mode == "Serverless"

    @property
    def url(self) -> str:
        return str(self.properties.get("documentEndpoint") or "")

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int | None:
        return urlsplit(self.url).port or (443 if self.host else None)

    @property
    def locations(self) -> list[dict[str, Any]]:
        found = self.properties.get("locations") or self.properties.get("writeLocations") or []
        return sorted(found, key=lambda item: int(item.get("failoverPriority") or 0))

    @property
    def write_region(self) -> str:
        return str(self.locations[0]["locationName"]) if self.locations else str(self.described.get("location") or "")

    @property
    def consistency(self) -> str:
        return str((self.properties.get("consistencyPolicy") or {}).get("defaultConsistencyLevel") or "")

    @property
    def backup_type(self) -> str:
        return str((self.properties.get("backupPolicy") or {}).get("type") or "Periodic")

    @property
    def backup_tier(self) -> str:
        """Empty without continuous backup."""
        if self.backup_type != CONTINUOUS:
            return ""
        policy = self.properties["backupPolicy"]
        return str((policy.get("continuousModeProperties") or {}).get("tier") or "Continuous30Days")

    @property
    def backup_days(self) -> int:
        return TIER_DAYS.get(self.backup_tier, 0)

    @property
    def writes_everywhere(self) -> bool:
        return bool(self.properties.get("enableMultipleWriteLocations"))

    def was_made_by(self, run: str) -> bool:
        return self.tags.get(names.RUN) == run


@dataclass(frozen=True)
class Restorable:
    """The record of an account's continuous backups, which outlives the account."""

    described: Document

    @property
    def properties(self) -> Document:
        return self.described.get("properties") or {}

    @property
    def resource_id(self) -> str:
        """As it comes: what a restore names as its source."""
        return str(self.described["id"])

    @property
    def instance_id(self) -> str:
        return str(self.described.get("name") or self.resource_id.rpartition("/")[2])

    @property
    def account(self) -> str:
        return str(self.properties.get("accountName") or "")

    @property
    def location(self) -> str:
        return str(self.described.get("location") or "")

    @property
    def deleted_at(self) -> datetime | None:
        text = self.properties.get("deletionTime")
        return api_time(text) if text else None

    def region(self, preferred: str) -> str:
        """Where to restore to: the write region, if backups are there. Regions are compared without spaces and case."""
        found = [str(item.get("locationName") or "") for item in self.properties.get("restorableLocations") or ()]
        return next((name for name in found if same_region(name, preferred)), found[0] if found else self.location)

    def earliest(self, days: int, now: datetime) -> datetime | None:
        """The oldest second that can be restored: what the service says, or the tier's reach from the account's creation on."""
        if text := self.properties.get("oldestRestorableTime"):
            return api_time(text)
        made = self.properties.get("creationTime")
        reach = now - timedelta(days=days) if days else None
        known = [moment for moment in (api_time(made) if made else None, reach) if moment is not None]
        return max(known) if known else None


def same_region(one: str, other: str) -> bool:
    return one.replace(" ", "").lower() == other.replace(" ", "").lower()


def find_account(name: str, calls: Calls) -> Account | None:
    """None: there is no account of that name in the resource group."""
    found = none_if_gone(lambda: calls.account(name))
    return Account(found) if found else None


def find_restorable(account: str, instance_id: str, location: str, calls: Calls) -> Restorable | None:
    """The backups of this very account among those of all that ever had its name; `location` is its write region."""
    found = (Restorable(item) for item in calls.restorable_accounts(location))
    return next((item for item in found if item.account == account and item.instance_id == instance_id), None)
