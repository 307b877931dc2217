"""The first half of a restore of a DB instance: the replacement is made aside, complete and compared. Nothing live is touched.

    waiting ──► restoring ──► settings ──► prepared
    (point not  (creating,    (modify, tags,  (every setting
     restorable) first backup) roles, reboot)  compares equal)

An undo has nothing to make: it waits until the old copy, and what is to be replaced by it, can be renamed.
"""

from __future__ import annotations

from shared.databases.rds import tags
from shared.databases.rds.errors import BUSY, GONE, TAKEN, aws_code
from shared.databases.rds.instance_manifest import read
from shared.databases.rds.instance_parameters import autoscaling_limit, of_restore
from shared.databases.rds.instance_progress import UNTOUCHED, Work, record_of, refuse_stuck, settings_of
from shared.databases.rds.instance_reconcile import reconcile
from shared.databases.rds.instance_source import PITR, Source, find_source
from shared.databases.rds.inventory import Fleet, Instance, look
from shared.databases.rds.names import is_side_of
from shared.model.errors import BackupError, Conflict, NotReady
from shared.model.instance_settings import InstanceSettings
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage, Target
from shared.model.times import iso


def advance_restore(work: Work, previous: DatabaseRestore | None) -> DatabaseRestore:
    """See the port's `restore`."""
    fleet = look(work.calls)
    item = work.item(previous)
    if work.order.undo is not None:
        return _prepare_undo(work, fleet, item, previous)
    side = fleet.named(work.side) or next((one for one in fleet if work.is_ours(one)), None)
    if side is None:
        return _begin(work, fleet, item, previous)
    if side.identifier == work.name:
        message = f"{work.name}: it is the restored instance already."
        return work.progress(RestoreStage.PREPARED, replace(item, done=True), previous, message, done=True)
    if not work.is_ours(side):
        raise NotReady(
            f"The name {work.side} is taken by a DB instance that this restore has not made. {UNTOUCHED}",
            hint="Rename or delete that instance, then go on.",
        )
    return _complete(work, fleet, side, item, previous)


def _begin(work: Work, fleet: Fleet, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    _refuse_rival(work, fleet)
    source = find_source(work.order, fleet, work.now, work.calls)
    if source.problem is not None:
        raise NotReady(f"{source.problem.detail} {UNTOUCHED}", hint=source.problem.hint)
    wanted = settings_of(item.settings) or source.settings
    if wanted is None:
        raise NotReady(f"{work.name}: nothing says which settings it shall have. {UNTOUCHED}")
    item = replace(item, source=source.text, side=work.side, settings=record_of(wanted))
    if not source.is_reached:
        point = iso(work.order.at) if work.order.at else ""
        message = f"{work.name}: waiting until {point} is restorable; it can be restored to {source.window}."
        return work.progress(RestoreStage.PREPARING, item.entered("waiting", work.now), previous, message)
    message = _ask(work, source, wanted)
    return work.progress(RestoreStage.PREPARING, item.entered("restoring", work.now), previous, message)


def _refuse_rival(work: Work, fleet: Fleet) -> None:
    """Another plan's run may restore the same instance; the lease keeps apart only runs of one plan."""
    for other in fleet:
        is_copy = is_side_of(other.identifier, work.name)
        if is_copy and not work.is_ours(other) and other.status in ("creating", "modifying", "backing-up", "renaming"):
            raise Conflict(
                f"{work.name} is being restored already: {other.identifier} is {other.status}, made by run "
                f"{other.tags.get(tags.RUN, 'unknown')}. {UNTOUCHED}",
                hint="Wait until that restore has ended.",
            )


def _ask(work: Work, source: Source, wanted: InstanceSettings) -> str:
    """Asks for the replacement. Names that are not free yet, and a source that is busy, are waited for."""
    given = of_restore(wanted, {**work.marks, tags.SOURCE: source.snapshot_arn or source.resource_id})
    try:
        if source.way == PITR:
            named = (
                {"SourceDBInstanceIdentifier": source.identifier}
                if source.identifier
                else {"SourceDbiResourceId": source.resource_id}
            )
            work.calls.rds(
                "restore_db_instance_to_point_in_time",
                work.side,
                TargetDBInstanceIdentifier=work.side,
                RestoreTime=work.order.at,
                **named,
                **given,
                **autoscaling_limit(wanted),
            )
        else:
            work.calls.rds(
                "restore_db_instance_from_db_snapshot",
                work.side,
                DBInstanceIdentifier=work.side,
                DBSnapshotIdentifier=source.snapshot_arn.rpartition(":")[2],
                **given,
            )
    except BackupError as error:
        if aws_code(error) in TAKEN | BUSY | GONE:
            return f"{work.name}: not begun yet: {error.message}"
        raise
    return f"{work.name}: being restored to {work.side} from {source.way}."


def _complete(work: Work, fleet: Fleet, side: Instance, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    live = fleet.named(work.name)
    wanted = settings_of(item.settings) or find_source(work.order, fleet, work.now, work.calls).settings
    if wanted is None:
        raise NotReady(f"{work.name} was deleted while it was being restored. {UNTOUCHED}", hint="Ask for the restore again.")
    kept = read(live, work.now) if live else None
    item = replace(
        item,
        source=item.source or side.tags.get(tags.SOURCE, ""),
        side=work.side,
        settings=record_of(wanted),
        kept_settings=record_of(kept),
        percent=side.described.get("PercentProgress"),
    )
    if not side.is_available:
        refuse_stuck(side, UNTOUCHED)
        message = f"{work.name}: {work.side} is {side.status}."
        phase = "settings" if item.phase == "settings" else "restoring"
        return work.progress(RestoreStage.PREPARING, item.entered(phase, work.now), previous, message)
    item = item.entered("settings", work.now)
    reconciled = reconcile(side, wanted, item, work.now, work.calls, may_reboot=True)
    item = replace(item, differences=reconciled.differences)
    if not reconciled.is_done:
        message = f"{work.name}: {work.side}: {reconciled.doing}."
        return work.progress(RestoreStage.PREPARING, item, previous, message)
    return _prepared(work, side, item, previous)


def _prepared(work: Work, side: Instance, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    """From here on `settings` say by their resource id which instance shall be live."""
    wanted = settings_of(item.settings)
    if wanted is not None:
        item = replace(item, settings=record_of(replace(wanted, resource_id=side.resource_id)))
    item = replace(item.entered("prepared", work.now), done=True, percent=100.0)
    if work.order.target is Target.SIDE_BY_SIDE:
        item = replace(item, note=f"Reached at {side.host}:{side.port}.")
        message = f"{work.name}: restored as {work.side}, at {side.host}."
        return work.progress(RestoreStage.DONE, item, previous, message, done=True)
    kept = work.old if work.renames else work.name
    item = replace(item, kept=kept if item.kept_settings else "")
    message = f"{work.name}: {work.side} is complete; every setting compares equal."
    return work.progress(RestoreStage.PREPARED, item, previous, message, done=True)


def _prepare_undo(work: Work, fleet: Fleet, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    source = find_source(work.order, fleet, work.now, work.calls)
    if source.problem is not None or source.settings is None:
        detail = source.problem.detail if source.problem else f"{work.name}: nothing is kept."
        raise NotReady(f"{detail} {UNTOUCHED}", hint=source.problem.hint if source.problem else "")
    old = fleet.being(source.resource_id)
    outgoing = fleet.named(work.name) if work.renames else _endpoint_side(work, fleet)
    if outgoing is not None and outgoing.resource_id == source.resource_id:
        outgoing = None
    for instance in (old, outgoing):
        if instance is not None and not instance.is_available:
            refuse_stuck(instance, UNTOUCHED)
            message = f"{work.name}: waiting for {instance.identifier}, which is {instance.status}."
            return work.progress(RestoreStage.PREPARING, item.entered("waiting", work.now), previous, message)
    item = replace(
        item.entered("prepared", work.now),
        source=source.text,
        side=source.identifier,
        kept="" if outgoing is None else work.old if work.renames else outgoing.identifier,
        settings=record_of(source.settings),
        kept_settings=record_of(read(outgoing, work.now) if outgoing else None),
        done=True,
        percent=100.0,
    )
    message = f"{work.name}: the old copy {source.identifier} is ready."
    return work.progress(RestoreStage.PREPARED, item, previous, message, done=True)


def _endpoint_side(work: Work, fleet: Fleet) -> Instance | None:
    """With `cut_over: endpoint` nothing was renamed: what the first restore made still bears the name of its side copy."""
    first = work.order.undo.items[0] if work.order.undo and work.order.undo.items else None
    made = settings_of(first.settings) if first else None
    return fleet.being(made.resource_id) if made else None
