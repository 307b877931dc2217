"""What a cluster is restored from: the recovery window of the cluster that had the point, live or deleted, a snapshot, or the
old copy that an undo goes back to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_kind import Kind
from shared.databases.rds.cluster_manifest import read_cluster
from shared.databases.rds.cluster_scene import Described, Scene
from shared.databases.rds.errors import none_if_gone
from shared.databases.rds.names import is_aside
from shared.model.checks import CheckResult, failed
from shared.model.cluster_settings import ClusterSettings
from shared.model.plan import AuroraCluster, RdsCluster
from shared.model.records import from_record
from shared.model.restore import DatabaseRestore, RestoreOrder
from shared.model.times import iso

GOING = ("deleting",)
"""States from which nothing can be restored any more."""


class Way(StrEnum):
    """The words of `DatabaseForecast.source`."""

    PITR = "point-in-time recovery"
    SNAPSHOT = "snapshot"
    OLD_COPY = "old copy"
    NONE = ""


@dataclass(frozen=True)
class Source:
    """`settings` is what the restored cluster shall have, `live` what bears the name now; None where there is no such thing.

    `identifier` names an existing cluster to recover from, `resource_id` one that is deleted; `snapshot` is an ARN. `earliest`
    and `latest` bound what can be restored. `is_reached`: the point is restorable already. `problems` are failed checks.
    """

    way: Way = Way.NONE
    settings: ClusterSettings | None = None
    live: ClusterSettings | None = None
    manifest: ClusterSettings | None = None
    identifier: str = ""
    resource_id: str = ""
    snapshot: str = ""
    earliest: datetime | None = None
    latest: datetime | None = None
    is_reached: bool = True
    problems: tuple[CheckResult, ...] = field(default=())

    @property
    def text(self) -> str:
        """For `ItemRestore.source`: an ARN, a name, or `pitr`."""
        return {Way.PITR: "pitr", Way.SNAPSHOT: self.snapshot, Way.OLD_COPY: self.identifier, Way.NONE: ""}[self.way]


def cluster_of(order: RestoreOrder) -> AuroraCluster | RdsCluster:
    if not isinstance(order.database, AuroraCluster | RdsCluster):
        raise TypeError(f"{order.database.key} is not a cluster")
    return order.database


def name_of(order: RestoreOrder) -> str:
    """The cluster's identifier as RDS stores it."""
    return cluster_of(order).identifier.lower()


def region_of(order: RestoreOrder) -> str:
    return cluster_of(order).region


def noted_settings(order: RestoreOrder) -> ClusterSettings | None:
    """The manifest that the restore point keeps."""
    items = order.protection.items if order.protection else ()
    record = next((item.settings for item in items if item.settings), None)
    return from_record(record, ClusterSettings) if record else None


def find_source(order: RestoreOrder, kind: Kind, scene: Scene, at: datetime, calls: Calls) -> Source:
    """Where this order's data is. Settings are the live cluster's as they are now: a restore brings data back, it does not take
    back what was configured since; where no cluster is live they are those of the restore point.

    Raises:
        Throttled, Unreachable, Forbidden: the service.
    """
    if order.undo is not None:
        return _undo(order, order.undo, kind, scene, at, calls)
    described = scene.cluster(name_of(order))
    live = read_cluster(described, scene, at, calls) if described else None
    manifest = noted_settings(order)
    known = Source(settings=live or manifest, live=live, manifest=manifest)
    return _data(known, order, kind, scene, calls)


def _undo(order: RestoreOrder, first: DatabaseRestore, kind: Kind, scene: Scene, at: datetime, calls: Calls) -> Source:
    """The cluster that the first restore has set aside, under whatever name it is, and the one that it replaces again."""
    item = first.items[0] if first.items else None
    if item is None or not item.kept_settings:
        return Source(problems=(_no_copy(order, kind, "the restore has set nothing aside"),))
    settings = from_record(item.kept_settings, ClusterSettings)
    live = _replaced_again(order, first, settings, scene, at, calls)
    old = scene.cluster_of(settings.resource_id)
    if old is None:
        reason = f"{item.kept or settings.identifier} ({settings.resource_id}) does not exist any more"
        return Source(live=live, settings=settings, problems=(_no_copy(order, kind, reason),))
    return Source(way=Way.OLD_COPY, settings=settings, live=live, identifier=old["DBClusterIdentifier"])


def _replaced_again(
    order: RestoreOrder, first: DatabaseRestore, old: ClusterSettings, scene: Scene, at: datetime, calls: Calls
) -> ClusterSettings | None:
    """What an undo sets aside: the cluster of the name, unless that is the old one itself, because the restore led to an
    endpoint or did not get so far. Then it is what the restore has made, under the names meant for it."""
    bearer = scene.cluster(name_of(order))
    if bearer is not None and bearer["DbClusterResourceId"] != old.resource_id:
        return read_cluster(bearer, scene, at, calls)
    made = from_record(first.items[0].settings, ClusterSettings) if first.items[0].settings else None
    there = scene.cluster_of(made.resource_id) if made else None
    if made is None or there is None or made.resource_id == old.resource_id:
        return None
    return read_cluster(there, scene, at, calls) if first.endpoints else made


def _no_copy(order: RestoreOrder, kind: Kind, reason: str) -> CheckResult:
    return failed(
        f"{kind.check}-old-copy",
        order.database.key,
        f"There is nothing to go back to: {reason}.",
        "Restore to a point instead.",
    )


def _data(known: Source, order: RestoreOrder, kind: Kind, scene: Scene, calls: Calls) -> Source:
    """The window of the cluster that had the point: after an earlier restore that is not the one that bears the name now."""
    point = order.at
    its = known.manifest or known.live
    owner_id = its.resource_id if its else ""
    owner = scene.cluster_of(owner_id)
    if known.live is None and owner is not None and not is_aside(owner["DBClusterIdentifier"]):
        return dataclasses.replace(known, problems=(_renamed(order, kind, owner),))
    if owner is not None and owner["Status"] not in GOING:
        window = dataclasses.replace(
            known,
            identifier=owner["DBClusterIdentifier"],
            earliest=owner.get("EarliestRestorableTime"),
            latest=owner.get("LatestRestorableTime"),
        )
    elif backup := _retained(name_of(order), owner_id, calls):
        reach = backup["RestoreWindow"]
        window = dataclasses.replace(
            known,
            resource_id=backup["DbClusterResourceId"],
            earliest=reach.get("EarliestTime"),
            latest=reach.get("LatestTime"),
        )
    else:
        window = known
    if point is not None and window.earliest is not None and window.earliest <= point:
        is_reached = window.latest is not None and point <= window.latest
        if is_reached or window.identifier:
            return dataclasses.replace(window, way=Way.PITR, is_reached=is_reached)
    if snapshot := _snapshot(order, calls):
        return dataclasses.replace(window, way=Way.SNAPSHOT, snapshot=snapshot)
    return dataclasses.replace(window, problems=(_out_of_reach(kind, order.database.key, point, owner_id, window),))


def _renamed(order: RestoreOrder, kind: Kind, owner: Described) -> CheckResult:
    return failed(
        f"{kind.check}-source",
        order.database.key,
        f"{kind.word} {name_of(order)} does not exist: the one that the restore point is of ({owner['DbClusterResourceId']}) "
        f"is called {owner['DBClusterIdentifier']} now.",
        "Name it so in the plan, or rename it back.",
    )


def _out_of_reach(kind: Kind, subject: str, point: datetime | None, owner_id: str, window: Source) -> CheckResult:
    wanted, where = iso(point) if point else "no time", window.identifier or window.resource_id
    if not where:
        detail = (
            f"No {kind.word} {owner_id or 'of this name'}, no retained automated backup and no snapshot of the point was found."
        )
        return failed(
            f"{kind.check}-source", subject, detail, "Check region and name; a deleted cluster is gone with its backups."
        )
    earliest, latest = (iso(one) if one else "nowhere yet" for one in (window.earliest, window.latest))
    return failed(
        f"{kind.check}-source",
        subject,
        f"{where} can be restored from {earliest} to {latest}, and {wanted} is wanted; the point keeps no snapshot.",
        "Choose a point inside the window. Its length is the cluster's backup retention period.",
    )


def _retained(name: str, resource_id: str, calls: Calls) -> Described | None:
    """The automated backups that a deleted cluster has left; the newest of that name when the resource id is not known."""
    which = {"DbClusterResourceId": resource_id} if resource_id else {"DBClusterIdentifier": name}
    found = none_if_gone(
        lambda: calls.rds_list("describe_db_cluster_automated_backups", "DBClusterAutomatedBackups", f"cluster {name}", **which)
    )
    usable = [one for one in found or () if (one.get("RestoreWindow") or {}).get("LatestTime")]
    return max(usable, key=lambda one: one["RestoreWindow"]["LatestTime"], default=None)


def _snapshot(order: RestoreOrder, calls: Calls) -> str:
    """The ARN of the snapshot that the point keeps, if it can be restored from."""
    items = order.protection.items if order.protection else ()
    arn = next((item.backup_arn for item in items if item.backup_arn), "")
    found = snapshots.find(snapshots.OF_CLUSTER, arn, calls) if arn else None
    return found.arn if found is not None and found.is_available else ""
