"""Is the cluster that is live now what the restore has promised. Only reads."""

from __future__ import annotations

from collections.abc import Iterator

from shared.databases.rds import tags
from shared.databases.rds.cluster_compare import AFTER_NAMES, differences, with_names
from shared.databases.rds.cluster_cut_over import final_settings
from shared.databases.rds.cluster_manifest import read_cluster
from shared.databases.rds.cluster_progress import Work, remembered
from shared.databases.rds.cluster_reconcile import AVAILABLE
from shared.databases.rds.cluster_scene import Described
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.cluster_settings import ClusterSettings
from shared.model.naming import listed
from shared.model.records import from_record, replace
from shared.model.restore import DatabaseRestore, RestoreStage, Target
from shared.model.times import iso

HINT = "Look at the cluster in the RDS console. The replaced cluster is kept: the restore can be undone."


def verify_restored(work: Work, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
    """See `DatabaseAccess.verify`."""
    return tuple(_results(work, restored))


def _results(work: Work, restored: DatabaseRestore) -> Iterator[CheckResult]:
    check, subject = work.kind.check, work.order.database.key
    item = remembered(work.order, restored)
    if item is None or not item.settings or restored.stage is not RestoreStage.DONE:
        yield failed(f"{check}-restored", subject, f"its restore is not done ({restored.stage.value}).", "Let it go on first.")
        return
    wanted = from_record(item.settings, ClusterSettings)
    side_by_side = work.order.target is Target.SIDE_BY_SIDE
    if side_by_side:
        named = with_names(wanted, {one.identifier: work.side(one.identifier) for one in wanted.members})
        wanted = replace(named, identifier=work.side(wanted.identifier))
    else:
        wanted = final_settings(work, wanted)
    cluster = work.scene.cluster(wanted.identifier)
    if cluster is None or cluster["DbClusterResourceId"] != wanted.resource_id:
        found = f"is {cluster['DbClusterResourceId']}" if cluster else "does not exist"
        yield failed(
            f"{check}-identity", subject, f"{wanted.identifier} {found}; {wanted.resource_id} was restored for it.", HINT
        )
        return
    yield passed(f"{check}-identity", subject, f"{wanted.identifier} is the restored cluster ({wanted.resource_id})")
    yield from _data(work, check, subject, cluster)
    parts = [(cluster["DBClusterIdentifier"], cluster["Status"])]
    parts += [(one["DBInstanceIdentifier"], one["DBInstanceStatus"]) for one in work.scene.members(cluster)]
    busy = [f"{name} is {status}" for name, status in parts if status != AVAILABLE]
    yield (
        failed(f"{check}-status", subject, f"{listed(busy)}.", HINT)
        if busy
        else passed(f"{check}-status", subject, f"the cluster and its {len(parts) - 1} instances are available")
    )
    actual = read_cluster(cluster, work.scene, work.now, work.calls)
    apart = differences(wanted, actual, AFTER_NAMES if side_by_side else ())
    yield (
        failed(f"{check}-settings", subject, f"{listed(apart, '; ')}.", "Set them by hand, or undo the restore.")
        if apart
        else passed(f"{check}-settings", subject, "every setting of the manifest compares equal")
    )
    if unread := {**wanted.unknown, **actual.unknown}:
        told = "; ".join(f"{field}: {reason}" for field, reason in sorted(unread.items()))
        yield warned(
            f"{check}-settings-unread", subject, f"settings that could not be compared. {told}", "Compare them by hand."
        )
    yield from _by_hand(check, subject, item.kept_settings, actual)


def _data(work: Work, check: str, subject: str, cluster: Described) -> Iterator[CheckResult]:
    """A copy says by its tags to which second it was restored; an old one that came back was not restored at all."""
    if work.order.undo is not None or work.order.at is None:
        return
    marks = tags.as_mapping(cluster.get("TagList") or ())
    if marks.get(tags.POINT) == iso(work.order.at) and marks.get(tags.RUN) == work.order.run:
        yield passed(f"{check}-data", subject, f"restored to {marks[tags.POINT]} from {marks.get(tags.SOURCE, 'unknown')}")
    else:
        seen = marks.get(tags.POINT) or "nothing"
        yield failed(f"{check}-data", subject, f"its tags say {seen}, not {iso(work.order.at)} of {work.order.run}.", HINT)


def _by_hand(check: str, subject: str, kept: object, actual: ClusterSettings) -> Iterator[CheckResult]:
    """What a restore cannot bring back and a person has to decide about."""
    old = from_record(kept, ClusterSettings) if kept else None
    if old is None:
        return
    if old.activity_stream and not actual.activity_stream:
        yield warned(
            f"{check}-activity-stream", subject, "its database activity stream is not started.", "Start it if you need it."
        )
