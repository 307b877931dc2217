"""Can a DB instance be restored to a moment that is yet to come: the named checks of `check`. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.engines import particulars, why_not
from shared.databases.rds.instance_source import window_of
from shared.databases.rds.inventory import IN_USE, Fleet, Instance, look
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import BackupError, Forbidden, Temporary
from shared.model.naming import listed
from shared.model.plan import RdsInstance
from shared.model.rds_endpoint import database_keys, jdbc_host
from shared.model.storage import ReleaseStorage

USUAL_LAG = timedelta(minutes=10)
"""LatestRestorableTime is typically within five minutes of now (Amazon RDS, Backup and restore features); doubled."""


def check(database: RdsInstance, storages: Sequence[ReleaseStorage], now: datetime, calls: Calls) -> tuple[CheckResult, ...]:
    """A missing right is a failed check that names it.

    Raises:
        Unreachable, Throttled: the service could not be asked.
    """
    try:
        fleet = look(calls)
        instance = fleet.named(database.instance)
        if instance is None:
            return (_missing(database, fleet),)
        return (
            *_instance(database, instance),
            *_backups(database, instance, now, calls),
            *_changes(database, instance, calls),
            *_endpoints(database, instance, storages),
            *_left_over(database, now, calls),
        )
    except Forbidden as error:
        return (failed("rds-rights", database.key, error.message, error.hint),)


def _missing(database: RdsInstance, fleet: Fleet) -> CheckResult:
    alike = get_close_matches(database.instance, [one.identifier for one in fleet], n=3)
    meant = f" There are: {', '.join(alike)}." if alike else ""
    return failed(
        "rds-instance",
        database.key,
        f"DB instance {database.instance} does not exist in {database.region}.{meant}",
        "Check name, region and account; an instance that was renamed has to be renamed in the plan.",
    )


def _instance(database: RdsInstance, instance: Instance) -> Iterator[CheckResult]:
    subject, found = database.key, instance.described
    if cluster := found.get("DBClusterIdentifier"):
        yield failed(
            "rds-engine",
            subject,
            f"It is a member of cluster {cluster}.",
            "Name the cluster in the plan: aurora or rds cluster.",
        )
    elif reason := why_not(instance.engine):
        yield failed("rds-engine", subject, f"{instance.engine} cannot be restored: {reason}.", "Back it up by other means.")
    else:
        notes = " ".join(particulars(instance.engine))
        yield passed("rds-engine", subject, f"{instance.engine} {found.get('EngineVersion', '')}. {notes}".strip())
    if instance.status in IN_USE:
        yield passed("rds-status", subject, instance.status)
    else:
        yield failed(
            "rds-status", subject, f"It is {instance.status}.", "Bring it to available; see its events in the console."
        )
    if source := found.get("ReadReplicaSourceDBInstanceIdentifier"):
        yield failed("rds-replica", subject, f"It is a read replica of {source}.", "Name the instance that is written to.")
    if replicas := found.get("ReadReplicaDBInstanceIdentifiers"):
        yield warned(
            "rds-read-replicas",
            subject,
            f"It has read replicas: {listed(replicas)}.",
            "A restore has none: they stay with the replaced instance. Make new ones afterwards.",
        )
    if found.get("DeletionProtection"):
        yield passed("rds-deletion-protection", subject, "on")
    else:
        yield warned(
            "rds-deletion-protection", subject, "Deletion protection is off.", "Turn it on: deleting it may end its backups."
        )


def _backups(database: RdsInstance, instance: Instance, now: datetime, calls: Calls) -> Iterator[CheckResult]:
    subject, days = database.key, instance.retention_days
    if not days:
        yield failed(
            "rds-automated-backups",
            subject,
            "Automated backups are off (backup retention period 0), so there is no point-in-time recovery.",
            "Set the backup retention period to 1 to 35 days.",
        )
        return
    window = window_of(instance.resource_id, instance, calls)
    if window.latest is None:
        yield failed(
            "rds-automated-backups",
            subject,
            f"Automated backups are on for {days} days, but nothing can be restored yet.",
            "Wait until the first backup is made.",
        )
        return
    yield passed("rds-automated-backups", subject, f"kept {days} days; restorable: {window}")
    lag = now - window.latest
    if lag > USUAL_LAG:
        yield warned(
            "rds-recovery-lag",
            subject,
            f"The latest restorable time is {lag.total_seconds():.0f} s behind, more than {USUAL_LAG.total_seconds():.0f} s.",
            "A restore point becomes available only when this time has passed it; see the AWS Health Dashboard.",
        )
    else:
        yield passed("rds-recovery-lag", subject, f"{max(0.0, lag.total_seconds()):.0f} s behind")


def _changes(database: RdsInstance, instance: Instance, calls: Calls) -> Iterator[CheckResult]:
    """What is about to change the instance: a restore brings back what is in force, not what is pending."""
    subject = database.key
    waiting = [f"modification of {name}" for name in sorted(instance.pending)]
    found, unknown = _maintenance(instance, calls)
    waiting += found
    if waiting:
        yield warned(
            "rds-pending",
            subject,
            f"It has pending changes: {listed(waiting)}.",
            "They are not part of a restore: apply them first, or again afterwards.",
        )
    elif unknown:
        yield warned("rds-pending", subject, unknown, "Look at its maintenance tab in the console.")
    else:
        yield passed("rds-pending", subject, "no pending changes")
    deployments = calls.rds_list("describe_blue_green_deployments", "BlueGreenDeployments", instance.identifier)
    for one in deployments:
        if instance.arn in (one.get("Source"), one.get("Target")) and one.get("Status") not in (
            "SWITCHOVER_COMPLETED",
            "DELETING",
        ):
            yield warned(
                "rds-blue-green",
                subject,
                f"It is part of the blue/green deployment {one.get('BlueGreenDeploymentName', '')}.",
                "A switchover gives its name to another instance, whose backups begin anew: back up again after it.",
            )


def _maintenance(instance: Instance, calls: Calls) -> tuple[list[str], str]:
    """Pending maintenance actions, or why they are not known. They only warn, so not to be offered them is no failure."""
    try:
        found = calls.rds_list(
            "describe_pending_maintenance_actions",
            "PendingMaintenanceActions",
            instance.identifier,
            ResourceIdentifier=instance.arn,
        )
    except (Forbidden, Temporary):
        raise
    except BackupError as error:
        return [], f"Pending maintenance is not known. {error.message}"
    details = [action for one in found for action in one.get("PendingMaintenanceActionDetails", [])]
    return [f"maintenance action {action.get('Action', '')}" for action in details], ""


def _endpoints(database: RdsInstance, instance: Instance, storages: Sequence[ReleaseStorage]) -> Iterator[CheckResult]:
    """Which releases lead to it. A name of its owner's own in DNS says nothing about what is behind it."""
    leading, strange = [], []
    for release in storages:
        for storage in release.storages:
            where = jdbc_host(storage.contact_point) if storage.kind == "jdbc" else None
            if where is None:
                continue
            if where.host == instance.host:
                leading.append(release.release)
            elif database.key in database_keys(storage.contact_point):
                yield warned(
                    "rds-endpoint",
                    database.key,
                    f"{release.release} leads to {where.host}, but the endpoint is {instance.host}.",
                    "It is an instance of this name in another account, or was renamed: make sure that it is the same one.",
                )
            elif not database_keys(storage.contact_point):
                strange.append(f"{release.release} ({where.host})")
    if leading:
        yield passed("rds-endpoint", database.key, f"{listed(leading)} lead to {instance.host}:{instance.port}")
    elif strange:
        yield warned(
            "rds-endpoint",
            database.key,
            f"No release names its endpoint {instance.host}; these lead to names that are not RDS's: {listed(strange)}.",
            "With cut_over: identifier a DNS name of your own that leads to the endpoint keeps working; with endpoint not.",
        )


def _left_over(database: RdsInstance, now: datetime, calls: Calls) -> Iterator[CheckResult]:
    if old := snapshots.left_over(snapshots.OF_INSTANCE, database.instance, now, frozenset(), calls):
        yield warned(
            "rds-left-over",
            database.key,
            f"{len(old)} snapshots of backups that failed exist: {listed([one.identifier for one in old])}.",
            "The next backup that succeeds removes them; nobody has to.",
        )
