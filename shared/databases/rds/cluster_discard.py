"""Deletes what a restore has made or kept beside the live cluster: instances first, then the cluster."""

from __future__ import annotations

from shared.databases.rds.cluster_progress import Work, remembered, under_way
from shared.databases.rds.cluster_reconcile import when_free
from shared.databases.rds.cluster_scene import Described
from shared.databases.rds.errors import GONE, aws_code
from shared.databases.rds.names import bears_stamp
from shared.model.errors import BackupError, NotReady
from shared.model.rds_endpoint import jdbc_hosts
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage, Target

_GOING = "deleting"


def advance_discard(work: Work, restored: DatabaseRestore) -> DatabaseRestore:
    """See `DatabaseAccess.discard`. With `cut_over: endpoint` the replaced cluster bears no stamp and stays for its owner."""
    doomed = _doomed(work, restored)
    if not doomed:
        kept = " The replaced cluster was never renamed: delete it by hand." if _leads(work, restored) else ""
        return replace(
            restored,
            stage=RestoreStage.DISCARDED,
            done=True,
            wait_seconds=0.0,
            message=f"Nothing with the stamp {work.order.stamp} is left beside {work.name}.{kept}",
        )
    _require_live(work, restored)
    _refuse_what_is_used(work, doomed)
    for cluster in doomed:
        _delete(work, cluster)
    item = remembered(work.order, restored) or ItemRestore(name=work.name, phase="")
    names = ", ".join(cluster["DBClusterIdentifier"] for cluster in doomed)
    deleting = replace(item.entered("discarding", work.now), done=False)
    return under_way(work, restored, deleting, restored.stage, f"{names} is being deleted.")


def _doomed(work: Work, restored: DatabaseRestore) -> list[Described]:
    """The clusters with this restore's names. That of a finished restore that leads to its endpoint is the live one."""
    names = {work.aside(work.name)} if _leads(work, restored) else {work.side(work.name), work.aside(work.name)}
    return [found for name in sorted(names) if (found := work.scene.cluster(name)) is not None and name != work.name]


def _leads(work: Work, restored: DatabaseRestore) -> bool:
    in_place = work.order.target is Target.IN_PLACE and work.order.undo is None
    return in_place and work.leads_to_endpoint and restored.stage is RestoreStage.DONE


def _require_live(work: Work, restored: DatabaseRestore) -> None:
    """While no cluster bears the live name, what bears the stamp may be all there is."""
    if restored.changed_live and work.scene.cluster(work.name) is None:
        raise NotReady(
            f"{work.name} does not exist, so nothing of its restore is deleted: it may be the only copy.",
            hint="Continue or undo the restore first.",
        )


def _refuse_what_is_used(work: Work, doomed: list[Described]) -> None:
    """A person may have led a release to a copy by hand, whatever it was made for."""
    used = set(jdbc_hosts(work.order.storages))
    for cluster in doomed:
        addresses = {cluster.get("Endpoint"), cluster.get("ReaderEndpoint"), *cluster.get("CustomEndpoints", ())}
        addresses |= {one.get("Endpoint", {}).get("Address") for one in work.scene.members(cluster)}
        if led := sorted(used & {address.lower() for address in addresses if address}):
            raise NotReady(
                f"{cluster['DBClusterIdentifier']} is not deleted: the properties of a release lead to {', '.join(led)}.",
                hint="Lead the release to the live cluster first.",
            )


def _delete(work: Work, cluster: Described) -> None:
    name = cluster["DBClusterIdentifier"]
    members = () if work.kind.makes_instances else work.scene.members(cluster)
    if foreign := [
        one["DBInstanceIdentifier"] for one in members if not bears_stamp(one["DBInstanceIdentifier"], work.order.stamp)
    ]:
        raise NotReady(
            f"cluster {name} has instances that this restore has neither made nor renamed: {', '.join(foreign)}.",
            hint="Delete them by hand if nobody needs them; the cluster is deleted afterwards.",
        )
    if cluster["Status"] == _GOING:
        return
    if cluster.get("DeletionProtection"):
        _ask(work, "modify_db_cluster", name, DBClusterIdentifier=name, DeletionProtection=False, ApplyImmediately=True)
        return
    for member in members:
        if member["DBInstanceStatus"] != _GOING:
            one = member["DBInstanceIdentifier"]
            _ask(work, "delete_db_instance", one, DBInstanceIdentifier=one, SkipFinalSnapshot=True)
    if all(member["DBInstanceStatus"] == _GOING for member in members):
        # The window of the replaced cluster may hold other restore points; a side copy has none of its own.
        drop_backups = name == work.side(work.name)
        _ask(
            work,
            "delete_db_cluster",
            name,
            DBClusterIdentifier=name,
            SkipFinalSnapshot=True,
            DeleteAutomatedBackups=drop_backups,
        )


def _ask(work: Work, operation: str, subject: str, **parameters: object) -> None:
    """What is gone or busy by now is seen by the next call."""
    try:
        when_free(lambda: work.calls.rds(operation, subject, **parameters))
    except BackupError as error:
        if aws_code(error) not in GONE:
            raise
