"""The port `DatabaseAccess` for Amazon DynamoDB."""

from __future__ import annotations

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
from shared.model.checks import CheckResult
from shared.model.clock import ClockBounds, unmeasured
from shared.model.errors import BackupError
from shared.model.plan import DynamoDb
from shared.model.protection import DatabaseProtection
from shared.model.records import replace
from shared.model.storage import ReleaseStorage

CALL_SECONDS = 40.0
"""After this time `protect` begins no new request and returns what it has; the longest request may take some seconds more."""
MAX_CONCURRENT_RESTORES = 50
"""Per account and region, restores of any kind (API reference of RestoreTableToPointInTime)."""


class DynamoDbAccess:
    """Which IAM actions each method needs is in `actions`.

    `session` is a boto3 session; `pause` blocks a thread for some seconds.
    """

    def __init__(
        self,
        session: Any,
        clock: Clock,
        max_concurrent_restores: int = MAX_CONCURRENT_RESTORES,
        *,
        call_seconds: float = CALL_SECONDS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._clock = clock
        self._max_concurrent_restores = max_concurrent_restores
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

    def _region(self, region: str) -> tuple[RegionClients, Rates]:
        with self._lock:
            if region not in self._regions:
                self._regions[region] = (RegionClients(self._session, region), Rates(self._clock.monotonic, self._pause))
            return self._regions[region]
