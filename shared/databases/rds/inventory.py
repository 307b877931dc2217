"""The DB instances of a region as they are at one moment: who bears which name, and who it is behind the name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.databases.rds import tags
from shared.databases.rds.calls import Calls

AVAILABLE = "available"
IN_USE = frozenset(
    {
        AVAILABLE,
        "backing-up",
        "configuring-enhanced-monitoring",
        "configuring-iam-database-auth",
        "configuring-log-exports",
        "maintenance",
        "modifying",
        "storage-config-upgrade",
        "storage-initialization",
        "storage-optimization",
        "upgrading",
    }
)
"""States in which the data can be reached or soon will be (RDS User Guide, Viewing DB instance status)."""
STUCK = frozenset(
    {
        "delete-precheck",
        "deleting",
        "failed",
        "inaccessible-encryption-credentials",
        "inaccessible-encryption-credentials-recoverable",
        "incompatible-network",
        "incompatible-option-group",
        "incompatible-parameters",
        "incompatible-restore",
        "insufficient-capacity",
        "restore-error",
        "stopped",
        "stopping",
        "storage-full",
    }
)
"""States that nobody should wait in: they do not end by themselves, or not well."""


@dataclass(frozen=True)
class Instance:
    """One entry of DescribeDBInstances, with the fields that decide something."""

    described: dict[str, Any]

    @property
    def identifier(self) -> str:
        return str(self.described["DBInstanceIdentifier"])

    @property
    def resource_id(self) -> str:
        return str(self.described["DbiResourceId"])

    @property
    def arn(self) -> str:
        return str(self.described["DBInstanceArn"])

    @property
    def status(self) -> str:
        return str(self.described.get("DBInstanceStatus", ""))

    @property
    def is_available(self) -> bool:
        return self.status == AVAILABLE

    @property
    def host(self) -> str:
        """Empty until it has an endpoint."""
        return str(self.described.get("Endpoint", {}).get("Address", "")).lower()

    @property
    def port(self) -> int | None:
        found = self.described.get("Endpoint", {}).get("Port") or self.described.get("DbInstancePort")
        return int(found) if found else None

    @property
    def engine(self) -> str:
        return str(self.described.get("Engine", ""))

    @property
    def retention_days(self) -> int:
        return int(self.described.get("BackupRetentionPeriod", 0))

    @property
    def latest_restorable(self) -> datetime | None:
        found: datetime | None = self.described.get("LatestRestorableTime")
        return found

    @property
    def tags(self) -> dict[str, str]:
        return tags.as_mapping(self.described.get("TagList", []))

    @property
    def pending(self) -> dict[str, Any]:
        """PendingModifiedValues that are set."""
        found = self.described.get("PendingModifiedValues", {})
        return {name: value for name, value in found.items() if value not in (None, [], {})}


class Fleet:
    """All instances of the region. Looked up by name, or by resource id: that one does not change with the name."""

    def __init__(self, instances: Iterable[Instance]) -> None:
        self._instances = tuple(instances)

    def __iter__(self) -> Iterator[Instance]:
        return iter(self._instances)

    def named(self, identifier: str) -> Instance | None:
        return next((one for one in self._instances if one.identifier == identifier.lower()), None)

    def being(self, resource_id: str) -> Instance | None:
        """Also when it bears another name by now. An empty id is nobody's."""
        return next((one for one in self._instances if resource_id and one.resource_id == resource_id), None)


def look(calls: Calls) -> Fleet:
    """Raises Unreachable, Throttled, Forbidden."""
    return Fleet(Instance(described) for described in calls.rds_list("describe_db_instances", "DBInstances", calls.region))
