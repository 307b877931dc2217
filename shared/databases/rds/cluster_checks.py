"""Can the cluster be restored to a moment that is yet to come: the named checks of `check`. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_fitness import check_fitness
from shared.databases.rds.cluster_kind import Kind
from shared.databases.rds.cluster_manifest import read_cluster
from shared.databases.rds.cluster_progress import STUCK
from shared.databases.rds.cluster_scene import Described, look
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import Forbidden
from shared.model.naming import listed
from shared.model.plan import AuroraCluster, RdsCluster
from shared.model.rds_endpoint import database_keys
from shared.model.storage import ReleaseStorage
from shared.model.times import iso

USUAL_LAG = timedelta(minutes=10)
"""LatestRestorableTime is typically within five minutes of now; doubled."""


def check_cluster(
    database: AuroraCluster | RdsCluster, kind: Kind, storages: Sequence[ReleaseStorage], now: datetime, calls: Calls
) -> tuple[CheckResult, ...]:
    """One result per subject. A missing right is a failed check that names it.

    Raises:
        Unreachable, Throttled: the service could not be asked.
    """
    try:
        return tuple(_results(database, kind, storages, now, calls))
    except Forbidden as error:
        return (failed(f"{kind.check}-rights", database.key, error.message, error.hint),)


def _results(
    database: AuroraCluster | RdsCluster, kind: Kind, storages: Sequence[ReleaseStorage], now: datetime, calls: Calls
) -> Iterator[CheckResult]:
    scene = look(calls)
    cluster = scene.cluster(database.identifier)
    if cluster is None:
        yield failed(
            f"{kind.check}-exists",
            database.key,
            f"there is no cluster {database.identifier} in {database.region}.",
            "Check identifier, region and account in the plan.",
        )
        return
    status = str(cluster["Status"])
    if status in STUCK or status == "deleting":
        yield failed(f"{kind.check}-status", database.key, f"the cluster is {status}.", "Start or repair it.")
    else:
        yield passed(f"{kind.check}-status", database.key, f"the cluster is {status}")
    yield from check_fitness(kind, database.key, cluster, scene)
    yield _window(kind, database.key, cluster, now)
    if not cluster.get("DeletionProtection"):
        yield warned(
            f"{kind.check}-deletion-protection",
            database.key,
            "deletion protection is off.",
            "Turn it on: whoever deletes the cluster also ends its recovery window.",
        )
    if unknown := read_cluster(cluster, scene, now, calls).unknown:
        told = "; ".join(f"{field}: {reason}" for field, reason in sorted(unknown.items()))
        yield warned(
            f"{kind.check}-settings", database.key, f"settings that a restore loses cannot all be read. {told}", "Allow it."
        )
    yield _named_by_a_release(database, kind, storages)
    if left := snapshots.left_over(snapshots.OF_CLUSTER, database.identifier, now, frozenset(), calls):
        yield warned(
            f"{kind.check}-left-over",
            database.key,
            f"{len(left)} snapshots of backups that were never finished exist: {listed([one.identifier for one in left])}.",
            "The next backup that succeeds removes them; nobody has to.",
        )


def _window(kind: Kind, subject: str, cluster: Described, now: datetime) -> CheckResult:
    name, days = f"{kind.check}-recovery", cluster.get("BackupRetentionPeriod") or 0
    latest = cluster.get("LatestRestorableTime")
    if not days:
        return failed(name, subject, "automated backups are off.", "Set the backup retention period to at least one day.")
    if latest is None:
        return failed(
            name,
            subject,
            "it cannot be restored to any time yet.",
            "A new cluster can once its first backup is made: wait for it.",
        )
    lag = now - latest
    if lag > USUAL_LAG:
        return warned(
            name,
            subject,
            f"the latest restorable time, {iso(latest)}, is {lag.total_seconds():.0f} s behind.",
            "A restore point becomes available only when this time has passed it; see the AWS Health Dashboard.",
        )
    return passed(name, subject, f"retention {days} days, latest restorable time {max(0.0, lag.total_seconds()):.0f} s behind")


def _named_by_a_release(database: AuroraCluster | RdsCluster, kind: Kind, storages: Sequence[ReleaseStorage]) -> CheckResult:
    """A name of one's own (CNAME) tells nothing, so not being named is a warning only."""
    users = [
        release.release
        for release in storages
        for storage in release.storages
        if database.key in database_keys(storage.contact_point)
    ]
    if users:
        return passed(f"{kind.check}-used", database.key, f"used by {listed(sorted(set(users)))}")
    return warned(
        f"{kind.check}-used",
        database.key,
        "no release names this cluster's endpoint in its properties.",
        "If a release reaches it by a DNS name of your own, all is well; otherwise the plan names the wrong cluster.",
    )
