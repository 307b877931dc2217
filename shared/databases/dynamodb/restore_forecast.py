"""What a restore of the tables would do, lose and put back, and whether it can be done. Only reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.discovery import discover, listed
from shared.databases.dynamodb.errors import GONE, aws_code
from shared.databases.dynamodb.inventory import (
    Backup,
    describe_table,
    list_backups,
    list_safety_backups,
    list_tables,
    read_backup,
)
from shared.databases.dynamodb.live_table import USABLE, LiveTable, read_live
from shared.databases.dynamodb.names import copy_prefix, restored_name, restored_prefix
from shared.databases.dynamodb.recovery import Reach, Recovery, describe_recovery, reach
from shared.databases.dynamodb.restore_estimate import estimate
from shared.databases.dynamodb.restore_items import (
    Restoring,
    TablePhase,
    brought_back,
    first_items,
    left_alone,
    settings_of,
)
from shared.databases.dynamodb.restore_prepare import COPYING_TAKES
from shared.databases.dynamodb.restore_words import KEPT_COPY, OLD_COPY, RECOVERY, gone_for_good, keeps, loses, puts_back, steps
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import NotReady
from shared.model.restore import DatabaseForecast, ItemRestore
from shared.model.storage import ReleaseStorage
from shared.model.times import iso

CHOOSE_HINT = "Choose another restore point."


@dataclass(frozen=True)
class Outlook:
    """One table: the backup to restore from, if there is one, else how far its recovery window reaches; and the live table.
    `problem` says why there is no source. `is_removed`: an undo removes the live table, if there is one, and restores none."""

    item: ItemRestore
    live: LiveTable | None
    backup: Backup | None = None
    recovery: Recovery | None = None
    problem: str = ""
    ready_at: datetime | None = None
    is_removed: bool = False

    @property
    def size_bytes(self) -> int:
        sizes = [self.backup.size_bytes if self.backup else None, self.live.size_bytes if self.live else None]
        return max((size for size in sizes if size is not None), default=0)

    @property
    def is_left_alone(self) -> bool:
        return self.item.phase == TablePhase.LEFT_ALONE

    @property
    def is_restored(self) -> bool:
        return not self.is_left_alone and not self.is_removed


def forecast(restoring: Restoring, storages: Sequence[ReleaseStorage], calls: Calls) -> DatabaseForecast:
    """The answer for people, before anything is done.

    Raises:
        Unreachable, Throttled, Forbidden: the service.
    """
    key, order = restoring.database.key, restoring.order
    try:
        items = first_items(restoring, storages, calls)
    except NotReady as error:
        check = failed("dynamodb-restore-tables", key, error.message, error.hint)
        return DatabaseForecast(database=key, point=order.at, checks=(check,))
    looks = _look(restoring, items, calls)
    restored = [look for look in looks if look.is_restored]
    by_recovery = [look for look in restored if look.backup is None]
    kept = [look for look in looks if look.live and not look.is_left_alone]
    removed = sum(look.is_removed for look in kept)
    seconds, basis = estimate(restoring, [look.size_bytes for look in restored], by_recovery=len(by_recovery), live=len(kept))
    windows = [look.recovery for look in by_recovery if look.recovery]
    return DatabaseForecast(
        database=key,
        point=order.at,
        source=_source(restoring, restored),
        steps=steps(restoring, len(restored), len(by_recovery), len(kept) - removed, removed),
        loses=loses(restoring, [look.item for look in restored]),
        puts_back=puts_back(restoring, [look.item for look in restored]),
        gone_for_good=gone_for_good(restoring, len(kept)),
        keeps=() if restoring.is_aside else keeps(order.stamp, [look.item.name for look in kept]),
        checks=tuple(_checks(restoring, looks, storages, calls)),
        observed=_observed(looks),
        restorable_from=max((window.earliest for window in windows if window.earliest), default=None),
        restorable_until=min((window.until(order.at) for window in windows if order.at and window.is_on), default=None),
        ready_at=max((look.ready_at for look in looks if look.ready_at), default=None),
        estimate_seconds=seconds,
        estimate_basis=basis,
    )


def _source(restoring: Restoring, restored: Sequence[Outlook]) -> str:
    if restoring.is_undo:
        return OLD_COPY
    kinds = {KEPT_COPY if look.backup else RECOVERY for look in restored}
    return ", ".join(sorted(kinds))


def _observed(looks: Iterable[Outlook]) -> Mapping[str, str]:
    """Flat, so that a difference can be named. What changes by itself, such as sizes and recovery windows, is left out."""
    seen: dict[str, str] = {}
    for look in looks:
        name = look.item.name
        seen[f"{name}: live table"] = look.live.table_id if look.live else "none"
        if look.is_removed:
            seen[f"{name}: source"] = "none, it is removed"
        elif look.is_restored:
            seen[f"{name}: source"] = look.backup.arn if look.backup else RECOVERY
    return seen


def _look(restoring: Restoring, items: Sequence[ItemRestore], calls: Calls) -> list[Outlook]:
    listed_backups = _list_sources(restoring, calls)
    removals = brought_back(restoring.order.undo)
    by_name: dict[str, Backup] = {backup.name: backup for backup in listed_backups.values() if backup.status == "AVAILABLE"}

    def look(item: ItemRestore) -> Outlook:
        live = read_live(item.name, calls)
        if item.phase == TablePhase.LEFT_ALONE:
            return Outlook(item, live)
        if item.name in removals:
            return _removal(restoring, item, live, removals[item.name])
        name = restoring.source_name(item.name)
        backup = listed_backups.get(item.source) or (read_backup(item.source, calls) if item.source else by_name.get(name))
        if backup and backup.name == name and backup.status == "AVAILABLE":
            return Outlook(item, live, backup)
        if restoring.is_undo:
            return Outlook(item, live, problem=f"{item.name}: its safety backup {item.source} is gone.")
        return _by_recovery(restoring, item, live, calls)

    return calls.in_parallel(look, list(items))


def _removal(restoring: Restoring, item: ItemRestore, live: LiveTable | None, made_from: str) -> Outlook:
    if live and live.from_backup != made_from:
        note = "The restore that is taken back has not made it: it is left alone."
        return Outlook(left_alone(item, note, restoring.now), live)
    return Outlook(item, live, is_removed=True)


def _list_sources(restoring: Restoring, calls: Calls) -> dict[str, Backup]:
    undo = restoring.order.undo
    if undo:
        return list_safety_backups(undo.stamp, undo.began_at, calls)
    point = restoring.point
    return list_backups(copy_prefix(point), point, point + COPYING_TAKES, calls)


def _by_recovery(restoring: Restoring, item: ItemRestore, live: LiveTable | None, calls: Calls) -> Outlook:
    if live is None:
        problem = f"{item.name} is deleted and has no kept copy: with the table its recovery window ended."
        return Outlook(item, None, problem=problem)
    try:
        recovery = describe_recovery(item.name, calls)
        found = reach(item.name, restoring.point, recovery, calls)
    except NotReady as error:
        problem = f"{item.name} was deleted a moment ago." if aws_code(error) in GONE else error.message
        return Outlook(item, live, problem=problem)
    if found is Reach.NO_TABLE_THEN:
        return Outlook(ItemRestore(name=item.name, phase=TablePhase.LEFT_ALONE, done=True), live)
    if found is Reach.NOT_YET and recovery.latest is not None:
        ready_at = restoring.point + (restoring.now - recovery.latest)
        return Outlook(item, live, recovery=recovery, ready_at=ready_at)
    return Outlook(item, live, recovery=recovery)


def _checks(
    restoring: Restoring, looks: Sequence[Outlook], storages: Sequence[ReleaseStorage], calls: Calls
) -> Iterable[CheckResult]:
    key = restoring.database.key
    yield from _check_sources(key, looks)
    if not restoring.is_aside:
        yield from _check_live(key, looks)
        yield from _check_removed(key, looks)
    yield from _check_others(restoring, looks, storages, calls)
    unknown = [look.item.name for look in looks if (known := settings_of(look.item.settings)) and known.unknown]
    if unknown:
        yield warned(
            "dynamodb-restore-settings",
            key,
            f"Not all settings of {len(unknown)} tables were known at the point: {listed(unknown)}.",
            "The live table's are taken where they can be read; look at these tables afterwards.",
        )
    if restoring.is_aside:
        yield from _check_names(restoring, looks, calls)


def _check_sources(key: str, looks: Sequence[Outlook]) -> Iterable[CheckResult]:
    if problems := sorted(look.problem for look in looks if look.problem):
        more = f" And {len(problems) - 10} more." if len(problems) > 10 else ""
        detail = f"{len(problems)} tables cannot be restored. {' '.join(problems[:10])}{more}"
        yield failed("dynamodb-restore-source", key, detail, CHOOSE_HINT)
    elif early := [look.ready_at for look in looks if look.ready_at]:
        yield failed(
            "dynamodb-restore-source",
            key,
            f"Point-in-time recovery of {len(early)} tables has not reached the point yet.",
            f"Try again at about {iso(max(early).replace(microsecond=0))}.",
        )
    else:
        yield passed("dynamodb-restore-source", key, f"{sum(look.is_restored for look in looks)} tables can be restored")
    if absent := [look.item.name for look in looks if look.is_left_alone]:
        yield warned(
            "dynamodb-restore-absent",
            key,
            f"{len(absent)} tables have nothing to be restored from, because they did not exist then: {listed(absent)}.",
            "They are left as they are.",
        )


def _check_live(key: str, looks: Sequence[Outlook]) -> Iterable[CheckResult]:
    to_go = [(look.item, look.live) for look in looks if not look.is_left_alone]
    busy = [f"{live.name} ({live.status})" for _, live in to_go if live and live.status not in USABLE]
    yield _all_or(
        failed, "dynamodb-restore-status", key, busy, "are being changed or cannot be used", "Wait until they are ACTIVE."
    )
    replicated = [
        f"{item.name} ({', '.join(regions)})"
        for item, live in to_go
        if (regions := (live.replica_regions if live else ()) or _replicas_of(item))
    ]
    yield _all_or(
        failed,
        "dynamodb-restore-replicas",
        key,
        replicated,
        "are global tables, and a restored table has no replicas",
        "Restore side by side and copy the items, or remove the replicas first.",
    )
    if missing := [look.item.name for look in looks if look.is_restored and look.live is None]:
        yield warned(
            "dynamodb-restore-missing",
            key,
            f"{len(missing)} tables do not exist now: {listed(missing)}.",
            "They are made again; there is nothing to keep of them, and an undo removes them again.",
        )


def _check_removed(key: str, looks: Sequence[Outlook]) -> Iterable[CheckResult]:
    if removed := [look.item.name for look in looks if look.is_removed and look.live]:
        yield warned(
            "dynamodb-restore-removed",
            key,
            f"{len(removed)} tables did not exist before the restore that is taken back, and are removed: {listed(removed)}.",
            "Each is kept as a safety backup: an undo of this undo brings them back.",
        )


def _replicas_of(item: ItemRestore) -> tuple[str, ...]:
    known = settings_of(item.settings)
    return known.replica_regions if known else ()


def _check_others(
    restoring: Restoring, looks: Sequence[Outlook], storages: Sequence[ReleaseStorage], calls: Calls
) -> Iterable[CheckResult]:
    """Tables that the releases have now and the point, or the restore that is taken back, does not know."""
    found = discover(restoring.database, storages, list_tables(calls), calls).tables
    if younger := set(found) - {look.item.name for look in looks}:
        yield warned(
            "dynamodb-restore-younger",
            restoring.database.key,
            f"{len(younger)} tables of the releases exist now that are no part of what is restored: {listed(younger)}.",
            "They were created later and are left as they are. After a restore ScalarDB's metadata does not know them.",
        )


def _check_names(restoring: Restoring, looks: Sequence[Outlook], calls: Calls) -> Iterable[CheckResult]:
    names = {restored_name(restoring.order.stamp, look.item.name): look.item for look in looks if not look.is_left_alone}
    existing = {name for name in list_tables(calls) if name.startswith(restored_prefix(restoring.order.stamp))}
    taken = []
    for name in sorted(existing & names.keys()):
        table = describe_table(name, calls)
        if table and table.get("RestoreSummary", {}).get("SourceBackupArn") != names[name].source:
            taken.append(name)
    yield _all_or(
        failed, "dynamodb-restore-names", restoring.database.key, taken, "exist that this restore has not made", "Delete them."
    )


def _all_or(
    problem: Callable[[str, str, str, str], CheckResult], name: str, subject: str, bad: Sequence[str], what: str, hint: str
) -> CheckResult:
    if not bad:
        return passed(name, subject)
    return problem(name, subject, f"{len(bad)} tables {what}: {listed(bad)}.", hint)
