"""The second half of a restore of a server: nothing is renamed, for Azure renames no servers. The answer says from which
endpoint to which the properties have to be led; users and passwords are part of the data."""

from __future__ import annotations

from shared.databases.flexible_servers.progress import UNTOUCHED, Work, is_same, move_to, refuse_stuck, settings_of
from shared.databases.flexible_servers.reconcile import Target, reconcile
from shared.databases.flexible_servers.source import noted_item
from shared.model.errors import NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, RestoreStage
from shared.model.server_settings import ServerSettings


def advance_cut_over(work: Work, previous: DatabaseRestore) -> DatabaseRestore:
    """See the port's `cut_over`."""
    item = replace(work.item(previous), done=False)
    wanted = settings_of(item.settings)
    if wanted is None:
        raise NotReady(
            f"{work.name}: nothing is prepared that could be cut over to.", hint="Begin with the first half of the restore."
        )
    incoming = work.servers.server(wanted.server)
    if incoming is None or not is_same(incoming, wanted):
        raise NotReady(
            f"{work.name}: the server {wanted.server} that was prepared does not exist any more. {UNTOUCHED}",
            hint="Undo the restore, which starts the releases on the old server.",
        )
    if not incoming.is_ready:
        refuse_stuck(incoming, UNTOUCHED)
        message = f"{work.name}: waiting for {incoming.name}, which is {incoming.state}."
        return work.progress(RestoreStage.CUTTING_OVER, item.entered("waiting", work.now), previous, message)
    if work.order.undo is None:
        item = item.entered("comparing", work.now)
        reconciled = reconcile(Target(incoming, wanted, work.marks, item, work.now, work.servers))
        item = replace(item, differences=reconciled.differences)
        if not reconciled.is_done:
            message = f"{work.name}: {incoming.name}: {reconciled.doing}."
            return work.progress(RestoreStage.CUTTING_OVER, item, previous, message)
    if not previous.changed_live:
        message = f"{work.name}: the releases are about to be led to {incoming.name}."
        return work.progress(RestoreStage.CUTTING_OVER, item, previous, message, changed_live=True)
    before = settings_of(item.kept_settings) or _noted(work)
    moves = (move_to(before, wanted),) if before and before.endpoint != wanted.endpoint else ()
    item = replace(item.entered("done", work.now), done=True, differences=())
    kept = f" The old data is kept as {item.kept}." if item.kept else ""
    message = f"{work.name}: restored as {wanted.server}; write that name into the plan.{kept}"
    return work.progress(RestoreStage.DONE, item, previous, message, done=True, endpoints=moves)


def _noted(work: Work) -> ServerSettings | None:
    """Where the releases lead when the server is gone: to what the restore point says."""
    item = noted_item(work.order)
    return settings_of(item.settings) if item else None
