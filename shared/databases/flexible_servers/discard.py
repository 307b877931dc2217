"""Deletes the server that a restore has made, when it is not live, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from shared.databases.azure_errors import GONE_STATUS, status_of
from shared.databases.flexible_servers.names import bears_stamp
from shared.databases.flexible_servers.progress import Work
from shared.databases.flexible_servers.servers import Server
from shared.model.errors import BackupError, Conflict, NotReady
from shared.model.rds_endpoint import jdbc_host
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreOrder, RestoreStage, Target


def advance_discard(work: Work, restored: DatabaseRestore) -> DatabaseRestore:
    """See the port's `discard`. After a restore in place the old server is the owner's own, by its own name: a person deletes
    it; the automated backups go with a server."""
    item = work.item(restored)
    if restored.stage is RestoreStage.DONE and work.order.target is Target.IN_PLACE:
        kept = item.kept or "the old server"
        note = f"{kept} bears no name of this restore and is not deleted: delete it when nobody needs it any more."
        return _discarded(work, replace(item, note=note), restored)
    side = work.servers.server(work.side)
    if side is None or not bears_stamp(side.name, work.order.stamp) or not side.was_made_by(work.order.run):
        return _discarded(work, item, restored)
    if side.settings.endpoint in set(_hosts(work.order)):
        raise NotReady(
            f"{side.name} is not deleted: the properties of a release lead to its endpoint {side.settings.endpoint}.",
            hint="Lead the release to the live server first.",
        )
    item = replace(item.entered("deleting", work.now), done=False)
    return work.progress(restored.stage, item, restored, f"{work.name}: {_delete(work, side)}.", done=False)


def _delete(work: Work, side: Server) -> str:
    if side.state == "Dropping":
        return f"{side.name} is being deleted"
    try:
        work.servers.begin_delete(side.name)
    except Conflict:
        return f"waiting for {side.name}, which is {side.state}"
    except BackupError as error:
        if status_of(error) != GONE_STATUS:
            raise
    return f"deleting {side.name}"


def _hosts(order: RestoreOrder) -> Iterator[str]:
    for release in order.storages:
        for storage in release.storages:
            if storage.kind == "jdbc" and (where := jdbc_host(storage.contact_point)):
                yield where.host


def _discarded(work: Work, item: ItemRestore, restored: DatabaseRestore) -> DatabaseRestore:
    item = replace(item.entered("discarded", work.now), done=True)
    message = f"{work.name}: nothing of this restore is left beside what is live. {item.note}".strip()
    return work.progress(RestoreStage.DISCARDED, item, restored, message, done=True)
