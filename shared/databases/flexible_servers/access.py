"""The port `DatabaseAccess` for Azure Database flexible servers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from shared.databases import date_probe
from shared.databases.clock import Clock
from shared.databases.flexible_servers import backups, checks, protect, verify
from shared.databases.flexible_servers.cut_over import advance_cut_over
from shared.databases.flexible_servers.discard import advance_discard
from shared.databases.flexible_servers.forecast import forecast
from shared.databases.flexible_servers.opening import PUBLIC_CLOUD, open_servers
from shared.databases.flexible_servers.progress import Work
from shared.databases.flexible_servers.restore import advance_restore
from shared.databases.flexible_servers.servers import Servers
from shared.databases.flexible_servers.source import LOG_DELAY, LOG_MARGIN
from shared.model.checks import CheckResult
from shared.model.clock import ClockBounds
from shared.model.errors import InvalidRequest
from shared.model.plan import FlexibleServer
from shared.model.protection import DatabaseProtection, WindowSnapshot
from shared.model.restore import DatabaseForecast, DatabaseRestore, RestoreOrder
from shared.model.storage import ReleaseStorage

OpenServers = Callable[[Any, FlexibleServer, str], Servers]


class FlexibleServerAccess:
    """Which ARM actions each method needs is in `actions`. `credential` signs in to Azure; `resource_manager` is the address of
    its cloud. `log_delay` is how long after a second its logs are surely backed up; Azure's own word is five minutes."""

    def __init__(
        self,
        credential: Any,
        clock: Clock,
        *,
        resource_manager: str = PUBLIC_CLOUD,
        log_delay: timedelta = LOG_DELAY + LOG_MARGIN,
        open_servers: OpenServers = open_servers,
    ) -> None:
        self._credential, self._clock, self._open = credential, clock, open_servers
        self._resource_manager, self._log_delay = resource_manager, log_delay
        self._servers: dict[tuple[str, str, str], Servers] = {}
        self._lock = Lock()

    def check(self, database: FlexibleServer, storages: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
        """Needs `actions.check_actions`.

        Raises:
            Unreachable, Throttled: the service could not be asked.
        """
        return checks.check(database, storages, self._clock.now(), self._of(database))

    def with_tables(self, database: FlexibleServer, storages: Sequence[ReleaseStorage]) -> FlexibleServer:
        """Unchanged: a server is restored whole, with every table in it."""
        return database

    async def measure_clock(self, database: FlexibleServer, clock: Clock) -> ClockBounds:
        """Against Resource Manager, which restores are asked of. Needs no rights; never raises."""
        import certifi  # comes with azure-core's transport

        ca_bundle = os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where()
        return await date_probe.measure(self._resource_manager, clock, ca_bundle=ca_bundle)

    def protect(
        self,
        database: FlexibleServer,
        storages: Sequence[ReleaseStorage],
        point: datetime,
        kept_copy: bool,
        previous: DatabaseProtection | None,
    ) -> DatabaseProtection:
        """Needs `actions.protect_actions`. The backup of the window, where the plan wants one, is the `backup_arn` of the only
        item of `previous`; `kept_copy` is about DynamoDB.

        Raises:
            InvalidRequest: the point is not a whole second.
            NotReady: the server is gone or replaced, or its backups do not have the point.
            Unreachable, Throttled, Forbidden: the service.
        """
        return protect.advance(database, point, previous, self._clock.now(), self._of(database), self._log_delay)

    def begin_snapshot(self, database: FlexibleServer, run: str, attempt: int) -> WindowSnapshot:
        """Needs `actions.window_backup_actions`. Never raises for the service: `problem` says what went wrong."""
        servers, now = self._of(database), self._clock.now()
        return backups.begin(database.server, database.key, run, attempt, now, servers)

    def clean_up(self, database: FlexibleServer, in_use: frozenset[datetime]) -> tuple[str, ...]:
        """Deletes on-demand backups of ours that are old, where the engine can: the newest three stay.

        Raises:
            Unreachable, Throttled, Forbidden: they cannot be listed or deleted.
        """
        if not database.snapshot:
            return ()
        return backups.remove_left_over(database.server, self._clock.now(), in_use, self._of(database))

    def forecast(self, order: RestoreOrder) -> DatabaseForecast:
        """Needs `actions.check_actions`."""
        return forecast(self._work(order))

    def restore(self, order: RestoreOrder, previous: DatabaseRestore | None) -> DatabaseRestore:
        """Needs `actions.restore_actions`."""
        return advance_restore(self._work(order), previous)

    def cut_over(self, order: RestoreOrder, previous: DatabaseRestore) -> DatabaseRestore:
        """Needs `actions.restore_actions`."""
        return advance_cut_over(self._work(order), previous)

    def verify(self, order: RestoreOrder, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
        """Needs `actions.check_actions`."""
        return verify.verify(self._work(order), restored)

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        """Needs `actions.discard_actions`."""
        return advance_discard(self._work(order), restored)

    def _work(self, order: RestoreOrder) -> Work:
        if not isinstance(order.database, FlexibleServer):
            raise InvalidRequest(f"{order.database.key} is not a flexible server.")
        return Work(order, order.database, self._clock.now(), self._of(order.database), self._log_delay)

    def _of(self, database: FlexibleServer) -> Servers:
        """Clients are kept: a new one would sign in anew."""
        key = (database.engine, database.subscription, database.resource_group)
        with self._lock:
            if key not in self._servers:
                self._servers[key] = self._open(self._credential, database, self._resource_manager)
            return self._servers[key]
