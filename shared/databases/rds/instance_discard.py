"""Deletes what a restore of a DB instance made or kept beside the live one, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from shared.databases.rds.errors import BUSY, GONE, aws_code
from shared.databases.rds.instance_progress import Work, refuse_stuck, settings_of
from shared.databases.rds.inventory import Fleet, Instance, look
from shared.model.errors import BackupError, NotReady
from shared.model.plan import CutOver
from shared.model.rds_endpoint import jdbc_hosts
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage, Target


def advance_discard(work: Work, restored: DatabaseRestore) -> DatabaseRestore:
    """See the port's `discard`. An old copy's automated backups are retained: older restore points live on in them."""
    item = work.item(restored)
    fleet = look(work.calls)
    if (
        work.order.target is Target.IN_PLACE
        and work.database.cut_over is CutOver.ENDPOINT
        and restored.stage is RestoreStage.DONE
    ):
        kept = item.kept or work.name
        note = f"{kept} bears no restore's name and is not deleted: delete it by hand when nobody needs it any more."
        return _discarded(work, replace(item, note=note), restored)
    left = list(_ours(work, fleet, item))
    if not left:
        return _discarded(work, item, restored)
    _refuse_the_only_one(work, fleet, left, restored)
    doing = [_delete(work, instance, keep_backups=instance.identifier == work.old) for instance in left]
    item = replace(item.entered("deleting", work.now), done=False)
    return work.progress(restored.stage, item, restored, f"{work.name}: {', '.join(doing)}.", done=False)


def _ours(work: Work, fleet: Fleet, item: ItemRestore) -> Iterator[Instance]:
    """What bears this restore's stamp and is by its own tags, or by its id, what this restore made or set aside."""
    side, old = fleet.named(work.side), fleet.named(work.old)
    kept = settings_of(item.kept_settings)
    if side is not None and work.is_ours(side):
        yield side
    if old is not None and kept is not None and old.resource_id == kept.resource_id:
        yield old


def _refuse_the_only_one(work: Work, fleet: Fleet, left: list[Instance], restored: DatabaseRestore) -> None:
    """Nothing is deleted while the live name is nobody's in the middle of a cut-over, or while a release is led to it."""
    if restored.changed_live and fleet.named(work.name) is None:
        raise NotReady(
            f"No DB instance bears the name {work.name} now: the cut-over is half done, so nothing is deleted.",
            hint="Go on with the restore or undo it first.",
        )
    used = set(jdbc_hosts(work.order.storages))
    for instance in left:
        if instance.host in used:
            raise NotReady(
                f"{instance.identifier} is not deleted: the properties of a release lead to its endpoint {instance.host}.",
                hint="Lead the release to the live instance first.",
            )


def _delete(work: Work, instance: Instance, *, keep_backups: bool) -> str:
    name = instance.identifier
    if instance.status == "deleting":
        return f"{name} is being deleted"
    try:
        if instance.described.get("DeletionProtection"):
            if not instance.is_available:
                refuse_stuck(instance, "It cannot be deleted while it has deletion protection.")
                return f"waiting for {name}, which is {instance.status}"
            work.calls.rds(
                "modify_db_instance", name, DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
            )
            return f"taking the deletion protection off {name}"
        work.calls.rds(
            "delete_db_instance",
            name,
            DBInstanceIdentifier=name,
            SkipFinalSnapshot=True,
            DeleteAutomatedBackups=not keep_backups,
        )
    except BackupError as error:
        if aws_code(error) in BUSY | GONE:
            return f"waiting for {name}"
        raise
    return f"deleting {name}"


def _discarded(work: Work, item: ItemRestore, restored: DatabaseRestore) -> DatabaseRestore:
    item = replace(item.entered("discarded", work.now), done=True)
    message = f"{work.name}: nothing is kept any more. {item.note}".strip()
    return work.progress(RestoreStage.DISCARDED, item, restored, message, done=True)
