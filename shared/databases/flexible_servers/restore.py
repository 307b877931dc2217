"""The first half of a restore: the replacement is made as a new server, complete and compared. Nothing live is touched.

    waiting ──► restoring ──► settings ──► prepared
    (logs not   (until it is    (one change    (every setting
     there)      Ready)          at a time)     compares equal)

An undo has nothing to make: the server that the properties were led away from is still there.
"""

from __future__ import annotations

from datetime import timedelta

from shared.databases.flexible_servers.manifest import read
from shared.databases.flexible_servers.names import base_name
from shared.databases.flexible_servers.progress import UNTOUCHED, Work, record_of, refuse_stuck, settings_of
from shared.databases.flexible_servers.reconcile import Target as Reconciling
from shared.databases.flexible_servers.reconcile import reconcile
from shared.databases.flexible_servers.servers import RUN, RestoreCall, Server
from shared.databases.flexible_servers.source import Source, find_source
from shared.model.errors import Conflict, NotReady
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage, Target
from shared.model.server_settings import ServerSettings
from shared.model.times import iso

APPEARS_WITHIN = timedelta(minutes=15)
"""A restore that Azure has taken and whose server does not show after this time is asked for again: the same request is refused
while it is at work, and begins anew when it has failed."""
TAKEN_WITHIN = timedelta(hours=1)
"""A request that is refused for longer than this, although nothing is at work on either server, is refused for good: its name
is taken, for example, by somebody else's server. Names are global."""
RESTORES_WITHIN = timedelta(hours=12)
"""Documented are "a few minutes up to a few hours"."""


def advance_restore(work: Work, previous: DatabaseRestore | None) -> DatabaseRestore:
    """See the port's `restore`."""
    item = work.item(previous)
    if work.order.undo is not None:
        return _prepare_undo(work, item, previous)
    side = work.servers.server(work.side)
    if side is None:
        return _begin(work, item, previous)
    _refuse_stranger(work, side)
    return _complete(work, side, item, previous)


def _refuse_stranger(work: Work, side: Server) -> None:
    """A restored server may not have kept the tags that it was given: then it is ours by name and by where it comes from."""
    source = side.source_id.rpartition("/")[2]
    ours = side.was_made_by(work.order.run) or (RUN not in side.tags and source == work.name)
    if not ours:
        raise NotReady(
            f"The name {work.side} is taken by a flexible server that this restore has not made. {UNTOUCHED}",
            hint="Delete that server, then go on.",
        )


def _begin(work: Work, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    _refuse_rival(work)
    began = previous.began_at if previous and previous.stamp == work.order.stamp else None
    if item.phase == "restoring" and began and work.now - began > RESTORES_WITHIN:
        raise NotReady(
            f"Azure has taken the restore of {work.name} to {work.side}, but there is no such server after "
            f"{RESTORES_WITHIN.total_seconds() / 3600:.0f} hours. {UNTOUCHED}",
            hint="See the activity log of the resource group for why it failed, and ask for a new restore.",
        )
    if item.phase == "restoring" and item.since and work.now - item.since < APPEARS_WITHIN:
        message = f"{work.name}: waiting for {work.side} to appear."
        return work.progress(RestoreStage.PREPARING, item, previous, message)
    try:
        source = find_source(work)
    except Conflict as error:
        return _not_yet(work, item, previous, error)
    if source.problem is not None:
        raise NotReady(f"{source.problem.detail} {UNTOUCHED}", hint=source.problem.hint)
    if not source.is_reached:
        when = f" at {iso(source.ready_at)}" if source.ready_at else ""
        message = f"{work.name}: waiting until the logs of the point are backed up{when}."
        return work.progress(RestoreStage.PREPARING, item.entered("waiting", work.now), previous, message)
    return _ask(work, source, _told(work, item, source), previous)


def _told(work: Work, item: ItemRestore, source: Source) -> ItemRestore:
    """What is found now is remembered: later calls complete the server by it, whatever becomes of the live one meanwhile."""
    return replace(
        item,
        source=source.way,
        side=work.side,
        settings=record_of(settings_of(item.settings) or source.settings),
        kept_settings=record_of(source.live),
    )


def _refuse_rival(work: Work) -> None:
    """Another plan's run may restore the same server; the lease keeps apart only runs of one plan."""
    for server in work.servers.servers():
        other = server.tags.get(RUN, "")
        is_copy = server.name != work.side and base_name(server.name) == base_name(work.name)
        if is_copy and other and other != work.order.run and not server.is_ready:
            raise Conflict(
                f"{work.name} is being restored to {server.name} by run {other}. {UNTOUCHED}",
                hint="Wait for that restore to end, or stop it and delete what it has made.",
            )


def _ask(work: Work, source: Source, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    wanted = settings_of(item.settings)
    if wanted is None or source.live is None or source.at is None:
        raise NotReady(f"{work.name}: nothing says what it shall be restored from. {UNTOUCHED}")
    tags = {**wanted.tags, **work.marks}
    try:
        work.servers.begin_restore(RestoreCall(work.side, source.live.resource_id, source.at, wanted, tags))
    except Conflict as error:
        return _not_yet(work, item, previous, error)
    item = replace(item, phase="restoring", since=work.now)
    message = f"{work.name}: being restored to {work.side} as of {iso(source.at)}."
    return work.progress(RestoreStage.PREPARING, item, previous, message)


def _not_yet(work: Work, item: ItemRestore, previous: DatabaseRestore | None, refusal: Conflict) -> DatabaseRestore:
    """Something is being done to the live server, or its name is not free: it is asked again, for a while."""
    if item.phase == "asking" and item.since and work.now - item.since > TAKEN_WITHIN:
        raise NotReady(f"{refusal.message} {UNTOUCHED}", hint=refusal.hint) from refusal
    if item.phase == "restoring":
        message = f"{work.name}: still being restored to {work.side}: {refusal.message}"
        return work.progress(RestoreStage.PREPARING, replace(item, since=work.now), previous, message)
    message = f"{work.name}: not begun yet: {refusal.message}"
    return work.progress(RestoreStage.PREPARING, item.entered("asking", work.now), previous, message)


def _complete(work: Work, side: Server, item: ItemRestore, previous: DatabaseRestore | None) -> DatabaseRestore:
    if not item.settings:
        # The answer of the call that began it was lost.
        try:
            source = find_source(work)
        except Conflict as error:
            return _not_yet(work, item, previous, error)
        if source.settings is None:
            raise NotReady(
                f"{work.name}: nothing says which settings {work.side} shall have. {UNTOUCHED}",
                hint=source.problem.hint if source.problem else "Ask for the restore again.",
            )
        item = _told(work, item, source)
    if not side.is_ready:
        refuse_stuck(side, UNTOUCHED)
        message = f"{work.name}: {work.side} is {side.state}."
        phase = "settings" if item.phase == "settings" else "restoring"
        return work.progress(RestoreStage.PREPARING, item.entered(phase, work.now), previous, message)
    wanted = settings_of(item.settings)
    if wanted is None:
        raise TypeError("an item with settings has settings")
    item = item.entered("settings", work.now)
    reconciled = reconcile(Reconciling(side, wanted, work.marks, item, work.now, work.servers))
    since = item.since if item.differences == reconciled.differences else work.now
    item = replace(item, since=since, differences=reconciled.differences)
    if not reconciled.is_done:
        message = f"{work.name}: {work.side}: {reconciled.doing}."
        return work.progress(RestoreStage.PREPARING, item, previous, message)
    return _prepared(work, side, wanted, item, previous)


def _prepared(
    work: Work, side: Server, wanted: ServerSettings, item: ItemRestore, previous: DatabaseRestore | None
) -> DatabaseRestore:
    """From here on `settings` say which server shall be live."""
    found = side.settings
    wanted = replace(
        wanted,
        server=found.server,
        resource_id=found.resource_id,
        created_at=found.created_at,
        endpoint=found.endpoint,
        port=found.port,
    )
    item = replace(item.entered("prepared", work.now), settings=record_of(wanted), done=True, percent=100.0)
    if work.order.target is Target.SIDE_BY_SIDE:
        item = replace(item, note=f"Reached at {found.endpoint}, with the users and passwords of the point.")
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
    old = work.servers.server(source.settings.server)
    if old is not None and not old.is_ready:
        refuse_stuck(old, UNTOUCHED)
        message = f"{work.name}: waiting for {old.name}, which is {old.state}."
        return work.progress(RestoreStage.PREPARING, item.entered("waiting", work.now), previous, message)
    outgoing = _outgoing(work, first)
    item = replace(
        item.entered("prepared", work.now),
        source=source.settings.server,
        side=source.settings.server,
        kept=outgoing.server if outgoing else "",
        settings=record_of(source.settings),
        kept_settings=record_of(outgoing),
        done=True,
        percent=100.0,
    )
    message = f"{work.name}: the old server {source.settings.server} is ready."
    return work.progress(RestoreStage.PREPARED, item, previous, message, done=True)


def _outgoing(work: Work, first: ItemRestore) -> ServerSettings | None:
    """What the first restore has made, as it is now; None when it never came so far, or is gone."""
    made = work.servers.server(first.side) if first.side else None
    return read(made, work.now, work.servers) if made else None
