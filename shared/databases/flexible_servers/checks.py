"""Can a server be restored to a moment that is yet to come: the named checks of `check`. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches

from shared.databases.flexible_servers.engines import why_no_backup
from shared.databases.flexible_servers.manifest import read
from shared.databases.flexible_servers.servers import READY, STUCK, Server, Servers
from shared.model.azure_endpoint import server_keys
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import Conflict, Forbidden
from shared.model.naming import listed
from shared.model.plan import FlexibleServer
from shared.model.rds_endpoint import jdbc_host
from shared.model.server_settings import ServerSettings
from shared.model.storage import ReleaseStorage
from shared.model.times import iso


def check(
    database: FlexibleServer, storages: Sequence[ReleaseStorage], now: datetime, servers: Servers
) -> tuple[CheckResult, ...]:
    """A missing right is a failed check that names it.

    Raises:
        Unreachable, Throttled: the service could not be asked.
    """
    try:
        server = servers.server(database.server)
        if server is None:
            return (_missing(database, servers),)
        results = [*_server(database, server), *_backups(database, server)]
        try:
            settings = read(server, now, servers)
        except Conflict as error:
            return (*results, failed("flexible-settings", database.key, error.message, "Check again when it is Ready."))
        return (
            *results,
            *_on_demand(database, server, servers),
            *_lost(database, settings),
            *_endpoints(database, settings, storages),
        )
    except Forbidden as error:
        return (failed("flexible-rights", database.key, error.message, error.hint),)


def _missing(database: FlexibleServer, servers: Servers) -> CheckResult:
    alike = get_close_matches(database.server, [one.name for one in servers.servers()], n=3)
    meant = f" There are: {', '.join(alike)}." if alike else ""
    return failed(
        "flexible-server",
        database.key,
        f"{servers.engine.label} has no flexible server {database.server} in resource group {database.resource_group}.{meant}",
        "Check name, resource group and subscription. After a restore the plan has to name the restored server.",
    )


def _server(database: FlexibleServer, server: Server) -> Iterator[CheckResult]:
    subject = database.key
    if server.state == READY:
        yield passed("flexible-state", subject, f"version {server.settings.version} is {server.state}")
    elif server.state in STUCK:
        yield failed(
            "flexible-state",
            subject,
            f"It is {server.state}.",
            "Bring it to Ready: start it if it is stopped, or see its activity log in the portal.",
        )
    else:
        yield warned("flexible-state", subject, f"It is {server.state}.", "Something is being done to it; check again later.")
    if server.replica_of:
        yield failed(
            "flexible-replica",
            subject,
            f"It is a read replica of {server.replica_of}.",
            "Name the server that is written to: a replica cannot be restored.",
        )


def _backups(database: FlexibleServer, server: Server) -> Iterator[CheckResult]:
    subject, days = database.key, server.settings.retention_days
    if server.earliest_restore is None:
        yield failed(
            "flexible-backups",
            subject,
            "It cannot be restored yet: there is no automated backup.",
            "A new server has its first backup soon; wait for it.",
        )
    else:
        geo = "geo-redundant" if server.settings.geo_redundant_backup else "in its own region only"
        reach = iso(server.earliest_restore)
        yield passed("flexible-backups", subject, f"kept {days} days, {geo}; restorable from {reach} on")


def _on_demand(database: FlexibleServer, server: Server, servers: Servers) -> Iterator[CheckResult]:
    """Without one in the window the point rests on the automated backups: a reason to warn, not to refuse."""
    if not database.snapshot:
        return
    subject, settings = database.key, server.settings
    if reason := why_no_backup(servers.engine, settings.tier, settings.storage_type):
        yield warned(
            "flexible-on-demand-backup",
            subject,
            f"The plan says snapshot: true, but {reason}.",
            "Take it out of the plan: points are restored by logs.",
        )
        return
    number, most = sum(one.is_on_demand for one in servers.backups(server.name)), servers.engine.most_backups
    if number >= most:
        yield warned(
            "flexible-on-demand-backup",
            subject,
            f"It has {number} on-demand backups, the most that {servers.engine.label} allows.",
            "Delete some that nobody needs: until then none is made in the pause window.",
        )
    else:
        yield passed("flexible-on-demand-backup", subject, f"{number} of at most {most}")


def _lost(database: FlexibleServer, settings: ServerSettings) -> Iterator[CheckResult]:
    subject = database.key
    yield passed("flexible-network", subject, "private access" if settings.is_private else "public access")
    if settings.ha_mode:
        yield passed("flexible-standby", subject, f"{settings.ha_mode}; a restore has none until it is set again")
    if settings.replicas:
        yield warned(
            "flexible-read-replicas",
            subject,
            f"It has read replicas: {listed(settings.replicas)}.",
            "A restore has none: they stay with the replaced server. Make new ones afterwards.",
        )
    if settings.private_endpoints:
        yield warned(
            "flexible-private-endpoints",
            subject,
            f"It is reached through {len(settings.private_endpoints)} private endpoint(s).",
            "A restored server has none: keep at hand how they are made, with their DNS zone.",
        )


def _endpoints(database: FlexibleServer, settings: ServerSettings, storages: Sequence[ReleaseStorage]) -> Iterator[CheckResult]:
    """Which releases lead to it. A restore can lead only those to another server that name this one's own address."""
    subject, leading, strange = database.key, [], []
    for release in storages:
        for storage in release.storages:
            where = jdbc_host(storage.contact_point) if storage.kind == "jdbc" else None
            if where is None:
                continue
            if where.host == settings.endpoint:
                leading.append(release.release)
            elif database.key in server_keys(storage.contact_point):
                strange.append(f"{release.release} names {where.host}")
    if leading:
        yield passed("flexible-endpoint", subject, f"{settings.endpoint}, named by {listed(leading)}")
    elif storages:
        seen = f": {listed(strange)}" if strange else ""
        yield warned(
            "flexible-endpoint",
            subject,
            f"No release names {settings.endpoint}{seen}.",
            "A restore leads releases to another server by this name: write it into scalar.db.contact_points, or move a name "
            "of your own in DNS by hand.",
        )
