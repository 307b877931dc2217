"""The port `DatabaseAccess` for Amazon DynamoDB."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from shared.databases import date_probe
from shared.databases.clock import Clock
from shared.databases.dynamodb.calls import Calls, RegionClients
from shared.databases.dynamodb.checks import check
from shared.databases.dynamodb.discovery import discover
from shared.databases.dynamodb.inventory import list_tables
from shared.databases.dynamodb.left_over import remove_left_over
from shared.databases.dynamodb.protect import Order, advance
from shared.databases.dynamodb.rates import Rates
from shared.databases.dynamodb.restore_cut_over import cut_over
from shared.databases.dynamodb.restore_ends import discard, verify
from shared.databases.dynamodb.restore_forecast import forecast
from shared.databases.dynamodb.restore_items import Restoring
from shared.databases.dynamodb.restore_prepare import prepare
from shared.model.checks import CheckResult
from shared.model.clock import ClockBounds, unmeasured
from shared.model.errors import BackupError, Misconfigured
from shared.model.plan import DynamoDb
from shared.model.protection import DatabaseProtection, WindowSnapshot
from shared.model.records import replace
from shared.model.restore import DatabaseForecast, DatabaseRestore, RestoreOrder
from shared.model.storage import ReleaseStorage

CALL_SECONDS = 40.0
"""After this time `protect` begins no new request and returns what it has; the longest request may take some seconds more."""
MAX_CONCURRENT_RESTORES = 50
"""Per account and region, restores of any kind (API reference of RestoreTableToPointInTime)."""
QUIET_SECONDS = 60.0
"""An on-demand backup surely holds what was committed until a minute before its request (API reference of CreateBackup)."""


class DynamoDbAccess:
    """Which IAM actions each method needs is in `actions`.

    `session` is a boto3 session; `quiet_seconds` is how long nobody must have written before a live table's safety backup is
    asked for; `pause` blocks a thread for some seconds.
    """

    def __init__(
        self,
        session: Any,
        clock: Clock,
        max_concurrent_restores: int = MAX_CONCURRENT_RESTORES,
        *,
        quiet_seconds: float = QUIET_SECONDS,
        call_seconds: float = CALL_SECONDS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._clock = clock
        self._max_concurrent_restores = max_concurrent_restores
        self._quiet_seconds = quiet_seconds
        self._call_seconds = call_seconds
        self._pause = pause
        self._regions: dict[str, tuple[RegionClients, Rates]] = {}
        self._lock = Lock()

    def check(self, database: DynamoDb, storages: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
        """Needs `actions.CHECK_ACTIONS`.

        Raises:
            Unreachable, Throttled: the service could not be asked.
        """
        clients, rates = self._region(database.region)
        endpoint_url = clients.client("dynamodb").meta.endpoint_url
        calls = Calls(clients, rates)
        return check(database, storages, self._clock.now(), endpoint_url, self._max_concurrent_restores, calls)

    def with_tables(self, database: DynamoDb, storages: Sequence[ReleaseStorage]) -> DynamoDb:
        """The section with all tables of the releases named. A table that is deleted between this and `protect`, even through
        ScalarDB, which removes its metadata too, is then missed instead of forgotten. Needs `actions.CHECK_ACTIONS`.

        Raises:
            Unreachable, Throttled, Forbidden: the tables could not be found.
        """
        clients, rates = self._region(database.region)
        calls = Calls(clients, rates)
        return replace(database, tables=discover(database, storages, list_tables(calls), calls).tables)

    async def measure_clock(self, database: DynamoDb, clock: Clock) -> ClockBounds:
        """Against the endpoint that restores are asked of. Needs no rights; never raises."""
        from botocore.httpsession import get_cert_path

        ca_bundle: str = os.environ.get("AWS_CA_BUNDLE") or get_cert_path(True)
        clients, _ = self._region(database.region)
        try:
            endpoint_url = clients.client("dynamodb").meta.endpoint_url
        except BackupError as error:
            return unmeasured(clock.now(), error.message)
        return await date_probe.measure(endpoint_url, clock, ca_bundle=ca_bundle)

    def protect(
        self,
        database: DynamoDb,
        storages: Sequence[ReleaseStorage],
        point: datetime,
        kept_copy: bool,
        previous: DatabaseProtection | None,
    ) -> DatabaseProtection:
        """Needs `actions.PROTECT_ACTIONS`, and `actions.PROTECT_SIDE_TABLE_ACTIONS` on our own side tables.

        Returns within about a minute, whatever the number of tables; what was not reached is done by the next call.

        Raises:
            InvalidRequest: the point is not a whole second.
            NotReady: a table cannot be protected, or the tables cannot be found; the message names each.
            Unreachable, Throttled, Forbidden: nothing could be seen, or a right is missing.
        """
        clients, rates = self._region(database.region)
        order = Order(
            database=database,
            point=point,
            kept_copy=kept_copy,
            now=self._clock.now(),
            max_concurrent_restores=self._max_concurrent_restores,
        )
        calls = Calls(clients, rates, deadline=self._clock.monotonic() + self._call_seconds)
        return advance(order, storages, previous, calls)

    def clean_up(self, database: DynamoDb, in_use: frozenset[datetime]) -> tuple[str, ...]:
        """Removes side tables that failed runs have left behind: those for points older than a day that are not `in_use`.

        Answers with their names. Needs `actions.PROTECT_SIDE_TABLE_ACTIONS` on them.

        Raises:
            Unreachable, Throttled, Forbidden: they cannot be listed or deleted.
        """
        clients, rates = self._region(database.region)
        calls = Calls(clients, rates, deadline=self._clock.monotonic() + self._call_seconds)
        return remove_left_over(self._clock.now(), in_use, calls)

    def begin_snapshot(self, database: DynamoDb, run: str, attempt: int) -> WindowSnapshot:
        """An on-demand backup of a live table is of no second in particular, so none is made inside the window."""
        return WindowSnapshot(database=database.key, problem="DynamoDB is restored from point-in-time recovery or a kept copy.")

    def forecast(self, order: RestoreOrder) -> DatabaseForecast:
        """Needs `actions.RESTORE_FORECAST_ACTIONS`. Takes about a tenth of a second per table.

        Raises:
            Unreachable, Throttled, Forbidden: the service.
        """
        restoring, calls = self._restoring(order, math.inf)
        return forecast(restoring, order.storages, calls)

    def restore(self, order: RestoreOrder, previous: DatabaseRestore | None) -> DatabaseRestore:
        """Returns within about a minute, whatever the number of tables. This and what follows needs `actions.RESTORE_ACTIONS`,
        `actions.RESTORE_ACCOUNT_ACTIONS`, and `actions.RESTORE_STREAM_ACTIONS` on the streams that tables send to.

        Raises:
            NotReady: a table cannot be restored; the message names each, and nothing live was touched.
            Conflict: somebody else is at work on a table.
            Unreachable, Throttled, Forbidden: nothing could be seen, or a right is missing.
        """
        restoring, calls = self._restoring(order, self._call_seconds)
        return prepare(restoring, order.storages, previous, calls)

    def cut_over(self, order: RestoreOrder, previous: DatabaseRestore) -> DatabaseRestore:
        """Returns within about a minute. The first call only stores that live tables are about to change.

        Raises:
            NotReady, Conflict, Forbidden, Misconfigured: tables cannot be brought to their end. No table is on its way any
                more, and those that were not replaced yet are as they were.
            Unreachable, Throttled: nothing could be seen.
        """
        restoring, calls = self._restoring(order, self._call_seconds)
        return cut_over(restoring, previous, calls)

    def verify(self, order: RestoreOrder, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
        """Needs `actions.RESTORE_FORECAST_ACTIONS`. Takes about a fifth of a second per table.

        Raises:
            Unreachable, Throttled, Forbidden: the service.
        """
        restoring, calls = self._restoring(order, math.inf)
        return verify(restoring, restored, calls)

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        """Returns within about a minute. The kept copies of the restore point stay.

        Raises:
            NotReady: a live table was deleted and is not restored, so its safety backup is not deleted; or the properties of a
                release, as `order.storages` has them, lead to the tables beside.
            Unreachable, Throttled, Forbidden: they cannot be listed or deleted.
        """
        restoring, calls = self._restoring(order, self._call_seconds)
        return discard(restoring, restored, calls)

    def _restoring(self, order: RestoreOrder, seconds: float) -> tuple[Restoring, Calls]:
        database = order.database
        if not isinstance(database, DynamoDb):
            raise Misconfigured(f"{database.key} is not DynamoDB.", hint="Report this as a defect.")
        clients, rates = self._region(database.region)
        restoring = Restoring(order, database, self._clock.now(), self._quiet_seconds, self._max_concurrent_restores)
        return restoring, Calls(clients, rates, deadline=self._clock.monotonic() + seconds)

    def _region(self, region: str) -> tuple[RegionClients, Rates]:
        with self._lock:
            if region not in self._regions:
                self._regions[region] = (RegionClients(self._session, region), Rates(self._clock.monotonic, self._pause))
            return self._regions[region]
