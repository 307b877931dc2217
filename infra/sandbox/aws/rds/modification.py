"""ModifyDBInstance: what applies at once, what waits for the maintenance window unless told otherwise, and the rename."""

from __future__ import annotations

import copy
from typing import Any

from infra.sandbox.aws.rds import cluster_members, directory_domain, instance_settings, instances, master_secret
from infra.sandbox.aws.rds.inventory import Instance
from infra.sandbox.aws.rds.refusals import invalid_combination
from infra.sandbox.aws.rds.requests import Operation, Request

_NAME = "NewDBInstanceIdentifier"
_SETTING_OF = {"DBPortNumber": "Port"}
_AT_ONCE = {
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "EngineLifecycleSupport",
    "MaxAllocatedStorage",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "PromotionTier",
}
"""Known to the service only: in force when the call returns, without the instance being modified."""
_AS_SOON_AS_POSSIBLE = {
    *directory_domain.PARAMETERS,
    "CloudwatchLogsExportConfiguration",
    "DisableDomain",
    "DBParameterGroupName",
    "DBPortNumber",
    "DatabaseInsightsMode",
    "EnablePerformanceInsights",
    "ManageMasterUserPassword",
    "MasterUserPassword",
    "MasterUserSecretKmsKeyId",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "PubliclyAccessible",
    "VpcSecurityGroupIds",
}
"""Applied whatever ApplyImmediately says (ModifyDBInstance: "asynchronously applied as soon as possible")."""
_IN_THE_WINDOW = {
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "DBInstanceClass",
    "DBSubnetGroupName",
    "DedicatedLogVolume",
    "EnableCustomerOwnedIp",
    "EnableIAMDatabaseAuthentication",
    "EngineVersion",
    "Iops",
    "LicenseModel",
    "MultiAZ",
    "NetworkType",
    _NAME,
    "OptionGroupName",
    "ProcessorFeatures",
    "StorageThroughput",
    "StorageType",
    "UseDefaultProcessorFeatures",
}
PARAMETERS = frozenset({"DBInstanceIdentifier", "ApplyImmediately", *_AT_ONCE, *_AS_SOON_AS_POSSIBLE, *_IN_THE_WINDOW})


def _modify(request: Request) -> dict[str, Any]:
    given, now = request.given, request.now
    instance = request.inventory.instance(given["DBInstanceIdentifier"])
    instances.require_available(instance)
    if instance.cluster is not None:
        cluster_members.check_modifiable(instance.cluster, given)
    changes = {name: value for name, value in given.items() if name not in ("DBInstanceIdentifier", "ApplyImmediately")}
    if _NAME in changes:
        changes[_NAME] = request.new_name(_NAME)
        request.inventory.check_instance_name_free(changes[_NAME], now)
    _check(request, instance, changes)
    _apply(instance, {name: value for name, value in changes.items() if name in _AT_ONCE}, request, now)
    waiting = {name: value for name, value in changes.items() if name not in _AT_ONCE}
    instance.pending.update(waiting)
    begun = {
        name: value
        for name, value in instance.pending.items()
        if given.get("ApplyImmediately") or name in _AS_SOON_AS_POSSIBLE or _keeps_backups_on(instance, name, value)
    }
    answer = instances.describe(instance, request)
    _begin(request, instance, begun)
    return {"DBInstance": answer}


def _check(request: Request, instance: Instance, changes: dict[str, Any]) -> None:
    """Refuse the whole request before anything of it is applied."""
    master_secret.check(instance, changes)
    if "MasterUserPassword" in changes:
        instances.check_password(changes["MasterUserPassword"])
    wished = {_SETTING_OF.get(name, name): value for name, value in changes.items()}
    settings = {**instance.settings, **{name: wished[name] for name in wished if name in instance_settings.SETTINGS}}
    if settings.get("MaxAllocatedStorage") == settings["AllocatedStorage"]:
        del settings["MaxAllocatedStorage"]
    if instance.cluster is None:
        instance_settings.check(request.inventory, settings, changes)
        if settings["AllocatedStorage"] < instance.settings["AllocatedStorage"]:
            raise invalid_combination("Requested size must be bigger than current size: storage cannot shrink.")
    else:
        cluster_members.check(request.inventory, instance.cluster, settings)


def _keeps_backups_on(instance: Instance, name: str, value: Any) -> bool:
    """A retention changed from one number of days to another applies as soon as possible; on or off waits."""
    return name == "BackupRetentionPeriod" and bool(value) and bool(instance.settings["BackupRetentionPeriod"])


def _begin(request: Request, instance: Instance, begun: dict[str, Any]) -> None:
    others = {name: value for name, value in begun.items() if name != _NAME}
    if _NAME in begun:
        request.inventory.check_instance_name_free(begun[_NAME], request.now)
        del instance.pending[_NAME]
        seconds, free_seconds = request.settings.rename_seconds, request.settings.name_free_seconds
        request.inventory.rename(instance, begun[_NAME], request.now, seconds, free_seconds)
    if others:

        def done(at: float) -> None:
            _apply(instance, others, request, at)

        instance.life.goes_through("modifying", request.settings.rds_modify_seconds, request.now, done)


def _apply(instance: Instance, changes: dict[str, Any], request: Request, at: float) -> None:
    for name, value in changes.items():
        if instance.pending.get(name) == value:
            del instance.pending[name]
        _apply_one(instance, name, value, request, at)
    if changes.get("ManageMasterUserPassword"):
        master_secret.manage(request.inventory, instance, changes.get("MasterUserSecretKmsKeyId"), at)


def _apply_one(instance: Instance, name: str, value: Any, request: Request, at: float) -> None:
    settings = instance.settings
    if name == "MasterUserPassword":
        master_secret.forget(request.inventory, instance)
        instance.volume.set_password(value, at, instance.recovery.forget_before(at))
    elif name == "CloudwatchLogsExportConfiguration":
        settings["EnableCloudwatchLogsExports"] = exported_logs(settings["EnableCloudwatchLogsExports"], value)
    elif name == "BackupRetentionPeriod":
        _retain(request, instance, value, at)
    elif name == "MaxAllocatedStorage" and value <= settings["AllocatedStorage"]:
        settings.pop(name, None)  # as documented: a limit that equals the size switches autoscaling off
    elif name == "UseDefaultProcessorFeatures":
        settings.pop("ProcessorFeatures", None)
    elif name == "DisableDomain":
        for parameter in directory_domain.PARAMETERS:
            settings.pop(parameter, None)
    elif name not in ("ManageMasterUserPassword", "MasterUserSecretKmsKeyId"):
        if name == "DBParameterGroupName" and settings[name] != value:
            instance.awaiting_reboot.add("instance")
        settings[_SETTING_OF.get(name, name)] = copy.deepcopy(value)


def exported_logs(before: list[str], change: dict[str, list[str]]) -> list[str]:
    """The log types after a CloudwatchLogsExportConfiguration."""
    kept = set(before) - set(change.get("DisableLogTypes", ()))
    return sorted(kept | set(change.get("EnableLogTypes", ())))


def _retain(request: Request, instance: Instance, days: int, at: float) -> None:
    """0 deletes the automated backups at once; from 0 a new window begins with a new backup."""
    was, instance.settings["BackupRetentionPeriod"] = instance.settings["BackupRetentionPeriod"], days
    instance.recovery.days = days
    if not days:
        instance.recovery.since = None
    elif not was:
        instances.start_backups(instance, request.settings, at)


OPERATIONS: dict[str, Operation] = {"ModifyDBInstance": _modify}
