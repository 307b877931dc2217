"""The port `DatabaseAccess` for Azure Cosmos DB for NoSQL accounts."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from shared.databases import date_probe
from shared.databases.clock import Clock
from shared.databases.cosmos import checks, protect, verify
from shared.databases.cosmos.account import find_account
from shared.databases.cosmos.calls import Calls, open_client
from shared.databases.cosmos.cut_over import advance_cut_over
from shared.databases.cosmos.discard import advance_discard
from shared.databases.cosmos.forecast import forecast
from shared.databases.cosmos.progress import Work
from shared.databases.cosmos.restore import advance_restore
from shared.model.checks import CheckResult
from shared.model.clock import ClockBounds, unmeasured
from shared.model.errors import BackupError, InvalidRequest
from shared.model.plan import CosmosAccount
from shared.model.protection import DatabaseProtection, WindowSnapshot
from shared.model.restore import DatabaseForecast, DatabaseRestore, RestoreOrder
from shared.model.secret_text import SecretText
from shared.model.storage import ReleaseStorage

_ACCOUNT_ID = re.compile(
    r"(?i)/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.DocumentDB/databaseAccounts/(?P<account>[^/]+)"
)


class CosmosAccess:
    """Which ARM actions each method needs is in `actions`. `credential` signs in to Azure; `open_management` makes the
    client of a subscription with it (the sandbox's has another address). `pause` blocks a thread for some seconds."""

    def __init__(
        self,
        credential: Any,
        clock: Clock,
        *,
        open_management: Callable[[Any, str], Any] = open_client,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._credential, self._clock, self._open, self._pause = credential, clock, open_management, pause
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    def check(self, database: CosmosAccount, storages: Sequence[ReleaseStorage]) -> tuple[CheckResult, ...]:
        """Needs `actions.CHECK_ACTIONS`.

        Raises:
            Unreachable, Throttled: the service could not be asked.
        """
        return checks.check(database, storages, self._clock.now(), self._calls(database))

    def with_tables(self, database: CosmosAccount, storages: Sequence[ReleaseStorage]) -> CosmosAccount:
        """Unchanged: an account is restored whole, with every container in it."""
        return database

    async def measure_clock(self, database: CosmosAccount, clock: Clock) -> ClockBounds:
        """Against the account's own endpoint, which answers with a `Date` also to whom it does not let in. Never raises."""
        import asyncio

        import certifi  # comes with azure-core's transport

        try:
            account = await asyncio.to_thread(find_account, database.account, self._calls(database))
        except BackupError as error:
            return unmeasured(clock.now(), error.message)
        if account is None or not account.url:
            return unmeasured(clock.now(), f"Cosmos DB account {database.account} does not exist.")
        ca_bundle = os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where()
        return await date_probe.measure(account.url, clock, ca_bundle=ca_bundle)

    def protect(
        self,
        database: CosmosAccount,
        storages: Sequence[ReleaseStorage],
        point: datetime,
        kept_copy: bool,
        previous: DatabaseProtection | None,
    ) -> DatabaseProtection:
        """Needs `actions.CHECK_ACTIONS`. `kept_copy` is about DynamoDB: continuous backups cannot be made to last longer.

        Raises:
            InvalidRequest: the point is not a whole second.
            NotReady: the account is gone or replaced, or not in continuous backup mode.
            Unreachable, Throttled, Forbidden: the service.
        """
        return protect.advance(database, point, previous, self._clock.now(), self._calls(database))

    def begin_snapshot(self, database: CosmosAccount, run: str, attempt: int) -> WindowSnapshot:
        """Never asked for: an account has no snapshots, and no plan section says that it has."""
        raise InvalidRequest(f"{database.key} has no snapshots.", hint="Its continuous backups have every second.")

    def clean_up(self, database: CosmosAccount, in_use: frozenset[datetime]) -> tuple[str, ...]:
        """Nothing: a backup makes nothing in Azure that could be left behind."""
        return ()

    def forecast(self, order: RestoreOrder) -> DatabaseForecast:
        """Needs `actions.CHECK_ACTIONS`."""
        return forecast(self._work(order))

    def restore(self, order: RestoreOrder, previous: DatabaseRestore | None) -> DatabaseRestore:
        """Needs `actions.RESTORE_ACTIONS` and `actions.SUBSCRIPTION_ACTIONS`."""
        return advance_restore(self._work(order), previous)

    def cut_over(self, order: RestoreOrder, previous: DatabaseRestore) -> DatabaseRestore:
        """Needs `actions.RESTORE_ACTIONS`."""
        return advance_cut_over(self._work(order), previous)

    def verify(self, order: RestoreOrder, restored: DatabaseRestore) -> tuple[CheckResult, ...]:
        """Needs `actions.CHECK_ACTIONS`."""
        return verify.verify(self._work(order), restored)

    def discard(self, order: RestoreOrder, restored: DatabaseRestore) -> DatabaseRestore:
        """Needs `actions.DISCARD_ACTIONS`."""
        return advance_discard(self._work(order), restored)

    def primary_key(self, resource_id: str) -> SecretText:
        """The key of the account with this resource id (`EndpointMove.credential_source`), asked for when a release is led to
        it. Needs `actions.LEAD_ACTIONS`.

        Raises:
            InvalidRequest: not the resource id of an account.
            Unreachable, Throttled, Forbidden, NotReady: the service.
        """
        found = _ACCOUNT_ID.fullmatch(resource_id)
        if found is None:
            raise InvalidRequest(f"{resource_id!r} is not the resource id of a Cosmos DB account.")
        return self._calls_of(found["subscription"], found["group"]).primary_key(found["account"])

    def _work(self, order: RestoreOrder) -> Work:
        if not isinstance(order.database, CosmosAccount):
            raise InvalidRequest(f"{order.database.key} is not a Cosmos DB account.")
        return Work(order, order.database, self._clock.now(), self._calls(order.database))

    def _calls(self, database: CosmosAccount) -> Calls:
        return self._calls_of(database.subscription, database.resource_group)

    def _calls_of(self, subscription: str, resource_group: str) -> Calls:
        return Calls(self._client(subscription), resource_group, monotonic=self._clock.monotonic, pause=self._pause)

    def _client(self, subscription: str) -> Any:
        with self._lock:
            if subscription not in self._clients:
                self._clients[subscription] = self._open(self._credential, subscription)
            return self._clients[subscription]
