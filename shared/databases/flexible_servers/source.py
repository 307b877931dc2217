"""What a server is restored from: its own automated backups, one of them that was asked for in the pause window, or the old
server that an undo goes back to."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.databases.flexible_servers.manifest import read
from shared.databases.flexible_servers.progress import Work, is_same, settings_of
from shared.databases.flexible_servers.servers import Backup, Server
from shared.model.checks import CheckResult, failed
from shared.model.protection import ItemPhase, ItemProtection
from shared.model.restore import RestoreOrder
from shared.model.server_settings import ServerSettings
from shared.model.times import iso

PITR, ON_DEMAND, OLD_COPY = "point-in-time recovery", "on-demand backup", "old copy"
CHECK = "flexible-source"
LOG_DELAY = timedelta(minutes=5)
"""How far the log backups may be behind: "up to 5 minutes" (Backup and restore, of either service)."""
LOG_MARGIN = timedelta(minutes=1)
"""For the upload of the last log file and the clocks of the function and of the service."""


@dataclass(frozen=True)
class Source:
    """`way` is the word of `DatabaseForecast.source`, empty when there is none: then `problem` says why.

    `settings` is what the restored server shall have: the live server's as they are now, for a restore brings data back and
    does not take back what was configured since. `at` is the second that Azure is asked for: the point, or when the on-demand
    backup of its pause window was complete, which has the same data.
    """

    way: str = ""
    settings: ServerSettings | None = None
    live: ServerSettings | None = None
    noted: ServerSettings | None = None
    at: datetime | None = None
    earliest: datetime | None = None
    ready_at: datetime | None = None
    is_reached: bool = True
    """Whether the point is restorable already."""
    problem: CheckResult | None = None


def noted_item(order: RestoreOrder) -> ItemProtection | None:
    """What the restore point keeps of the server."""
    return order.protection.items[0] if order.protection and order.protection.items else None


def restorable_at(point: datetime, log_delay: timedelta) -> datetime:
    """Azure does not say up to which second a server can be restored; the logs of the point are there when this has passed."""
    return point + log_delay


def find_source(work: Work) -> Source:
    """Where this order's data is.

    Raises:
        Unreachable, Throttled, Forbidden: the service.
    """
    server = work.servers.server(work.name)
    live = read(server, work.now, work.servers) if server else None
    if work.order.undo is not None:
        return _old_server(work, live)
    item, at = noted_item(work.order), work.order.at
    noted = settings_of(item.settings) if item else None
    if server is None or live is None or at is None:
        return Source(noted=noted, problem=_missing(work))
    if noted is not None and not is_same(server, noted):
        return Source(live=live, noted=noted, problem=_another(work))
    earliest = server.earliest_restore
    source = Source(way=PITR, settings=live, live=live, noted=noted, at=at, earliest=earliest)
    if earliest is not None and at < earliest:
        return dataclasses.replace(source, way="", problem=_out_of_reach(work, at, earliest))
    if backup := _of_the_window(work, item, server):
        return dataclasses.replace(source, way=ON_DEMAND, at=backup.completed_at)
    ready_at = restorable_at(at, work.log_delay)
    is_reached = earliest is not None and work.now >= ready_at
    return dataclasses.replace(source, is_reached=is_reached, ready_at=None if is_reached else max(ready_at, work.now))


def _of_the_window(work: Work, item: ItemProtection | None, server: Server) -> Backup | None:
    """The on-demand backup that was proven to be of the pause window; None when it is gone: the logs have the point, too."""
    if item is None or item.phase is not ItemPhase.KEPT or not item.backup_arn:
        return None
    name = item.backup_arn.rpartition("/")[2]
    found = next((one for one in work.servers.backups(server.name) if one.name == name), None)
    return found if found is not None and found.completed_at is not None else None


def _old_server(work: Work, live: ServerSettings | None) -> Source:
    """The server that the first restore was led away from; nothing has happened to it since."""
    item = work.order.undo.items[0] if work.order.undo and work.order.undo.items else None
    kept = settings_of(item.kept_settings) if item else None
    if item is None or kept is None:
        return Source(live=live, problem=_nothing_kept(work, "the restore has set nothing aside"))
    found = work.servers.server(kept.server)
    if found is None or not is_same(found, kept):
        return Source(live=live, problem=_nothing_kept(work, f"server {kept.server} does not exist any more"))
    return Source(way=OLD_COPY, settings=read(found, work.now, work.servers), live=live)


def _missing(work: Work) -> CheckResult:
    return failed(
        CHECK,
        work.database.key,
        f"Flexible server {work.name} does not exist in resource group {work.database.resource_group}, and its backups are "
        "restored through the server only.",
        "A deleted server can be recovered for five days: recover it under its own name (portal, or Azure support), then ask "
        "again. After an earlier restore the plan has to name the restored server.",
    )


def _another(work: Work) -> CheckResult:
    return failed(
        CHECK,
        work.database.key,
        f"Flexible server {work.name} is another one than at the restore point: it was made later.",
        "The backups of the point went with the first server; take a restore point of this one.",
    )


def _out_of_reach(work: Work, at: datetime, earliest: datetime) -> CheckResult:
    return failed(
        CHECK,
        work.database.key,
        f"{iso(at)} cannot be restored: the backups of {work.name} begin at {iso(earliest)}.",
        "Take a later restore point; a longer backup retention period (up to 35 days) keeps later ones longer.",
    )


def _nothing_kept(work: Work, why: str) -> CheckResult:
    return failed(
        CHECK,
        work.database.key,
        f"There is nothing to go back to: {why}.",
        "Restore to a restore point instead, if one reaches.",
    )
