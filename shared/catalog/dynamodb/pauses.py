"""The pause journal. Open entries are one partition, so that whoever resumes finds them all with one Query; each holds a lock
per release. Opening and closing are one transaction each, so an entry and its locks come and go together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from shared.catalog import refusals
from shared.catalog.dynamodb.attributes import Item
from shared.catalog.dynamodb.bodies import discard_body, get_record, records, write_body
from shared.catalog.dynamodb.leases import HELD, lease_key
from shared.catalog.dynamodb.table import MOST_IN_TRANSACTION, Key, Refused, Table, TransactionRefused, Write
from shared.model.errors import BackupError, InvalidRequest, RevisionConflict
from shared.model.journal import JournalRelease, PauseJournal
from shared.model.records import from_record, to_record
from shared.model.times import iso

OPEN = "open-pauses"
IS_NEW = "attribute_not_exists(#pk)"
EXISTS = "attribute_exists(#pk)"
IS_UNCHANGED = "#revision = :seen"
NOTE_PODS = "ADD #not_ours :pods, #revision :one"
MOST_RELEASES = MOST_IN_TRANSACTION - 3
CLOSE_TRIES = 5


def open_entry(table: Table, journal: PauseJournal) -> PauseJournal:
    if len(journal.releases) > MOST_RELEASES:
        raise InvalidRequest(
            f"Plan {journal.plan} pauses {len(journal.releases)} releases together; at most {MOST_RELEASES} are possible.",
            hint="DynamoDB limits a transaction to 100 items. Split the plan.",
        )
    body = write_body(table, to_record(journal))
    try:
        table.transact(_opening(journal, body))
    except TransactionRefused as refusal:
        discard_body(table, body)
        return _stored_or_refuse(table, journal, refusal)
    return journal


def _opening(journal: PauseJournal, body: Item) -> list[Write]:
    run, attempt = journal.run, journal.attempt
    about = {"run": run, "attempt": attempt}
    return [
        Write("ConditionCheck", lease_key(journal.plan), HELD, {"run": run, "token": journal.token}),
        Write("ConditionCheck", _closed_key(run, attempt), IS_NEW),
        Write("Put", _open_key(run, attempt), IS_NEW, item={**about, **body, "revision": 1}),
        *(Write("Put", _lock_key(release), IS_NEW, item=about) for release in journal.releases),
    ]


def _stored_or_refuse(table: Table, journal: PauseJournal, refusal: TransactionRefused) -> PauseJournal:
    """The lease comes first: who has lost it must not go on, not even with an entry of its own."""
    found, lease, own = refusal.by_key, lease_key(journal.plan), (journal.run, journal.attempt)
    if lease in found:
        raise refusals.lease_lost(journal.plan, journal.run, journal.token, found[lease].get("run", "")) from refusal
    if _closed_key(*own) in found or _open_key(*own) in found:
        return _require(table, *own)
    for release in journal.releases:
        if lock := found.get(_lock_key(release)):
            raise refusals.paused_by_another(release.key, lock["run"], lock["attempt"]) from refusal
    raise BackupError(f"The pause journal of run {journal.run} was refused without a reason.") from refusal


def find(table: Table, run: str, attempt: int) -> PauseJournal | None:
    """Open first: an entry goes from open to closed in one step and never back, so it cannot be missed in between."""
    found = get_record(table, _open_key(run, attempt)) or get_record(table, _closed_key(run, attempt))
    return _journal(*found) if found else None


def _require(table: Table, run: str, attempt: int) -> PauseJournal:
    found = find(table, run, attempt)
    if found is None:
        raise refusals.unknown_pause(run, attempt)
    return found


def every_open(table: Table) -> tuple[PauseJournal, ...]:
    return tuple(_journal(item, record) for item, record in records(table, table.query(OPEN)))


def mark_not_ours(table: Table, run: str, attempt: int, pods: Sequence[str]) -> PauseJournal:
    """One atomic addition to a set: two writers at once lose nothing, and a repetition adds nothing."""
    if not pods:  # DynamoDB has no empty sets
        return _require(table, run, attempt)
    with suppress(Refused):  # closed already, or never opened: the next line tells
        table.update(_open_key(run, attempt), NOTE_PODS, EXISTS, pods=frozenset(pods), one=1)
    return _require(table, run, attempt)


def close(table: Table, run: str, attempt: int, by: str, at: datetime) -> PauseJournal:
    """Moves the entry to its run. Tried again when pods were noted since it was read, so that no note is lost."""
    for _ in range(CLOSE_TRIES):
        found = get_record(table, _open_key(run, attempt))
        if found is None:
            return _require(table, run, attempt)
        item, record = found
        closed = {**item, "closed_by": by, "closed_at": iso(at)}
        try:
            table.transact(_closing(closed, _journal(item, record)))
        except TransactionRefused:
            continue
        return _journal(closed, record)
    raise RevisionConflict(
        f"The pause journal of run {run} (attempt {attempt}) changed {CLOSE_TRIES} times while it was being closed.",
        hint="Close it again; it is still open.",
    )


def _closing(closed: Item, journal: PauseJournal) -> list[Write]:
    key = (journal.run, journal.attempt)
    kept = {name: value for name, value in closed.items() if name not in Key._fields}
    return [
        Write("Delete", _open_key(*key), IS_UNCHANGED, {"seen": closed["revision"]}),
        Write("Put", _closed_key(*key), IS_NEW, item=kept),
        *(Write("Delete", _lock_key(release)) for release in journal.releases),
    ]


def _journal(item: Item, record: dict[str, object]) -> PauseJournal:
    changes: dict[str, object] = {name: item[name] for name in ("closed_at", "closed_by") if name in item}
    if "not_ours" in item:
        changes["not_ours"] = sorted({*item["not_ours"], *from_record(record, PauseJournal).not_ours})
    return from_record({**record, **changes}, PauseJournal)


def _open_key(run: str, attempt: int) -> Key:
    return Key(OPEN, f"{run}#{attempt:04d}")


def _closed_key(run: str, attempt: int) -> Key:
    return Key(f"run#{run}", f"pause#{attempt:04d}")


def _lock_key(release: JournalRelease) -> Key:
    return Key(f"paused#{release.key}", "lock")
