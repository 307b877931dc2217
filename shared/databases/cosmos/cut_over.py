"""The second half of a restore: the application is led to the new account. Nothing is renamed, since an account cannot be: what
changes is the endpoint, and with it the key."""

from __future__ import annotations

from shared.databases.cosmos.account import find_account
from shared.databases.cosmos.progress import UNTOUCHED, Work, move_to, refuse_stuck, settings_of
from shared.databases.cosmos.reconcile import reconcile
from shared.databases.cosmos.source import noted_item
from shared.model.cosmos_settings import CosmosSettings
from shared.model.errors import NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, RestoreStage


def advance_cut_over(work: Work, previous: DatabaseRestore) -> DatabaseRestore:
    """See the port's `cut_over`. It changes nothing live itself: it says where the releases have to be led to."""
    item = replace(work.item(previous), done=False)
    wanted = settings_of(item.settings)
    if wanted is None:
        raise NotReady(
            f"{work.name}: nothing is prepared that could be cut over to.", hint="Begin with the first half of the restore."
        )
    incoming = find_account(wanted.account, work.calls)
    if incoming is None or incoming.instance_id != wanted.instance_id:
        raise NotReady(
            f"{work.name}: the account {wanted.account} ({wanted.instance_id}) does not exist any more. {UNTOUCHED}",
            hint="Undo the restore, which starts the releases on the old account.",
        )
    if not incoming.is_settled:
        refuse_stuck(incoming, UNTOUCHED)
        message = f"{work.name}: waiting for {incoming.name}, which is {incoming.state}."
        return work.progress(RestoreStage.CUTTING_OVER, item.entered("waiting", work.now), previous, message)
    if work.order.undo is None:
        reconciled = reconcile(incoming, wanted, item, work.marks, work.now, work.calls)
        item = replace(item.entered("comparing", work.now), differences=reconciled.differences)
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
    return work.progress(
        RestoreStage.DONE,
        item,
        previous,
        f"{work.name}: restored as {wanted.account}; write that name into the plan.{kept}",
        done=True,
        endpoints=moves,
        needs_schema_repair=work.order.undo is None,
    )


def _noted(work: Work) -> CosmosSettings | None:
    """Where the releases lead when the account is gone: to what the restore point says."""
    item = noted_item(work.order)
    return settings_of(item.settings) if item else None
