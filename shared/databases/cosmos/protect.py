"""One call of `protect` for an account: its settings noted, then every container asked whether its backup has the point.

Backups are taken asynchronously, within 100 seconds of a write, container by container: a point is restorable when the last of
them has it ("Get the latest restorable timestamp").
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.databases.cosmos.account import TIER_DAYS, Account, find_account
from shared.databases.cosmos.calls import Calls
from shared.databases.cosmos.manifest import read
from shared.databases.cosmos.progress import wait_seconds
from shared.model.cosmos_settings import CosmosSettings
from shared.model.errors import InvalidRequest, NotReady
from shared.model.plan import CosmosAccount
from shared.model.protection import DatabaseProtection, ItemPhase, ItemProtection
from shared.model.records import from_record, replace, to_record
from shared.model.times import iso

MOST_ASKED = 48
"""Containers asked in one call; the others are asked by the next ones, so that a call stays short."""


def advance(
    database: CosmosAccount, point: datetime, previous: DatabaseProtection | None, now: datetime, calls: Calls
) -> DatabaseProtection:
    """The protection after this call. The first item is the account with its settings, the others are its containers.

    Raises:
        InvalidRequest: the point is not a whole second.
        NotReady: the account is gone or replaced, or not in continuous backup mode.
        Unreachable, Throttled, Forbidden: the service.
    """
    if point.tzinfo is None or point.microsecond:
        raise InvalidRequest(f"{point.isoformat()} cannot be restored to exactly.", hint="A point is a whole second in UTC.")
    items = _remembered(database, point, previous)
    if items and items[0].is_done:
        return _protection(database, point, items, now)
    noted = from_record(items[0].settings, CosmosSettings) if items and items[0].settings else None
    account = _same_account(database, noted, calls)
    if noted is None:
        noted = read(account, now, calls)
        items = _first_items(database, noted, now)
    asked = [item for item in items[1:] if not item.is_done][:MOST_ASKED]
    latest = dict(zip((item.name for item in asked), _latest(account, asked, calls), strict=True))
    containers = tuple(_looked_at(item, latest.get(item.name), point, now) for item in items[1:])
    return _protection(database, point, (_account_item(items[0], containers, account, point, now), *containers), now)


def _remembered(database: CosmosAccount, point: datetime, previous: DatabaseProtection | None) -> tuple[ItemProtection, ...]:
    """Memory of another point or database is none."""
    if previous is None or previous.database != database.key or previous.point != point:
        return ()
    return previous.items


def _same_account(database: CosmosAccount, noted: CosmosSettings | None, calls: Calls) -> Account:
    account = find_account(database.account, calls)
    if account is None or (noted is not None and account.instance_id != noted.instance_id):
        is_what = "does not exist" if account is None else "is another one than at the restore point"
        raise NotReady(
            f"Cosmos DB account {database.account} {is_what}.", hint="Name the right one in the plan and take a new backup."
        )
    if not account.backup_tier:
        raise NotReady(
            f"{account.name} is backed up in {account.backup_type} mode, so no second of it can be restored.",
            hint="Change it to continuous mode (az cosmosdb update --backup-policy-type Continuous); there is no way back.",
        )
    return account


def _first_items(database: CosmosAccount, noted: CosmosSettings, now: datetime) -> tuple[ItemProtection, ...]:
    account = ItemProtection(name=database.account, phase=ItemPhase.WAITING, since=now, settings=to_record(noted))
    return (account, *(ItemProtection(name=item.path, phase=ItemPhase.WAITING, since=now) for item in noted.containers))


def _latest(account: Account, items: Sequence[ItemProtection], calls: Calls) -> list[datetime | None]:
    """Asked of the write region, whose backups are the most up to date with Strong consistency."""
    paths = [item.name.split("/", 1) for item in items]
    return calls.at_once(lambda path: calls.latest_restorable(account.name, path[0], path[1], account.write_region), paths)


def _looked_at(item: ItemProtection, latest: datetime | None, point: datetime, now: datetime) -> ItemProtection:
    if item.is_done or latest is None:
        return item
    if latest >= point:
        return replace(item.entered(ItemPhase.COVERED, now), note="")
    return replace(item, note=f"restorable up to {iso(latest)}")


def _account_item(
    item: ItemProtection, containers: Sequence[ItemProtection], account: Account, point: datetime, now: datetime
) -> ItemProtection:
    if not all(container.is_done for container in containers):
        return item
    until = point + timedelta(days=TIER_DAYS.get(account.backup_tier, 0))
    return replace(item.entered(ItemPhase.COVERED, now), restorable_until=until)


def _protection(
    database: CosmosAccount, point: datetime, items: tuple[ItemProtection, ...], now: datetime
) -> DatabaseProtection:
    done = all(item.is_done for item in items)
    return DatabaseProtection(
        database=database.key,
        point=point,
        items=items,
        done=done,
        wait_seconds=0.0 if done else wait_seconds(items[0].since, now),
        message=_message(items, point),
    )


def _message(items: Sequence[ItemProtection], point: datetime) -> str:
    account, containers = items[0], items[1:]
    if account.is_done:
        until = f" until {iso(account.restorable_until)}" if account.restorable_until else ""
        return f"{account.name}: restorable{until}."
    left = [item for item in containers if not item.is_done]
    named = next((f" {item.name} is {item.note}." for item in left if item.note), "")
    return f"{account.name}: waiting until {iso(point)} is restorable in {len(left)} of {len(containers)} containers.{named}"
