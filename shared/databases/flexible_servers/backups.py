"""The on-demand backups that the plan's `snapshot: true` asks for inside the pause window: begun, proven, and removed when
there are too many.

They do not outlive the retention period: what they give is a restore that has no logs to apply, and, when one is complete while
the pods are still paused, a point that need not wait for the logs.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.databases.flexible_servers.engines import why_no_backup
from shared.databases.flexible_servers.names import asked_at, backup_name, is_backup_of
from shared.databases.flexible_servers.servers import Backup, Servers
from shared.model.errors import BackupError, Conflict
from shared.model.protection import WindowSnapshot

KEPT_NEWEST = 3
"""Older ones of ours are deleted: PostgreSQL has room for seven in all, and logs restore a point that has lost its backup."""
LEFT_OVER_AFTER = timedelta(hours=24)
"""Younger ones may belong to a run that is still at work, also one of another deployment."""
NEAR = timedelta(hours=1)
"""A run's backup and its point are minutes apart."""
CLOCK_SLACK = timedelta(seconds=1)
"""Between the function's clock, which notes when a backup was asked for, and the service's."""


def begin(server_name: str, database: str, run: str, attempt: int, now: datetime, servers: Servers) -> WindowSnapshot:
    """Asks for the backup. Never raises: pods are paused meanwhile, and the point can rest on the automated backups alone;
    `problem` says what went wrong."""
    try:
        return _begin(server_name, database, run, attempt, now, servers)
    except BackupError as error:
        return WindowSnapshot(database=database, problem=error.message)


def _begin(server_name: str, database: str, run: str, attempt: int, now: datetime, servers: Servers) -> WindowSnapshot:
    server = servers.server(server_name)
    if server is None:
        return WindowSnapshot(database=database, problem=f"Flexible server {server_name} does not exist.")
    if reason := why_no_backup(servers.engine, server.settings.tier, server.settings.storage_type):
        return WindowSnapshot(database=database, problem=f"{server_name}: {reason}.")
    there = servers.backups(server_name)
    if begun := next((one for one in there if is_backup_of(one.name, run, attempt)), None):
        return WindowSnapshot(database=database, arn=begun.resource_id, asked_at=asked_at(begun.name))
    if (number := sum(one.is_on_demand for one in there)) >= servers.engine.most_backups:
        return WindowSnapshot(
            database=database,
            problem=f"{server_name} has {number} on-demand backups, the most that {servers.engine.label} allows.",
        )
    name = backup_name(run, attempt, now)
    try:
        servers.begin_backup(server_name, name)
    except Conflict as error:
        return _begun_meanwhile(server_name, database, run, attempt, error, servers)
    resource_id = f"{server.settings.resource_id}/backups/{name}"
    return WindowSnapshot(database=database, arn=resource_id, asked_at=asked_at(name))


def _begun_meanwhile(
    server_name: str, database: str, run: str, attempt: int, refusal: Conflict, servers: Servers
) -> WindowSnapshot:
    """The server may be busy with the backup of an earlier call for the same attempt."""
    found = next((one for one in servers.backups(server_name) if is_backup_of(one.name, run, attempt)), None)
    if found is None:
        return WindowSnapshot(database=database, problem=refusal.message)
    return WindowSnapshot(database=database, arn=found.resource_id, asked_at=asked_at(found.name))


def is_proven_for(backup: Backup, point: datetime) -> bool:
    """Was it certainly complete inside the pause window that the point is the middle of?

    It was asked for inside the window, at t. The point is the second nearest the middle of the window, so that the window
    lasted at least until as long after the point as t lies before it, less the second by which a point is rounded.
    """
    asked = asked_at(backup.name)
    if asked is None or backup.completed_at is None:
        return False
    lasted_until = point + (point - asked) - CLOCK_SLACK
    return asked - CLOCK_SLACK <= backup.completed_at <= max(lasted_until, point + CLOCK_SLACK)


def left_over(there: tuple[Backup, ...], now: datetime, in_use: frozenset[datetime]) -> tuple[Backup, ...]:
    """Ours beyond the newest, older than a day, and of no run that is still at work."""
    dated = [(asked, one) for one in there if (asked := asked_at(one.name)) is not None]
    older = sorted(dated, key=lambda pair: pair[0], reverse=True)[KEPT_NEWEST:]
    return tuple(
        one for asked, one in older if now - asked > LEFT_OVER_AFTER and not any(abs(point - asked) < NEAR for point in in_use)
    )


def remove_left_over(server_name: str, now: datetime, in_use: frozenset[datetime], servers: Servers) -> tuple[str, ...]:
    """Begins to delete one and answers with its name: a server takes one operation at a time, and the next success goes on.

    Raises:
        Unreachable, Throttled, Forbidden: they cannot be listed, or may not be deleted.
    """
    if not servers.engine.deletes_backups or servers.server(server_name) is None:
        return ()
    for backup in reversed(left_over(servers.backups(server_name), now, in_use)):
        try:
            servers.begin_delete_backup(server_name, backup.name)
        except Conflict:
            return ()
        return (backup.name,)
    return ()
