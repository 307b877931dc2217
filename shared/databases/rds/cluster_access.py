"""The port `DatabaseAccess` for Aurora clusters and for Multi-AZ DB clusters."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from shared.databases import date_probe
from shared.databases.clock import Clock
from shared.databases.rds import snapshots
from shared.databases.rds.calls import Calls
from shared.databases.rds.cluster_checks import check_cluster
from shared.databases.rds.cluster_cut_over import advance_cut_over
from shared.databases.rds.cluster_discard import advance_discard
from shared.databases.rds.cluster_forecast import forecast
from shared.databases.rds.cluster_kind import AURORA, MULTI_AZ, Kind
from shared.databases.rds.cluster_progress import Work, begin_work
from shared.databases.rds.cluster_protect import advance
from shared.databases.rds.cluster_restore import advance_restore
from shared.databases.rds.cluster_source import region_of
from shared.databases.rds.cluster_verify import verify_restored
from shared.model.checks import CheckResult
from shared.model.clock import ClockBounds, unmeasured
from shared.model.errors import BackupError
from shared.model.plan import AuroraCluster, RdsCluster
from shared.model.protection import DatabaseProtection, WindowSnapshot
from shared.model.restore import DatabaseForecast, DatabaseRestore, RestoreOrder
from shared.model.storage import ReleaseStorage


class ClusterAccess:
    """Which IAM actions each method needs is in `cluster_actions`. `session` is a boto3 session."""

    def __init__(self, session: Any, clock: Clock, kind: Kind) -> None:
        self._session = session
        self._clock = clock
        self._kind = kind
        self._regions: dict[str, Calls] = {}
        self._lock = Lock()

    def check(self, database: AuroraCluster | RdsCluster, storages: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
        """Raises Unreachable, Throttled: the service could not be asked."""
        return check_cluster(database, self._kind, storages, self._clock.now(), self._calls(database.region))

    def with_tables(
        self, database: AuroraCluster | RdsCluster, storages: Sequence[ReleaseStorage]
    ) -> AuroraCluster | RdsCluster:
        """Unchanged: a cluster is restored as a whole."""
        return database

    async def measure_clock(self, database: AuroraCluster | RdsCluster, clock: Clock) -> ClockBounds:
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
        database: AuroraCluster | RdsCluster,
        storages: Sequence[ReleaseStorage],
        point: datetime,
        kept_copy: bool,
        previous: DatabaseProtection | None,
    ) -> DatabaseProtection:
        """See `cluster_protect.advance`. `kept_copy` is DynamoDB's; here the plan's `snapshot` decides."""
        return advance(database, self._kind, point, previous, self._clock.now(), self._calls(database.region))

    def clean_up(self, database: AuroraCluster | RdsCluster, in_use: frozenset[datetime]) -> tuple[str, ...]:
        """Removes snapshots of failed runs. Raises Unreachable, Throttled, Forbidden."""
        now, calls = self._clock.now(), self._calls(database.region)
        return snapshots.remove_left_over(snapshots.OF_CLUSTER, database.identifier, now, in_use, calls)

    def begin_snapshot(self, database: AuroraCluster | RdsCluster, run: str, attempt: int) -> WindowSnapshot:
        """Never raises for the service's sake: `problem` says what went wrong."""
        calls, now = self._calls(database.region), self._clock.now()
        return snapshots.begin(snapshots.OF_CLUSTER, database.identifier, database.key, run, attempt, now, calls)

    def forecast(self, order: RestoreOrder) -> DatabaseForecast:
        """Raises Unreachable, Throttled, Forbidden."""
        return forecast(self._work(order))

    def restore(self, order: RestoreOrder, previous: DatabaseRestore | None) -> DatabaseRestore:
        """Raises NotReady, Conflict: nothing live was touched."""
        return advance_restore(self._work(order), previous)

    def cut_over(self, order: RestoreOrder, previous: DatabaseRestore) -> DatabaseRestore:
        """Raises NotReady, Conflict: what is half done stays as it is, and a later call goes on."""
        return advance_cut_over(self._work(order), previous)

    def verify(self, order: RestoreOrder, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
        """Only reads."""
        return verify_restored(self._work(order), restored)

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        """Raises NotReady: what would be deleted may be the only copy."""
        return advance_discard(self._work(order), restored)

    def _work(self, order: RestoreOrder) -> Work:
        return begin_work(order, self._kind, self._clock.now(), self._calls(region_of(order)))

    def _calls(self, region: str) -> Calls:
        with self._lock:
            if region not in self._regions:
                self._regions[region] = Calls(self._session, region)
            return self._regions[region]


class AuroraAccess(ClusterAccess):
    """Aurora clusters: MySQL and PostgreSQL, provisioned and serverless v2."""

    def __init__(self, session: Any, clock: Clock) -> None:
        super().__init__(session, clock, AURORA)


class RdsClusterAccess(ClusterAccess):
    """Multi-AZ DB clusters of RDS: MySQL and PostgreSQL."""

    def __init__(self, session: Any, clock: Clock) -> None:
        super().__init__(session, clock, MULTI_AZ)
