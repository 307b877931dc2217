"""Is the server that the releases are led to what a restore has promised? Only reads."""

from __future__ import annotations

from collections.abc import Iterator

from shared.databases.flexible_servers.compare import differences
from shared.databases.flexible_servers.manifest import read
from shared.databases.flexible_servers.progress import Work, is_same, settings_of
from shared.databases.flexible_servers.reconcile import STANDBY_IS_THERE
from shared.databases.flexible_servers.servers import Server
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import Conflict
from shared.model.naming import listed
from shared.model.restore import DatabaseRestore
from shared.model.server_settings import ServerSettings


def verify(work: Work, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
    """See the port's `verify`. Everything is read again."""
    wanted, subject = settings_of(work.item(restored).settings), work.database.key
    server = work.servers.server(wanted.server) if wanted else None
    if wanted is None or server is None or not is_same(server, wanted):
        return (failed("flexible-restored", subject, "The restored server does not exist.", "Restore again."),)
    return tuple(_checks(work, wanted, server))


def _checks(work: Work, wanted: ServerSettings, server: Server) -> Iterator[CheckResult]:
    subject = work.database.key
    yield passed("flexible-restored", subject, f"{server.name}, made at {server.settings.created_at or 'an unknown time'}")
    if server.is_ready:
        yield passed("flexible-state", subject, server.state)
    else:
        yield failed("flexible-state", subject, f"{server.name} is {server.state}.", "See its activity log in the portal.")
    try:
        told = differences(wanted, read(server, work.now, work.servers))
    except Conflict as error:
        told = (error.message,)
    if told:
        yield failed("flexible-settings", subject, listed(told, " "), "Put them right by hand, or undo the restore.")
    else:
        yield passed("flexible-settings", subject, "every setting compares equal")
    if wanted.ha_mode and server.ha_state not in STANDBY_IS_THERE:
        yield warned(
            "flexible-standby",
            subject,
            f"The standby of {server.name} is {server.ha_state}.",
            "It takes over only when it is Healthy; look again later.",
        )
