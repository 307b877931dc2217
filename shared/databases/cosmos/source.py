"""What an account is restored from: the continuous backups of the account that had the point, alive or deleted, or the old
account that an undo goes back to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.databases.cosmos.account import TIER_DAYS, Account, Restorable, find_account, find_restorable
from shared.databases.cosmos.calls import Calls
from shared.databases.cosmos.manifest import read
from shared.databases.cosmos.progress import Work, settings_of
from shared.model.checks import CheckResult, failed
from shared.model.cosmos_settings import STRONG, ContainerSettings, CosmosSettings, DatabaseSettings
from shared.model.protection import ItemPhase, ItemProtection
from shared.model.records import replace
from shared.model.restore import RestoreOrder
from shared.model.times import iso

PITR, OLD_COPY = "point-in-time recovery", "old copy"
CHECK = "cosmos-source"


@dataclass(frozen=True)
class Source:
    """`way` is the word of `DatabaseForecast.source`, empty when there is none: then `problem` says why.

    `settings` is what the restored account shall have: the live account's as they are now, for a restore brings data back and
    does not take back what was configured since; those of the restore point where no account is live. `contents` is what the
    backup has at the point, containers by database.
    """

    way: str = ""
    settings: CosmosSettings | None = None
    live: CosmosSettings | None = None
    noted: CosmosSettings | None = None
    restorable: Restorable | None = None
    region: str = ""
    earliest: datetime | None = None
    contents: Mapping[str, tuple[str, ...]] | None = None
    latest: datetime | None = None
    is_reached: bool = True
    """Whether the point is restorable already."""
    problem: CheckResult | None = None

    @property
    def created_since(self) -> tuple[str, ...]:
        if self.live is None or self.contents is None:
            return ()
        there = set(self.paths())
        return tuple(item.path for item in self.live.containers if item.path not in there)

    @property
    def deleted_since(self) -> tuple[str, ...]:
        if self.live is None or self.contents is None:
            return ()
        here = {item.path for item in self.live.containers}
        return tuple(path for path in self.paths() if path not in here)

    def paths(self) -> list[str]:
        """The containers that the backup has at the point."""
        contents = self.contents or {}
        return [f"{database}/{container}" for database, held in sorted(contents.items()) for container in sorted(held)]


def noted_item(order: RestoreOrder) -> ItemProtection | None:
    """What the restore point keeps of the account: its first item; the others are its containers."""
    return order.protection.items[0] if order.protection and order.protection.items else None


def latest_of(account: Account, settings: CosmosSettings, calls: Calls) -> datetime | None:
    """The minimum of latestRestorableTimestamp over all containers; None while one of them has none."""
    found = calls.at_once(
        lambda item: calls.latest_restorable(account.name, item.database, item.name, account.write_region),
        settings.containers,
    )
    return None if not found or None in found else min(moment for moment in found if moment is not None)


def find_source(work: Work) -> Source:
    """Where this order's data is.

    Raises:
        Unreachable, Throttled, Forbidden: the service.
    """
    account = find_account(work.name, work.calls)
    live = read(account, work.now, work.calls) if account else None
    if work.order.undo is not None:
        return _old_account(work, live)
    item = noted_item(work.order)
    noted = settings_of(item.settings) if item else None
    owner_id = noted.instance_id if noted else live.instance_id if live else ""
    if work.order.at is None or not owner_id:
        return Source(live=live, noted=noted, problem=_missing(work))
    owner = noted or live
    place = owner.write_region if owner else ""
    restorable = find_restorable(work.name, owner_id, place, work.calls)
    is_alive = live is not None and live.instance_id == owner_id
    if restorable is None:
        return Source(live=live, noted=noted, problem=_no_backups(work, owner_id))
    known = live or noted
    days = TIER_DAYS.get(known.backup_tier, 0) if known else 0
    earliest = restorable.earliest(days, work.now)
    at, ended = work.order.at, restorable.deleted_at
    region = restorable.region(known.write_region if known else "")
    source = Source(live=live, noted=noted, restorable=restorable, region=region, earliest=earliest)
    if (earliest and at < earliest) or (ended and at >= ended):
        return dataclasses.replace(source, problem=_out_of_reach(work, at, earliest, ended))
    latest, is_reached = None, True
    if is_alive and account and live and not (item and item.phase is ItemPhase.COVERED):
        latest = latest_of(account, live, work.calls)
        is_reached = latest is not None and latest >= at
    contents = work.calls.restorable_contents(restorable.location, owner_id, region, at) if is_reached else None
    if contents is not None and not any(contents.values()):
        return dataclasses.replace(source, problem=_nothing_there(work, at))
    source = dataclasses.replace(source, way=PITR, latest=latest, is_reached=is_reached, contents=contents)
    return dataclasses.replace(source, settings=wanted_settings(source))


def wanted_settings(source: Source) -> CosmosSettings | None:
    """What the account shall have: known settings of exactly what the backup has. ScalarDB needs Strong, whatever there was."""
    base = source.live or source.noted
    if base is None:
        return None
    base = replace(base, consistency=STRONG)
    if source.contents is None:
        return base
    paths = set(source.paths())
    containers: dict[str, ContainerSettings] = {}
    databases: dict[str, DatabaseSettings] = {}
    for settings in (source.noted, source.live):
        if settings is not None:
            containers |= {item.path: item for item in settings.containers if item.path in paths}
            databases |= {item.name: item for item in settings.databases if item.name in source.contents}
    return replace(
        base,
        containers=tuple(containers[path] for path in sorted(containers)),
        databases=tuple(databases[name] for name in sorted(databases)),
    )


def _old_account(work: Work, live: CosmosSettings | None) -> Source:
    """The account that the first restore was led away from; nothing has happened to it since."""
    item = work.order.undo.items[0] if work.order.undo and work.order.undo.items else None
    kept = settings_of(item.kept_settings) if item else None
    if item is None or kept is None:
        return Source(live=live, problem=_nothing_kept(work, "the restore has set nothing aside"))
    found = find_account(kept.account, work.calls)
    if found is None or found.instance_id != kept.instance_id:
        return Source(live=live, problem=_nothing_kept(work, f"account {kept.account} ({kept.instance_id}) does not exist"))
    return Source(way=OLD_COPY, settings=read(found, work.now, work.calls), live=live)


def _missing(work: Work) -> CheckResult:
    return failed(
        CHECK,
        work.database.key,
        f"Cosmos DB account {work.name} does not exist, and no restore point says which one it was.",
        "Restore to a restore point: it keeps the account's instance id, by which its backups are found.",
    )


def _no_backups(work: Work, instance_id: str) -> CheckResult:
    return failed(
        CHECK,
        work.database.key,
        f"There are no continuous backups of {work.name} ({instance_id}) in the subscription.",
        "They end with the retention of 7 or 30 days. Is the account in continuous mode, and may the identity read restorable "
        "accounts of the subscription (role CosmosRestoreOperator)?",
    )


def _out_of_reach(work: Work, at: datetime, earliest: datetime | None, ended: datetime | None) -> CheckResult:
    window = f"from {iso(earliest)}" if earliest else "from its creation"
    until = f" to {iso(ended)}, when it was deleted" if ended else ""
    return failed(
        CHECK, work.database.key, f"{iso(at)} cannot be restored: backups reach {window}{until}.", "Take a later restore point."
    )


def _nothing_there(work: Work, at: datetime) -> CheckResult:
    return failed(
        CHECK,
        work.database.key,
        f"The backups of {work.name} have no container at {iso(at)}.",
        "Was the account already in use then? Take a later restore point.",
    )


def _nothing_kept(work: Work, why: str) -> CheckResult:
    return failed(
        CHECK,
        work.database.key,
        f"There is nothing to go back to: {why}.",
        "Restore to a restore point instead, if one reaches.",
    )
