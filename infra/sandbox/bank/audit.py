"""Counts the money in one copy of the bank, as ScalarDB would read it and as a plain reader would.

What can be wrong with a copy, and how it shows
-----------------------------------------------
Consensus Commit keeps with each record what is needed to finish or undo its transaction. So if every table is cut at
one and the same instant, the copy is consistent even at a busy moment: each PREPARED record resolves by the Coordinator
row of the same copy (COMMITTED: roll forward; ABORTED or none: back to the before-image), all records of a transaction
resolve alike, and `resolved_total` is exactly the opening total. `raw_total` is not: it adds up balances without
looking at the metadata, as a scan, an export or a report on the restored tables does, and counts money that is in
flight twice or not at all.

A real restore is no single instant. Every table is restored for itself; DynamoDB gives one second as the precision of
point-in-time recovery and promises nothing across tables, whose partitions keep clocks of their own. At a busy moment
one table then holds a transfer's committed record while the other does not know the transfer yet. No metadata can
repair that: `resolved_total` is wrong and `torn` names the transfers. `cut` spreads the tables' instants over that
second. This is why the vendor demands a pause: inside a drained pause nothing is written for longer than the precision,
every choice of instants gives the same copy, and both totals are right.

One limit of `raw_total`: a process killed between its two prepares leaves one of them behind until somebody meets it,
also through a drained pause. `resolved_total` undoes it; the verdict therefore rests on the resolved reading only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.sandbox.bank.dynamodb_items import row_of
from infra.sandbox.bank.opening import Opening
from infra.sandbox.bank.records import Account, Record, Row, TransactionState, Version
from infra.sandbox.bank.tables import (
    BANK_TABLES,
    COORDINATOR_TABLE,
    METADATA_COLUMN_COLUMN,
    METADATA_KEY,
    METADATA_TABLE,
    METADATA_TABLE_COLUMN,
    NAMESPACES_KEY,
    NAMESPACES_TABLE,
    namespaces_of,
    schema_of,
)

ReadTable = Callable[[str], Iterable[Row]]


class NoSuchTable(LookupError):
    """The copy lacks a table."""


@dataclass(frozen=True)
class Part:
    """What one database holds of a bank or of its copy.

    read_table: gives all rows of a table by its name there, see `scan_with`; raises NoSuchTable. tables: which of the account
    tables and the Coordinator table are here. table_names: where the copy of a table is, by the live name including `prefix`,
    for example {"bank.savings": "bank.savings-at-0300"}; tables that are not named there are read under their live names.
    label: what the audit calls this database, where there are several.
    """

    read_table: ReadTable
    tables: Collection[str] = BANK_TABLES
    table_names: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    label: str = ""

    def name_of(self, table: str) -> str:
        return self.table_names.get(self.prefix + table, self.prefix + table)

    def rows(self, table: str) -> list[Row]:
        """Of a table by its live name without the prefix, ScalarDB's own included. Raises NoSuchTable."""
        return list(self.read_table(self.name_of(table)))


@dataclass(frozen=True)
class TornTransfer:
    """A transfer of which `present` holds one side, while `absent` does not hold the other."""

    tx_id: str
    present: Account
    absent: Account
    why: str


@dataclass(frozen=True)
class Audit:
    """The result. Amounts are whole units of money; times are None when nothing of the kind was found.

    resolved_total: the money as ScalarDB would read it; raw_total: the plain sum of all balances.
    record_states, coordinator_states: counts by state name. rolled_forward, rolled_back: how many records needed it.
    committed_without_row: COMMITTED records whose transaction the Coordinator of this copy does not know.
    missing: what the copy lacks, in words.
    """

    expected_total: int
    resolved_total: int
    raw_total: int
    torn: tuple[TornTransfer, ...]
    missing: tuple[str, ...]
    record_states: Mapping[str, int]
    coordinator_states: Mapping[str, int]
    rolled_forward: int
    rolled_back: int
    committed_without_row: int
    latest_prepared_at: datetime | None
    latest_committed_at: datetime | None
    latest_decided_at: datetime | None

    @property
    def is_consistent(self) -> bool:
        return self.resolved_total == self.expected_total and not self.torn and not self.missing

    def explain(self) -> str:
        """The verdict in one sentence."""
        if self.is_consistent:
            return f"Consistent: all {self.expected_total:,} are there, in {sum(self.record_states.values()):,} accounts."
        reasons = []
        if self.missing:
            reasons.append(f"missing: {', '.join(self.missing[:5])}" + (" …" if len(self.missing) > 5 else ""))
        if self.resolved_total != self.expected_total:
            difference = self.resolved_total - self.expected_total
            reasons.append(f"{self.resolved_total:,} instead of {self.expected_total:,} ({difference:+,})")
        if self.torn:
            reasons.append(f"{len(self.torn)} torn transfers, for example {self.torn[0].why}")
        return f"Not consistent: {'; '.join(reasons)}."


def audit(read_table: ReadTable, opening: Opening, table_names: Mapping[str, str] | None = None, prefix: str = "") -> Audit:
    """Audits a bank on one database, the live tables or a copy; the parameters are those of Part."""
    tables = (*opening.tables, COORDINATOR_TABLE)
    return audit_parts([Part(read_table, tables, dict(table_names or {}), prefix)], opening)


def audit_parts(parts: Sequence[Part], opening: Opening) -> Audit:
    """Audits a bank that may be spread over several databases: each of its tables is in exactly one of the parts."""
    copy = _read_copy(parts, opening)
    resolved = {account: _resolve(record, copy.decisions) for account, record in copy.records.items()}
    versions = {account: version for account, version in resolved.items() if version is not None}
    records = copy.records.values()
    return Audit(
        expected_total=opening.total,
        resolved_total=sum(version.balance for version in versions.values()),
        raw_total=sum(record.current.balance for record in records),
        torn=tuple(_torn(versions, copy)),
        missing=tuple(copy.missing),
        record_states=Counter(TransactionState(record.current.tx_state).name for record in records),
        coordinator_states=Counter(state.name for state in copy.decisions.values()),
        rolled_forward=sum(not r.is_committed and versions.get(r.account) is r.current for r in records),
        rolled_back=sum(not r.is_committed and versions.get(r.account) is not r.current for r in records),
        committed_without_row=sum(r.is_committed and r.current.tx_id not in copy.decisions for r in records),
        latest_prepared_at=_latest(record.current.tx_prepared_at for record in records),
        latest_committed_at=_latest(record.current.tx_committed_at for record in records),
        latest_decided_at=_latest(copy.decided_at_ms),
    )


def scan_with(dynamodb: Any) -> ReadTable:
    """Reads whole tables with a boto3 or botocore DynamoDB client. What it returns raises NoSuchTable."""

    def read_table(name: str) -> Iterator[Row]:
        try:
            for page in dynamodb.get_paginator("scan").paginate(TableName=name, ConsistentRead=True):
                yield from map(row_of, page["Items"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            raise NoSuchTable(name) from error

    return read_table


@dataclass(frozen=True)
class _Copy:
    records: Mapping[Account, Record]
    decisions: Mapping[str, TransactionState]
    decided_at_ms: list[int]
    missing: list[str]


def _read_copy(parts: Sequence[Part], opening: Opening) -> _Copy:
    missing: list[str] = []
    tables = {table: part for part in parts for table in part.tables}

    def rows(part: Part | None, table: str) -> list[Row]:
        try:
            if part is not None:
                return part.rows(table)
        except NoSuchTable:
            table = part.name_of(table) + (f" on {part.label}" if part.label else "")
        missing.append(f"table {table}")
        return []

    records = [Record.from_row(table, row) for table in opening.tables for row in rows(tables.get(table), table)]
    by_account = {record.account: record for record in records}
    decided = rows(tables.get(COORDINATOR_TABLE), COORDINATOR_TABLE)
    missing += [f"account {account}" for account in opening.all_accounts() if account not in by_account]
    for part in parts:
        missing += _not_described(part, rows(part, METADATA_TABLE), rows(part, NAMESPACES_TABLE))
    return _Copy(
        records=by_account,
        decisions={row["tx_id"]: TransactionState(row["tx_state"]) for row in decided},
        decided_at_ms=[row["tx_created_at"] for row in decided],
        missing=missing,
    )


def _not_described(part: Part, metadata: Iterable[Row], namespaces: Iterable[Row]) -> Iterator[str]:
    """What ScalarDB would not find in this database, because its own tables do not say that it is there."""
    where = f" on {part.label}" if part.label else ""
    described = set(_described(metadata))
    listed = {row[NAMESPACES_KEY] for row in namespaces}
    for table in part.tables:
        if part.prefix + table not in described:
            yield f"ScalarDB's schema of {part.prefix + table}{where}"
    for namespace in namespaces_of(part.tables):
        if part.prefix + namespace not in listed:
            yield f"namespace {part.prefix + namespace}{where}"


def _described(metadata: Iterable[Row]) -> Iterator[str]:
    """The tables of which the metadata knows every column. DynamoDB has one row for each table."""
    columns: dict[str, set[str]] = {}
    for row in metadata:
        if METADATA_KEY in row:
            yield row[METADATA_KEY]
        else:
            columns.setdefault(row[METADATA_TABLE_COLUMN], set()).add(row[METADATA_COLUMN_COLUMN])
    yield from (table for table, known in columns.items() if known >= set(schema_of(table).columns))


def _resolve(record: Record, decisions: Mapping[str, TransactionState]) -> Version | None:
    """The version that ScalarDB's lazy recovery would settle on, once an undecided transaction has expired."""
    if record.is_committed or decisions.get(record.current.tx_id) is TransactionState.COMMITTED:
        return record.current
    return record.before


def _torn(versions: Mapping[Account, Version], copy: _Copy) -> Iterator[TornTransfer]:
    """Transfers that only one of their two records knows of, and records of transactions that were aborted."""
    for account, version in versions.items():
        if version.counterpart is None or version.counterpart_version is None:
            continue
        other = Account.named(version.counterpart)
        there = versions.get(other)
        if copy.decisions.get(version.tx_id) is TransactionState.ABORTED:
            why = f"{account} is committed by transaction {version.tx_id}, which the Coordinator calls aborted"
        elif there is None:
            why = f"{account} was paid from or to {other}, which is missing"
        elif there.tx_version < version.counterpart_version:
            why = f"{account} has transaction {version.tx_id}, {other} is still in an earlier version"
        elif there.tx_version == version.counterpart_version and there.tx_id != version.tx_id:
            why = f"{account} has transaction {version.tx_id}, {other} has {there.tx_id} in its place"
        else:
            continue
        yield TornTransfer(version.tx_id, present=account, absent=other, why=why)


def _latest(times_ms: Iterable[int | None]) -> datetime | None:
    known = [time_ms for time_ms in times_ms if time_ms is not None]
    return datetime.fromtimestamp(max(known) / 1000, UTC) if known else None
