"""The first half of a cluster's restore: a complete copy beside the live cluster, every setting compared. Touches nothing live.

The service restores only the cluster of an Aurora; its instances are created afterwards, the writer first (API reference of
RestoreDBClusterToPointInTime). Of a Multi-AZ DB cluster it makes all three by itself.
"""

from __future__ import annotations

from functools import partial

from shared.databases.rds import tags
from shared.databases.rds.cluster_compare import AFTER_NAMES, differences, with_names
from shared.databases.rds.cluster_manifest import read_member, without_extras
from shared.databases.rds.cluster_parameters import create_member_parameters, restore_parameters
from shared.databases.rds.cluster_progress import (
    Work,
    finished,
    remembered,
    require_alive,
    require_settling,
    rivals_of,
    under_way,
)
from shared.databases.rds.cluster_reconcile import AVAILABLE, reconcile_cluster, reconcile_member, when_free
from shared.databases.rds.cluster_scaling import MADE_BY_SCALING
from shared.databases.rds.cluster_scene import Described
from shared.databases.rds.cluster_source import Source, Way, find_source
from shared.model.checks import summary
from shared.model.cluster_settings import ClusterSettings, MemberSettings
from shared.model.errors import Conflict, NotReady
from shared.model.records import from_record, replace, to_record
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage, Target
from shared.model.times import iso

UNTOUCHED = "Nothing live was touched. Correct it and restore again, or look at the events of the copy in the RDS console."


def advance_restore(work: Work, previous: DatabaseRestore | None) -> DatabaseRestore:
    """See `DatabaseAccess.restore`."""
    item = remembered(work.order, previous)
    if item is not None and item.done:
        stage = RestoreStage.DONE if work.order.target is Target.SIDE_BY_SIDE else RestoreStage.PREPARED
        return finished(work, previous, item, stage, _complete(work, item))
    copy = work.scene.cluster(work.side(work.name))
    if item is None or not item.settings or (copy is None and work.order.undo is None):
        item = _begun(work, item, find_source(work.order, work.kind, work.scene, work.now, work.calls), copy)
    if work.order.undo is not None:
        return _old_copy(work, previous, item)
    if copy is None:
        return _restore_cluster(work, previous, item)
    return _complete_copy(work, previous, item, copy)


def _begun(work: Work, item: ItemRestore | None, source: Source, copy: Described | None) -> ItemRestore:
    """What shall be made of what; settings that an earlier call has noted stay as they are."""
    if source.problems and copy is None:
        raise NotReady(f"{work.subject} cannot be restored. {summary(source.problems)} Nothing live was touched.")
    if source.settings is None:
        raise NotReady(
            f"{work.subject}: its settings are not known: it does not exist, and the restore point keeps none.",
            hint="Restore to a point of a backup of this plan, or by hand in the RDS console. Nothing live was touched.",
        )
    known = item if item is not None and item.settings else None
    return ItemRestore(
        name=work.name,
        phase=item.phase if item else "",
        since=item.since if item else None,
        source=source.text or (item.source if item else ""),
        side=source.identifier if source.way is Way.OLD_COPY else work.side(work.name),
        settings=known.settings if known else to_record(_to_make(source.settings)),
        kept_settings=known.kept_settings if known else (to_record(source.live) if source.live else {}),
    )


def _to_make(settings: ClusterSettings) -> ClusterSettings:
    """Without the readers that replica scaling has made: it makes its own again."""
    if settings.replica_scaling is None:
        return settings
    made = {one.identifier for one in settings.members if one.identifier.startswith(MADE_BY_SCALING) and not one.is_writer}
    endpoints = tuple(
        replace(
            one,
            static_members=tuple(name for name in one.static_members if name not in made),
            excluded_members=tuple(name for name in one.excluded_members if name not in made),
        )
        for one in settings.custom_endpoints
    )
    members = tuple(one for one in settings.members if one.identifier not in made)
    return replace(settings, members=members, custom_endpoints=endpoints)


def _old_copy(work: Work, previous: DatabaseRestore | None, item: ItemRestore) -> DatabaseRestore:
    """An undo has nothing to make: what the first restore set aside must be fit to become live again."""
    settings = from_record(item.settings, ClusterSettings)
    old = work.scene.cluster_of(settings.resource_id)
    if old is None:
        raise NotReady(f"{work.subject}: {item.side} does not exist any more.", hint="Restore to a point instead.")
    parts = (old, *work.scene.members(old))
    for part in parts:
        require_alive(_called(part), _status(part), "Start or repair it, then undo again.")
    if busy := [f"{_called(part)} is {_status(part)}" for part in parts if _status(part) != AVAILABLE]:
        return under_way(work, previous, item.entered("old-copy", work.now), RestoreStage.PREPARING, f"{busy[0]}.")
    return finished(work, previous, item.entered("prepared", work.now), RestoreStage.PREPARED, _complete(work, item))


def _restore_cluster(work: Work, previous: DatabaseRestore | None, item: ItemRestore) -> DatabaseRestore:
    if rivals := rivals_of(work):
        raise Conflict(
            f"{work.name} is being restored already: {', '.join(rivals)}. Nothing live was touched.",
            hint="Wait until that restore has ended.",
        )
    source = find_source(work.order, work.kind, work.scene, work.now, work.calls)
    if not source.is_reached:
        waiting = item.entered("waiting", work.now)
        latest = iso(source.latest) if source.latest else "nowhere yet"
        message = f"{source.identifier} can be restored until {latest}; the point is not reached yet."
        return under_way(work, previous, waiting, RestoreStage.PREPARING, message)
    wanted = from_record(item.settings, ClusterSettings)
    given = {
        **restore_parameters(wanted),
        **_where_from(work, source, wanted),
        "DBClusterIdentifier": item.side,
        "DeletionProtection": False,
        "Tags": tags.as_list({**wanted.tags, **_marks(work, item)}),
    }
    operation = "restore_db_cluster_to_point_in_time" if source.way is Way.PITR else "restore_db_cluster_from_snapshot"
    when_free(lambda: work.calls.rds(operation, f"cluster {item.side}", **given))
    started = item.entered("restoring-cluster", work.now)
    return under_way(work, previous, started, RestoreStage.PREPARING, f"{item.side} is being restored.")


def _where_from(work: Work, source: Source, wanted: ClusterSettings) -> dict[str, object]:
    if source.way is Way.SNAPSHOT:
        return {"SnapshotIdentifier": source.snapshot, "Engine": wanted.engine, "EngineVersion": wanted.engine_version}
    which = (
        {"SourceDBClusterIdentifier": source.identifier}
        if source.identifier
        else {"SourceDbClusterResourceId": source.resource_id}
    )
    return {**which, "RestoreToTime": work.order.at}


def _marks(work: Work, item: ItemRestore) -> dict[str, str]:
    point = {tags.POINT: iso(work.order.at)} if work.order.at else {}
    return {tags.RUN: work.order.run, tags.SOURCE: item.source, **point}


def _complete_copy(work: Work, previous: DatabaseRestore | None, item: ItemRestore, copy: Described) -> DatabaseRestore:
    """The cluster is there: settings, writer, readers, their settings, and the comparison of all of it."""
    if tags.as_mapping(copy.get("TagList") or ()).get(tags.RUN) != work.order.run:
        raise Conflict(
            f"{item.side} exists and was not made by this restore ({work.order.run}).",
            hint="Another run may be at work, or somebody uses its name. Nothing was changed.",
        )
    status = copy["Status"]
    require_alive(f"cluster {item.side}", status, UNTOUCHED)
    if status != AVAILABLE:
        percent = float(copy["PercentProgress"]) if str(copy.get("PercentProgress") or "").isdigit() else None
        waiting = replace(item.entered(item.phase or "restoring-cluster", work.now), percent=percent)
        return under_way(work, previous, waiting, RestoreStage.PREPARING, f"cluster {item.side} is {status}.")
    wanted = with_names(from_record(item.settings, ClusterSettings), _side_names(work, item))
    if not work.kind.makes_instances and (missing := _create_missing(work, item, copy, wanted)):
        return under_way(work, previous, missing, RestoreStage.PREPARING, missing.note)
    settled = reconcile_cluster(copy, wanted, AFTER_NAMES, work.calls).differences
    members = work.scene.members(copy)
    for member in members:
        require_alive(_called(member), _status(member), UNTOUCHED)
    by_name = {one.identifier: one for one in wanted.members}
    for member in members:
        if member["DBInstanceIdentifier"] in by_name and _status(member) == AVAILABLE:
            settled += reconcile_member(member, by_name[member["DBInstanceIdentifier"]], work.calls).differences
    busy = tuple(f"{_called(member)} is {_status(member)}" for member in members if _status(member) != AVAILABLE)
    actual = without_extras(copy, members, work.now)
    found = tuple(dict.fromkeys((*settled, *differences(wanted, actual, AFTER_NAMES), *busy)))
    if found:
        settling = replace(item.entered("settings", work.now), differences=found)
        require_settling(settling, work.now, found, UNTOUCHED)
        return under_way(work, previous, settling, RestoreStage.PREPARING, f"{item.side} gets its settings: {found[0]}.")
    prepared = replace(
        item.entered("prepared", work.now), settings=to_record(_known_by_id(item, work, copy)), percent=None, note=""
    )
    stage = RestoreStage.DONE if work.order.target is Target.SIDE_BY_SIDE else RestoreStage.PREPARED
    return finished(work, previous, prepared, stage, _complete(work, prepared))


def _create_missing(work: Work, item: ItemRestore, copy: Described, wanted: ClusterSettings) -> ItemRestore | None:
    """Creates the writer, and the readers once it is available. None when all are there; their states are looked at later."""
    writer, readers = _order_of(wanted)
    there = work.scene.instance(writer.identifier)
    if there is None:
        _create(work, item, copy, wanted, writer)
        return replace(item.entered("creating-writer", work.now), note=f"The writer {writer.identifier} is being created.")
    _require_member(there, item)
    require_alive(_called(there), _status(there), UNTOUCHED)
    if _status(there) == "creating":
        return replace(item.entered("creating-writer", work.now), note=f"The writer {writer.identifier} is being created.")
    begun = [one for one in readers if work.scene.instance(one.identifier) is None]
    for reader in begun:
        _create(work, item, copy, wanted, reader)
    for reader in readers:
        if (found := work.scene.instance(reader.identifier)) is not None:
            _require_member(found, item)
            require_alive(_called(found), _status(found), UNTOUCHED)
            begun += [reader] if _status(found) == "creating" else []
    if not begun:
        return None
    return replace(
        item.entered("creating-readers", work.now), note=f"{len(begun)} of {len(readers)} readers are being created."
    )


def _order_of(wanted: ClusterSettings) -> tuple[MemberSettings, list[MemberSettings]]:
    """The writer and the readers. Raises NotReady for a cluster without instances: nobody could read what is restored."""
    if not wanted.members:
        raise NotReady(
            f"{wanted.identifier} has no instances to be restored with.",
            hint="Give the live cluster an instance, then restore again. Nothing live was touched.",
        )
    writer = next((one for one in wanted.members if one.is_writer), wanted.members[0])
    return writer, [one for one in wanted.members if one is not writer]


def _create(work: Work, item: ItemRestore, copy: Described, wanted: ClusterSettings, member: MemberSettings) -> None:
    """In the cluster's engine; what is not said here comes from the cluster."""
    when_free(
        partial(
            work.calls.rds,
            "create_db_instance",
            f"instance {member.identifier}",
            DBInstanceIdentifier=member.identifier,
            DBClusterIdentifier=copy["DBClusterIdentifier"],
            Engine=wanted.engine,
            Tags=tags.as_list({**member.tags, **_marks(work, item)}),
            **create_member_parameters(member),
        )
    )


def _require_member(instance: Described, item: ItemRestore) -> None:
    if instance.get("DBClusterIdentifier") != item.side:
        raise Conflict(
            f"{_called(instance)} exists and is no instance of {item.side}.",
            hint="Somebody uses a name that this restore needs. Nothing live was touched.",
        )


def _side_names(work: Work, item: ItemRestore) -> dict[str, str]:
    settings = from_record(item.settings, ClusterSettings)
    return {one.identifier: work.side(one.identifier) for one in settings.members}


def _known_by_id(item: ItemRestore, work: Work, copy: Described) -> ClusterSettings:
    """The settings to have, under the final names, with the resource ids of what was made: by these it is known at the
    cut-over, whatever names it bears then."""
    settings = from_record(item.settings, ClusterSettings)
    made = {one["DBInstanceIdentifier"]: read_member(one, is_writer=False) for one in work.scene.members(copy)}
    members = tuple(
        replace(one, resource_id=made[work.side(one.identifier)].resource_id, endpoint=made[work.side(one.identifier)].endpoint)
        for one in settings.members
    )
    return replace(
        settings,
        resource_id=copy["DbClusterResourceId"],
        endpoint=copy.get("Endpoint") or "",
        reader_endpoint=copy.get("ReaderEndpoint") or "",
        members=members,
    )


def _complete(work: Work, item: ItemRestore) -> str:
    if work.order.undo is not None:
        return f"{item.side} is fit to become live again."
    return f"{item.side} is complete, and every setting compares equal."


def _called(part: Described) -> str:
    instance = part.get("DBInstanceIdentifier")
    return f"instance {instance}" if instance else f"cluster {part['DBClusterIdentifier']}"


def _status(part: Described) -> str:
    return str(part.get("DBInstanceStatus") or part.get("Status") or "")
