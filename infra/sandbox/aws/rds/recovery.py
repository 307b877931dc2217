"""RestoreDBInstanceToPointInTime: a new instance with the data as of the second, and with most settings at their defaults."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import automated_backups, instance_settings, instances
from infra.sandbox.aws.rds.inventory import Instance, Recovery, new_resource_id, tags_of
from infra.sandbox.aws.rds.refusals import Refusal, instance_busy, invalid_combination
from infra.sandbox.aws.rds.requests import Operation, Request
from infra.sandbox.aws.rds.restore_time import restore_time
from infra.sandbox.relational.volume import Volume

_SOURCES = ("SourceDBInstanceIdentifier", "SourceDbiResourceId", "SourceDBInstanceAutomatedBackupsArn")
PARAMETERS = frozenset(
    {*_SOURCES, "TargetDBInstanceIdentifier", "RestoreTime", "UseLatestRestorableTime", "UseDefaultProcessorFeatures"}
)
"""Beside the settings of the new instance."""


def _restore(request: Request) -> dict[str, Any]:
    inventory = request.inventory
    name = request.new_name("TargetDBInstanceIdentifier")
    source = _source(request)
    at = restore_time(request, source.recovery, source.identifier, "RestoreTime")
    inventory.check_instance_name_free(name, request.now)
    instances.check_quota(request)
    restored = Instance(
        name,
        new_resource_id("db-"),
        instance_settings.restored(inventory, source.settings, request.given),
        Volume(source.volume.contents_at(at)),
        Recovery(),
        request.now,
        tags_of(request.given),
    )
    instances.add(request, restored, request.settings.rds_restore_seconds)
    return {"DBInstance": instances.describe(restored, request)}


def _source(request: Request) -> Instance:
    given, inventory = request.given, request.inventory
    named = [parameter for parameter in _SOURCES if parameter in given]
    if len(named) != 1:
        raise invalid_combination(f"Exactly one of {', '.join(_SOURCES)} must be specified.")
    if named == ["SourceDBInstanceIdentifier"]:
        source = inventory.instance(given["SourceDBInstanceIdentifier"])
    else:
        source = automated_backups.retained_instance(
            inventory,
            resource_id=given.get("SourceDbiResourceId"),
            backup_arn=given.get("SourceDBInstanceAutomatedBackupsArn"),
        )
    if source.cluster is not None:
        raise Refusal(
            "InvalidDBInstanceState",
            f"{source.identifier} is a member of cluster {source.cluster.identifier}: use RestoreDBClusterToPointInTime.",
        )
    retained = source.resource_id in inventory.retained
    if not retained and (status := source.life.status()) in ("creating", "deleting"):
        raise instance_busy(source.identifier, status)
    return source


OPERATIONS: dict[str, Operation] = {"RestoreDBInstanceToPointInTime": _restore}
