"""What the account has in RDS in one region: instances, clusters, snapshots, kept backups; names and addresses."""

from __future__ import annotations

import datetime as dt
import math
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.aws.rds.life import SECONDS_PER_DAY, Life
from infra.sandbox.aws.rds.refusals import Refusal, cluster_missing, instance_missing
from infra.sandbox.journal import Key
from infra.sandbox.relational.volume import Volume

ENDPOINT_SUFFIX = "c0ffee0sbx"
"""The part of every host name that belongs to account and region, so that a name that changes hands keeps its host name."""

_HISTORY_SECONDS = 600
"""Kept where no automated backup needs history: longer than any snapshot takes."""


@dataclass
class Recovery:
    """The automated backups of one instance or cluster: `since` is None while there are none."""

    since: float | None = None
    days: int = 0
    frozen_at: float | None = None
    """When what they are of was deleted."""

    def window(self, now: float, lag_seconds: float) -> tuple[int, int] | None:
        """Earliest and latest restorable time in whole seconds since the epoch; None when nothing can be restored yet."""
        if self.since is None:
            return None
        reached = now - lag_seconds if self.frozen_at is None else min(now - lag_seconds, self.frozen_at)
        earliest, latest = math.ceil(max(self.since, now - self.days * SECONDS_PER_DAY)), math.floor(reached)
        return (earliest, latest) if earliest <= latest else None

    def forget_before(self, now: float) -> float:
        """History older than this can be asked for by nobody."""
        return now - max(self.days * SECONDS_PER_DAY, _HISTORY_SECONDS)


@dataclass
class Resource:
    """What instances and clusters share. `settings` are named as the parameters of their Create operation."""

    identifier: str
    resource_id: str
    settings: dict[str, Any]
    volume: Volume
    recovery: Recovery
    created_at: float
    tags: dict[str, str]
    life: Life = field(default_factory=Life)
    pending: dict[str, Any] = field(default_factory=dict)
    """Modifications that wait for the maintenance window, under the names of Modify parameters."""
    next_identifier: str | None = None
    """While it is being renamed; it bears the old name, without an address, until the new one is effective."""
    roles: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Instance(Resource):
    """A member of a cluster has the cluster's volume and recovery, and most of the settings count for nothing in it."""

    cluster: Cluster | None = None
    writer: bool = False
    awaiting_reboot: set[str] = field(default_factory=set)
    """Which parameter groups were exchanged and are not in force yet: `instance`, `cluster`."""


@dataclass
class Cluster(Resource):
    """Of Aurora, or a Multi-AZ DB cluster of RDS."""

    @property
    def multi_az(self) -> bool:
        """A Multi-AZ DB cluster of RDS, not Aurora."""
        return "DBClusterInstanceClass" in self.settings


@dataclass
class Snapshot:
    """Of an instance or a cluster. `contents` is None while it is being made; then as of one moment soon after the request."""

    identifier: str
    source: Resource
    source_identifier: str
    settings: dict[str, Any]
    source_tags: dict[str, str]
    tags: dict[str, str]
    requested_at: float
    available_at: float
    consistent_at: float
    contents: dict[Key, Any] | None = None

    @property
    def status(self) -> str:
        return "creating" if self.contents is None else "available"

    def percent(self, now: float) -> int:
        if self.contents is not None:
            return 100
        share = (now - self.requested_at) / max(self.available_at - self.requested_at, 1e-9)
        return min(99, max(0, int(share * 100)))


@dataclass
class RetainedBackup:
    """Automated backups that outlive the instance or cluster they are of."""

    resource: Resource
    arn: str
    kept_until: float


@dataclass
class CustomEndpoint:
    identifier: str
    resource_id: str
    cluster: Cluster
    kind: str
    static_members: set[str]
    excluded_members: set[str]
    """Resource ids of instances, so that a member renamed stays what it was."""
    tags: dict[str, str]
    life: Life = field(default_factory=Life)


class Inventory:
    """Hangs on moto's backend of the region, and goes when moto is reset."""

    def __init__(self, account: str, region: str, backend: Any) -> None:
        self.account, self.region, self.backend = account, region, backend
        self.instances: dict[str, Instance] = {}
        self.clusters: dict[str, Cluster] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.cluster_snapshots: dict[str, Snapshot] = {}
        self.retained: dict[str, RetainedBackup] = {}
        self.endpoints: dict[str, CustomEndpoint] = {}
        self.freed_names: dict[tuple[str, str], float] = {}
        """Kind and name, until when a name that was given up in a rename cannot be taken."""

    def settle(self, now: float) -> None:
        """Let happen what has become due by `now`."""
        resources: Iterable[Any] = [*self.instances.values(), *self.clusters.values(), *self.endpoints.values()]
        for resource in resources:
            resource.life.settle(now)
        for snapshot in [*self.snapshots.values(), *self.cluster_snapshots.values()]:
            if snapshot.contents is None and snapshot.available_at <= now:
                snapshot.contents = snapshot.source.volume.contents_at(snapshot.consistent_at)
        for resource_id, backup in list(self.retained.items()):
            if backup.kept_until <= now:
                del self.retained[resource_id]

    def instance(self, name: str) -> Instance:
        """By identifier or ARN; DBInstanceNotFound."""
        instance = self.instances.get(bare(name))
        if instance is None:
            raise instance_missing(name)
        return instance

    def cluster(self, name: str) -> Cluster:
        """By identifier or ARN; DBClusterNotFoundFault."""
        cluster = self.clusters.get(bare(name))
        if cluster is None:
            raise cluster_missing(name)
        return cluster

    def members(self, cluster: Cluster) -> list[Instance]:
        return [instance for instance in self.instances.values() if instance.cluster is cluster]

    def check_instance_name_free(self, name: str, now: float) -> None:
        """DBInstanceAlreadyExists, also while the name is on its way to or from an instance."""
        if _is_taken(self.instances, name) or self.freed_names.get(("db", name), 0) > now:
            raise Refusal("DBInstanceAlreadyExists", f"DB instance already exists: {name}")

    def check_cluster_name_free(self, name: str, now: float) -> None:
        """DBClusterAlreadyExistsFault, also while the name is on its way to or from a cluster."""
        if _is_taken(self.clusters, name) or self.freed_names.get(("cluster", name), 0) > now:
            raise Refusal("DBClusterAlreadyExistsFault", f"DB Cluster already exists: {name}")

    def rename(self, resource: Resource, name: str, request_at: float, rename_seconds: float, name_free_seconds: float) -> None:
        """Begin a rename: the addresses are gone at once; after it the new name and its addresses are effective.

        The old name can be taken only `name_free_seconds` after that.
        """
        held: dict[str, Any] = self.instances if isinstance(resource, Instance) else self.clusters
        kind = "db" if isinstance(resource, Instance) else "cluster"

        def effective(at: float) -> None:
            old, resource.identifier, resource.next_identifier = resource.identifier, name, None
            del held[old]
            held[name] = resource
            self.freed_names[kind, old] = at + name_free_seconds

        resource.next_identifier = name
        resource.life.goes_through("renaming", rename_seconds, request_at, effective)

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:rds:{self.region}:{self.account}:{kind}:{name}"

    def host(self, name: str, kind: str = "") -> str:
        """`kind`: nothing for an instance, `cluster-`, `cluster-ro-` or `cluster-custom-`."""
        return f"{name}.{kind}{ENDPOINT_SUFFIX}.{self.region}.rds.amazonaws.com"


def _is_taken(held: Mapping[str, Resource], name: str) -> bool:
    return name in held or any(resource.next_identifier == name for resource in held.values())


def bare(name_or_arn: str) -> str:
    """The identifier, in lower case as RDS keeps it."""
    return (name_or_arn.rpartition(":")[2] if name_or_arn.startswith("arn:") else name_or_arn).lower()


def new_resource_id(prefix: str) -> str:
    """Like AWS's: never reused, whatever the resource is called."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return prefix + "".join(secrets.choice(alphabet) for _ in range(26))


def utc(at: float) -> dt.datetime:
    """moto writes naive datetimes as UTC; RDS states whole milliseconds."""
    return dt.datetime.fromtimestamp(round(at, 3), dt.UTC).replace(tzinfo=None)


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(given: dict[str, Any]) -> dict[str, str]:
    """From the Tags parameter of a request."""
    return {tag["Key"]: tag.get("Value", "") for tag in given.get("Tags", ())}
