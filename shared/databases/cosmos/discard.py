"""Deletes the account that a restore has made, when it is not live, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from shared.databases.azure_errors import GONE_STATUS, status_of
from shared.databases.cosmos.account import Account, find_account
from shared.databases.cosmos.names import bears_stamp
from shared.databases.cosmos.progress import Work
from shared.model.errors import BackupError, Conflict, NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreOrder, RestoreStage, Target


def advance_discard(work: Work, restored: DatabaseRestore) -> DatabaseRestore:
    """See the port's `discard`. After a restore in place the old account is the owner's own, by its own name: a person deletes
    it, and its backups stay restorable for the days of its tier."""
    item = work.item(restored)
    if restored.stage is RestoreStage.DONE and work.order.target is Target.IN_PLACE:
        kept = item.kept or "the old account"
        note = f"{kept} bears no name of this restore and is not deleted: delete it when nobody needs it any more."
        return _discarded(work, replace(item, note=note), restored)
    side = find_account(work.side, work.calls)
    if side is None or not bears_stamp(side.name, work.order.stamp) or not side.was_made_by(work.order.run):
        return _discarded(work, item, restored)
    if side.host in set(_hosts(work.order)):
        raise NotReady(
            f"{side.name} is not deleted: the properties of a release lead to its endpoint {side.host}.",
            hint="Lead the release to the live account first.",
        )
    item = replace(item.entered("deleting", work.now), done=False)
    return work.progress(restored.stage, item, restored, f"{work.name}: {_delete(work, side)}.", done=False)


def _delete(work: Work, side: Account) -> str:
    if side.state == "Deleting":
        return f"{side.name} is being deleted"
    try:
        work.calls.begin_delete(side.name)
    except Conflict:
        return f"waiting for {side.name}, which is {side.state}"
    except BackupError as error:
        if status_of(error) != GONE_STATUS:
            raise
    return f"deleting {side.name}"


def _hosts(order: RestoreOrder) -> Iterator[str]:
    for release in order.storages:
        for storage in release.storages:
            if storage.kind == "cosmos":
                yield urlsplit(storage.contact_point).hostname or ""


def _discarded(work: Work, item: ItemRestore, restored: DatabaseRestore) -> DatabaseRestore:
    item = replace(item.entered("discarded", work.now), done=True)
    message = f"{work.name}: nothing of this restore is left beside what is live. {item.note}".strip()
    return work.progress(RestoreStage.DISCARDED, item, restored, message, done=True)
