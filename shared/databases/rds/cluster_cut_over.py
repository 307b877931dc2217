"""The second half of a cluster's restore: the names that the application uses come to lead to the restored cluster.

Either names change hands (`cluster_swap`), or the copy keeps its own and the releases are led to its endpoints.
"""

from __future__ import annotations

from shared.databases.rds.cluster_compare import differences, with_names
from shared.databases.rds.cluster_endpoints import put_endpoints, remove_endpoints
from shared.databases.rds.cluster_manifest import read_cluster
from shared.databases.rds.cluster_progress import Work, finished, remembered, require_settling, under_way
from shared.databases.rds.cluster_reconcile import AVAILABLE, reconcile_cluster, reconcile_member, when_free
from shared.databases.rds.cluster_scaling import put_scaling, read_scaling, suspend_scaling
from shared.databases.rds.cluster_scene import Described
from shared.databases.rds.cluster_swap import Rename, Swap
from shared.databases.rds.errors import GONE, aws_code
from shared.databases.rds.names import bears_stamp
from shared.model.cluster_settings import ClusterSettings
from shared.model.errors import BackupError, Conflict, NotReady
from shared.model.records import from_record, replace
from shared.model.restore import DatabaseRestore, EndpointMove, ItemRestore, RestoreStage

_SETTLING = "final-settings"
GO_ON = "Correct it; the restore then goes on from here, or undo it. The replaced cluster is kept."


def advance_cut_over(work: Work, previous: DatabaseRestore) -> DatabaseRestore:
    """See `DatabaseAccess.cut_over`."""
    item = remembered(work.order, previous)
    if item is None or not item.settings:
        raise NotReady(
            f"{work.subject}: nothing has been prepared for this cut-over.", hint="Run the restore from its beginning."
        )
    incoming = from_record(item.settings, ClusterSettings)
    if work.order.undo is None and work.leads_to_endpoint:
        return _lead(work, previous, item, incoming)
    if not previous.changed_live:
        announced = item.entered("cutting-over", work.now)
        starting = under_way(
            work, previous, replace(announced, done=False), RestoreStage.CUTTING_OVER, "Names change hands next."
        )
        return replace(starting, changed_live=True, wait_seconds=0.0)
    return _swap(work, previous, replace(item, done=False), incoming)


def final_settings(work: Work, incoming: ClusterSettings) -> ClusterSettings:
    """What the cluster that becomes live shall have, under the names that it then bears."""
    if work.order.undo is not None or not work.leads_to_endpoint:
        return incoming
    named = with_names(incoming, {one.identifier: work.side(one.identifier) for one in incoming.members})
    endpoints = tuple(replace(one, identifier=work.side(one.identifier)) for one in named.custom_endpoints)
    return replace(named, identifier=work.side(incoming.identifier), custom_endpoints=endpoints)


def _swap(work: Work, previous: DatabaseRestore, item: ItemRestore, incoming: ClusterSettings) -> DatabaseRestore:
    outgoing = _outgoing(item, incoming)
    _require_no_rival(work, incoming, outgoing)
    if (live := _still_live(work, incoming, outgoing)) is not None and (message := _release(work, live)):
        return under_way(work, previous, item.entered("releasing-endpoints", work.now), RestoreStage.CUTTING_OVER, message)
    swap = Swap(
        scene=work.scene,
        incoming=incoming,
        outgoing=outgoing,
        aside=work.aside,
        is_aside=lambda name: bears_stamp(name, work.order.stamp),
        members_too=not work.kind.makes_instances,
    )
    renames, waiting = swap.next_renames()
    for rename in renames:
        _rename(rename, work)
    if renames or waiting:
        told = "; ".join((*(f"{one.current} becomes {one.to}" for one in renames), *((waiting,) if waiting else ())))
        # A change of settings makes the cluster busy, too: it must not begin the time again that settings have to show.
        is_settling = item.phase == _SETTLING and not renames
        moving = item if is_settling else item.entered("renaming", work.now)
        return under_way(work, previous, moving, RestoreStage.CUTTING_OVER, f"{told}.")
    kept = work.scene.cluster_of(outgoing.resource_id) if outgoing else None
    item = replace(item, kept=kept["DBClusterIdentifier"] if kept else "")
    return _complete(work, previous, item, incoming)


def _outgoing(item: ItemRestore, incoming: ClusterSettings) -> ClusterSettings | None:
    """The cluster that has to give up its names."""
    kept = _kept(item)
    return kept if kept is not None and kept.resource_id != incoming.resource_id else None


def _require_no_rival(work: Work, incoming: ClusterSettings, outgoing: ClusterSettings | None) -> None:
    bearer = work.scene.cluster(incoming.identifier)
    known = {incoming.resource_id, outgoing.resource_id if outgoing else ""}
    if bearer is not None and bearer["DbClusterResourceId"] not in known:
        raise Conflict(
            f"{incoming.identifier} is another cluster now ({bearer['DbClusterResourceId']}) than when this restore began.",
            hint="Find out who has made it. Nothing further was changed; the restored cluster is kept.",
        )


def _still_live(work: Work, incoming: ClusterSettings, outgoing: ClusterSettings | None) -> Described | None:
    """The outgoing cluster while it still bears the final name."""
    bearer = work.scene.cluster(incoming.identifier)
    if bearer is None or outgoing is None or bearer["DbClusterResourceId"] != outgoing.resource_id:
        return None
    return bearer


def _release(work: Work, live: Described) -> str:
    """Before names change hands: no scaling, and no custom endpoint on the outgoing cluster. Empty when that is so."""
    if work.kind.makes_instances or live["Status"] != AVAILABLE:
        return ""
    name = live["DBClusterIdentifier"]
    if (scaling := read_scaling(name, work.calls)) is not None:
        suspend_scaling(name, scaling, work.calls)
    removed = remove_endpoints(name, work.calls)
    return f"Custom endpoints of {name} are released: {', '.join(removed)}." if removed else ""


def _rename(rename: Rename, work: Work) -> None:
    """What has that name already, or is busy, is seen by the next call."""
    operation, which, new = (
        ("modify_db_cluster", "DBClusterIdentifier", "NewDBClusterIdentifier")
        if rename.is_cluster
        else ("modify_db_instance", "DBInstanceIdentifier", "NewDBInstanceIdentifier")
    )
    given = {which: rename.current, new: rename.to, "ApplyImmediately": True}
    try:
        when_free(lambda: work.calls.rds(operation, rename.current, **given))
    except BackupError as error:
        if aws_code(error) not in GONE:
            raise


def _complete(work: Work, previous: DatabaseRestore, item: ItemRestore, incoming: ClusterSettings) -> DatabaseRestore:
    """Under its final names: custom endpoints, scaling, deletion protection, and the comparison of every setting."""
    found, live = _settle(work, incoming)
    if found:
        settling = replace(item.entered(_SETTLING, work.now), differences=found)
        require_settling(settling, work.now, found, GO_ON)
        return under_way(
            work, previous, settling, RestoreStage.CUTTING_OVER, f"{incoming.identifier} gets its settings: {found[0]}."
        )
    moves = _moves_back(work.order.undo) if work.order.undo else _moves(_kept(item), live)
    said = f"{incoming.identifier} is the restored cluster; the replaced one is kept as {item.kept or 'nothing'}."
    return finished(work, previous, item.entered("done", work.now), RestoreStage.DONE, said, moves)


def _lead(work: Work, previous: DatabaseRestore, item: ItemRestore, incoming: ClusterSettings) -> DatabaseRestore:
    """Nothing is renamed: the copy is completed under its own names, and the releases are led there."""
    wanted = final_settings(work, incoming)
    found, made = _settle(work, wanted)
    item = replace(item, done=False, kept=work.name if item.kept_settings else "")
    if found:
        settling = replace(item.entered(_SETTLING, work.now), differences=found)
        require_settling(settling, work.now, found, GO_ON)
        return under_way(
            work, previous, settling, RestoreStage.CUTTING_OVER, f"{wanted.identifier} gets its settings: {found[0]}."
        )
    old = _kept(item)
    moves = _moves(final_settings(work, old) if old else None, made)
    said = f"{wanted.identifier} is the restored cluster; {work.name} stays as it is. Name {wanted.identifier} in the plan."
    return finished(work, previous, item.entered("done", work.now), RestoreStage.DONE, said, moves)


def _settle(work: Work, wanted: ClusterSettings) -> tuple[tuple[str, ...], ClusterSettings]:
    """Puts right what differs of the cluster of that name; answers with what differed, and with what it has."""
    cluster = work.scene.cluster(wanted.identifier)
    if cluster is None:
        raise NotReady(f"cluster {wanted.identifier} does not exist any more.", hint=GO_ON)
    name = cluster["DBClusterIdentifier"]
    members = work.scene.members(cluster)
    if cluster["Status"] == AVAILABLE:
        reconcile_cluster(cluster, wanted, (), work.calls)
        by_name = {one.identifier: one for one in wanted.members}
        for member in members:
            known = by_name.get(member["DBInstanceIdentifier"])
            if known is not None and member["DBInstanceStatus"] == AVAILABLE:
                reconcile_member(member, known, work.calls)
    actual = read_cluster(cluster, work.scene, work.now, work.calls)
    if not work.kind.makes_instances:
        if "custom_endpoints" not in wanted.unknown and differences(
            replace(wanted, members=()), replace(actual, members=()), _all_but("custom_endpoints")
        ):
            put_endpoints(name, wanted.custom_endpoints, work.calls)
        if "replica_scaling" not in {**wanted.unknown, **actual.unknown} and wanted.replica_scaling != actual.replica_scaling:
            put_scaling(name, wanted.replica_scaling, actual.replica_scaling, work.calls)
    busy = tuple(
        f"instance {member['DBInstanceIdentifier']} is {member['DBInstanceStatus']}"
        for member in members
        if member["DBInstanceStatus"] != AVAILABLE
    )
    state = () if cluster["Status"] == AVAILABLE else (f"cluster {name} is {cluster['Status']}",)
    return (*state, *busy, *differences(wanted, actual)), actual


def _all_but(field: str) -> set[str]:
    return set(ClusterSettings.__struct_fields__) - {field}


def _kept(item: ItemRestore) -> ClusterSettings | None:
    return from_record(item.kept_settings, ClusterSettings) if item.kept_settings else None


def _moves(old: ClusterSettings | None, new: ClusterSettings) -> tuple[EndpointMove, ...]:
    """Every endpoint that an application can have been given and whose host or port is another one now. Endpoints are matched
    by the names of instances and custom endpoints, so `old` comes under the names that `new` has."""
    if old is None:
        return ()
    pairs = [(old.endpoint, new.endpoint), (old.reader_endpoint, new.reader_endpoint)]
    made = _hosts(new)
    pairs += [(host, made.get(name, "")) for name, host in _hosts(old).items()]
    return tuple(
        EndpointMove(old=before, new=after, old_port=old.port, new_port=new.port)
        for before, after in pairs
        if before and after and (before, old.port) != (after, new.port)
    )


def _moves_back(first: DatabaseRestore) -> tuple[EndpointMove, ...]:
    return tuple(
        EndpointMove(old=move.new, new=move.old, old_port=move.new_port, new_port=move.old_port) for move in first.endpoints
    )


def _hosts(settings: ClusterSettings) -> dict[str, str]:
    """Of instances and custom endpoints, by identifier; these two kinds share no host names."""
    hosts = {f"instance {one.identifier}": one.endpoint for one in settings.members}
    return hosts | {f"custom endpoint {one.identifier}": one.endpoint for one in settings.custom_endpoints}
