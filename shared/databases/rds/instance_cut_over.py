"""The second half of a restore of a DB instance: the application's name, or its properties, come to lead to the restored data.

    by identifier:  live ──► <name>-old<stamp>, then  restored ──► <name>, then every setting compared again
    by endpoint:    nothing is renamed; the answer says from which endpoint to which the properties have to be led

Each call looks at which instance, by its DbiResourceId, bears which name, and does the one rename that is missing. So it does
not matter after which line an earlier call died, or who has renamed what: what fits no step of ours is refused, never touched.
"""

from __future__ import annotations

from shared.databases.rds.errors import BUSY, GONE, TAKEN, aws_code
from shared.databases.rds.instance_progress import Work, move_from, refuse_stuck, settings_of
from shared.databases.rds.instance_reconcile import reconcile
from shared.databases.rds.inventory import Fleet, Instance, look
from shared.model.errors import BackupError, NotReady
from shared.model.instance_settings import InstanceSettings
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage

HALF_DONE = "What was renamed stays as it is; the restore can go on or be undone."


def advance_cut_over(work: Work, previous: DatabaseRestore) -> DatabaseRestore:
    """See the port's `cut_over`."""
    item = replace(work.item(previous), done=False)
    wanted = settings_of(item.settings)
    if wanted is None:
        raise NotReady(
            f"{work.name}: nothing is prepared that could be cut over to.", hint="Begin with the first half of the restore."
        )
    fleet = look(work.calls)
    incoming = fleet.being(wanted.resource_id)
    if incoming is None:
        raise NotReady(
            f"{work.name}: the restored instance {item.side} ({wanted.resource_id}) does not exist any more. {HALF_DONE}",
            hint="Undo the restore, or rename the old instance back.",
        )
    if not work.renames:
        return _by_endpoint(work, incoming, wanted, item, previous)
    if not previous.changed_live and incoming.identifier != work.name:
        return _announce(work, fleet, incoming, item, previous)
    if incoming.identifier == work.name:
        return _finish(work, incoming, wanted, item, previous)
    return _rename(work, fleet, incoming, item, previous)


def _announce(work: Work, fleet: Fleet, incoming: Instance, item: ItemRestore, previous: DatabaseRestore) -> DatabaseRestore:
    """The promise that live things change is stored before the first one does; and what is seen not to work is not begun."""
    _require_free_names(work, fleet, item)
    for instance in (incoming, fleet.named(work.name)):
        if instance is not None and not instance.is_available:
            refuse_stuck(instance, "Nothing live was touched.")
            message = f"{work.name}: waiting for {instance.identifier}, which is {instance.status}."
            return work.progress(RestoreStage.CUTTING_OVER, item.entered("waiting", work.now), previous, message)
    message = f"{work.name}: about to be renamed to {work.old}."
    item = item.entered("about-to-rename", work.now)
    return work.progress(RestoreStage.CUTTING_OVER, item, previous, message, changed_live=True)


def _rename(work: Work, fleet: Fleet, incoming: Instance, item: ItemRestore, previous: DatabaseRestore) -> DatabaseRestore:
    _require_free_names(work, fleet, item)
    bearer, outgoing = fleet.named(work.name), fleet.being(_kept_id(item))
    if bearer is not None:
        text, item = _give(work, bearer, work.old), item.entered("renaming-old", work.now)
    elif outgoing is not None and not outgoing.is_available:
        refuse_stuck(outgoing, HALF_DONE)
        text, item = f"waiting for {outgoing.identifier}, which is {outgoing.status}", item.entered("renaming-old", work.now)
    else:
        text, item = _give(work, incoming, work.name), item.entered("renaming-new", work.now)
    return work.progress(RestoreStage.CUTTING_OVER, item, previous, f"{work.name}: {text}.", changed_live=True)


def _require_free_names(work: Work, fleet: Fleet, item: ItemRestore) -> None:
    """Only the instance that was live when the replacement was prepared is renamed away, and only to a name that is free."""
    kept_id, bearer, aside = _kept_id(item), fleet.named(work.name), fleet.named(work.old)
    if bearer is not None and bearer.resource_id != kept_id:
        raise NotReady(
            f"{work.name} is another DB instance ({bearer.resource_id}) now than when the restore was prepared. {HALF_DONE}",
            hint="Rename that instance to another name, then go on.",
        )
    if aside is not None and aside.resource_id != kept_id:
        raise NotReady(
            f"The name {work.old} is taken by a DB instance ({aside.resource_id}) that is not the replaced one. {HALF_DONE}",
            hint="Rename or delete that instance, then go on.",
        )


def _kept_id(item: ItemRestore) -> str:
    kept = settings_of(item.kept_settings)
    return kept.resource_id if kept else ""


def _give(work: Work, instance: Instance, name: str) -> str:
    """Renames at once. A name that is not free yet, and an instance that is busy or being renamed already, are waited for."""
    if not instance.is_available:
        refuse_stuck(instance, HALF_DONE)
        return f"waiting for {instance.identifier}, which is {instance.status}"
    try:
        work.calls.rds(
            "modify_db_instance",
            instance.identifier,
            DBInstanceIdentifier=instance.identifier,
            NewDBInstanceIdentifier=name,
            ApplyImmediately=True,
        )
    except BackupError as error:
        if aws_code(error) in TAKEN:
            return f"waiting until the name {name} is free"
        if aws_code(error) in BUSY | GONE:
            return f"waiting for {instance.identifier}"
        raise
    return f"renaming {instance.identifier} to {name}"


def _finish(
    work: Work, incoming: Instance, wanted: InstanceSettings, item: ItemRestore, previous: DatabaseRestore
) -> DatabaseRestore:
    """It bears the name: wait until that is in force, compare everything again, and see where its endpoint leads."""
    if not incoming.is_available or not incoming.host:
        refuse_stuck(incoming, HALF_DONE)
        message = f"{work.name}: waiting for the restored instance, which is {incoming.status}."
        return work.progress(RestoreStage.CUTTING_OVER, item.entered("renaming-new", work.now), previous, message)
    item = item.entered("comparing", work.now)
    reconciled = reconcile(incoming, wanted, item, work.now, work.calls, may_reboot=False)
    item = replace(item, differences=reconciled.differences)
    if not reconciled.is_done:
        return work.progress(RestoreStage.CUTTING_OVER, item, previous, f"{work.name}: {reconciled.doing}.")
    if wanted.endpoint and incoming.host != wanted.endpoint:
        item = replace(item, note=f"Its endpoint is {incoming.host} now; it was {wanted.endpoint}.")
        return _done(work, item, previous, (move_from(wanted, incoming),))
    return _done(work, item, previous, ())


def _by_endpoint(
    work: Work, incoming: Instance, wanted: InstanceSettings, item: ItemRestore, previous: DatabaseRestore
) -> DatabaseRestore:
    """From where the application is led now: the replaced one's endpoint, or if there is none any more, the one noted."""
    before = settings_of(item.kept_settings) or wanted
    if not incoming.is_available or not incoming.host:
        refuse_stuck(incoming, "Nothing live was touched.")
        message = f"{work.name}: waiting for {incoming.identifier}, which is {incoming.status}."
        return work.progress(RestoreStage.CUTTING_OVER, item.entered("waiting", work.now), previous, message)
    item = item.entered("leading", work.now)
    moves = (move_from(before, incoming),) if before.endpoint != incoming.host else ()
    return _done(work, item, previous, moves)


def _done(work: Work, item: ItemRestore, previous: DatabaseRestore, moves: tuple[object, ...]) -> DatabaseRestore:
    item = replace(item.entered("done", work.now), done=True, differences=())
    kept = f" The old data is kept as {item.kept}." if item.kept else ""
    message = f"{work.name}: restored.{kept}"
    return work.progress(RestoreStage.DONE, item, previous, message, done=True, endpoints=moves)
