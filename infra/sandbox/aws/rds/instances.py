"""DB instances: made, shown, rebooted, stopped, deleted; those inside a cluster too."""

from __future__ import annotations

from typing import Any

from infra.sandbox.aws.rds import automated_backups, cluster_members, instance_settings, master_secret, roles, taking_snapshots
from infra.sandbox.aws.rds.engines import engine_of
from infra.sandbox.aws.rds.inventory import Instance, Recovery, Resource, bare, new_resource_id, tag_list, tags_of, utc
from infra.sandbox.aws.rds.refusals import Refusal, instance_busy, instance_missing, invalid_combination, invalid_value
from infra.sandbox.aws.rds.requests import Operation, Request
from infra.sandbox.aws.settings import Settings
from infra.sandbox.relational.volume import Volume

SHORTEST_PASSWORD = 8
_FILTERS = ("db-cluster-id", "db-instance-id", "dbi-resource-id", "engine")


def describe(instance: Instance, request: Request) -> dict[str, Any]:
    """A DBInstance of the API."""
    inventory, status = request.inventory, instance.life.status()
    cluster = instance.cluster
    settings = instance.settings if cluster is None else cluster_members.effective_settings(instance, cluster)
    answer = {
        **instance_settings.described(inventory, settings, group_status(instance, "instance")),
        "DBInstanceIdentifier": instance.identifier,
        "DBInstanceArn": inventory.arn("db", instance.identifier),
        "DbiResourceId": instance.resource_id,
        "DBInstanceStatus": status,
        "InstanceCreateTime": utc(instance.created_at),
        "TagList": tag_list(instance.tags),
        "PendingModifiedValues": pending_values(instance),
        "DbInstancePort": 0,
        "ReadReplicaDBInstanceIdentifiers": [],
        "AssociatedRoles": roles.described(instance),
    }
    if settings["MultiAZ"]:
        answer["SecondaryAvailabilityZone"] = f"{inventory.region}c"
    if status not in ("creating", "renaming"):  # as AWS: there is no address yet
        host = inventory.host(instance.identifier)
        answer["Endpoint"] = {"Address": host, "Port": settings["Port"], "HostedZoneId": "Z24O6O9L7SGTNB"}
    if cluster is not None:
        answer["DBClusterIdentifier"] = cluster.identifier
    elif window := instance.recovery.window(request.now, request.settings.rds_lag_seconds):
        answer["LatestRestorableTime"] = utc(window[1])
    return answer


def group_status(instance: Instance, of: str) -> str:
    """Whether a parameter group, of the `instance` or of its `cluster`, is in force."""
    return "pending-reboot" if of in instance.awaiting_reboot else "in-sync"


def pending_values(resource: Resource) -> dict[str, Any]:
    """PendingModifiedValues: passwords are never shown."""
    pending = dict(resource.pending)
    if resource.next_identifier is not None:
        pending["NewDBInstanceIdentifier" if isinstance(resource, Instance) else "NewDBClusterIdentifier"] = (
            resource.next_identifier
        )
    names = {
        "NewDBInstanceIdentifier": "DBInstanceIdentifier",
        "NewDBClusterIdentifier": "DBClusterIdentifier",
        "DBPortNumber": "Port",
        "EnableIAMDatabaseAuthentication": "IAMDatabaseAuthenticationEnabled",
    }
    return {names.get(name, name): "****" if "Password" in name else value for name, value in pending.items()}


def add(request: Request, instance: Instance, seconds: float) -> None:
    """Let a new instance begin; with backups on, the first one is taken before it is available."""
    request.inventory.instances[instance.identifier] = instance
    instance.life.goes_through("creating", seconds, request.now)
    if instance.cluster is None and instance.settings["BackupRetentionPeriod"]:
        start_backups(instance, request.settings, request.now)


def start_backups(instance: Instance, settings: Settings, now: float) -> None:
    """Take the first automated backup: what was before it cannot be restored."""

    def taken(at: float) -> None:
        instance.recovery.since = at

    instance.recovery.days = instance.settings["BackupRetentionPeriod"]
    instance.life.goes_through("backing-up", settings.rds_backup_seconds, now, taken)


def check_quota(request: Request, more: int = 1) -> None:
    """InstanceQuotaExceeded."""
    most = request.settings.rds_max_instances
    if len(request.inventory.instances) + more > most:
        raise Refusal("InstanceQuotaExceeded", f"Maximum number of DB instances exceeded: the account may have {most}")


def check_credentials(given: dict[str, Any]) -> None:
    """A new database needs a master user with a password of at least eight characters, or one that RDS manages."""
    master_secret.check(None, given)
    needed = ("MasterUsername",) if given.get("ManageMasterUserPassword") else ("MasterUsername", "MasterUserPassword")
    for parameter in needed:
        if not given.get(parameter):
            raise invalid_value(f"The parameter {parameter} must be provided and must not be blank.")
    if "MasterUserPassword" in given:
        check_password(given["MasterUserPassword"])


def set_first_password(request: Request, resource: Resource) -> None:
    """The password of a database that is being made."""
    given, now = request.given, request.now
    if given.get("ManageMasterUserPassword"):
        master_secret.manage(request.inventory, resource, given.get("MasterUserSecretKmsKeyId"), now)
    else:
        resource.volume.set_password(given["MasterUserPassword"], now, now)


def check_password(password: str) -> None:
    if len(password) < SHORTEST_PASSWORD:
        raise invalid_value(
            f"The parameter MasterUserPassword is not a valid password: it is shorter than {SHORTEST_PASSWORD} characters."
        )


def require_available(instance: Instance) -> None:
    if (status := instance.life.status()) != "available":
        raise instance_busy(instance.identifier, status)


def _create(request: Request) -> dict[str, Any]:
    given, inventory = request.given, request.inventory
    name = request.new_name("DBInstanceIdentifier")
    inventory.check_instance_name_free(name, request.now)
    check_quota(request)
    if "DBClusterIdentifier" in given:
        instance = cluster_members.new_member(request, name)
    else:
        if engine_of(given["Engine"]).clustered:
            raise invalid_combination(
                f"The engine {given['Engine']} requires a DBClusterIdentifier: create a DB cluster first."
            )
        check_credentials(given)
        volume = Volume()
        settings = instance_settings.complete(inventory, given)
        instance = Instance(name, new_resource_id("db-"), settings, volume, Recovery(), request.now, tags_of(given))
        set_first_password(request, instance)
    add(request, instance, request.settings.rds_create_seconds)
    return {"DBInstance": describe(instance, request)}


def _describe(request: Request) -> dict[str, Any]:
    filters, inventory = request.filters(_FILTERS), request.inventory
    found = list(inventory.instances.values())
    if name := request.given.get("DBInstanceIdentifier"):
        if "db:" not in name and name.startswith("arn:"):
            raise instance_missing(name)
        found = [inventory.instance(name)]
    for filter_name, values in filters.items():
        found = [instance for instance in found if _passes(instance, filter_name, values)]
    return request.page("DBInstances", found, lambda instance: describe(instance, request))


def _passes(instance: Instance, filter_name: str, values: set[str]) -> bool:
    if filter_name == "db-instance-id":
        return instance.identifier in {bare(value) for value in values}
    if filter_name == "db-cluster-id":
        return instance.cluster is not None and instance.cluster.identifier in {bare(value) for value in values}
    if filter_name == "dbi-resource-id":
        return instance.resource_id in values
    return instance.settings["Engine"] in values


def _reboot(request: Request) -> dict[str, Any]:
    instance = request.inventory.instance(request.given["DBInstanceIdentifier"])
    require_available(instance)
    if request.given.get("ForceFailover") and not instance.settings["MultiAZ"]:
        raise invalid_combination("Cannot force a failover of a DB instance that is not Multi-AZ.")

    def rebooted(_: float) -> None:
        instance.awaiting_reboot.clear()

    instance.life.goes_through("rebooting", request.settings.rds_modify_seconds, request.now, rebooted)
    return {"DBInstance": describe(instance, request)}


def _stop(request: Request) -> dict[str, Any]:
    instance = request.inventory.instance(request.given["DBInstanceIdentifier"])
    _refuse_member(instance, "stopped")
    require_available(instance)
    instance.life.goes_through("stopping", request.settings.rds_modify_seconds, request.now)
    instance.life.rest = "stopped"
    return {"DBInstance": describe(instance, request)}


def _start(request: Request) -> dict[str, Any]:
    instance = request.inventory.instance(request.given["DBInstanceIdentifier"])
    _refuse_member(instance, "started")
    if (status := instance.life.status()) != "stopped":
        raise instance_busy(instance.identifier, status, "stopped")
    instance.life.rest = "available"
    instance.life.goes_through("starting", request.settings.rds_modify_seconds, request.now)
    return {"DBInstance": describe(instance, request)}


def _refuse_member(instance: Instance, done: str) -> None:
    if instance.cluster is not None:
        raise Refusal(
            "InvalidDBClusterStateFault", f"{instance.identifier} is {done} with its cluster {instance.cluster.identifier}."
        )


def _delete(request: Request) -> dict[str, Any]:
    given, inventory = request.given, request.inventory
    instance = inventory.instance(given["DBInstanceIdentifier"])
    status = instance.life.status()
    if status == "deleting":
        raise Refusal("InvalidDBInstanceState", f"Instance {instance.identifier} is already being deleted.")
    if instance.cluster is not None:
        cluster_members.check_deletable(inventory, instance, instance.cluster, given)
    else:
        _check_deletable(instance, given)
    if "FinalDBSnapshotIdentifier" in given:
        require_available(instance)
        taking_snapshots.of_instance(request, instance, request.new_snapshot_name("FinalDBSnapshotIdentifier"))
    remove(request, instance, keep_backups=not given.get("DeleteAutomatedBackups", True))
    return {"DBInstance": describe(instance, request)}


def remove(request: Request, instance: Instance, *, keep_backups: bool = False) -> None:
    """Begin the deletion; the name is taken until it has ended."""
    inventory, now = request.inventory, request.now

    def gone(_: float) -> None:
        del inventory.instances[instance.identifier]
        for endpoint in inventory.endpoints.values():
            endpoint.static_members.discard(instance.resource_id)
            endpoint.excluded_members.discard(instance.resource_id)

    master_secret.forget(inventory, instance)
    if keep_backups and instance.cluster is None:
        automated_backups.keep(inventory, instance, now)
    instance.life.drop()
    instance.life.goes_through("deleting", request.settings.rds_delete_seconds, now, gone)
    if instance.writer and instance.cluster is not None:
        cluster_members.promote(inventory, instance.cluster)


def _check_deletable(instance: Instance, given: dict[str, Any]) -> None:
    if instance.settings["DeletionProtection"]:
        raise invalid_combination("Cannot delete protected DB Instance, please disable deletion protection and try again.")
    skipped, final = given.get("SkipFinalSnapshot", False), given.get("FinalDBSnapshotIdentifier")
    if skipped and final:
        raise invalid_combination(
            "FinalDBSnapshotIdentifier cannot be specified when deleting a DB instance with SkipFinalSnapshot"
        )
    if not skipped and not final:
        raise invalid_combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")


OPERATIONS: dict[str, Operation] = {
    "CreateDBInstance": _create,
    "DescribeDBInstances": _describe,
    "RebootDBInstance": _reboot,
    "StopDBInstance": _stop,
    "StartDBInstance": _start,
    "DeleteDBInstance": _delete,
}
