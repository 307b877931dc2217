"""The first half of a restore: the replacement is made as a new account, complete and compared. Nothing live is touched.

    waiting ──► restoring ──► settings ──► prepared
    (point not  (Creating)    (one change    (every setting
     restorable)               at a time)     compares equal)

An undo has nothing to make: the account that the properties were led away from is still there.
"""

from __future__ import annotations

from datetime import timedelta

from shared.databases.azure_errors import CONFLICT_STATUSES, status_of
from shared.databases.cosmos.account import Account, find_account
from shared.databases.cosmos.manifest import read, read_account
from shared.databases.cosmos.names import RUN, base_name, side_name
from shared.databases.cosmos.patches import restore_document
from shared.databases.cosmos.progress import UNTOUCHED, Work, record_of, refuse_stuck, settings_of
from shared.databases.cosmos.reconcile import reconcile
from shared.databases.cosmos.source import PITR, Source, find_source
from shared.model.cosmos_settings import CosmosSettings
from shared.model.errors import BackupError, Conflict, NotReady
from shared.model.naming import listed
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage, Target
from shared.model.times import iso

NAME_FREE_WITHIN = timedelta(minutes=30)
"""The name of an account that was deleted becomes free minutes later."""


def advance_restore(work: Work, previous: DatabaseRestore | None) -> DatabaseRestore:
    """See the port's `restore`."""
    item = work.item(previous)
    if work.order.undo is not None:
        return _prepare_undo(work, item, previous)
    side = find_account(work.side, work.calls)
    if side is None:
        return _begin(work, item, previous)
    if not side.was_made_by(work.order.run):
        raise NotReady(
            f"The name {work.side} is taken by a Cosmos DB account that this restore has not made. {UNTOUCHED}",
            hint="Delete that account, then go on.",
        )
    return _complete(work, side, item, previous)


def _begin(work: Work, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    _refuse_rival(work)
    source = find_source(work)
    if source.problem is not None:
        raise NotReady(f"{source.problem.detail} {UNTOUCHED}", hint=source.problem.hint)
    if not source.is_reached:
        point = iso(work.order.at) if work.order.at else ""
        until = iso(source.latest) if source.latest else "no second yet"
        message = f"{work.name}: waiting until {point} is restorable in every container; restorable up to {until}."
        return work.progress(RestoreStage.PREPARING, item.entered("waiting", work.now), previous, message)
    item = _told(work, item, source)
    return _ask(work, source, item, previous)


def _told(work: Work, item: ItemRestore, source: Source) -> ItemRestore:
    """What is found now is remembered: later calls complete the account by it, whatever becomes of the live one meanwhile."""
    return replace(
        item,
        source=PITR,
        side=work.side,
        settings=record_of(settings_of(item.settings) or source.settings),
        kept_settings=record_of(source.live),
        note=_note(source),
    )


def _note(source: Source) -> str:
    parts = []
    if created := source.created_since:
        parts.append(f"Created after the point, so not restored: {listed(created)}.")
    if deleted := source.deleted_since:
        parts.append(f"Deleted since the point, restored: {listed(deleted)}.")
    return " ".join(parts)


def _refuse_rival(work: Work) -> None:
    """Another plan's run may restore the same account; the lease keeps apart only runs of one plan."""
    for account in (Account(found) for found in work.calls.accounts()):
        other = account.tags.get(RUN, "")
        is_copy = account.name != side_name(work.name, work.order.stamp) and base_name(account.name) == base_name(work.name)
        if is_copy and other and other != work.order.run and account.state == "Creating":
            raise Conflict(
                f"{work.name} is being restored to {account.name} by run {other}. {UNTOUCHED}",
                hint="Wait for that restore to end, or stop it and delete what it has made.",
            )


def _ask(work: Work, source: Source, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    wanted, restorable = settings_of(item.settings), source.restorable
    if wanted is None or restorable is None or work.order.at is None:
        raise NotReady(f"{work.name}: nothing says what it shall be restored from. {UNTOUCHED}")
    without_ttl = any(container.ttl_seconds is not None for container in wanted.containers)
    document = restore_document(
        wanted, source.region, restorable.resource_id, work.order.at, work.marks, without_ttl=without_ttl
    )
    try:
        work.calls.begin_put(work.side, document)
    except BackupError as error:
        if status_of(error) not in CONFLICT_STATUSES:
            raise
        if item.phase == "asking" and item.since and work.now - item.since > NAME_FREE_WITHIN:
            raise NotReady(
                f"{error.message} {UNTOUCHED}",
                hint="Account names are global to Azure: somebody else may have it. Ask for the restore anew, for another.",
            ) from error
        message = f"{work.name}: not begun yet: {error.message}"
        return work.progress(RestoreStage.PREPARING, item.entered("asking", work.now), previous, message)
    message = f"{work.name}: being restored to {work.side} as of {iso(work.order.at)}."
    return work.progress(RestoreStage.PREPARING, item.entered("restoring", work.now), previous, message)


def _complete(work: Work, side: Account, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    if not item.settings:
        # The answer of the call that began it was lost.
        source = find_source(work)
        if source.settings is None:
            raise NotReady(
                f"{work.name}: nothing says which settings {work.side} shall have. {UNTOUCHED}",
                hint=source.problem.hint if source.problem else "Ask for the restore again.",
            )
        item = _told(work, item, source)
    if not side.is_settled:
        refuse_stuck(side, UNTOUCHED)
        message = f"{work.name}: {work.side} is {side.state}."
        phase = "settings" if item.phase == "settings" else "restoring"
        return work.progress(RestoreStage.PREPARING, item.entered(phase, work.now), previous, message)
    wanted = settings_of(item.settings)
    if wanted is None:
        raise TypeError("an item with settings has settings")
    reconciled = reconcile(side, wanted, item.entered("settings", work.now), work.marks, work.now, work.calls)
    since = item.since if item.phase == "settings" and item.differences == reconciled.differences else work.now
    item = replace(item, phase="settings", since=since, differences=reconciled.differences)
    if not reconciled.is_done:
        message = f"{work.name}: {work.side}: {reconciled.doing}."
        return work.progress(RestoreStage.PREPARING, item, previous, message)
    return _prepared(work, side, wanted, item, previous)


def _prepared(
    work: Work, side: Account, wanted: CosmosSettings, item: ItemRestore, previous: DatabaseRestore | None
) -> DatabaseRestore:
    """From here on `settings` say which account shall be live."""
    found = read_account(side, work.now)
    wanted = replace(
        wanted,
        account=found.account,
        resource_id=found.resource_id,
        instance_id=found.instance_id,
        endpoint=found.endpoint,
        port=found.port,
    )
    item = replace(item.entered("prepared", work.now), settings=record_of(wanted), done=True, percent=100.0)
    if work.order.target is Target.SIDE_BY_SIDE:
        reached = f"Reached at {found.endpoint}, with keys of its own; stored procedures come with --repair-all."
        item = replace(item, note=f"{item.note} {reached}".strip())
        message = f"{work.name}: restored as {work.side}."
        return work.progress(RestoreStage.DONE, item, previous, message, done=True)
    item = replace(item, kept=work.name if item.kept_settings else "")
    message = f"{work.name}: {work.side} is complete; every setting compares equal."
    return work.progress(RestoreStage.PREPARED, item, previous, message, done=True)


def _prepare_undo(work: Work, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    source = find_source(work)
    first = work.order.undo.items[0] if work.order.undo and work.order.undo.items else None
    if source.problem is not None or source.settings is None or first is None:
        raise NotReady(
            f"{source.problem.detail if source.problem else 'There is nothing to go back to.'} {UNTOUCHED}",
            hint=source.problem.hint if source.problem else "",
        )
    old = find_account(source.settings.account, work.calls)
    if old is not None and not old.is_settled:
        refuse_stuck(old, UNTOUCHED)
        message = f"{work.name}: waiting for {old.name}, which is {old.state}."
        return work.progress(RestoreStage.PREPARING, item.entered("waiting", work.now), previous, message)
    outgoing = _outgoing(work, first)
    item = replace(
        item.entered("prepared", work.now),
        source=source.settings.account,
        side=source.settings.account,
        kept=outgoing.account if outgoing else "",
        settings=record_of(source.settings),
        kept_settings=record_of(outgoing),
        done=True,
        percent=100.0,
    )
    message = f"{work.name}: the old account {source.settings.account} is ready."
    return work.progress(RestoreStage.PREPARED, item, previous, message, done=True)


def _outgoing(work: Work, first: ItemRestore) -> CosmosSettings | None:
    """What the first restore has made, as it is now; None when it never came so far, or is gone."""
    made = find_account(first.side, work.calls) if first.side else None
    return read(made, work.now, work.calls) if made else None
