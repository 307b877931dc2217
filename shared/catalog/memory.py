"""The catalog in this process's memory: for tests and experiments. Deliberately simple: one lock around all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

import msgspec

from shared.catalog import refusals
from shared.model.journal import PauseJournal
from shared.model.lease import Lease
from shared.model.plan import Plan, StoredPlan
from shared.model.records import replace
from shared.model.restore_point import RestorePoint
from shared.model.run import Run

Dated = TypeVar("Dated", Run, RestorePoint)


class MemoryCatalog:
    """See the port `Catalog` for what each method promises."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._plans: dict[str, StoredPlan] = {}
        self._leases: dict[str, Lease] = {}
        self._tokens: dict[str, int] = {}
        self._runs: dict[str, Run] = {}
        self._documents: dict[tuple[str, str], bytes] = {}
        self._points: dict[tuple[str, str], RestorePoint] = {}
        self._pauses: dict[tuple[str, int], PauseJournal] = {}

    def put_plan(self, plan: Plan, at: datetime) -> StoredPlan:
        with self._lock:
            current = self._plans.get(plan.name)
            if current and current.plan == plan:
                return current
            stored = StoredPlan(plan=plan, revision=current.revision + 1 if current else 1, applied_at=at)
            self._plans[plan.name] = stored
            return stored

    def plan(self, name: str) -> StoredPlan:
        with self._lock:
            if name not in self._plans:
                raise refusals.unknown_plan(name, self._plans)
            return self._plans[name]

    def plans(self) -> tuple[StoredPlan, ...]:
        with self._lock:
            return tuple(self._plans[name] for name in sorted(self._plans))

    def acquire_lease(self, plan: str, run: str, until: datetime, now: datetime) -> Lease:
        with self._lock:
            lease = self._leases.get(plan)
            if lease and lease.run == run:
                return self._keep(replace(lease, expires_at=until))
            if lease and lease.expires_at > now:
                raise refusals.lease_held(lease)
            self._tokens[plan] = self._tokens.get(plan, 0) + 1
            return self._keep(Lease(plan=plan, run=run, token=self._tokens[plan], expires_at=until))

    def renew_lease(self, plan: str, run: str, token: int, until: datetime, now: datetime) -> Lease:
        with self._lock:
            self._require_lease(plan, run, token)
            return self._keep(replace(self._leases[plan], expires_at=until))

    def release_lease(self, plan: str, run: str, token: int) -> None:
        with self._lock:
            lease = self._leases.get(plan)
            if lease and (lease.run, lease.token) == (run, token):
                del self._leases[plan]

    def _keep(self, lease: Lease) -> Lease:
        self._leases[lease.plan] = lease
        return lease

    def _require_lease(self, plan: str, run: str, token: int) -> None:
        lease = self._leases.get(plan)
        if lease is None or (lease.run, lease.token) != (run, token):
            raise refusals.lease_lost(plan, run, token, lease.run if lease else "")

    def create_run(self, run: Run) -> Run:
        with self._lock:
            return self._runs.setdefault(run.id, run)

    def run(self, run_id: str) -> Run:
        with self._lock:
            if run_id not in self._runs:
                raise refusals.unknown_run(run_id, sorted(self._runs, reverse=True))
            return self._runs[run_id]

    def runs(self, plan: str, limit: int = 20) -> tuple[Run, ...]:
        with self._lock:
            return _newest_first((run for run in self._runs.values() if run.plan == plan), limit)

    def save_run(self, run: Run) -> Run:
        with self._lock:
            stored = self._runs.get(run.id)
            if stored and stored.token > run.token:
                raise refusals.stale_run(run, stored.token)
            self._runs[run.id] = run
            return run

    def put_document(self, run: str, name: str, document: Any) -> None:
        """As JSON text, so that only JSON is kept and nobody shares a dict with the catalog."""
        with self._lock:
            self._documents[run, name] = msgspec.json.encode(document)

    def document(self, run: str, name: str) -> Any | None:
        with self._lock:
            text = self._documents.get((run, name))
            return None if text is None else msgspec.json.decode(text)

    def put_point(self, point: RestorePoint) -> None:
        with self._lock:
            self._points[point.plan, point.id] = point

    def point(self, plan: str, point_id: str) -> RestorePoint:
        existing = self.points(plan)
        wanted = (
            point
            for point in existing
            if (point.phase in refusals.RESTORABLE if point_id == refusals.LATEST else point.id == point_id)
        )
        if found := next(wanted, None):
            return found
        raise refusals.unknown_point(plan, point_id, existing)

    def points(self, plan: str, limit: int = 100) -> tuple[RestorePoint, ...]:
        with self._lock:
            return _newest_first((point for point in self._points.values() if point.plan == plan), limit)

    def open_pause(self, journal: PauseJournal) -> PauseJournal:
        with self._lock:
            self._require_lease(journal.plan, journal.run, journal.token)
            key = (journal.run, journal.attempt)
            if key in self._pauses:
                return self._pauses[key]
            self._require_unpaused(journal)
            self._pauses[key] = journal
            return journal

    def _require_unpaused(self, journal: PauseJournal) -> None:
        taken = {release.key: entry for entry in self._open_pauses() for release in entry.releases}
        for release in journal.releases:
            if other := taken.get(release.key):
                raise refusals.paused_by_another(release.key, other.run, other.attempt)

    def pause_journal(self, run: str, attempt: int) -> PauseJournal | None:
        with self._lock:
            return self._pauses.get((run, attempt))

    def open_pauses(self) -> tuple[PauseJournal, ...]:
        with self._lock:
            return self._open_pauses()

    def _open_pauses(self) -> tuple[PauseJournal, ...]:
        return tuple(self._pauses[key] for key in sorted(self._pauses) if self._pauses[key].is_open)

    def mark_not_ours(self, run: str, attempt: int, pods: Sequence[str]) -> PauseJournal:
        with self._lock:
            entry = self._pause(run, attempt)
            if entry.is_open:
                entry = replace(entry, not_ours=tuple(sorted({*entry.not_ours, *pods})))
                self._pauses[run, attempt] = entry
            return entry

    def close_pause(self, run: str, attempt: int, by: str, at: datetime) -> PauseJournal:
        with self._lock:
            entry = self._pause(run, attempt)
            if entry.is_open:
                entry = replace(entry, closed_by=by, closed_at=at)
                self._pauses[run, attempt] = entry
            return entry

    def _pause(self, run: str, attempt: int) -> PauseJournal:
        if (run, attempt) not in self._pauses:
            raise refusals.unknown_pause(run, attempt)
        return self._pauses[run, attempt]


def _newest_first(values: Iterable[Dated], limit: int) -> tuple[Dated, ...]:
    """By id: the id of a run, which is that of its point, sorts by time within a plan."""
    return tuple(sorted(values, key=lambda value: value.id, reverse=True)[:limit])
