"""One call of `protect` for a cluster: its settings noted, its snapshot kept where one was begun, or else its recovery window
past the point."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_kind import Kind
from shared.databases.rds.cluster_manifest import read_cluster
from shared.databases.rds.cluster_scene import Described, Scene, look
from shared.databases.rds.protecting import item_of, protection, with_snapshot
from shared.model.cluster_settings import ClusterSettings
from shared.model.errors import NotReady
from shared.model.plan import AuroraCluster, RdsCluster
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import from_record, replace, to_record
from shared.model.times import iso


def advance(
    database: AuroraCluster | RdsCluster,
    kind: Kind,
    point: datetime,
    previous: DatabaseProtection | None,
    now: datetime,
    calls: Calls,
) -> DatabaseProtection:
    """The protection after this call. A snapshot of the window is known from `previous`: its item's `backup_arn`.

    Raises:
        InvalidRequest: the point is not a whole second.
        NotReady: the cluster is gone or replaced, or its automated backups do not have the point.
        Unreachable, Throttled, Forbidden: the service.
    """
    item = item_of(database, point, previous, now)
    if item.is_done:
        return protection(database, point, item, now)
    scene = look(calls)
    cluster = _same_cluster(database, kind, item, scene)
    if not item.settings:
        item = replace(item, settings=to_record(read_cluster(cluster, scene, now, calls)))
    if database.snapshot:
        item = with_snapshot(snapshots.OF_CLUSTER, item, point, now, calls)
    if item.phase not in (ItemPhase.COPYING, ItemPhase.KEPT):
        item = _with_window(item, cluster, point, now)
    return protection(database, point, item, now)


def _same_cluster(database: AuroraCluster | RdsCluster, kind: Kind, item: ItemProtection, scene: Scene) -> Described:
    noted = from_record(item.settings, ClusterSettings).resource_id if item.settings else ""
    found = scene.cluster(database.identifier)
    if found is None or (noted and found["DbClusterResourceId"] != noted):
        other = scene.cluster_of(noted)
        now_called = f" It is called {other['DBClusterIdentifier']} now." if other else ""
        is_what = "does not exist" if found is None else "is another one than at the restore point"
        raise NotReady(
            f"{kind.word} {database.identifier} {is_what}.{now_called}",
            hint="Name the right one in the plan and take a new backup.",
        )
    return found


def _with_window(item: ItemProtection, cluster: Described, point: datetime, now: datetime) -> ItemProtection:
    earliest, latest = cluster.get("EarliestRestorableTime"), cluster.get("LatestRestorableTime")
    if earliest is None or latest is None or (earliest <= point and latest < point):
        return item.entered(ItemPhase.WAITING, now)
    if earliest > point:
        raise NotReady(
            f"{item.name}: its automated backups reach back to {iso(earliest)} only, the point is {iso(point)}.",
            hint="The cluster is younger than the point, or the point is older than the retention. Take a new backup.",
        )
    until = point + timedelta(days=cluster.get("BackupRetentionPeriod") or 1)
    return replace(item.entered(ItemPhase.COVERED, now), restorable_until=until)
