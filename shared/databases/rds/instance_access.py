"""The port `DatabaseAccess` for RDS DB instances."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from shared.databases import date_probe
from shared.databases.clock import Clock
from shared.databases.rds import instance_checks, instance_protect, instance_verify, snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.instance_cut_over import advance_cut_over
from shared.databases.rds.instance_discard import advance_discard
from shared.databases.rds.instance_forecast import forecast
from shared.databases.rds.instance_progress import Work
from shared.databases.rds.instance_restore import advance_restore
from shared.model.checks import CheckResult
from shared.model.clock import ClockBounds, unmeasured
from shared.model.errors import BackupError, InvalidRequest
from shared.model.plan import RdsInstance
from shared.model.protection import DatabaseProtection, WindowSnapshot
from shared.model.restore import DatabaseForecast, DatabaseRestore, RestoreOrder
from shared.model.storage import ReleaseStorage


class RdsInstanceAccess:
    """Which IAM actions each method needs is in `actions`. `session` is a boto3 session."""

    def __init__(self, session: Any, clock: Clock) -> None:
        self._session = session
        self._clock = clock
        self._regions: dict[str, Calls] = {}
        self._lock = Lock()

    def check(self, database: RdsInstance, storages: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
        """Needs `actions.CHECK_ACTIONS`.

        Raises:
            Unreachable, Throttled: the service could not be asked.
        """
        return instance_checks.check(database, storages, self._clock.now(), self._calls(database.region))

    def with_tables(self, database: RdsInstance, storages: Sequence[ReleaseStorage]) -> RdsInstance:
        """Unchanged: an instance is restored whole, with every table in it."""
        return database

    async def measure_clock(self, database: RdsInstance, clock: Clock) -> ClockBounds:
        """Against the endpoint that restores are asked of. Needs no rights; never raises."""
        from botocore.httpsession import get_cert_path

        ca_bundle: str = os.environ.get("AWS_CA_BUNDLE") or get_cert_path(True)
        try:
            endpoint_url = self._calls(database.region).endpoint_url
        except BackupError as error:
            return unmeasured(clock.now(), error.message)
        return await date_probe.measure(endpoint_url, clock, ca_bundle=ca_bundle)

    def protect(
        self,
        database: RdsInstance,
        storages: Sequence[ReleaseStorage],
        point: datetime,
        kept_copy: bool,
        previous: DatabaseProtection | None,
    ) -> DatabaseProtection:
        """Needs `actions.PROTECT_ACTIONS`. The snapshot of the window, where the plan wants one, is the `backup_arn` of the
        only item of `previous`; `kept_copy` is about DynamoDB.

        Raises:
            InvalidRequest: the point is not a whole second.
            NotReady: the instance is gone or replaced, or its automated backups do not have the point.
            Unreachable, Throttled, Forbidden: the service.
        """
        return instance_protect.advance(database, point, previous, self._clock.now(), self._calls(database.region))

    def begin_snapshot(self, database: RdsInstance, run: str, attempt: int) -> WindowSnapshot:
        """Needs `actions.WINDOW_SNAPSHOT_ACTIONS`. Never raises for the service: `problem` says what went wrong."""
        calls, now = self._calls(database.region), self._clock.now()
        return snapshots.begin(snapshots.OF_INSTANCE, database.instance.lower(), database.key, run, attempt, now, calls)

    def clean_up(self, database: RdsInstance, in_use: frozenset[datetime]) -> tuple[str, ...]:
        """Removes snapshots that failed runs have begun: older than a day, kept for no point, far from those `in_use`.

        Raises:
            Unreachable, Throttled, Forbidden: they cannot be listed or deleted.
        """
        calls, now = self._calls(database.region), self._clock.now()
        return snapshots.remove_left_over(snapshots.OF_INSTANCE, database.instance.lower(), now, in_use, calls)

    def forecast(self, order: RestoreOrder) -> DatabaseForecast:
        """Needs `actions.CHECK_ACTIONS`."""
        return forecast(self._work(order))

    def restore(self, order: RestoreOrder, previous: DatabaseRestore | None) -> DatabaseRestore:
        """Needs `actions.RESTORE_ACTIONS` and `actions.PASS_ROLE_ACTIONS`."""
        return advance_restore(self._work(order), previous)

    def cut_over(self, order: RestoreOrder, previous: DatabaseRestore) -> DatabaseRestore:
        """Needs `actions.RESTORE_ACTIONS`."""
        return advance_cut_over(self._work(order), previous)

    def verify(self, order: RestoreOrder, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
        """Needs `actions.CHECK_ACTIONS`."""
        return instance_verify.verify(self._work(order), restored)

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        """Needs `actions.DISCARD_ACTIONS`."""
        return advance_discard(self._work(order), restored)

    def _work(self, order: RestoreOrder) -> Work:
        if not isinstance(order.database, RdsInstance):
            raise InvalidRequest(f"{order.database.key} is not an RDS DB instance.")
        return Work(order, order.database, self._clock.now(), self._calls(order.database.region))

    def _calls(self, region: str) -> Calls:
        with self._lock:
            if region not in self._regions:
                self._regions[region] = Calls(self._session, region)
            return self._regions[region]
