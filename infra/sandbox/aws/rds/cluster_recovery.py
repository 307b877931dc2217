"""RestoreDBClusterToPointInTime: a new cluster with the data as of the second, without any of Aurora's instances."""

from __future__ import annotations

import math
from typing import Any

from infra.sandbox.aws.rds import automated_backups, cluster_settings, clusters
from infra.sandbox.aws.rds.inventory import Cluster, Recovery, new_resource_id, tags_of
from infra.sandbox.aws.rds.refusals import cluster_busy, invalid_combination, invalid_value
from infra.sandbox.aws.rds.requests import Operation, Request
from infra.sandbox.aws.rds.restore_time import restore_time
from infra.sandbox.relational.volume import Volume

_SOURCES = ("SourceDBClusterIdentifier", "SourceDbClusterResourceId")
PARAMETERS = frozenset({*_SOURCES, "RestoreToTime", "UseLatestRestorableTime", "RestoreType", "AssociatedRoles"})
"""Beside the settings of the new cluster."""


def _restore(request: Request) -> dict[str, Any]:
    inventory, given = request.inventory, request.given
    name = request.new_name("DBClusterIdentifier")
    source = _source(request)
    at = _moment(request, source)
    if "KmsKeyId" in given and not source.settings["StorageEncrypted"]:
        raise invalid_combination(f"{source.identifier} isn't encrypted: its restore cannot be given a KmsKeyId.")
    inventory.check_cluster_name_free(name, request.now)
    settings = cluster_settings.restored(inventory, source.settings, given)
    clusters.check_room(request, settings)
    volume = Volume(source.volume.contents_at(at))
    roles = list(given.get("AssociatedRoles", ()))
    restored = Cluster(
        name, new_resource_id("cluster-"), settings, volume, Recovery(), request.now, tags_of(given), roles=roles
    )
    clusters.add(request, restored, request.settings.rds_restore_seconds)
    return {"DBCluster": clusters.describe(restored, request)}


def _moment(request: Request, source: Cluster) -> float:
    """A clone (copy-on-write) is of the present; a full copy is of a time inside the window."""
    kind = request.given.get("RestoreType", "full-copy")
    if kind not in ("full-copy", "copy-on-write"):
        raise invalid_value(f"RestoreType must be full-copy or copy-on-write, it is {kind}.")
    if kind == "full-copy":
        return restore_time(request, source.recovery, source.identifier, "RestoreToTime")
    if "RestoreToTime" in request.given:
        raise invalid_combination("RestoreToTime cannot be specified when RestoreType is copy-on-write.")
    if source.multi_az:
        raise invalid_combination("A Multi-AZ DB cluster cannot be cloned: RestoreType copy-on-write is for Aurora.")
    return math.inf


def _source(request: Request) -> Cluster:
    given, inventory = request.given, request.inventory
    named = [parameter for parameter in _SOURCES if parameter in given]
    if len(named) != 1:
        raise invalid_combination(f"Exactly one of {', '.join(_SOURCES)} must be specified.")
    if named == ["SourceDbClusterResourceId"]:
        source = automated_backups.retained_cluster(inventory, given["SourceDbClusterResourceId"])
    else:
        source = inventory.cluster(given["SourceDBClusterIdentifier"])
    retained = source.resource_id in inventory.retained
    if not retained and (status := source.life.status()) in ("creating", "deleting"):
        raise cluster_busy(source.identifier, status)
    return source


OPERATIONS: dict[str, Operation] = {"RestoreDBClusterToPointInTime": _restore}
