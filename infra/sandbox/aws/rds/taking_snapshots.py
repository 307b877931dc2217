"""Begins snapshots: crash-consistent as of one moment shortly after the request, whatever is written meanwhile."""

from __future__ import annotations

import copy
import random

from infra.sandbox.aws.rds.inventory import Cluster, Instance, Resource, Snapshot, tags_of
from infra.sandbox.aws.rds.refusals import Refusal
from infra.sandbox.aws.rds.requests import Request


def of_instance(request: Request, instance: Instance, name: str) -> Snapshot:
    """DBSnapshotAlreadyExists when the name is taken."""
    if name in request.inventory.snapshots:
        raise Refusal("DBSnapshotAlreadyExists", f"Cannot create the snapshot because one named {name} already exists.")
    _check_room(request, request.inventory.snapshots)
    snapshot = _take(request, instance, name)
    request.inventory.snapshots[name] = snapshot
    instance.life.goes_through("backing-up", request.settings.rds_snapshot_seconds, request.now)
    return snapshot


def of_cluster(request: Request, cluster: Cluster, name: str) -> Snapshot:
    """DBClusterSnapshotAlreadyExistsFault when the name is taken. Aurora goes on unmoved, so its status does not show it."""
    if name in request.inventory.cluster_snapshots:
        raise Refusal(
            "DBClusterSnapshotAlreadyExistsFault", f"Cannot create the snapshot because one named {name} already exists."
        )
    _check_room(request, request.inventory.cluster_snapshots)
    snapshot = _take(request, cluster, name)
    request.inventory.cluster_snapshots[name] = snapshot
    return snapshot


def _check_room(request: Request, held: dict[str, Snapshot]) -> None:
    """SnapshotQuotaExceeded; snapshots of instances and of clusters have a quota each."""
    most = request.settings.rds_max_snapshots
    if len(held) >= most:
        raise Refusal("SnapshotQuotaExceeded", f"Maximum number of manual snapshots exceeded: the account may have {most}")


def _take(request: Request, source: Resource, name: str) -> Snapshot:
    """A snapshot that has begun. Tags: those given, else the source's when it copies them to snapshots."""
    settings, now = request.settings, request.now
    own_tags = tags_of(request.given) if "Tags" in request.given else None
    if own_tags is None:
        own_tags = dict(source.tags) if source.settings["CopyTagsToSnapshot"] else {}
    return Snapshot(
        identifier=name,
        source=source,
        source_identifier=source.identifier,
        settings=copy.deepcopy(source.settings),
        source_tags=dict(source.tags),
        tags=own_tags,
        requested_at=now,
        available_at=now + settings.rds_snapshot_seconds,
        consistent_at=now + random.uniform(0, min(settings.rds_snapshot_skew_seconds, settings.rds_snapshot_seconds)),
    )
