"""The clusters and instances of a region as they are now, found by name and by resource id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.databases.rds.calls import Calls

Described = Mapping[str, Any]
"""As DescribeDBClusters or DescribeDBInstances answers."""


class Scene:
    """One look at a region. A cluster or instance that is being renamed bears its old name until the new one is effective."""

    def __init__(self, clusters: Iterable[Described], instances: Iterable[Described]) -> None:
        self._clusters = {cluster["DBClusterIdentifier"]: cluster for cluster in clusters}
        self._instances = {instance["DBInstanceIdentifier"]: instance for instance in instances}

    def clusters(self) -> Iterable[tuple[str, Described]]:
        """All of them, by name."""
        return self._clusters.items()

    def cluster(self, name: str) -> Described | None:
        return self._clusters.get(name.lower())

    def cluster_of(self, resource_id: str) -> Described | None:
        """The cluster with this DbClusterResourceId, whatever its name."""
        return next(
            (found for found in self._clusters.values() if resource_id and found["DbClusterResourceId"] == resource_id), None
        )

    def instance(self, name: str) -> Described | None:
        return self._instances.get(name.lower())

    def instance_of(self, resource_id: str) -> Described | None:
        """The instance with this DbiResourceId, whatever its name."""
        return next(
            (found for found in self._instances.values() if resource_id and found["DbiResourceId"] == resource_id), None
        )

    def members(self, cluster: Described) -> tuple[Described, ...]:
        """The instances of a cluster, the writer first."""
        writers = {
            member["DBInstanceIdentifier"] for member in cluster.get("DBClusterMembers", ()) if member["IsClusterWriter"]
        }
        names = {member["DBInstanceIdentifier"] for member in cluster.get("DBClusterMembers", ())}
        found = (self._instances[name] for name in names if name in self._instances)
        return tuple(sorted(found, key=lambda one: (one["DBInstanceIdentifier"] not in writers, one["DBInstanceIdentifier"])))


def look(calls: Calls) -> Scene:
    """Two paged calls, however many clusters there are: lists are what tells everything by resource id at once."""
    return Scene(
        calls.rds_list("describe_db_clusters", "DBClusters", calls.region),
        calls.rds_list("describe_db_instances", "DBInstances", calls.region),
    )
