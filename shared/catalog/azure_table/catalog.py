"""The port `Catalog` on the table; what each method promises is said there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.catalog.azure_table import leases, pauses, plans, points, runs
from shared.catalog.azure_table.table import Table
from shared.model.journal import PauseJournal
from shared.model.lease import Lease
from shared.model.plan import Plan, StoredPlan
from shared.model.restore_point import RestorePoint
from shared.model.run import Run

if TYPE_CHECKING:
    from azure.data.tables import TableClient


class AzureTableCatalog:
    """`client` is what `open_table` gives, or a TableClient that brings its own time-outs. The table must exist."""

    def __init__(self, client: TableClient) -> None:
        self._table = Table(client)

    def put_plan(self, plan: Plan, at: datetime) -> StoredPlan:
        return plans.put(self._table, plan, at)

    def plan(self, name: str) -> StoredPlan:
        return plans.get(self._table, name)

    def plans(self) -> tuple[StoredPlan, ...]:
        return plans.every(self._table)

    def acquire_lease(self, plan: str, run: str, until: datetime, now: datetime) -> Lease:
        return leases.acquire(self._table, plan, run, until, now)

    def renew_lease(self, plan: str, run: str, token: int, until: datetime, now: datetime) -> Lease:
        return leases.renew(self._table, plan, run, token, until)

    def release_lease(self, plan: str, run: str, token: int) -> None:
        leases.release(self._table, plan, run, token)

    def create_run(self, run: Run) -> Run:
        return runs.create(self._table, run)

    def run(self, run_id: str) -> Run:
        return runs.get(self._table, run_id)

    def runs(self, plan: str, limit: int = 20) -> tuple[Run, ...]:
        return runs.newest(self._table, plan, limit)

    def save_run(self, run: Run) -> Run:
        return runs.save(self._table, run)

    def put_document(self, run: str, name: str, document: Any) -> None:
        runs.put_document(self._table, run, name, document)

    def document(self, run: str, name: str) -> Any | None:
        return runs.document(self._table, run, name)

    def put_point(self, point: RestorePoint) -> None:
        points.put(self._table, point)

    def point(self, plan: str, point_id: str) -> RestorePoint:
        return points.get(self._table, plan, point_id)

    def points(self, plan: str, limit: int = 100) -> tuple[RestorePoint, ...]:
        return points.newest(self._table, plan, limit)

    def open_pause(self, journal: PauseJournal) -> PauseJournal:
        return pauses.open_entry(self._table, journal)

    def pause_journal(self, run: str, attempt: int) -> PauseJournal | None:
        return pauses.find(self._table, run, attempt)

    def open_pauses(self) -> tuple[PauseJournal, ...]:
        return pauses.every_open(self._table)

    def mark_not_ours(self, run: str, attempt: int, pods: Sequence[str]) -> PauseJournal:
        return pauses.mark_not_ours(self._table, run, attempt, pods)

    def close_pause(self, run: str, attempt: int, by: str, at: datetime) -> PauseJournal:
        return pauses.close(self._table, run, attempt, by, at)
