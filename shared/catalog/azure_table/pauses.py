"""The pause journal. Open entries are one range of keys, so that whoever resumes finds them all with one query; each holds a
lock per release. Opening and closing are one transaction each, so an entry and its locks come and go together.

Why this is safe, and why it takes one partition: docs/adr/0011-catalog-on-azure-tables.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shared.catalog import refusals
from shared.catalog.azure_table import leases
from shared.catalog.azure_table.bodies import discard_body, get_record, points_to, put_record, records, write_body
from shared.catalog.azure_table.keys import Key, fit
from shared.catalog.azure_table.table import MOST_IN_TRANSACTION, TRANSACTION, Refused, Stored, Table, Write
from shared.model.errors import InvalidRequest
from shared.model.journal import JournalRelease, PauseJournal
from shared.model.records import from_record, replace, to_record

PARTITION = leases.PARTITION
OPEN, CLOSED, RELEASE = "open:", "closed:", "release:"
MOST_RELEASES = MOST_IN_TRANSACTION - 2
"""The others are the lease and the entry."""


def open_entry(table: Table, journal: PauseJournal) -> PauseJournal:
    """The lease is read first. Every opening changes its etag, so none can come between that read and this transaction, not
    even one of this run that was closed again meanwhile."""
    if len(journal.releases) > MOST_RELEASES:
        raise InvalidRequest(
            f"Plan {journal.plan} pauses {len(journal.releases)} releases together; at most {MOST_RELEASES} are possible.",
            hint="Table storage limits a transaction to 100 entities. Split the plan.",
        )
    lease_key = leases.lease_key(journal.plan)

    def look_and_open() -> PauseJournal:
        lease = leases.require(table.get(lease_key), journal.plan, journal.run, journal.token)
        if found := find(table, journal.run, journal.attempt):
            return found
        _require_unpaused(table, journal)
        _open(table, journal, lease)
        return journal

    return table.decide(TRANSACTION, f"the pause journal of run {journal.run}", look_and_open)


def _open(table: Table, journal: PauseJournal, lease: Stored) -> None:
    """Raises Refused when the lease, the entry or a lock changed since they were read."""
    about, key = {"run": journal.run, "attempt": journal.attempt}, _open_key(journal.run, journal.attempt)
    body = write_body(table, to_record(journal))
    locks = [Write("create", _lock_key(release), about) for release in journal.releases]
    holds_the_lease = Write("touch", lease.key, {"run": journal.run}, lease.etag)
    _transact(table, [holds_the_lease, Write("create", key, {**about, **body}), *locks], key, body)


def _require_unpaused(table: Table, journal: PauseJournal) -> None:
    """A lock of this very entry is no obstacle: the same call was made twice at once, and the next look finds the entry."""
    locks = {lock.key: (lock.values["run"], lock.values["attempt"]) for lock in table.query(PARTITION, RELEASE)}
    for release in journal.releases:
        own = (journal.run, journal.attempt)
        if (by := locks.get(_lock_key(release), own)) != own:
            raise refusals.paused_by_another(release.key, *by)


def _transact(table: Table, writes: Sequence[Write], key: Key, body: dict[str, object]) -> None:
    """With `body` at `key`. A refusal may be the echo of a repeated call; otherwise the parts go. Raises Refused."""
    try:
        table.transact(writes)
    except Refused:
        if points_to(table, key, body):
            return
        discard_body(table, body)
        raise


def find(table: Table, run: str, attempt: int) -> PauseJournal | None:
    """Open first: an entry goes from open to closed in one step and never back, so it cannot be missed in between."""
    found = get_record(table, _open_key(run, attempt)) or get_record(table, _closed_key(run, attempt))
    return from_record(found[1], PauseJournal) if found else None


def _require(table: Table, run: str, attempt: int) -> PauseJournal:
    found = find(table, run, attempt)
    if found is None:
        raise refusals.unknown_pause(run, attempt)
    return found


def every_open(table: Table) -> tuple[PauseJournal, ...]:
    return tuple(from_record(record, PauseJournal) for record in records(table, table.query(PARTITION, OPEN)))


def mark_not_ours(table: Table, run: str, attempt: int, pods: Sequence[str]) -> PauseJournal:
    """Rewrites the entry on the etag that was read: two writers at once lose nothing, and a repetition adds nothing."""
    key = _open_key(run, attempt)

    def look_and_mark() -> PauseJournal:
        found = get_record(table, key)
        if found is None:
            return _require(table, run, attempt)
        stored, entry = found[0], from_record(found[1], PauseJournal)
        if {*pods} <= {*entry.not_ours}:
            return entry
        marked = replace(entry, not_ours=tuple(sorted({*entry.not_ours, *pods})))
        put_record(table, key, to_record(marked), {"run": run, "attempt": attempt}, stored)
        return marked

    return table.decide("Update Entity", f"the pause journal of run {run}", look_and_mark)


def close(table: Table, run: str, attempt: int, by: str, at: datetime) -> PauseJournal:
    """Moves the entry out of the open ones. Decided anew when pods were noted since it was read, so that no note is lost."""

    def look_and_close() -> PauseJournal:
        found = get_record(table, _open_key(run, attempt))
        if found is None:
            return _require(table, run, attempt)
        stored, entry = found[0], from_record(found[1], PauseJournal)
        closed = replace(entry, closed_by=by, closed_at=at)
        _close(table, closed, stored)
        return closed

    return table.decide(TRANSACTION, f"the pause journal of run {run}", look_and_close)


def _close(table: Table, closed: PauseJournal, stored: Stored) -> None:
    """Raises Refused when the entry changed since it was read."""
    about, key = {"run": closed.run, "attempt": closed.attempt}, _closed_key(closed.run, closed.attempt)
    body = write_body(table, to_record(closed))
    unlock = [Write("delete", _lock_key(release)) for release in closed.releases]
    move = [Write("delete", stored.key, etag=stored.etag), Write("create", key, {**about, **body})]
    _transact(table, [*move, *unlock], key, body)
    discard_body(table, stored.values)


def _open_key(run: str, attempt: int) -> Key:
    return Key(PARTITION, f"{OPEN}{fit(run)}:{attempt:04d}")


def _closed_key(run: str, attempt: int) -> Key:
    return Key(PARTITION, f"{CLOSED}{fit(run)}:{attempt:04d}")


def _lock_key(release: JournalRelease) -> Key:
    return Key(PARTITION, f"{RELEASE}{fit(release.key)}")
