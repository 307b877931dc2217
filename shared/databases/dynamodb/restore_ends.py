"""The ends of a restore: is what is live what it has promised, and the deletion of what it has kept or made beside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.databases.dynamodb.calls import Calls
from shared.databases.dynamodb.discovery import listed
from shared.databases.dynamodb.errors import BUSY, GONE, NO_SLOT, aws_code
from shared.databases.dynamodb.inventory import list_safety_backups, list_tables
from shared.databases.dynamodb.live_table import USABLE, LiveTable, read_live
from shared.databases.dynamodb.names import old_name, restored_name, restored_prefix
from shared.databases.dynamodb.protect import LATEST_SECONDS, SOONEST_SECONDS
from shared.databases.dynamodb.putting_back import PuttingBack
from shared.databases.dynamodb.restore_items import Restoring, TablePhase, brought_back, first_items, settings_of
from shared.databases.dynamodb.restore_led import led_aside
from shared.databases.dynamodb.settings_compare import differences, remarks
from shared.model.checks import CheckResult, failed, passed, warned
from shared.model.errors import BackupError, Misconfigured, NotReady, Throttled
from shared.model.records import replace
from shared.model.restore import DatabaseRestore, ItemRestore, RestoreStage


@dataclass(frozen=True)
class _Seen:
    item: ItemRestore
    live: LiveTable | None
    different: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def verify(restoring: Restoring, restored: DatabaseRestore, calls: Calls) -> tuple[CheckResult, ...]:
    """Status, source of the data and settings of every table, looked at anew; and that what was removed is not there.

    Raises:
        Unreachable, Throttled, Forbidden: the service.
    """
    putting_back = PuttingBack(restoring.now, calls)
    items = [item for item in restored.items if item.phase != TablePhase.LEFT_ALONE]
    removals = brought_back(restoring.order.undo)

    def see(item: ItemRestore) -> _Seen:
        live = read_live(item.side if restoring.is_aside else item.name, calls)
        wanted = settings_of(item.settings)
        if live is None or live.status not in USABLE or restoring.is_aside or wanted is None:
            return _Seen(item, live)
        different = differences(wanted, putting_back.read(live))
        blocking = tuple(each.text for each in different if not each.is_optional)
        optional = tuple(each.text for each in different if each.is_optional)
        return _Seen(item, live, blocking, (*optional, *remarks(wanted)))

    seen = calls.in_parallel(see, items)
    checks = _checked(restoring.database.key, [each for each in seen if each.item.name not in removals])
    return (*checks, *_check_removed(restoring.database.key, [each for each in seen if each.item.name in removals]))


def _checked(key: str, seen: Sequence[_Seen]) -> Iterable[CheckResult]:
    status = [f"{each.item.name} ({each.live.status if each.live else 'missing'})" for each in seen if not _is_usable(each)]
    yield _all_or("dynamodb-restored-status", key, status, f"{len(seen)} tables are ACTIVE", "are not ACTIVE")
    other = [
        f"{each.item.name} (from {each.live.from_backup or 'no backup'})"
        for each in seen
        if each.live and each.item.source and each.live.from_backup != each.item.source
    ]
    yield _all_or("dynamodb-restored-source", key, other, "every table comes from its backup", "come from somewhere else")
    settings = [f"{each.item.name}: {' '.join(each.different)}" for each in seen if each.different]
    yield _all_or("dynamodb-restored-settings", key, settings, "all settings are as noted", "have other settings than noted")
    if noted := [f"{each.item.name}: {' '.join(each.remarks)}" for each in seen if each.remarks]:
        yield warned(
            "dynamodb-restored-unknown",
            key,
            f"{len(noted)} tables have settings to look at. {listed(noted)}",
            "They could not be read when they were to be noted, or the service does not set them.",
        )


def _check_removed(key: str, seen: Sequence[_Seen]) -> Iterable[CheckResult]:
    if seen:
        there = [f"{each.item.name} ({each.live.status})" for each in seen if each.live]
        good = f"{len(seen)} tables that did not exist before do not exist any more"
        yield _all_or("dynamodb-restored-removed", key, there, good, "did not exist before and do exist")


def _is_usable(seen: _Seen) -> bool:
    return seen.live is not None and seen.live.status in USABLE


def _all_or(name: str, subject: str, bad: Sequence[str], good: str, what: str) -> CheckResult:
    if not bad:
        return passed(name, subject, good)
    hint = "Continue the restore, or look at these tables by hand."
    return failed(name, subject, f"{len(bad)} tables {what}: {listed(bad)}.", hint)


def discard(restoring: Restoring, restored: DatabaseRestore, calls: Calls) -> DatabaseRestore:
    """Deletes the safety backups and the tables beside the live ones that are named by this restore's stamp and by one of its
    own tables, and nothing else: another restore may bear the same stamp. The kept copies of the restore point stay.

    `restored` without items is a restore of which nothing was noted: its tables are found again as they were at first.

    Raises:
        NotReady: a live table is not restored yet, so its safety backup may be all there is of it; or the properties of a
            release lead to the tables beside.
        Unreachable, Throttled, Forbidden: they cannot be listed or deleted.
    """
    existing = list_tables(calls)
    if restored.changed_live:
        _require_live(restored, existing)
    items = restored.items or _first_items(restoring, calls)
    # A table that was to be removed and is left alone after all may have its safety backup from before.
    removals = brought_back(restoring.order.undo)
    names = sorted(item.name for item in items if item.phase != TablePhase.LEFT_ALONE or item.name in removals)
    tables = [aside for name in names if (aside := restored_name(restoring.order.stamp, name)) in existing]
    if tables:
        _refuse_when_led_to(restoring, tables)
    asked = {item.kept for item in restored.items if item.kept and item.phase == TablePhase.BACKING_UP}
    backups = sorted(asked.union(_safety_backups(restoring, restored, names, calls)))
    wanted: list[tuple[str, str, dict[str, str]]] = [
        *(("delete_table", name, {"TableName": _aside(name, restoring.order.stamp)}) for name in tables),
        *(("delete_backup", arn, {"BackupArn": arn}) for arn in backups),
    ]
    deleted = calls.in_parallel(lambda each: _is_deleted(*each, calls), wanted)
    still_there = bool(tables) or not all(deleted)
    return replace(
        restored,
        stage=restored.stage if still_there else RestoreStage.DISCARDED,
        done=not still_there,
        wait_seconds=(SOONEST_SECONDS if all(deleted) else LATEST_SECONDS) if still_there else 0.0,
        message=f"{sum(deleted)} of {len(wanted)} backups and tables of this restore are deleted.",
    )


def _first_items(restoring: Restoring, calls: Calls) -> tuple[ItemRestore, ...]:
    try:
        return first_items(restoring, restoring.order.storages, calls)
    except NotReady:  # there is no table, so nothing was made for one
        return ()


def _safety_backups(restoring: Restoring, restored: DatabaseRestore, names: Sequence[str], calls: Calls) -> list[str]:
    """ARNs of all there are: the application may have been stopped more than once, and then a table has several."""
    stamp = restoring.order.stamp
    ours = {(old_name(stamp, name), name) for name in names}
    found = list_safety_backups(stamp, restored.began_at, calls)
    return [arn for arn, backup in found.items() if (backup.name, backup.table) in ours]


def _refuse_when_led_to(restoring: Restoring, tables: Sequence[str]) -> None:
    if led := led_aside(restoring.order.stamp, restoring.database.region, restoring.order.storages):
        raise NotReady(
            f"{len(tables)} tables are not deleted: {listed(tables)}. Properties lead to them, or may do so: {listed(led)}.",
            hint="Lead the release to the live tables, or give the value that is missing. Then they are deleted.",
        )


def _require_live(restored: DatabaseRestore, existing: frozenset[str]) -> None:
    missing = [item.name for item in restored.items if item.kept and not item.done and item.name not in existing]
    if missing:
        raise NotReady(
            f"{len(missing)} tables are deleted and not restored yet: {listed(missing)}. Nothing that is kept of this restore "
            "is deleted.",
            hint="Continue the restore or undo it first.",
        )


def _is_deleted(operation: str, subject: str, given: dict[str, str], calls: Calls) -> bool:
    """Asked for, or gone. False when it is in use or there is no time left: a later call asks again."""
    try:
        calls.dynamodb(operation, subject, **given)
    except Throttled:
        return False
    except BackupError as error:
        if aws_code(error) in GONE:
            return True
        if aws_code(error) in BUSY | NO_SLOT:
            return False
        raise
    return True


def _aside(name: str, stamp: str) -> str:
    """The name, proven to be that of a table which this restore has made beside a live one.

    Raises:
        Misconfigured: it is not; a defect of this product.
    """
    if not name.startswith(restored_prefix(stamp)):
        raise Misconfigured(f"{name} was not made by this restore, so it is not deleted.", hint="Report this as a defect.")
    return name
