"""Can every table be restored to a moment that is yet to come: the named checks of `check`. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.discovery import discover, listed
from shared.databases.dynamodb.errors import GONE, aws_code
from shared.databases.dynamodb.inventory import describe_table, list_tables
from shared.databases.dynamodb.left_over import left_over
from shared.databases.dynamodb.live_table import USABLE
from shared.databases.dynamodb.manifest import Manifests
from shared.databases.dynamodb.names import LONGEST_NAME, copy_name
from shared.databases.dynamodb.recovery import PITR_HINT, Recovery, describe_recovery
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import Forbidden, NotReady
from shared.model.plan import DynamoDb
from shared.model.storage import ReleaseStorage

USUAL_LAG = timedelta(minutes=10)
"""LatestRestorableDateTime is typically five minutes behind (API reference of PointInTimeRecoveryDescription); doubled."""


@dataclass(frozen=True)
class _Table:
    name: str
    described: dict[str, Any]
    recovery: Recovery


def check(
    database: DynamoDb,
    storages: Sequence[ReleaseStorage],
    now: datetime,
    endpoint_url: str,
    max_concurrent_restores: int,
    calls: Calls,
) -> tuple[CheckResult, ...]:
    """One result per kind of problem, with the tables that have it. A missing right is a failed check that names it.

    Takes about a tenth of a second per table: that is how often an account may ask for a table's recovery window.

    Raises:
        Unreachable, Throttled: the service could not be asked.
    """
    try:
        existing = list_tables(calls)
        discovery = discover(database, storages, existing, calls)
        read = calls.in_parallel(lambda name: _read(name, calls), list(discovery.tables))
        tables = [table for table in read if table]
        return (
            *discovery.findings,
            *_check_tables(database.key, tables, now),
            *_check_settings(database.key, tables[:1], now, calls),
            *_check_left_over(database.key, existing, now),
            *_check_copies(database.key, [table.name for table in tables], now, max_concurrent_restores),
            *_check_endpoint(database, storages, endpoint_url),
        )
    except Forbidden as error:
        return (failed("dynamodb-rights", database.key, error.message, error.hint),)


def _read(name: str, calls: Calls) -> _Table | None:
    """None when the table vanished since it was listed."""
    described = describe_table(name, calls)
    if described is None:
        return None
    try:
        return _Table(name, described, describe_recovery(name, calls))
    except NotReady as error:
        if aws_code(error) in GONE:
            return None
        raise


def _check_tables(subject: str, tables: Sequence[_Table], now: datetime) -> Iterable[CheckResult]:
    if not tables:
        return
    yield _all_or(
        failed,
        "dynamodb-status",
        subject,
        [f"{table.name} ({table.described['TableStatus']})" for table in tables if not _is_usable(table)],
        f"{len(tables)} tables are usable",
        "cannot be restored from in this state",
        "Wait until it is ACTIVE; INACCESSIBLE_ENCRYPTION_CREDENTIALS means that its KMS key is disabled.",
    )
    shortest = min((table.recovery.period_days for table in tables if table.recovery.is_on), default=0)
    yield _all_or(
        failed,
        "dynamodb-pitr",
        subject,
        [table.name for table in tables if not table.recovery.is_on],
        f"on for {len(tables)} tables, recovery period at least {shortest} days",
        "have point-in-time recovery off",
        PITR_HINT,
    )
    lags = {table.name: now - table.recovery.latest for table in tables if table.recovery.latest is not None}
    longest = max(lags.values(), default=timedelta(0))
    yield _all_or(
        warned,
        "dynamodb-recovery-lag",
        subject,
        [f"{name} ({lag.total_seconds():.0f} s)" for name, lag in lags.items() if lag > USUAL_LAG],
        f"the latest restorable time is at most {max(0.0, longest.total_seconds()):.0f} s behind",
        f"have a latest restorable time more than {USUAL_LAG.total_seconds():.0f} s behind",
        "A restore point becomes available only when this time has passed it; see the AWS Health Dashboard.",
    )
    yield _all_or(
        warned,
        "dynamodb-deletion-protection",
        subject,
        [table.name for table in tables if not table.described.get("DeletionProtectionEnabled")],
        f"on for {len(tables)} tables",
        "have deletion protection off",
        "Turn it on: whoever deletes a table also ends its recovery window.",
    )
    if replicated := [table.name for table in tables if table.described.get("Replicas")]:
        yield warned(
            "dynamodb-global-tables",
            subject,
            f"{len(replicated)} tables have replicas: {listed(replicated)}.",
            "Writes in other regions are not paused, and a restored table has no replicas.",
        )


def _is_usable(table: _Table) -> bool:
    return table.described["TableStatus"] in USABLE


def _all_or(
    problem: Callable[[str, str, str, str], CheckResult],
    name: str,
    subject: str,
    bad: Sequence[str],
    good_detail: str,
    bad_detail: str,
    hint: str,
) -> CheckResult:
    if not bad:
        return passed(name, subject, good_detail)
    return problem(name, subject, f"{len(bad)} tables {bad_detail}: {listed(bad)}.", hint)


def _check_settings(subject: str, one: Sequence[_Table], now: datetime, calls: Calls) -> Iterable[CheckResult]:
    """Reads one table's settings: what cannot be read of it cannot be read of the others either."""
    for table in one:
        unknown = Manifests(calls).read(table.described, table.recovery.described, now).unknown
        if unknown:
            reasons = " ".join(f"{field}: {reason}" for field, reason in sorted(unknown.items()))
            yield warned(
                "dynamodb-settings",
                subject,
                f"settings that a restore loses cannot all be read. {reasons}",
                "Give the function's role these rights and a way to the service; otherwise put these settings back by hand.",
            )
        else:
            yield passed("dynamodb-settings", subject, "all settings that a restore loses can be read")


def _check_left_over(subject: str, existing: Iterable[str], now: datetime) -> Iterable[CheckResult]:
    """Side tables of a run that was given up are adopted only by a repetition for the same point; old ones just cost money."""
    if old := left_over(existing, now):
        yield warned(
            "dynamodb-left-over",
            subject,
            f"{len(old)} side tables of backups that were never finished exist: {listed(old)}.",
            "The next backup that succeeds removes them; nobody has to.",
        )


def _check_copies(subject: str, names: Sequence[str], now: datetime, max_concurrent_restores: int) -> Iterable[CheckResult]:
    """Only informs: what the number of tables and their names mean for the copies."""
    if not names:
        return
    point = now.replace(microsecond=0)
    cut = [name for name in names if not copy_name(point, name).endswith(f".{name}")]
    waves = -(-len(names) // max_concurrent_restores)
    detail = f"{len(names)} tables, at most {max_concurrent_restores} restored at a time: {waves} rounds"
    if cut:
        detail += f"; {len(cut)} names are too long to be whole in {LONGEST_NAME} characters and are cut: {listed(cut)}"
    yield passed("dynamodb-copies", subject, detail)


def _check_endpoint(database: DynamoDb, storages: Sequence[ReleaseStorage], endpoint_url: str) -> Iterable[CheckResult]:
    """A release that talks to another DynamoDB than this function does is backed up from the wrong place."""
    ours = urlsplit(endpoint_url).netloc
    for release in storages:
        for storage in release.storages:
            if storage.kind != "dynamo" or storage.contact_point != database.region or not storage.endpoint_override:
                continue
            theirs = urlsplit(storage.endpoint_override).netloc or storage.endpoint_override
            if theirs != ours and not theirs.partition(":")[0].endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")):
                yield warned(
                    "dynamodb-endpoint",
                    database.key,
                    f"{release.release} talks to {theirs} (scalar.db.dynamo.endpoint_override), this function to {ours}.",
                    "Make sure that both are the same database: the backup is taken from the latter.",
                )
