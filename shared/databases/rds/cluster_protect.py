"""One call of `protect` for a cluster: its settings noted, its snapshot kept where one was begun, or else its recovery window
past the point."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_kind import Kind
from shared.databases.rds.cluster_manifest import read_cluster
from shared.databases.rds.cluster_scene import Described, Scene, look
from shared.databases.rds.waiting import wait_seconds
from shared.model.cluster_settings import ClusterSettings
from shared.model.errors import InvalidRequest, NotReady
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
    if point.tzinfo is None or point.microsecond:
        raise InvalidRequest(f"{point.isoformat()} cannot be restored to exactly.", hint="A point is a whole second in UTC.")
    item = _remembered(database, point, previous) or ItemProtection(
        name=database.identifier, phase=ItemPhase.WAITING, since=now
    )
    if item.is_done:
        return _protection(database, point, item, now)
    scene = look(calls)
    cluster = _same_cluster(database, kind, item, scene)
    item = replace(item, note="")
    if not item.settings:
        item = replace(item, settings=to_record(read_cluster(cluster, scene, now, calls)))
    if database.snapshot:
        item = _with_snapshot(item, point, now, calls)
    if item.phase not in (ItemPhase.COPYING, ItemPhase.KEPT):
        item = _with_window(item, cluster, point, now)
    return _protection(database, point, item, now)


def _remembered(
    database: AuroraCluster | RdsCluster, point: datetime, previous: DatabaseProtection | None
) -> ItemProtection | None:
    """Memory of another point or database is none."""
    if previous is None or previous.database != database.key or previous.point != point or not previous.items:
        return None
    return previous.items[0]


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


def _with_snapshot(item: ItemProtection, point: datetime, now: datetime, calls: Calls) -> ItemProtection:
    """COPYING while the snapshot is being made, KEPT when it is proven to be of the window; otherwise a note says why not."""
    if not item.backup_arn:
        return _without_snapshot(item, "No snapshot was begun in the pause window.")
    snapshot = snapshots.find(snapshots.OF_CLUSTER, item.backup_arn, calls)
    if snapshot is None:
        return _without_snapshot(item, f"Snapshot {item.backup_arn} does not exist any more.")
    if snapshot.status == "creating":
        return item.entered(ItemPhase.COPYING, now)
    if not snapshot.is_available:
        return _without_snapshot(item, f"Snapshot {snapshot.identifier} is {snapshot.status}.")
    if not snapshot.is_proven_for(point):
        at = iso(snapshot.taken_at) if snapshot.taken_at else "an unknown time"
        return _without_snapshot(item, f"Snapshot {snapshot.identifier} was taken at {at}, which is not surely in the window.")
    snapshots.keep(snapshot, point, calls)
    return item.entered(ItemPhase.KEPT, now)


def _without_snapshot(item: ItemProtection, why: str) -> ItemProtection:
    phase = ItemPhase.WAITING if item.phase is ItemPhase.COPYING else item.phase
    return replace(item, phase=phase, backup_arn="", note=f"{why} The point lives as long as the automated backups.")


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


def _protection(
    database: AuroraCluster | RdsCluster, point: datetime, item: ItemProtection, now: datetime
) -> DatabaseProtection:
    return DatabaseProtection(
        database=database.key,
        point=point,
        items=(item,),
        done=item.is_done,
        wait_seconds=0.0 if item.is_done else wait_seconds(item.since, now),
        message=_message(item, point),
    )


def _message(item: ItemProtection, point: datetime) -> str:
    texts = {
        ItemPhase.WAITING: f"{item.name}: waiting until {iso(point)} is restorable.",
        ItemPhase.COPYING: f"{item.name}: waiting for its snapshot.",
        ItemPhase.KEPT: f"{item.name}: kept as a snapshot.",
    }
    until = f" until {iso(item.restorable_until)}" if item.restorable_until else ""
    return f"{texts.get(item.phase, f'{item.name}: restorable{until}.')} {item.note}".strip()
